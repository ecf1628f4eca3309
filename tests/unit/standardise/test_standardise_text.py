"""Text repair, casing, codes, numbers: what is delivered and what becomes of it."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from cdm_pipelines.standardise import codes, numbers, text
from cdm_pipelines.standardise.casing import name_case, place_case
from cdm_pipelines.standardise.distinct import TEXT, each, over_distinct


def one(answer: pa.Array) -> str | None:
    value = answer[0].as_py()
    assert value is None or isinstance(value, str)
    return value


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("  Jan   Jansen ", "Jan Jansen"),
        ("CafÃ©", "Café"),
        ("MÃ¼ller &amp;amp; Zn", "Müller & Zn"),
        ("Zoe\u0301", "Zoé"),
        ("a\x00b\u200bc", "abc"),
        ("een\ttab\r\nen regel", "een tab en regel"),
        ("\u2019t Hof \u2013 Oost", "'t Hof - Oost"),
        ("`t Hof", "'t Hof"),
        ("\u0132sbrand", "IJsbrand"),
        ("Fish & Chips; R&D", "Fish & Chips; R&D"),
        ("-", None),
        ("...", None),
        ("n.v.t.", None),
        ("ONBEKEND", None),
        ("", None),
        ("李小龙", "李小龙"),
    ],
)
def test_text(delivered: str, expected: str | None) -> None:
    assert one(text.clean(pa.array([delivered], TEXT))) == expected


def test_lines_are_kept_where_they_mean_something() -> None:
    assert (
        one(text.clean(pa.array(["Gebouw A \r\n\r\n Kerkstraat 1"]), keep_lines=True))
        == "Gebouw A\nKerkstraat 1"
    )


def test_words_for_nothing_can_be_a_status() -> None:
    assert one(text.clean(pa.array(["onbekend"]), placeholders=False)) == "onbekend"


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("JANSEN", "Jansen"),
        ("jan-peter", "Jan-Peter"),
        ("O'NEIL", "O'Neil"),
        ("MCDONALD", "McDonald"),
        ("MACDONALD", "MacDonald"),
        ("MACHIELSEN", "Machielsen"),
        ("IJSBRAND", "IJsbrand"),
        ("Ijpma", "IJpma"),
        ("Ijeoma", "Ijeoma"),
        ("ÉLISE", "Élise"),
        ("DeVries", "DeVries"),
    ],
)
def test_names_get_their_capitals_back(delivered: str, expected: str) -> None:
    assert name_case(delivered) == expected


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("'S-GRAVENHAGE", "'s-Gravenhage"),
        ("CAPELLE AAN DEN IJSSEL", "Capelle aan den IJssel"),
        ("'T HARDE", "'t Harde"),
        ("DE BILT", "De Bilt"),
        ("NOORD-SCHARWOUDE", "Noord-Scharwoude"),
        ("SINT-MICHIELSGESTEL", "Sint-Michielsgestel"),
        ("BERGEN (NH)", "Bergen (NH)"),
        ("1E JAN VAN DER HEIJDENSTRAAT", "1e Jan van der Heijdenstraat"),
        ("WILLEM III STRAAT", "Willem III Straat"),
        ("PLACE D'ARMES", "Place d'Armes"),
        ("Den haag", "Den haag"),
    ],
)
def test_places_get_their_capitals_back(delivered: str, expected: str) -> None:
    assert place_case(delivered) == expected


@pytest.mark.parametrize(
    ("expected", "spellings"),
    [
        (
            "NL",
            [
                "NL",
                "nld",
                "Nederland",
                "NEDERLAND",
                "The Netherlands",
                "Holland",
                "Niederlande",
                "Pays-Bas",
                "528",
            ],
        ),
        ("BE", ["België", "Belgie", "Belgique", "BEL", "B"]),
        ("DE", ["Duitsland", "Deutschland", "Allemagne", "D"]),
        ("GB", ["UK", "U.K.", "England", "Verenigd Koninkrijk", "Great Britain"]),
        ("US", ["USA", "U.S.A.", "Verenigde Staten", "United States of America"]),
        (
            "NL",
            ["NL - Nederland", "NL (Nederland)", "Holland (NL)", "Nederland, NLD", "Oranje [nl]", "Holandia"],
        ),
        (
            "DE",
            [
                "Niemcy",
                "Saksa",
                "Tyskland",
                "Almanya",
                "N\u00e9metorsz\u00e1g",
                "\u0413\u0435\u0440\u043c\u0430\u043d\u0438\u044f",
                "Niemcy - DE",
            ],
        ),
        ("XK", ["Kosovo", "XK", "xkx", "Kosov\u00eb (XK)", "\u041a\u043e\u0441\u043e\u0432\u043e"]),
        ("SK", ["Slovensko", "Slovensk\u00e1 republika"]),
        ("CW", ["Curaçao"]),
        ("TR", ["Turkije", "Türkiye"]),
        (None, ["Atlantis", "xx", "-", "Belgi\u00eb (NL)", "Congo (zie brief)", "zee", "Oranje-de"]),
    ],
)
def test_countries(expected: str | None, spellings: list[str]) -> None:
    assert codes.country(pa.array(spellings)).to_pylist() == [expected] * len(spellings)


@pytest.mark.parametrize(
    ("expected", "spellings"),
    [
        ("nl", ["nl", "NL", "nl_NL", "nl-BE", "Nederlands", "Dutch", "N", "nld", "dut"]),
        ("en", ["E", "English (US)", "en-GB", "Engels"]),
        ("de", ["D", "Deutsch", "Duits"]),
        ("fr", ["F", "Français", "frans"]),
        (None, ["Klingons", "?"]),
    ],
)
def test_languages(expected: str | None, spellings: list[str]) -> None:
    assert codes.language(pa.array(spellings)).to_pylist() == [expected] * len(spellings)


def test_currencies_and_genders() -> None:
    assert codes.currency(pa.array(["eur", "€", "Euro", "USD", "£", "XYZ", None])).to_pylist() == [
        *("EUR", "EUR", "EUR", "USD", "GBP", None, None)
    ]
    assert codes.gender(
        pa.array(["V", "Vrouw", "F", "M", "man", "x", "Divers", "2", "?", None])
    ).to_pylist() == [*("female", "female", "female", "male", "male", "other", "other", "female", None, None)]


@pytest.mark.parametrize(
    ("delivered", "sign", "expected"),
    [
        ("1234.50", ".", "1234.5"),
        ("$90,000 ", ".", "90000"),
        ("1,234,567.89", ".", "1234567.89"),
        ("1.234,50", ",", "1234.5"),
        ("12,30-", ",", "-12.3"),
        ("(5.00)", ".", "-5"),
        ("€ 0007,10", ",", "7.1"),
        ("EUR 12.00", ".", "12"),
        (".5", ".", "0.5"),
        ("-0.00", ".", "0"),
        ("€ 1.250,-", ",", "1250"),
        ("1.250,-- EUR", ",", "1250"),
        ("-1.250,\u2014", ",", "-1250"),
        ("(12,=)", ",", "-12"),
        ("Fr. 5.-", ".", None),
        ("CHF 5.\u2013", ".", "5"),
        ("1.250,-", ".", None),
        ("1250-", ",", "-1250"),
        ("1 234,5", ",", "1234.5"),
        ("12,5", ".", None),
        ("0,500", ".", None),
        ("0.500", ",", None),
        ("-0.500", ",", None),
        ("10.500", ",", "10500"),
        ("1e5", ".", None),
        ("abc", ".", None),
    ],
)
def test_decimals(delivered: str, sign: str, expected: str | None) -> None:
    assert one(numbers.decimal(pa.array([delivered]), sign)) == expected


def test_booleans() -> None:
    delivered = pa.array(["TRUE", "Ja", "X", "1", "nee", "false", "0", "misschien", None])
    assert numbers.boolean(delivered).to_pylist() == ["true"] * 4 + ["false"] * 3 + [None, None]


def test_a_function_sees_each_combination_once() -> None:
    seen: list[tuple[str | None, str | None]] = []

    def pair(left: str | None, right: str | None) -> tuple[str]:
        seen.append((left, right))
        return (f"{left}/{right}",)

    first = pa.array(["a", "b", "a", None, "a", None], TEXT)
    second = pa.array(["x", "x", "x", "y", None, "y"], TEXT)
    answers = over_distinct(lambda left, right: each(pair, (TEXT,), left, right), first, second)[
        0
    ].to_pylist()
    assert answers == ["a/x", "b/x", "a/x", "None/y", "a/None", "None/y"]
    assert sorted(seen, key=str) == sorted({("a", "x"), ("b", "x"), (None, "y"), ("a", None)}, key=str)


def test_one_row_is_answered_as_it_is_among_others_however_often_it_is_asked() -> None:
    """Answers about one row are remembered: by what a function does and has from around it, not by which it is."""

    def behind(end: str, length: int = 3) -> Callable[[pa.Array], pa.Array]:
        def one(value: str | None) -> tuple[str | None]:
            return (None if value is None else value[:length] + end,)

        return lambda column: over_distinct(lambda values: each(one, (TEXT,), values), column)[0]

    values = ["Jansen", None, "", "Jansen", "Berg"]
    for end, length in [("!", 3), ("?", 3), ("!", 1), ("!", 3)]:
        asked = behind(end, length)
        alone = [asked(pa.array([value], TEXT))[0].as_py() for value in values]
        assert alone == asked(pa.array(values, TEXT)).to_pylist()
        assert alone[0] == "Jansen"[:length] + end


def test_what_a_function_has_from_around_it_may_change() -> None:
    ends = ["a"]

    def ended(values: pa.Array) -> tuple[pa.Array]:
        return (pa.array([value + ends[0] for value in values.to_pylist()], TEXT),)

    for end in ("a", "b"):
        ends[0] = end
        assert over_distinct(ended, pa.array(["x"], TEXT))[0].to_pylist() == ["x" + end]
