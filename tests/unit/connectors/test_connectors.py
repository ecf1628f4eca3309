"""Shipped contracts: an export of each system, in several settings, becomes the same standardised records."""

import csv
import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cdm_pipelines.cli import app
from cdm_pipelines.connectors import PlacingError, connector_named, connectors, place
from cdm_pipelines.contracts import Column, Format, LogicalType, SourceContract, load_contract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.paths import Where, steps
from cdm_pipelines.ingest import absent_columns, read_file
from cdm_pipelines.ingest.addressed import is_addressed
from cdm_pipelines.quality.repeats import superseded_rows
from cdm_pipelines.quality.validation import validate
from cdm_pipelines.standardise import standardise

ROOT = Path(__file__).parents[3]
HEADERS = Path(os.environ.get("BENCHMARK_DATA", ROOT / ".." / "shared" / "data")) / "extracts" / "headers"
TEN = (
    "salesforce",
    "hubspot",
    "dynamics365",
    "sap",
    "exact_online",
    "shopify",
    "magento2",
    "woocommerce",
    "mailchimp",
    "zendesk",
)
ALL = [(one.name, entity) for one in connectors() for entity in one.entities]
PEOPLE = (
    (
        "Jan",
        "Jansen",
        "jan.jansen@example.nl",
        date(1980, 2, 29),
        "Dorpsstraat 12 A",
        "1234 AB",
        "Zoëterwoude",
    ),
    ("Zoë", "Müller", "zoe@example.de", date(1975, 12, 31), "Hauptstraße 5", "10115", "Köln"),
    ("Anne-Marie", "Lefèvre", "am.lefevre@example.fr", date(1999, 7, 4), "Kerkweg 7", "2345 CD", "Ede"),
)
MOMENT = datetime(2026, 5, 28, 14, 5, 9)  # noqa: DTZ001 - as exports write it, without a zone


@dataclass(frozen=True)
class Setting:
    """How somebody has set the export.

    Attributes:
        names: Which of a column's names: 0 its own, 1 and more its aliases, the last one where there are fewer.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    day: str = "%Y-%m-%d"
    moment: str = "%Y-%m-%d %H:%M:%S"
    decimal: str = "."
    quoting: int = csv.QUOTE_MINIMAL
    names: int = 0


SETTINGS: Mapping[str, Setting] = {
    "as shipped": Setting(),
    "semicolons, Windows, Dutch dates": Setting(";", "cp1252", "%d-%m-%Y", "%d-%m-%Y %H:%M", ",", names=1),
    "German dates, everything quoted": Setting(
        ";", "utf-8-sig", "%d.%m.%Y", "%d.%m.%Y %H:%M:%S", ",", csv.QUOTE_ALL, names=2
    ),
    "American dates, tabs, UTF-16": Setting("\t", "utf-16", "%m/%d/%Y", "%m/%d/%Y %H:%M", ".", names=3),
    "British dates": Setting(",", "utf-8", "%d/%m/%Y", "%d/%m/%Y %H:%M:%S", ".", csv.QUOTE_ALL, names=4),
}


CASES = [
    (system, entity, how)
    for number, (system, entity) in enumerate(ALL)
    for place_of_it, how in enumerate(SETTINGS)
    if system in TEN or place_of_it == number % len(SETTINGS)
]
"""The ten systems in every setting, each of the others in one."""


def in_place(system: str, entity: str, folder: Path, file: Path | None = None) -> SourceContract:
    """The contract as ``cdm add-source`` puts it in place, under another name."""
    placed = place(connector_named(system), [entity], folder, start="2026-06-01", name="mine", file=file)
    return load_contract(next(path for path in placed.written if path.name == f"{entity}.odcs.yaml"))


def cell(column: Column, number: int, setting: Setting, contract: SourceContract) -> str:
    """What the system writes into a column of a record."""
    given, surname, email, born, street, postcode, city = PEOPLE[number % len(PEOPLE)]
    by_target: Mapping[str, Callable[[], str]] = {
        "party.given_name": lambda: given,
        "party.family_name": lambda: surname,
        "party.full_name": lambda: f"{given} {surname}",
        "party.name": lambda: f"{given} {surname}",
        "party.organisation_name": lambda: f"{surname} Bouw B.V.",
        "party.email": lambda: email,
        "party.phone": lambda: f"+31 20 62512{number:02}",
        "party.mobile": lambda: f"+31 6 123456{number:02}",
        "party.address_line": lambda: street,
        "party.postcode": lambda: postcode,
        "party.city": lambda: city,
        "party.country": lambda: "DE" if postcode.isdigit() else "NL",
        "party.birth_date": lambda: born.strftime(setting.day),
        "party.gender": lambda: "M",
        "party.language": lambda: "nl",
        "party.salutation": lambda: "Dhr.",
        "party.email_opt_out": lambda: "0" if column.values else "false",
        "order.party_email": lambda: email,
        "interaction.party_email": lambda: email,
        "interaction.channel": lambda: "web",
        "order.currency": lambda: "EUR",
        "order.total_amount": lambda: f"1234.5{number % 10}".replace(".", setting.decimal),
        "order_line.quantity": lambda: "2",
        "interaction.kind": lambda: "open",
        "interaction.occurred_at": lambda: (
            f"{MOMENT.replace(tzinfo=UTC).timestamp() * 1e6 + number:.0f}"
            if column.date_formats
            else MOMENT.strftime(setting.moment)
        ),
        "interaction.score": lambda: "good" if column.values else "4",
        "order_line.unit_price": lambda: f"12.5{number % 10}".replace(".", setting.decimal),
    }
    if column.key_position and not {"interaction.kind", "interaction.occurred_at"} & {*column.maps_to}:
        mail = {"party.email", "interaction.party_email"} & {*column.maps_to}
        return email.replace("@", f"{number}@") if mail else f"K{number:06}"
    for target in column.maps_to:
        if target in by_target:
            return by_target[target]()
    if column.logical_type == LogicalType.DATE:
        return MOMENT.strftime(setting.day)
    if column.logical_type == LogicalType.TIMESTAMP:
        return MOMENT.strftime(setting.moment)
    if column.logical_type == LogicalType.NUMBER:
        return f"0{setting.decimal}5{number % 10}"
    deleted = contract.deleted is not None and contract.deleted.column == column.name
    return (
        ""
        if deleted or column.name == contract.merged_into
        else "false"
        if column.logical_type == LogicalType.BOOLEAN
        else ""
    )


def export(contract: SourceContract, setting: Setting, path: Path, count: int = 12) -> Path:
    """A file as the system writes it."""
    counted = contract.fill_down.numbered_as if contract.fill_down else None
    columns = [column for column in contract.columns if column.name != counted]
    header = [[column.name, *column.aliases][min(setting.names, len(column.aliases))] for column in columns]
    rows = [[cell(column, number, setting, contract) for column in columns] for number in range(count)]
    if is_addressed(contract):
        return nested_export(contract, columns, path, count)
    if contract.format == Format.JSONL:
        lines = [json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=setting.delimiter, quoting=setting.quoting)  # type: ignore[arg-type]
    writer.writerows([header, *rows])
    path.write_bytes(text.getvalue().encode(setting.encoding, errors="replace"))
    return path


def nested_export(contract: SourceContract, columns: list[Column], path: Path, count: int) -> Path:
    """A file of nested records, whose moments are ISO 8601 whatever the setting."""
    records = []
    for number in range(count):
        texts = [cell(column, number, Setting(), contract) for column in columns]
        places = [column.paths[0] if column.paths else column.name for column in columns]
        record = nest(list(zip(places, texts, strict=True)))
        if contract.dialect.rows_at:
            record[contract.dialect.rows_at] = [record[contract.dialect.rows_at]]
        records.append(record)
    if contract.format == Format.JSON:
        written = json.dumps({str(contract.dialect.records_at): records}, ensure_ascii=False)
    else:
        written = "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in records)
    path.write_text(written, encoding="utf-8")
    return path


def nest(cells: list[tuple[str, str]]) -> dict[str, Any]:
    """A record with texts at paths."""
    record: dict[str, Any] = {}
    for path, text in cells:
        *above, last = steps(path)
        value: Any = record
        for step, following in zip(above, [*above, last][1:], strict=True):
            empty: Any = {} if isinstance(following, str) else []
            if isinstance(step, str):
                value = value.setdefault(step, empty)
            elif isinstance(step, Where):
                value.append({step.name: step.value})
                value = value[-1].setdefault("value", {}) if following == "value" else value[-1]
            else:
                value.append(empty)
                value = value[-1]
        if last not in value:
            value[str(last)] = text
    return record


def standard(contract: SourceContract, file: Path) -> dict[Entity, list[dict[str, object]]]:
    """The standardised records of a file, of which nothing may be refused, blanked or left unread."""
    table = next(read_file(file, contract))
    outcome = validate(table, contract, superseded_rows(table, contract))
    assert outcome.quarantine.num_rows == 0
    assert outcome.repairs.num_rows == 0
    assert absent_columns(table.schema) == []
    found = standardise(outcome.valid, contract, "2026-06-01")
    return {
        entity: [told(record) for record in records.to_pylist()] for entity, records in found.tables.items()
    }


def told(record: Mapping[str, object]) -> dict[str, object]:
    """What a record says, whatever the spelling and the place it comes from; moments by their minute."""
    assert not record["invalid_attributes"]
    return {
        name: str(value)[:16] if name.endswith("_at") else value
        for name, value in record.items()
        if name not in ("source", "_file")
        and not name.endswith("_original")
        and not (name in ("record_id", "interaction_id") and "|" in str(value))  # a moment as it was written
    }


@pytest.mark.parametrize(("system", "entity", "how"), CASES)
def test_an_export_in_any_setting_becomes_the_same_records(
    tmp_path: Path, system: str, entity: str, how: str
) -> None:
    setting = SETTINGS[how]
    shipped = load_contract(
        next(p for p in place(connector_named(system), [entity], tmp_path / "a", start="2026-06-01").written)
    )
    plain = replace(Setting(), delimiter=shipped.dialect.delimiter)
    expected = standard(shipped, export(shipped, plain, tmp_path / "plain.x"))
    file = export(shipped, setting, tmp_path / "export.x")
    found = standard(in_place(system, entity, tmp_path / "b", file), file)
    assert found == expected
    for entity_name, records in expected.items():
        mapped = {
            path.partition(".")[2] for _, path in shipped.mapped() if path.startswith(f"{entity_name}.")
        }
        simple = mapped & {
            "occurred_at",
            "kind",
            "channel",
            "party_email",
            "email",
            "phone",
            "postcode",
            "city",
            "birth_date",
            "ordered_at",
            "total_amount",
            "quantity",
        }
        assert all(record[name] is not None for record in records for name in simple)


def test_all_ten_systems_are_there_and_more() -> None:
    names = {one.name for one in connectors()}
    assert names >= set(TEN)
    assert len(names) > len(TEN)


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    hubspot = connector_named("hubspot")
    placed = place(hubspot, ["contact"], tmp_path, start="2026-06-01")
    contract, component = placed.written
    component.write_text("mine", encoding="utf-8")
    further = place(hubspot, ["company"], tmp_path, start="2026-06-01")
    assert further.kept == (component,)
    assert component.read_text(encoding="utf-8") == "mine"
    before = contract.read_text(encoding="utf-8")
    with pytest.raises(PlacingError, match="there already"):
        place(hubspot, ["contact"], tmp_path, start="2026-06-01")
    assert contract.read_text(encoding="utf-8") == before


def test_a_second_installation_is_a_source_of_its_own(tmp_path: Path) -> None:
    for name in ("crm", "crm2"):
        place(connector_named("hubspot"), ["contact"], tmp_path, start="2026-06-01", name=name)
    contracts = [load_contract(tmp_path / name / "contact.odcs.yaml") for name in ("crm", "crm2")]
    assert [contract.name for contract in contracts] == ["crm/contact", "crm2/contact"]
    assert contracts[1].location == "crm2/contact/{date}*.csv"


def test_a_file_of_something_else_is_not_fitted(tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text("sku,price\nA1,2\n", encoding="utf-8")
    with pytest.raises(PlacingError, match="lacks the key column 'Record ID'"):
        place(connector_named("hubspot"), ["contact"], tmp_path, start="2026-06-01", file=file)
    assert not (tmp_path / "hubspot").exists()


def test_what_a_file_lacks_is_left_out_so_that_its_days_are_not_refused(tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    file.write_text("Contact-ID;Voornaam;Achternaam;E-mail\n1;Jan;Berg;a@example.nl\n", encoding="utf-8")
    placed = place(connector_named("salesforce"), ["contact"], tmp_path, start="2026-06-01", file=file)
    contract = load_contract(placed.written[0])
    assert (contract.deleted, contract.modified_at, contract.merged_into) == (None, None, None)
    assert any("which records are deleted" in told for told in placed.told)
    table = next(read_file(file, contract))
    assert table.column("FirstName").to_pylist() == ["Jan"]


FIXTURES = [
    ("salesforce", "contact", "salesforce_contact_api_fields.csv", 20),
    ("hubspot", "contact", "hubspot_contacts_header_fixture.csv", 8),
    ("dynamics365", "contact", "dynamics_contact_header_fixture.csv", 7),
    ("exact_online", "account", "exact_online_account_fields.csv", 14),
    ("exact_online", "contact", "exact_online_contact_fields.csv", 20),
    ("sap", "customer", "sap_kna1_data.csv", 15),
    ("shopify", "customer", "shopify_customers_header.csv", 19),
    ("shopify", "order", "shopify_orders_header.csv", 15),
    ("magento2", "customer", "magento_customer.csv", 18),
    ("magento2", "customer_address", "magento_customer_address.csv", 20),
    ("woocommerce", "customer", "woocommerce_analytics_customers_header.csv", 15),
    ("woocommerce", "order", "woocommerce_webtoffee_orders_header.csv", 11),
    ("mailchimp", "member", "mailchimp_audience_header.csv", 18),
]


@pytest.mark.skipif(
    not HEADERS.is_dir(), reason=f"the published headers are not at {HEADERS}: set BENCHMARK_DATA"
)
@pytest.mark.parametrize(("system", "entity", "name", "columns"), FIXTURES)
def test_published_headers_of_a_system_are_those_of_its_contract(
    tmp_path: Path, system: str, entity: str, name: str, columns: int
) -> None:
    contract = in_place(system, entity, tmp_path, HEADERS / name)
    assert len(contract.columns) >= columns
    assert absent_columns(next(read_file(HEADERS / name, contract)).schema) == []


def test_the_command_lists_asks_and_places(tmp_path: Path) -> None:
    run = CliRunner().invoke
    listed = run(app, ["add-source"])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in TEN)
    asked = run(app, ["add-source", "zendesk"])
    assert asked.exit_code == 2
    assert "--entity organization" in asked.output
    unknown = run(app, ["add-source", "hubspt", "--entity", "contact"])
    assert unknown.exit_code == 1
    assert "Did you mean 'hubspot'?" in unknown.output
    done = run(
        app, ["add-source", "hubspot", "--entity", "contact", "--name", "crm2", "--folder", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    assert load_contract(tmp_path / "crm2" / "contact.odcs.yaml").name == "crm2/contact"
    assert (tmp_path / "crm2" / "defs.yaml").exists()
