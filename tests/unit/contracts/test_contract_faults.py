"""What a person who writes a contract sees when it is wrong: file, key and fix, for all faults at once."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cdm_pipelines.contracts import ContractError, SourceContract, load_contract, load_contracts
from cdm_pipelines.contracts.model import Format

Document = dict[str, Any]


def document() -> Document:
    """A contract without faults."""
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "erp-customer",
        "version": "1.0.0",
        "dataProduct": "erp",
        "team": {"name": "finance"},
        "schema": [
            {
                "name": "customer",
                "customProperties": [
                    {"property": "delivery", "value": "snapshot"},
                    {"property": "partyKind", "value": "person"},
                ],
                "properties": [
                    {"name": "KUNNR", "logicalType": "string", "required": True, "primaryKey": True},
                    {
                        "name": "ZZSMTP",
                        "logicalType": "string",
                        "customProperties": [{"property": "mapsTo", "value": "party.email"}],
                    },
                    {"name": "GBDAT", "logicalType": "date"},
                    {"name": "NETWR", "logicalType": "number"},
                ],
            }
        ],
    }


def write(folder: Path, content: Document | str) -> Path:
    """Put a contract into a folder."""
    path = folder / "customer.odcs.yaml"
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def entity(doc: Document, **custom: Any) -> None:
    """Set custom properties of the entity."""
    properties = doc["schema"][0]["customProperties"]
    properties[:] = [p for p in properties if p["property"] not in custom]
    properties += [{"property": name, "value": value} for name, value in custom.items() if value is not None]


def only_with(doc: Document, name: str) -> None:
    """Feed an order, and say without which column there is none."""
    column(doc, "GBDAT", {"customProperties": [{"property": "mapsTo", "value": "order.order_id"}]})
    entity(doc, onlyWith={"order": name})


def column(doc: Document, name: str, /, standard: Document | None = None, **custom: Any) -> None:
    """Change a column."""
    (item,) = (p for p in doc["schema"][0]["properties"] if p["name"] == name)
    item.update(standard or {})
    item.setdefault("customProperties", [])
    item["customProperties"] += [{"property": key, "value": value} for key, value in custom.items()]


def put(doc: Document, **changes: Any) -> None:
    """Change the top of the contract."""
    doc.update(changes)


E = "schema[customer]"
OPTION: Document = {"logicalTypeOptions": {"pattern": "x"}}
FAULTS: list[tuple[str, Any, str]] = [
    ("kind", lambda d: put(d, kind="Contract"), "kind: 'Contract' is no contract. Write kind: DataContract."),
    (
        "version of the standard",
        lambda d: put(d, apiVersion="v2.2.0"),
        "apiVersion: 'v2.2.0' is not version 3",
    ),
    ("id", lambda d: d.pop("id"), "id: is missing"),
    ("unknown key at the top", lambda d: put(d, owner="me"), "owner: unknown key 'owner'"),
    ("unknown key below", lambda d: column(d, "KUNNR", {"requried": True}), "Did you mean 'required'?"),
    ("wrong type", lambda d: put(d, schema="x"), "schema: Input should be a valid list"),
    ("no source", lambda d: d.pop("dataProduct"), "dataProduct: is missing"),
    (
        "bad name",
        lambda d: put(d, dataProduct="ERP 2"),
        "dataProduct: 'ERP 2' cannot be part of a table name",
    ),
    ("no owner", lambda d: d.pop("team"), "team.name: is missing"),
    ("two entities", lambda d: d["schema"].append({"name": "x"}), "schema: holds 2 entities"),
    ("no columns", lambda d: d["schema"][0].pop("properties"), "holds no column"),
    ("no delivery", lambda d: entity(d, delivery=None), f"{E}.delivery: is missing. Add snapshot"),
    (
        "delivery",
        lambda d: entity(d, delivery="snapshoot"),
        "unknown value 'snapshoot'. Did you mean 'snapshot'?",
    ),
    ("unknown property", lambda d: entity(d, modifedAt="x"), "'modifedAt'. Did you mean 'modifiedAt'?"),
    (
        "unknown column",
        lambda d: entity(d, modifiedAt="GBDATE"),
        "unknown column 'GBDATE'. Did you mean 'GBDAT'?",
    ),
    (
        "deleted without values",
        lambda d: entity(d, deleted={"column": "GBDAT"}),
        f"{E}.deleted.values: is empty",
    ),
    ("deleted, unknown key", lambda d: entity(d, deleted={"colum": "GBDAT"}), "Did you mean 'column'?"),
    ("deleted as text", lambda d: entity(d, deleted="GBDAT"), f"{E}.deleted: is not a mapping"),
    (
        "delimiter",
        lambda d: entity(d, dialect={"delimiter": "x"}),
        f"{E}.dialect.delimiter: 'x' holds a letter",
    ),
    ("encoding", lambda d: entity(d, dialect={"encoding": "utf8000"}), "'utf8000' is not an encoding"),
    ("skipped rows", lambda d: entity(d, dialect={"skipRows": "2"}), "'2' is not a whole number"),
    ("country", lambda d: entity(d, defaultCountry="Netherlands"), "'Netherlands' is not a country"),
    ("location", lambda d: entity(d, location="erp/customer.csv"), "does not have the date in one place"),
    (
        "party kind",
        lambda d: entity(d, partyKind="persona"),
        "unknown value 'persona'. Did you mean 'person'?",
    ),
    ("no party kind", lambda d: entity(d, partyKind=None), f"{E}.partyKind: is missing"),
    (
        "party kind by column",
        lambda d: entity(d, partyKind={"column": "STKZN", "values": {"X": "prson"}}),
        "unknown kind 'prson'. Did you mean 'person'?",
    ),
    (
        "fill down",
        lambda d: entity(d, fillDown={"key": "KUNNR", "columns": ["GBDATX"]}),
        "unknown column",
    ),
    (
        "what a row tells of only with a column",
        lambda d: entity(d, onlyWith={"refund": "NETWR"}),
        f"{E}.onlyWith: unknown entity 'refund'",
    ),
    (
        "a column that an order is only with",
        lambda d: only_with(d, "NETWRX"),
        "unknown column 'NETWRX'. Did you mean 'NETWR'?",
    ),
    ("query without SQL", lambda d: entity(d, query="select 1"), f"{E}.query: has no meaning for a file"),
    ("SQL without a query", lambda d: entity(d, format="sql"), f"{E}.query: is missing"),
    (
        "rules of the entity",
        lambda d: d["schema"][0].update(quality=[{"metric": "rowCount"}]),
        "are not run",
    ),
    ("no key", lambda d: column(d, "KUNNR", {"primaryKey": False}), "has no key"),
    (
        "two first keys",
        lambda d: column(d, "GBDAT", {"primaryKey": True}),
        "has two key columns in one place",
    ),
    ("reserved name", lambda d: column(d, "GBDAT", {"name": "_row"}), "is a name that ingest uses itself"),
    ("name twice", lambda d: column(d, "GBDAT", {"name": "KUNNR"}), "stands there twice"),
    (
        "logical type",
        lambda d: column(d, "GBDAT", {"logicalType": "dat"}),
        "unknown type 'dat'. Did you mean 'date'?",
    ),
    ("target", lambda d: column(d, "GBDAT", mapsTo="party.birthdate"), "Did you mean 'party.birth_date'?"),
    (
        "target twice",
        lambda d: column(d, "GBDAT", mapsTo="party.email"),
        "party.email is fed by 'ZZSMTP' already",
    ),
    (
        "half an entity",
        lambda d: column(d, "NETWR", mapsTo="order.total_amount"),
        "feeds order but not its key",
    ),
    (
        "unquoted null",
        lambda d: column(d, "GBDAT", nullValues=[0]),
        "0 is not text. Put it between quotes.",
    ),
    ("date format", lambda d: column(d, "GBDAT", dateFormats=["YYYYMMDD"]), "'YYYYMMDD' is no date format"),
    ("a local date", lambda d: column(d, "GBDAT", dateFormats=["%x"]), "%x is not read"),
    ("a week", lambda d: column(d, "GBDAT", dateFormats=["%G-W%V-%u"]), "%G is not read"),
    ("a day's name", lambda d: column(d, "GBDAT", dateFormats=["%A %d %B %Y"]), "%A is not read"),
    ("a C format", lambda d: column(d, "GBDAT", dateFormats=["%-d-%m-%Y"]), "%- is not read"),
    ("a year twice", lambda d: column(d, "GBDAT", dateFormats=["%Y-%m-%d %Y"]), "each once"),
    ("half a day", lambda d: column(d, "GBDAT", dateFormats=["%Y-%m-%d %I:%M"]), "%I and %p need each other"),
    (
        "known parts",
        lambda d: column(d, "GBDAT", dateFormats=["%c"]),
        "with %Y, %y, %m, %b, %B, %d for the day",
    ),
    ("half a date", lambda d: column(d, "GBDAT", dateFormats=["%Y-%m"]), "'%Y-%m' is no date format"),
    (
        "format of a number",
        lambda d: column(d, "NETWR", dateFormats=["%Y%m%d"]),
        "has no meaning for type number",
    ),
    ("decimal of a date", lambda d: column(d, "GBDAT", decimal=","), "decimal: has no meaning for type date"),
    ("decimal sign", lambda d: column(d, "NETWR", decimal=";"), "';' is no decimal sign"),
    (
        "option of another type",
        lambda d: column(d, "NETWR", {"logicalTypeOptions": {"pattern": "x"}}),
        "unknown property 'pattern'",
    ),
    (
        "pattern",
        lambda d: column(d, "KUNNR", {"logicalTypeOptions": {"pattern": "["}}),
        "is no regular expression",
    ),
    (
        "minimum",
        lambda d: column(d, "NETWR", {"logicalTypeOptions": {"minimum": "low"}}),
        "'low' is no number",
    ),
    (
        "earliest",
        lambda d: column(d, "GBDAT", {"logicalTypeOptions": {"minimum": "1900"}}),
        "'1900' is no date",
    ),
    (
        "JDK format",
        lambda d: column(d, "GBDAT", {"logicalTypeOptions": {"format": "QQQ"}}),
        "'QQQ' is no date format",
    ),
    (
        "privacy",
        lambda d: column(d, "NETWR", privacy="User Contact"),
        "'User Contact' is not a data category",
    ),
    (
        "unique",
        lambda d: column(d, "NETWR", {"unique": True}),
        "unique: is only checked on a key of one column",
    ),
    (
        "metric",
        lambda d: column(d, "NETWR", {"quality": [{"metric": "nulValues"}]}),
        "Did you mean 'nullValues'?",
    ),
    (
        "tolerance",
        lambda d: column(d, "NETWR", {"quality": [{"metric": "nullValues"}]}),
        "Write mustBe: 0",
    ),
    (
        "SQL rule",
        lambda d: column(d, "NETWR", {"quality": [{"type": "sql", "query": "x"}]}),
        "unknown metric",
    ),
]


@pytest.mark.parametrize(("change", "says"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_fault_is_named_with_file_key_and_fix(tmp_path: Path, change: Any, says: str) -> None:
    doc = document()
    change(doc)
    with pytest.raises(ContractError) as wrong:
        load_contract(write(tmp_path, doc))
    assert str(wrong.value).startswith(f"{tmp_path / 'customer.odcs.yaml'}: ")
    assert says in str(wrong.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "is no YAML"),
        ("- 1", "holds no mapping"),
        ("id: a\nid: b\n", "line 2, column 1: is no YAML: id is given twice"),
        ("\0", "is no YAML"),
    ],
)
def test_what_is_no_contract_at_all(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ContractError) as wrong:
        load_contract(write(tmp_path, text))
    assert says in str(wrong.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    doc = document()
    entity(doc, modifiedAt="AEDAT", defaultCountry="nl")
    column(doc, "GBDAT", mapsTo="party.birthdate")
    with pytest.raises(ContractError) as wrong:
        load_contract(write(tmp_path, doc))
    assert len(wrong.value.problems) == 3
    assert str(wrong.value).count("\n  - ") == 3


def test_missing_file_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="cannot be read"):
        load_contract(tmp_path / "nothing.odcs.yaml")
    with pytest.raises(ContractError, match="holds no contract"):
        load_contracts(tmp_path)


def test_two_contracts_of_one_entity(tmp_path: Path) -> None:
    write(tmp_path, document())
    (tmp_path / "again").mkdir()
    write(tmp_path / "again", document())
    with pytest.raises(ContractError, match="erp/customer is described by"):
        load_contracts(tmp_path)


def load(folder: Path, doc: Document) -> SourceContract:
    """Write and load."""
    return load_contract(write(folder, doc))


def test_rules_of_the_standard_are_understood(tmp_path: Path) -> None:
    doc = document()
    column(doc, "GBDAT", {"logicalTypeOptions": {"format": "dd-MM-yyyy HH:mm", "maximum": "2026-12-31"}})
    quality = [
        {"metric": "nullValues", "mustBe": 0},
        {"metric": "invalidValues", "arguments": {"validValues": ["a", "b"], "pattern": "[ab]"}, "mustBe": 0},
        {"type": "text", "description": "Nice to have."},
        {"type": "custom", "engine": "soda", "implementation": "x"},
    ]
    column(doc, "ZZSMTP", {"quality": quality})
    column(doc, "KUNNR", {"quality": [{"metric": "duplicateValues", "mustBe": 0}], "enum": [{"value": "1"}]})
    contract = load(tmp_path, doc)
    born, mail, key = (contract.column(name) for name in ("GBDAT", "ZZSMTP", "KUNNR"))
    assert born.date_formats == ("%d-%m-%Y %H:%M",)
    assert str(born.maximum) == "2026-12-31"
    assert (mail.required, mail.enum, mail.pattern) == (True, ("a", "b"), "[ab]")
    assert (key.unique, key.enum) == (True, ("1",))
    assert contract.location == "erp/customer/{date}*.csv"


def test_properties_of_other_vendors_are_left_alone(tmp_path: Path) -> None:
    doc = document()
    doc["schema"][0]["customProperties"].append({"property": "score", "value": 1, "vendor": "soda"})
    doc["customProperties"] = [{"property": "anything", "value": 1}]
    assert load(tmp_path, doc).name == "erp/customer"


def test_sql(tmp_path: Path) -> None:
    doc = document()
    entity(doc, format="sql", query="select 1 where day = :date", urlVariable="ERP_URL")
    contract = load(tmp_path, doc)
    assert contract.format == Format.SQL
    assert contract.query is not None
    assert contract.query.url_variable == "ERP_URL"


def test_fingerprint_follows_the_content_not_the_layout(tmp_path: Path) -> None:
    first = load(tmp_path, document())
    again = load_contract(write(tmp_path, "# a remark\n" + yaml.safe_dump(document(), sort_keys=True)))
    assert again == first
    assert again.fingerprint == first.fingerprint
    doc = document()
    column(doc, "GBDAT", nullValues=["00000000"])
    assert load(tmp_path, doc).fingerprint != first.fingerprint
