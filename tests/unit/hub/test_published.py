"""Which tables are published, and whose their rows are."""

from collections.abc import Iterator

import hub_examples as examples
import pytest
from sqlalchemy import Column, Engine, MetaData, Table, Text, text

from cdm_pipelines.contracts.canonical import Attribute, Entity, EntityDeclaration, OfNobody, ValueType
from cdm_pipelines.contracts.entity import declare, withdraw
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.published import Part, PublishedTable, customers_of, published
from cdm_pipelines.hub.schema import metadata

SHELF = Entity("shelf")


def shelf(table: str = "") -> EntityDeclaration:
    code = Attribute(SHELF, "code", ValueType.TEXT, "Code.", "shelf", "system.operations", key=True)
    return EntityDeclaration(SHELF, "shelves", "Shelves.", OfNobody(), (code,), table=table)


@pytest.fixture
def undone() -> Iterator[None]:
    yield
    withdraw(SHELF)
    published()


def test_the_order_in_which_a_publication_brings_tables_up() -> None:
    assert list(published()) == [
        "golden_id",
        "customer",
        "crosswalk",
        "provenance",
        "customer_order",
        "order_line",
        "payment",
        "refund",
        "invoice",
        "product",
    ]


@pytest.mark.usefixtures("undone")
def test_a_table_comes_and_goes_with_its_declaration() -> None:
    declare(shelf())
    assert published()["shelf"].part is Part.ROWS
    assert not published()["shelf"].of_customer
    assert "golden.shelf" in metadata.tables
    withdraw(SHELF)
    assert "shelf" not in published()
    assert "golden.shelf" not in metadata.tables


@pytest.mark.usefixtures("undone")
def test_a_table_of_the_hub_itself_cannot_be_an_entitys() -> None:
    declare(shelf("crosswalk"))
    with pytest.raises(
        HubError, match=r"shelf cannot be published as golden.crosswalk: .* Name another in table="
    ):
        published()


def test_what_cannot_be_published() -> None:
    without_key = Table("a", MetaData(), Column("golden_id", Text))
    with pytest.raises(HubError, match="no primary key"):
        PublishedTable(without_key, Part.ROWS)
    with pytest.raises(HubError, match="no column golden_id"):
        PublishedTable(Table("b", MetaData(), Column("x", Text, primary_key=True)), Part.CUSTOMERS)


def test_every_row_leads_to_its_customer(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    with hub_engine.begin() as connection:
        (anna, *_) = connection.scalars(text("SELECT golden_id FROM golden.customer ORDER BY 1"))
        connection.execute(
            text(
                f"""INSERT INTO golden.customer_order (source, entity, record_id, golden_id, active, order_id)
                    VALUES ('erp', 'order', '1', '{anna}', true, '1'), ('erp', 'order', '2', NULL, true, '2');
                    INSERT INTO golden.order_line (source, entity, record_id, active, order_id, line_id)
                    VALUES ('erp', 'line', '1|1', true, '1', '1'), ('erp', 'line', '2|1', true, '2', '1'),
                           ('shop', 'order', '1|1', true, '1', '1');
                    INSERT INTO golden.payment (source, entity, record_id, active, payment_id, order_id)
                    VALUES ('erp', 'payment', '9', true, '9', '1')"""
            )
        )
        found = {name: [tuple(row) for row in connection.execute(customers_of(name))] for name in published()}
        everybody = set(connection.scalars(text("SELECT golden_id FROM golden.customer")))
    assert found["customer_order"] == [("erp", "order", "1", anna)]
    assert found["order_line"] == [("erp", "line", "1|1", anna)]
    assert found["payment"] == [("erp", "payment", "9", anna)]
    for name in ("golden_id", "customer", "crosswalk", "provenance"):
        assert {golden for row in found[name] for golden in row if golden in everybody} == everybody, name


@pytest.mark.usefixtures("undone")
def test_rows_that_are_nobodys_lead_to_nobody(hub_engine: Engine) -> None:
    declare(shelf())
    with hub_engine.begin() as connection:
        published()["shelf"].table.create(connection)
        connection.execute(text("INSERT INTO golden.shelf VALUES ('erp', 'shelf', '1', true, NULL, '1')"))
        assert connection.execute(customers_of("shelf")).all() == []
    with pytest.raises(HubError, match="shelves is not a published table; choose from golden_id, customer"):
        customers_of("shelves")
