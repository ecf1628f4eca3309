"""How files are found and written, as contracts say it: dialect, joined files, entities that share files."""

from pathlib import Path

import pytest

from cdm_pipelines.contracts import Format, load_contracts
from cdm_pipelines.contracts.errors import ContractError
from cdm_pipelines.ingest import new_columns, read_extract

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: {entity}
version: 1.0.0
status: active
dataProduct: shop
team: {{name: sales}}
schema:
  - name: {entity}
    customProperties:
      - {{property: delivery, value: delta}}
{properties}
    properties:
{columns}
"""
ORDER = """\
      - {property: format, value: csv}
      - {property: location, value: "shop/export/{date}*.csv"}
      - {property: dialect, value: {delimiter: "||", totals: ["Sum.*"], otherEncoding: cp1252, header: true}}
"""
ORDER_COLUMNS = """\
      - {name: order, primaryKey: true, customProperties: [{property: mapsTo, value: order.order_id}]}
"""
CUSTOMER_COLUMNS = """\
      - {name: buyer, primaryKey: true}
      - name: name
        customProperties:
          - {property: mapsTo, value: party.full_name}
          - {property: multiline, value: false}
"""
GUEST = """\
      - {property: deliveredWith, value: order}
      - {property: partyKind, value: person}
"""


def put(folder: Path, entity: str, properties: str, columns: str) -> None:
    """A contract in the folder."""
    text = CONTRACT.format(entity=entity, properties=properties.rstrip(), columns=columns.rstrip())
    (folder / f"{entity}.odcs.yaml").write_text(text, encoding="utf-8")


def test_two_entities_are_read_from_the_files_of_one(tmp_path: Path) -> None:
    put(tmp_path, "order", ORDER, ORDER_COLUMNS)
    put(tmp_path, "customer", GUEST, CUSTOMER_COLUMNS)
    customer, order = load_contracts(tmp_path)
    assert (customer.location, customer.format, customer.dialect) == (
        order.location,
        Format.CSV,
        order.dialect,
    )
    assert order.dialect.delimiter == "||"
    assert customer.column("name").multiline is False
    landing = tmp_path / "landing"
    (landing / "shop" / "export").mkdir(parents=True)
    (landing / "shop" / "export" / "2026-06-01.csv").write_text(
        "order||buyer||name\n10||7||Bos\n11||8||Vos\n"
    )
    for contract, key, values in ((order, "order", ["10", "11"]), (customer, "buyer", ["7", "8"])):
        (table,) = read_extract(str(landing), contract, "2026-06-01")
        assert table.column(key).to_pylist() == values
        assert new_columns(table.schema, contract) == []


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        (GUEST.replace("order", "invoice"), "'invoice' is no entity of shop with files of its own"),
        (GUEST.replace("order", "customer"), "deliveredWith: is the entity itself"),
        (GUEST + "      - {property: format, value: csv}\n", "format: is that of order"),
        (
            "      - {property: partyKind, value: person}\n      - {property: joined, value: {location: a, key: x}}",
            "joined[0].location: does not have the date in one place",
        ),
        (
            "      - {property: partyKind, value: person}\n      - {property: dialect, value: {totals: ['(']}}",
            "dialect.totals: '(' is not a regular expression",
        ),
    ],
)
def test_a_fault_of_delivery_is_named(tmp_path: Path, properties: str, says: str) -> None:
    put(tmp_path, "order", ORDER, ORDER_COLUMNS)
    put(tmp_path, "customer", properties, CUSTOMER_COLUMNS)
    with pytest.raises(ContractError) as wrong:
        load_contracts(tmp_path)
    assert says in str(wrong.value)
