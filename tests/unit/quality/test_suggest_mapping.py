"""What is suggested for columns: groups of addresses, names, companies, keys, entities, and nothing lost."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from cdm_pipelines.cli import app
from cdm_pipelines.contracts import LogicalType, PartyKind, SourceContract, load_contract
from cdm_pipelines.ingest import read_file
from cdm_pipelines.quality.repeats import superseded_rows
from cdm_pipelines.quality.semantics import meanings
from cdm_pipelines.quality.suggest import suggest_all
from cdm_pipelines.quality.validation import validate

NOTHING = pa.array([], pa.string())
Rows = Sequence[Sequence[str]]


def written(folder: Path, header: Sequence[str], rows: Rows = (), name: str = "export.csv") -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return path


def contracts(path: Path) -> list[SourceContract]:
    """The suggested contracts, as they load from the files that they become."""
    found = []
    for number, suggestion in enumerate(suggest_all(path, source="any", entity="main")):
        target = path.parent / f"{number}.odcs.yaml"
        target.write_text(suggestion.to_yaml(), encoding="utf-8")
        found.append(load_contract(target))
    return found


def mapped(contract: SourceContract) -> dict[str, str]:
    return {path.partition(".")[2]: column.name for column, path in contract.mapped()}


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("Straße", "address_line"),
        ("STRASSE", "address_line"),
        ("Geb.Datum", "birth_date"),
        ("Tel.-Nr.", "phone"),
        ("billingPostalCode", "postcode"),
        ("Rechnungsadresse/PLZ", "postcode"),
        ("properties.lastname", "family_name"),
        ("Address 1: Street 1", "address_line"),
        ("MailingStreet", "address_line"),
        ("huisnr_toev", "house_addition"),
        ("Prénom du client", "given_name"),
        ("N° TVA", "vat_number"),
        ("acct email", "email"),
        ("CustomerE-Mail", "email"),
        ("Apellidos", "family_name"),
        ("Codice Postale", "postcode"),
        ("Country / Region", "country"),
        ("companyName", "organisation_name"),
        ("Firmenname", "organisation_name"),
    ],
)
def test_headers_are_folded_and_split(header: str, target: str) -> None:
    found = meanings(header, NOTHING)
    assert found[0].target == f"party.{target}"
    assert found[0].confidence > 0.7


@pytest.mark.parametrize(
    "header",
    [
        "AssistantPhone",
        "Owner Email",
        "IP Address",
        "Product name",
        "Bank name",
        "Birth place",
        "Fax",
        "Phonetic First Name",
    ],
)
def test_what_is_about_something_else_is_not_sure(header: str) -> None:
    assert all(meaning.confidence < 0.6 for meaning in meanings(header, NOTHING))


def test_values_outweigh_the_header() -> None:
    phones = pa.array(["+31 6 12345678", "020-1234567"])
    assert (
        meanings("email", phones)[0].target != "party.email" or meanings("email", phones)[0].confidence < 0.6
    )
    addresses = pa.array(["a@example.nl", "b@example.nl"])
    assert meanings("field 7", addresses)[0].target == "party.email"


def test_a_street_may_have_two_lines(tmp_path: Path) -> None:
    rows = [[f"{n}", f"Kerkweg {n}\nachter de kerk", "1234 AB", "Ede"] for n in range(20)]
    (contract,) = contracts(written(tmp_path, ["entity id", "street", "postcode", "city"], rows))
    assert mapped(contract)["address_line"] == "street"


def test_middle_names_that_are_prefixes_are_prefixes(tmp_path: Path) -> None:
    header = ["id", "FirstName", "MiddleName", "LastName"]
    prefixes = [[f"{n}", "Jan", ("van", "de", "van der", "")[n % 4], "Berg"] for n in range(20)]
    names = [[f"{n}", "Jan", ("Karel", "Anna", "Willem", "")[n % 4], "Berg"] for n in range(20)]
    assert mapped(contracts(written(tmp_path, header, prefixes))[0])["surname_prefix"] == "MiddleName"
    assert mapped(contracts(written(tmp_path, header, names))[0])["middle_names"] == "MiddleName"


def test_addresses_are_not_mixed_and_the_filled_one_is_taken(tmp_path: Path) -> None:
    header = [
        "id",
        "email",
        *(f"{g} {p}" for g in ("Mailing", "Shipping") for p in ("street", "zip", "city")),
    ]
    rows = [[f"{n}", f"p{n}@example.nl", "", "", "", f"Kerkweg {n}", "1234 AB", "Ede"] for n in range(20)]
    found = mapped(contracts(written(tmp_path, header, rows))[0])
    assert [found[name] for name in ("address_line", "postcode", "city")] == header[5:]
    rows = [
        [f"{n}", f"p{n}@example.nl", f"Weg {n}", "2345 CD", "Epe", f"Kerkweg {n}", "1234 AB", "Ede"]
        for n in range(20)
    ]
    found = mapped(contracts(written(tmp_path, header, rows))[0])
    assert [found[name] for name in ("address_line", "postcode", "city")] == header[2:5]


def test_a_whole_address_is_taken_before_half_of_a_better_one(tmp_path: Path) -> None:
    header = ["id", "email", "Mailing street", "Mailing city", "Other street", "Other zip", "Other city"]
    rows = [
        [f"{n}", f"p{n}@example.nl", f"Weg {n}", "Epe", f"Kerkweg {n}", "1234 AB", "Ede"] for n in range(20)
    ]
    found = mapped(contracts(written(tmp_path, header, rows))[0])
    assert [found[name] for name in ("address_line", "postcode", "city")] == header[4:]


def test_an_empty_column_loses_to_a_filled_one(tmp_path: Path) -> None:
    rows = [[f"{n}", "", f"p{n}@example.nl", "Jan"] for n in range(20)]
    (contract,) = contracts(written(tmp_path, ["id", "Email", "Business Email", "First name"], rows))
    assert mapped(contract)["email"] == "Business Email"


def test_a_moment_is_never_the_key(tmp_path: Path) -> None:
    rows = [[f"2026-05-{n + 1:02} 10:00:00", f"p{n}@example.nl", "Jan"] for n in range(20)]
    (contract,) = contracts(written(tmp_path, ["Last active", "Email", "First name"], rows))
    assert contract.key == ("Email",)


def test_a_code_between_blanks_is_text_and_keeps_its_value(tmp_path: Path) -> None:
    rows = [[f"{n:>18}", f"p{n}@example.nl", f"{n * 7:>10}"] for n in range(20)]
    path = written(tmp_path, ["Code", "Email", "Reference"], rows)
    (contract,) = contracts(path)
    assert contract.key == ("Code",)
    assert contract.column("Reference").logical_type == LogicalType.STRING


def test_a_company_column_makes_organisations(tmp_path: Path) -> None:
    rows = [[f"C{n}", f"Bakker {n}", f"Jan Jansen {n}", "Sales", f"Kerkweg {n}", "Ede"] for n in range(20)]
    header = ["customerID", "companyName", "contactName", "contactTitle", "address", "city"]
    company, contact = contracts(written(tmp_path, header, rows))
    assert company.party_kind is not None
    assert company.party_kind.otherwise == PartyKind.ORGANISATION
    assert mapped(company)["organisation_name"] == "companyName"
    assert contact.entity == "contact"
    assert mapped(contact) == {
        "employer_id": "customerID",
        "full_name": "contactName",
        "job_title": "contactTitle",
    }
    assert contact.delivered_with == company.entity


def test_contacts_and_the_companies_they_work_for(tmp_path: Path) -> None:
    header = ["id", "First name", "Last name", "Email", "Company"]
    rows = [[f"{n}", "Jan", f"Berg {n}", f"p{n}@example.nl", f"Bakkerij {n % 5} BV"] for n in range(20)]
    person, company = contracts(written(tmp_path, header, rows))
    assert mapped(person)["employer_id"] == "Company"
    assert company.key == ("Company",)
    assert company.party_kind is not None
    assert company.party_kind.otherwise == PartyKind.ORGANISATION


def test_an_order_export_holds_orders_lines_and_customers(tmp_path: Path) -> None:
    header = [
        "Row ID",
        "Order ID",
        "Order Date",
        "Customer ID",
        "Customer Name",
        "City",
        "Postal Code",
        "Product ID",
        "Sales",
    ]
    rows = [
        [
            f"{n}",
            f"O{n // 3}",
            "2026-05-01",
            f"C{n // 6}",
            f"Jan Jansen {n // 6}",
            "Ede",
            "1234 AB",
            f"P{n}",
            f"{n}.50",
        ]
        for n in range(60)
    ]
    orders, customers = contracts(written(tmp_path, header, rows))
    assert [str(entity) for entity in orders.entities] == ["order", "order_line"]
    assert orders.key == ("Order ID", "Row ID")
    assert mapped(orders)["party_id"] == "Customer ID"
    assert customers.key == ("Customer ID",)
    assert {"name", "city", "postcode"} <= set(mapped(customers))


def test_guests_are_told_apart_by_their_address(tmp_path: Path) -> None:
    header = [
        "order_id",
        "order_date",
        "order_total",
        "customer_id",
        "billing_email",
        "billing_first_name",
        "billing_last_name",
    ]
    rows = [
        [f"{n}", "2026-05-01", "12.50", "0" if n % 2 else f"{n}", f"p{n}@example.nl", "Jan", f"Berg {n}"]
        for n in range(20)
    ]
    orders, customers = contracts(written(tmp_path, header, rows))
    assert orders.key == ("order_id",)
    assert customers.key == ("billing_email",)


def test_lines_without_a_number_are_counted(tmp_path: Path) -> None:
    header = [
        "Name",
        "Email",
        "Financial Status",
        "Currency",
        "Total",
        "Created at",
        "Lineitem quantity",
        "Lineitem name",
        "Lineitem price",
    ]
    rows = []
    for n in range(10):
        rows.append(
            [f"#{n}", f"p{n}@example.nl", "paid", "EUR", "25.00", "2026-05-01 10:00:00", "1", "Tea", "12.50"]
        )
        rows.append([f"#{n}", "", "", "", "", "", "2", "Coffee", "6.25"])
    path = written(tmp_path, header, rows)
    contract = contracts(path)[0]
    assert contract.fill_down is not None
    assert contract.fill_down.columns == tuple(header[1:6])
    table = next(read_file(path, contract))
    outcome = validate(table, contract, superseded_rows(table, contract))
    assert outcome.valid.num_rows == 20


@pytest.mark.parametrize(
    ("header", "values", "blanked"),
    [
        ("Code", [f"   {n}" for n in range(50)], 0),
        ("Born", ["1980-02-29"] * 30 + ["unknown to us"] * 20, 0),
        ("Amount", [f"1.{n}34,50" for n in range(10, 99)] + ["free"], 0),
        ("Contract ends", [f"{n % 28 + 1:02}-05-2026" for n in range(99)] + ["31-02-2026"], 0),
        ("Phone", ["020-1234567"] * 25 + ["see notes"] * 25, 0),
        ("Birthdate", [f"{n % 28 + 1:02}/{n % 12 + 1:02}/1980" for n in range(99)] + ["31/02/1980"], 1),
        ("Zip", ["1234 AB", "B-1000", "D-50667", "SW1A 1AA", "00100"] * 10, 0),
    ],
)
def test_a_contract_neither_refuses_nor_blanks_its_own_file(
    tmp_path: Path, header: str, values: list[str], blanked: int
) -> None:
    rows = [[f"K{n}", f"Jan {chr(97 + n % 26)}", f"p{n}@example.nl", value] for n, value in enumerate(values)]
    path = written(tmp_path, ["Customer number", "First name", "Email", header], rows)
    for suggestion, contract in zip(
        suggest_all(path, source="any", entity="main"), contracts(path), strict=True
    ):
        table = next(read_file(path, contract))
        outcome = validate(table, contract, superseded_rows(table, contract))
        assert outcome.quarantine.num_rows == 0
        assert outcome.repairs.num_rows == blanked
        assert ("would be blanked" in suggestion.to_yaml()) == bool(blanked)


def test_what_is_not_mapped_shows_no_confidence_and_what_is_unsure_a_question_mark(tmp_path: Path) -> None:
    rows = [[f"{n}", f"p{n}@example.nl", f"x{n % 3}", ""] for n in range(20)]
    path = written(tmp_path, ["id", "contact", "shoe colour", "Province"], rows)
    text = suggest_all(path)[0].to_yaml()
    lines = {line.split('"')[1]: line for line in text.splitlines() if line.lstrip().startswith('- name: "')}
    assert "confidence" not in lines["shoe colour"]
    assert "not mapped" in lines["shoe colour"]
    assert "# ? confidence" in lines["contact"]
    assert "# ? confidence" in lines["Province"]


def test_the_command_writes_a_contract_per_entity_and_overwrites_none(tmp_path: Path) -> None:
    header = ["id", "First name", "Last name", "Company"]
    rows = [[f"{n}", "Jan", f"Berg {n}", f"Bakkerij {n % 5} BV"] for n in range(20)]
    file, out = written(tmp_path, header, rows), tmp_path / "defs" / "person.odcs.yaml"
    asked = ["suggest", str(file), "--source", "crm", "--entity", "person", "--out", str(out)]
    assert CliRunner().invoke(app, asked).exit_code == 0
    assert load_contract(out).name == "crm/person"
    beside = out.parent / "company.odcs.yaml"
    assert load_contract(beside).name == "crm/company"
    assert CliRunner().invoke(app, asked).exit_code == 0
    for edited in (out, beside):
        before = edited.read_bytes()
        edited.write_text("edited", encoding="utf-8")
        again = CliRunner().invoke(app, asked)
        assert again.exit_code == 1
        assert "there already" in again.output
        assert edited.read_text(encoding="utf-8") == "edited"
        edited.write_bytes(before)
