"""Addresses: lines, numbers, postcodes, towns, regions."""

import random
import re

import pyarrow as pa
import pytest

from cdm_pipelines.standardise.address import address
from cdm_pipelines.standardise.distinct import TEXT
from cdm_pipelines.standardise.street import read_line

STREET = ("street", "house_number", "house_addition", "address_extra")
_Parts = tuple[str | None, str | None, str | None, str | None]


def read(fields: dict[str, str], country: str | None) -> dict[str, str | None]:
    columns = {target: pa.array([value]) for target, value in fields.items()}
    found, _ = address(columns, pa.array([country], TEXT))
    return {name: array[0].as_py() for name, array in found.items()}


def street(fields: dict[str, str], country: str | None = "NL") -> _Parts:
    found = read(fields, country)
    first, second, third, fourth = (found[name] for name in STREET)
    return first, second, third, fourth


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("Prof. Dr. Dorgelolaan 20", ("Prof. Dr. Dorgelolaan", "20", None, None)),
        ("1e Jan van der Heijdenstraat 12-bis", ("1e Jan van der Heijdenstraat", "12", "bis", None)),
        ("Plein 1944 12 A", ("Plein 1944", "12", "A", None)),
        ("Plein 1944", ("Plein 1944", None, None, None)),
        ("Plein 1940-1945 3", ("Plein 1940-1945", "3", None, None)),
        ("18 Septemberplein 3", ("18 Septemberplein", "3", None, None)),
        ("Laan van Meerdervoort 501 2 hoog", ("Laan van Meerdervoort", "501", "2 hoog", None)),
        ("Oosterparkstraat 10 3hoog", ("Oosterparkstraat", "10", "3 hoog", None)),
        ("2e Oosterparkstraat 10 III", ("2e Oosterparkstraat", "10", "III", None)),
        ("Keizersgracht 123-HS", ("Keizersgracht", "123", "hs", None)),
        ("Kerkstraat 12 rd", ("Kerkstraat", "12", "rood", None)),
        ("Kerkstraat 12bis A", ("Kerkstraat", "12", "bis A", None)),
        ("Dorpsstraat 12a", ("Dorpsstraat", "12", "A", None)),
        ("Dorpsstraat12", ("Dorpsstraat", "12", None, None)),
        ("Dorpsstraat 12-14", ("Dorpsstraat", "12", "14", None)),
        ("Dorpsstraat 12/3", ("Dorpsstraat", "12", "3", None)),
        ("Dorpsstraat 12 A-2", ("Dorpsstraat", "12", "A 2", None)),
        ("Dorpsstraat nr. 5", ("Dorpsstraat", "5", None, None)),
        ("Dorpsstraat ong.", ("Dorpsstraat", None, "ong.", None)),
        ("DORPSSTR. 12A", ("Dorpsstraat", "12", "A", None)),
        ("Straat 12 t.o. 14", ("Straat", "12", "t.o. 14", None)),
        ("Kade t.o. 14", ("Kade", "14", "t.o.", None)),
        ("Kade 14 t/o", ("Kade", "14", "t.o.", None)),
        ("Hoofdstraat 12, 2e verdieping", ("Hoofdstraat", "12", "2e verdieping", None)),
        ("Marktplein\n128", ("Marktplein", "128", None, None)),
        ("Marktplein\n128\nB", ("Marktplein", "128", "B", None)),
        ("Plein 1945\n12", ("Plein 1945", "12", None, None)),
        ("Kerkstraat 1\n2", ("Kerkstraat", "1", None, "2")),
        ("Gebouw A\nHoofdstraat 12", ("Hoofdstraat", "12", None, "Gebouw A")),
        ("T.a.v. J. Jansen, Dorpsstraat 3", ("Dorpsstraat", "3", None, "T.a.v. J. Jansen")),
        ("Postbus 123", (None, None, None, "Postbus 123")),
        ("pb 123", (None, None, None, "Postbus 123")),
        ("Antwoordnummer 100", (None, None, None, "Antwoordnummer 100")),
        ("LAAN VAN MEERDERVOORT 501", ("Laan van Meerdervoort", "501", None, None)),
        ("'T HOF 3", ("'t Hof", "3", None, None)),
        ("'s-Gravenweg 12", ("'s-Gravenweg", "12", None, None)),
        ("Industrieterrein De Hoek", ("Industrieterrein De Hoek", None, None, None)),
        ("12 Dorpsstraat", ("Dorpsstraat", "12", None, None)),
        ("J.P. Coenstraat 5-II", ("J.P. Coenstraat", "5", "II", None)),
    ],
)
def test_dutch_lines(delivered: str, expected: _Parts) -> None:
    assert street({"address_line": delivered}) == expected


@pytest.mark.parametrize(
    ("delivered", "country", "expected"),
    [
        ("Kerkstraat 5 bus 12", "BE", ("Kerkstraat", "5", "bus 12", None)),
        ("Rue de la Loi 200", "BE", ("Rue de la Loi", "200", None, None)),
        ("Hauptstr. 5a", "DE", ("Hauptstraße", "5", "A", None)),
        ("4741 Philadelphia Avenue", "US", ("Philadelphia Avenue", "4741", None, None)),
        ("12 Main St Apt 4", "US", ("Main St", "12", None, "Apt 4")),
        ("P.O. Box 12", "US", (None, None, None, "P.O. Box 12")),
        ("221b Baker Street", "GB", ("Baker Street", "221", "B", None)),
        ("Flat 3, 12 Baker Street", "GB", ("Baker Street", "12", None, "Flat 3")),
        ("The Old Rectory, Church Lane", "GB", ("The Old Rectory", None, None, "Church Lane")),
        ("12 bis rue de la Paix", "FR", ("rue de la Paix", "12", "bis", None)),
        ("12, rue de la Paix", "FR", ("rue de la Paix", "12", None, None)),
        ("12 bis, rue de la Paix", "FR", ("rue de la Paix", "12", "bis", None)),
        ("12ter, rue de la Paix", "FR", ("rue de la Paix", "12", "ter", None)),
        ("ul. 3 Maja 15", "PL", ("ul. 3 Maja", "15", None, None)),
        ("ul. 3 Maja", "PL", ("ul. 3 Maja", None, None, None)),
        ("Straße des 17. Juni 135", "DE", ("Straße des 17. Juni", "135", None, None)),
        ("Calle 2 de Mayo 14", "ES", ("Calle 2 de Mayo", "14", None, None)),
        ("Rue des 4 Eaux 7", "BE", ("Rue des 4 Eaux", "7", None, None)),
        ("Hauptstraße 5 Haus 2", "DE", ("Hauptstraße", "5", "HAUS 2", None)),
        ("123 N Main St", "US", ("N Main St", "123", None, None)),
        ("123 S 5th Ave", "CA", ("S 5th Ave", "123", None, None)),
        ("123N Main St", "US", ("Main St", "123", "N", None)),
        ("12 B Baker Street", "GB", ("Baker Street", "12", "B", None)),
        ("Calle Mayor 12", "ES", ("Calle Mayor", "12", None, None)),
        ("Via Roma, 12", "IT", ("Via Roma", "12", None, None)),
    ],
)
def test_lines_elsewhere(delivered: str, country: str, expected: _Parts) -> None:
    assert street({"address_line": delivered}, country) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"street": "Dorpsstraat", "house_number": "12A"}, ("Dorpsstraat", "12", "A", None)),
        (
            {"street": "Dorpsstraat", "house_number": "12 A", "house_addition": "a"},
            ("Dorpsstraat", "12", "A", None),
        ),
        ({"street": "Dorpsstraat 12", "house_number": "12"}, ("Dorpsstraat", "12", None, None)),
        ({"street": "Dorpsstraat 12 A"}, ("Dorpsstraat", "12", "A", None)),
        ({"street": "Plein 1944", "house_number": "12"}, ("Plein 1944", "12", None, None)),
        ({"address_line": "Dorpsstraat", "house_number": "12"}, ("Dorpsstraat", "12", None, None)),
        ({"address_line": "Dorpsstraat 12", "address_extra": "Hal 3"}, ("Dorpsstraat", "12", None, "Hal 3")),
        ({"address_line": "Postbus 1", "address_extra": "Hal 3"}, (None, None, None, "Postbus 1, Hal 3")),
        ({"address_extra": "Hal 3"}, (None, None, None, "Hal 3")),
    ],
)
def test_columns_complete_each_other(fields: dict[str, str], expected: _Parts) -> None:
    assert street(fields) == expected


def test_plain_lines_are_read_as_the_grammar_reads_them() -> None:
    chance = random.Random(3)
    names = """
        Kerkstraat;Laan van Meerdervoort;Prins Bernhardplein;'t Hof;'s-Gravenweg;Dr. Kuyperstraat;Ijsselkade;Postweg
        Postbus;Zuiddijk;Bij de Brug;Nr. Straat;Hauptstr;De Bus;Gebouw;Kade t.o;Plein;Burg. de Raadtsingel;Singel
        Van den Boschstraat;St.-Jansplein;Straat naast Zee;Aan de Box;Ĳsselkade;Étoile;Boîte
    """
    streets = [name.strip() for name in re.split(r"[;\n]", names) if name.strip()]
    behind = [
        "",
        "a",
        " B",
        "-c",
        " bis",
        "-hs",
        " 2 hoog",
        "-3",
        " 12",
        "/4",
        "bis",
        " zw",
        " t.o. 5",
        ", 2e etage",
    ]
    countries = ["NL", "BE", "DE", "FR", "US", None]
    lines = [
        f"{chance.choice(streets)} {chance.randrange(1, 1200)}{chance.choice(behind)}" for _ in range(3000)
    ]
    home = [chance.choice(countries) for _ in lines]
    found, _ = address({"address_line": pa.array(lines)}, pa.array(home, TEXT))
    ours = list(zip(*(found[name].to_pylist() for name in STREET), strict=True))
    grammar = [tuple(read_line(line, country)) for line, country in zip(lines, home, strict=True)]
    assert ours == grammar


@pytest.mark.parametrize(
    ("delivered", "country", "expected", "wrong"),
    [
        ("1234ab", "NL", "1234 AB", False),
        ("1234-ab", "NL", "1234 AB", False),
        ("NL-1234 AB", "NL", "1234 AB", False),
        ("NL1234AB", "NL", "1234 AB", False),
        ("0123 AB", "NL", "0123 AB", True),
        ("1234 SS", "NL", "1234 SS", True),
        ("1234sa", "NL", "1234 SA", True),
        ("1234", "NL", "1234", True),
        ("onbekend", "NL", None, False),
        ("B-1000", "BE", "1000", False),
        ("D-12345", "DE", "12345", False),
        ("1234", "DE", "1234", True),
        ("sw1a1aa", "GB", "SW1A 1AA", False),
        ("90210", "US", "90210", False),
        ("902101234", "US", "90210-1234", False),
        ("75001", "FR", "75001", False),
        ("1234-567", "PT", "1234-567", False),
        ("00950", "PL", "00-950", False),
        ("ab-12 3", None, "AB-12 3", False),
    ],
)
def test_postcodes(delivered: str, country: str | None, expected: str | None, wrong: bool) -> None:
    found, flags = address({"postcode": pa.array([delivered])}, pa.array([country], TEXT))
    assert (found["postcode"][0].as_py(), flags["postcode"][0].as_py()) == (expected, wrong)


@pytest.mark.parametrize(
    ("delivered", "country", "expected"),
    [
        ("'S-GRAVENHAGE", "NL", "'s-Gravenhage"),
        ("s Hertogenbosch", "NL", "'s-Hertogenbosch"),
        ("DEN HAAG", "NL", "Den Haag"),
        ("ALPHEN A/D RIJN", "NL", "Alphen aan den Rijn"),
        ("Capelle a/d IJssel", "NL", "Capelle aan den IJssel"),
        ("Ouderkerk a/d Amstel", "NL", "Ouderkerk aan de Amstel"),
        ("amsterdam", "NL", "Amsterdam"),
        ("Ijmuiden", "NL", "IJmuiden"),
        ("FRANKFURT AM MAIN", "DE", "Frankfurt am Main"),
    ],
)
def test_towns(delivered: str, country: str, expected: str) -> None:
    assert read({"city": delivered}, country)["city"] == expected


def test_a_town_with_a_digit_is_marked() -> None:
    _, flags = address({"city": pa.array(["Amsterdam 2", "Amsterdam"])}, pa.array(["NL", "NL"]))
    assert flags["city"].to_pylist() == [True, False]


@pytest.mark.parametrize(
    ("delivered", "country", "expected"),
    [
        ("NH", "NL", "Noord-Holland"),
        ("NL-ZH", "NL", "Zuid-Holland"),
        ("Fryslân", "NL", "Friesland"),
        ("GELDERLAND", "NL", "Gelderland"),
        ("ca", "US", "CA"),
        ("Bayern", "DE", "Bayern"),
    ],
)
def test_regions(delivered: str, country: str, expected: str) -> None:
    assert read({"region": delivered}, country)["region"] == expected
