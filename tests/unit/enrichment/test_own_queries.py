"""What a company's own query gives is held against its declaration, before it can harm a publication."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from enricher_tables import gid, work_on

from cdm_pipelines.enrichment.declaration import EnricherError
from cdm_pipelines.enrichment.own import own_enrichers

DECLARED = """
description: How much a customer ordered.
purpose: A test.
inputs: [purchases, customers]
columns:
  - {name: last_on, type: date, description: Day of the last order.}
  - {name: total, type: decimal, description: Sum of all orders.}
  - {name: orders, type: integer, description: How many.}
  - {name: is_big, type: boolean, description: Whether that is much.}
  - {name: said, type: text, description: In words.}
  - {name: told_at, type: timestamp, description: When it was said.}
"""
QUERY = """SELECT golden_id, max(ordered_on) AS last_on, sum(net) AS total, count(*) AS orders,
    sum(net) > 10 AS is_big, 'much' AS said, '2026-06-01T12:00:00Z' AS told_at FROM purchases GROUP BY golden_id"""
ORDERS = [
    {
        "customer": customer,
        "order_id": f"o{number}",
        "ordered_at": "2026-05-01T10:00:00Z",
        "total_amount": "12.34",
    }
    for number, customer in enumerate((1, 1, 2))
]


def given(folder: Path, query: str) -> pa.Table:
    """The rows of the enricher that is this query, as the run stages them."""
    (folder / "totals.yaml").write_text(DECLARED)
    (folder / "totals.sql").write_text(query)
    enricher = own_enrichers(folder)["totals"]
    customers = [{"golden_id": number} for number in (1, 2, 3)]
    with work_on(state_order=ORDERS, golden_customer=customers) as work:
        return enricher.shaped(enricher.compute(work.of(enricher.parameters())))


def test_rows_come_in_the_declared_types(tmp_path: Path) -> None:
    said = QUERY.replace("count(*)", "sum(1.0)").replace("max(ordered_on)", "max(ordered_at)")
    rows = given(tmp_path, said.replace("'much'", "[1, 2]")).sort_by("golden_id").to_pylist()
    same = {
        "last_on": dt.date(2026, 5, 1),
        "is_big": True,
        "said": "[1, 2]",
        "told_at": dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC),
    }
    assert rows == [
        {"golden_id": gid(1), "total": Decimal("24.68"), "orders": 2, **same},
        {"golden_id": gid(2), "total": Decimal("12.34"), "orders": 1, **same},
    ]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (
            (
                "SELECT golden_id, ordered_on AS last_on, net AS total, 1 AS orders, true AS is_big, '' AS said, "
                "NULL AS told_at FROM purchases"
            ),
            "3 rows for 2 customers. Give one row per customer, such as by GROUP BY golden_id.",
        ),
        (
            QUERY.replace("GROUP BY golden_id", "GROUP BY ROLLUP (golden_id)"),
            "golden_id is empty in 1 row. Leave them out: WHERE golden_id IS NOT NULL.",
        ),
        (
            QUERY.replace("SELECT golden_id", "SELECT 'secret' || golden_id AS golden_id"),
            "golden_id is no id of a customer in 2 rows. Give the golden_id of an input.",
        ),
        (
            QUERY.replace("count(*)", "count(*) / 2"),
            "orders is declared integer and is something else in 1 row. Round it, or declare it decimal.",
        ),
        (
            QUERY.replace("max(ordered_on)", "'secret'"),
            "last_on is declared date and is something else in 2 rows. Cast it in the query.",
        ),
        (
            QUERY.replace("sum(net) >", "7 + sum(net) +").replace("sum(net) AS", "max(ordered_on) AS"),
            (
                "total is declared decimal and is something else in 2 rows. Cast it in the query. "
                "is_big is declared boolean and is something else in 2 rows. Cast it in the query."
            ),
        ),
        (
            QUERY.replace("sum(net) AS", "CAST('secret' || max(net) AS DOUBLE) AS"),
            (
                "ConversionException over these rows, not quoted here since it may hold a value. "
                "See what the query casts, divides and reads."
            ),
        ),
        ("SELECT sum(net) AS total FROM purchases", "there is no column golden_id. Select that of an input."),
    ],
)
def test_rows_that_cannot_be_staged_are_told_with_the_fix(tmp_path: Path, query: str, problem: str) -> None:
    with pytest.raises(EnricherError) as refused:
        given(tmp_path, query)
    assert str(refused.value) == f"totals.sql: {problem}"


def test_a_column_too_many_is_still_told(tmp_path: Path) -> None:
    with pytest.raises(EnricherError, match='gives be"sides that is not declared, and lacks said'):
        given(tmp_path, QUERY.replace("AS said", 'AS "be""sides"'))
