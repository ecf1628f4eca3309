"""Files as strangers write them, taken in as they are: one deployment, a source of each kind, one run.

Contracts are those that `cdm suggest` writes, with no line changed but where a file without a header needs its names.
"""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from cdm_pipelines.quality.suggest import suggest_all

from .conftest import DAYS, ROOT, Deployment
from .test_new_source import DEFS, Checkout

DAY = DAYS[0]
PEOPLE = [
    ("Wietske", "Poelstra"),
    ("Gerlof", "Haanappel"),
    ("Berber", "Quaedvlieg"),
    ("Sytse", "Nieuwenkamp"),
    ("Tjalling", "Oosterdiep"),
    ("Hermien", "Uytterschaut"),
    ("Lubbert", "Zwiggelaar"),
    ("Ymkje", "Vrouwenvelder"),
    ("Okke", "Drenthel"),
    ("Florinde", "Kapteijns"),
    ("Joris", "Ebbinge"),
    ("Aleid", "Ravensbergen"),
]
CUSTOMERS = len(PEOPLE)


def rows(line: str) -> list[str]:
    """A line for each of the people; ``mail`` and ``town`` differ with the number ``n``."""
    return [
        line.format(n=n, g=given, f=family, mail=f"{given}.{family}@bij-{n}.example.nl".lower())
        for n, (given, family) in enumerate(PEOPLE)
    ]


def csv(header: str, line: str, *after: str, before: str = "") -> bytes:
    return (before + "\n".join([header, *rows(line), *after]) + "\n").encode()


def order_lines() -> bytes:
    """An export of orders: each customer stands on each line of theirs."""
    found = [
        f"{1000 + 4 * n + order},2026-05-{order + 1:02},K{n:04},{given} {family},{family.lower()}@orders.example.nl,"
        f"P{line},{line},9.95"
        for n, (given, family) in enumerate(PEOPLE)
        for order in range(4)
        for line in (1, 2)
    ]
    header = (
        "Order Number,Order Date,Customer Number,Customer Name,Customer Email,Product SKU,Quantity,Unit Price"
    )
    return "\n".join([header, *found, ""]).encode()


def wrapped() -> bytes:
    people = [
        {
            "id": f"P{n}",
            "name": f"{given} {family}",
            "contact": {"emails": [{"value": f"{family.lower()}@api.example.be"}]},
            "address": {"street": f"Kapellekensstraat {n + 1}", "zip": str(9000 + n), "city": "Gent"},
        }
        for n, (given, family) in enumerate(PEOPLE)
    ]
    return json.dumps({"meta": {"total": CUSTOMERS}, "result": {"partners": people}}).encode()


def packed(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("export.csv", content)
    return out.getvalue()


def with_bytes_of_another_encoding() -> bytes:
    lines = ["Nr;Nom;Email", *rows("{n};{g} {f}ï;{mail}")]
    return b"\n".join(
        line.encode("cp1252" if number == 5 else "utf-8") for number, line in enumerate([*lines, ""])
    )


def with_stray_quotes() -> bytes:
    lines = rows('{n},"{g} {f}",Laan {n},"in orde"')
    lines[2] = '2,"Berber "de Lange" Quaedvlieg",Laan 2,"in orde"'
    lines[6] = '6,"Lubbert Zwiggelaar",Laan 6,"bel na 18u'
    return "\n".join(["id,name,street,note", *lines, ""]).encode()


def with_spoilt_ids() -> bytes:
    lines = rows("87123456{n:04};{g} {f};{mail}")
    for place in (3, 8):
        lines[place] = "8,71235E+11" + lines[place][12:]
    return "\n".join(["Relatienummer;Naam;E-mail", *lines, ""]).encode()


FILES: dict[str, bytes] = {
    "lines/order.csv": order_lines(),
    "wrapped/partner.json": wrapped(),
    "preamble/client.csv": csv(
        "Client;Nom;Ville;Solde;Courriel",
        "C{n:03};{g} {f};Lille;{n}0,50;{mail}",
        "Total;12;;660,00;",
        before="Liste des clients;;;;\nImprimé le 01/06/2026;;;;\n",
    ),
    "sepzip/kunde.zip": packed(b"sep=|\r\n" + csv("Kundennr|Vorname|Nachname|E-Mail", "{n}|{g}|{f}|{mail}")),
    "twonames/contact.csv": csv("Id,Name,E-mail,E-mail", "{n},{g} {f},{mail},tweede{n}@elders.example.nl"),
    "bytes/client.csv": with_bytes_of_another_encoding(),
    "quotes/customer.csv": with_stray_quotes(),
    "spoilt/relatie.csv": with_spoilt_ids(),
    "bare/member.csv": "\n".join(rows("{n}||{g}||{f}||{mail}")).encode() + b"\n",
    "unmapped/thing.csv": "\n".join(rows("{n}~{n}1~kleur {n}")).encode() + b"\n",
    "firms/account.csv": csv(
        "Firmenname;Kontonummer;Straße;PLZ;Ort",
        '{f} Maschinenbau GmbH;A{n};"Werkstraße\n1{n}";1011{n};Berlin',
    ),
    "nobody/lid.csv": csv(
        "lidnr;naam;email;telefoon;geboortedatum;adres;postcode;plaats",
        "{n};{g} {f};info@onsbedrijf.example.nl;0600000000;01-01-1900;Onbekend;1234 AB;Onbekend",
    ),
    "phones/klant.csv": csv("nr;naam;telefoon;land", "{n};{g} {f};020-62612{n:02} toestel 9;NL")
    .replace(b"020-6261200 toestel 9", b"+31 20 626 12 34 doorkiesnr 5")
    .replace(b"020-6261201 toestel 9", b"2,0626E+9")
    .replace(b"020-6261202 toestel 9", b"06l2345987"),
    "seen/shopper.csv": csv("Name,Last Active,Email", "{g} {f},2026-06-01 10:{n:02}:00,{mail}"),
}


@dataclass(frozen=True)
class Taken:
    """The deployment after its run, and what the run told."""

    checkout: Checkout
    told: str

    @property
    def hub(self) -> Deployment:
        return self.checkout.deployment

    def customers(self, source: str, columns: str, order: str = "x.record_id") -> list[tuple[object, ...]]:
        """Columns of the customers that came of a source."""
        return self.hub.query(
            f"SELECT {columns} FROM golden.crosswalk x JOIN golden.customer c USING (golden_id) "
            f"WHERE x.source = '{source}' ORDER BY {order}"
        )

    def quarantine(self, entity: str) -> list[tuple[str, str]]:
        """Row and rule of each row that was put aside."""
        shown = self.checkout.cdm("quarantine", "show", entity, "--date", DAY)
        cells = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines() if "│" in line]
        return [(row[2], row[4]) for row in cells if row[2]]


def add_source(folder: Path, landing: Path, name: str, content: bytes) -> None:
    """Deliver a file, and put the contracts in place that are suggested for it."""
    source, entity, ending = name.replace("/", ".").split(".")
    file = landing / source / entity / f"{DAY}.{ending}"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    target = folder / "cdm_pipelines" / "defs" / source
    target.mkdir()
    (target / "defs.yaml").write_text(DEFS, encoding="utf-8")
    for suggestion in suggest_all(file, source=source, entity=entity):
        (target / f"{suggestion.entity}.odcs.yaml").write_text(suggestion.to_yaml(), encoding="utf-8")


def name_columns(contract: Path, **paths: str) -> None:
    """Say what columns without a header mean."""
    content = yaml.safe_load(contract.read_text(encoding="utf-8"))
    schema = content["schema"][0]
    schema["customProperties"].append({"property": "partyKind", "value": "person"})
    for column in schema["properties"]:
        if column["name"] in paths:
            column["customProperties"] = [
                {"property": "mapsTo", "value": paths[column["name"]]},
                {"property": "purposes", "value": ["essential.service"]},
            ]
    contract.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory, deploy: Callable[..., Deployment]) -> Taken:
    folder, deployment = tmp_path_factory.mktemp("foreign"), deploy()
    left_out = shutil.ignore_patterns("__pycache__", ".telemetry")
    shutil.copytree(ROOT / "cdm_pipelines", folder / "cdm_pipelines", ignore=left_out)
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder / name)
    for name, content in FILES.items():
        add_source(folder, deployment.landing, name, content)
    defs = folder / "cdm_pipelines" / "defs"
    name_columns(
        defs / "bare" / "member.odcs.yaml",
        column_2="party.given_name",
        column_3="party.family_name",
        column_4="party.email",
    )
    twice = csv("Id,Name,Email", "{n},{g} {f},{mail}")
    add_source(folder, deployment.landing, "again/contact.csv", twice)
    for suffix, content in (("_2", twice), ("_corrected", twice.replace(b"Ebbinge", b"Ebbinge-Vos"))):
        (deployment.landing / "again" / "contact" / f"{DAY}{suffix}.csv").write_bytes(content)
    checkout = Checkout(folder, deployment, (), {})
    return Taken(checkout, " ".join(checkout.cdm("run", "--date", DAY).split()))


def test_every_source_is_published(taken: Taken) -> None:
    found = dict(taken.hub.query("SELECT source, count(*) FROM golden.crosswalk GROUP BY source"))
    wanted = dict.fromkeys((name.partition("/")[0] for name in FILES), CUSTOMERS) | {"again": CUSTOMERS}
    wanted |= {"bytes": CUSTOMERS - 1, "quotes": CUSTOMERS - 2, "spoilt": CUSTOMERS - 2}
    del wanted["unmapped"]
    assert {source: found.get(source) for source in wanted} == wanted
    assert "unmapped" not in found
    assert "This is a bug" not in taken.told


@pytest.mark.parametrize(
    ("entity", "aside"),
    [
        ("preamble/client", [("16", "totals_line")]),
        ("quotes/customer", [("4", "stray_quote"), ("8", "stray_quote")]),
        ("bytes/client", [("6", "undecodable")]),
    ],
)
def test_what_cannot_be_read_is_put_aside_with_rule_and_row(
    taken: Taken, entity: str, aside: list[tuple[str, str]]
) -> None:
    assert taken.quarantine(entity) == aside


def test_spoilt_ids_are_put_aside_and_the_message_tells_what_to_do(taken: Taken) -> None:
    assert {("5", "spreadsheet"), ("10", "spreadsheet")} <= set(taken.quarantine("spoilt/relatie"))
    assert "check spreadsheet" in taken.told
    assert "digits lost (1.23E+12)" in taken.told
    assert "do not open the file in a spreadsheet in between" in taken.told


def test_a_customer_on_every_line_counts_once_and_keeps_their_orders(taken: Taken) -> None:
    assert len(taken.customers("lines", "x.record_id")) == CUSTOMERS
    orders = taken.hub.query("SELECT count(*) FROM golden.customer_order WHERE source = 'lines'")
    lines = taken.hub.query("SELECT count(*) FROM golden.order_line WHERE source = 'lines'")
    assert (orders, lines) == ([(4 * CUSTOMERS,)], [(8 * CUSTOMERS,)])


def test_a_copy_counts_once_and_of_a_corrected_file_the_later_row_wins(taken: Taken) -> None:
    aside = taken.quarantine("again/contact")
    assert [rule for _, rule in aside] == ["superseded"] * CUSTOMERS
    standard = taken.hub.settings.lake_url + f"/standard/again/contact/{DAY}/party.parquet"
    assert "Ebbinge-Vos" in pq.read_table(standard)["surname"].to_pylist()


def test_values_within_objects_are_values_of_the_customer(taken: Taken) -> None:
    found = taken.customers("wrapped", "c.street, c.house_number, c.postcode, c.city", "c.postcode")
    assert found[0] == ("Kapellekensstraat", "1", "9000", "Gent")


def test_those_who_share_what_is_nobodys_stay_apart(taken: Taken) -> None:
    assert len({golden for (golden,) in taken.customers("nobody", "x.golden_id")}) == CUSTOMERS


def test_phone_numbers_that_are_none_are_not_published(taken: Taken) -> None:
    found = taken.customers("phones", "c.phone, c.mobile", "length(x.record_id), x.record_id")[:3]
    assert found == [("+31206261234", None), (None, None), (None, None)]


def test_a_company_with_lines_in_its_street_is_an_organisation(taken: Taken) -> None:
    found = taken.customers(
        "firms", "c.party_kind, c.organisation_name, c.legal_form, c.street, c.house_number"
    )
    assert found[0] == ("organisation", "Poelstra Maschinenbau", "GmbH", "Werkstraße", "10")


def test_the_key_is_what_stays(taken: Taken) -> None:
    """Not the moment of a visit, but the address; and the word for a customer over their codes."""
    assert taken.customers("seen", "x.record_id")[0] == ("aleid.ravensbergen@bij-11.example.nl",)
    assert taken.customers("preamble", "x.record_id")[0] == ("C000",)
