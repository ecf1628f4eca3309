"""What enrichers read: money in one currency, what does not count kept apart, nothing lost."""

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import pytest
from enricher_tables import work_on

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.catalogue import built_in, enrichers
from cdm_pipelines.enrichment.declaration import Enricher, EnricherError, Output
from cdm_pipelines.enrichment.inputs import INPUTS

RATES = [
    {"currency": "EUR", "valid_from": dt.date(1, 1, 1), "rate": 1.0},
    {"currency": "USD", "valid_from": dt.date(2026, 1, 1), "rate": 0.9},
    {"currency": "USD", "valid_from": dt.date(2026, 6, 1), "rate": 0.8},
]


def order(
    number: int, customer: int, at: str | None, total: str | None, **more: str | None
) -> dict[str, object]:
    return {"order_id": str(number), "customer": customer, "ordered_at": at, "total_amount": total, **more}


def test_orders_in_the_reporting_currency_and_why_some_do_not_count() -> None:
    with work_on(
        rates=RATES,
        state_order=[
            order(1, 1, "2026-05-31T22:30:00Z", "100.00"),  # the first of June in Amsterdam
            order(2, 1, "2026-05-01T10:00:00Z", "100.00", currency="USD"),
            order(3, 1, "2026-06-02T10:00:00Z", "100.00", currency="USD"),
            order(4, 1, "2026-06-02T10:00:00Z", "10.00", currency="GBP"),
            order(5, 2, "2026-06-02T10:00:00Z", "-10.00"),
            order(6, 2, None, "10.00"),
            order(7, 2, "2030-06-02T10:00:00Z", "10.00"),
            order(8, 2, "2026-06-02T10:00:00Z", "10.00", status="Cancelled"),
            order(9, 2, "2026-06-02T10:00:00Z", None),
            {"order_id": "10", "ordered_at": "2026-06-02T10:00:00Z", "total_amount": "10.00"},
        ],
        state_refund=[
            {
                "refund_id": "1",
                "order_id": "2",
                "amount": "20.00",
                "currency": "USD",
                "refunded_at": "2026-06-02T09:00:00Z",
            },
            {
                "refund_id": "2",
                "order_id": "unknown",
                "amount": "5.00",
                "refunded_at": "2026-06-02T09:00:00Z",
            },
        ],
    ) as work:
        work.use("orders", "purchases", "refunds")
        rows = {row["order_id"]: row for row in work.sql("SELECT * FROM orders").to_pylist()}
        counted = work.sql("SELECT count(*) AS n FROM purchases").to_pylist()
        returned = work.sql("SELECT sum(amount) AS n FROM refunds").to_pylist()
    assert rows["1"]["ordered_on"] == dt.date(2026, 6, 1)
    assert [(rows[n]["amount"], rows[n]["net"]) for n in ("1", "2", "3")] == [
        (Decimal("100.00"), Decimal("100.00")),
        (Decimal("90.00"), Decimal("74.00")),
        (Decimal("80.00"), Decimal("80.00")),
    ]
    assert {n: row["problem"] for n, row in rows.items() if row["problem"]} == {
        "4": "currency without a rate",
        "5": "negative",
        "6": "no date",
        "7": "in the future",
        "8": "cancelled",
        "9": "no amount",
    }
    assert (counted, returned) == ([{"n": 3}], [{"n": Decimal("21.00")}])


def test_refunds_are_subtracted_whatever_their_sign_in_the_currency_of_their_order_and_once_they_have_been() -> (
    None
):
    back = {"refund_id": "1", "amount": "20.00", "refunded_at": "2026-05-20T09:00:00Z"}
    with work_on(
        rates=RATES,
        state_order=[
            order(1, 1, "2026-05-01T10:00:00Z", "100.00"),
            order(2, 1, "2026-05-01T10:00:00Z", "100.00", currency="USD"),
            order(3, 1, "2026-05-01T10:00:00Z", "100.00"),
            order(4, 1, "2026-05-01T10:00:00Z", "100.00", currency="USD"),
            order(5, 1, "2026-05-01T10:00:00Z", "100.00"),
        ],
        state_refund=[
            {**back, "order_id": "1", "amount": "-20.00"},
            {**back, "order_id": "2"},
            {**back, "order_id": "3", "refunded_at": "2099-01-01T09:00:00Z"},
            {**back, "order_id": "4", "refunded_at": None, "currency": "EUR"},
            {**back, "order_id": "5", "amount": "some"},
        ],
    ) as work:
        work.use("purchases", "refunds")
        net = dict(work.db.execute("SELECT order_id, net FROM purchases").fetchall())
        problems = dict(
            work.db.execute("SELECT order_id, problem FROM refunds WHERE problem <> ''").fetchall()
        )
    expected = {"1": "80.00", "2": "72.00", "3": "100.00", "4": "70.00", "5": "100.00"}
    assert net == {number: Decimal(amount) for number, amount in expected.items()}
    assert problems == {"3": "in the future", "5": "without an amount or a rate"}


def test_lines_have_the_category_and_the_cost_of_their_product() -> None:
    with work_on(
        rates=RATES,
        state_order=[order(1, 1, "2026-06-02T10:00:00Z", "50.00", currency="USD")],
        state_order_line=[
            {"order_id": "1", "line_id": "1", "product_code": "A", "quantity": "2", "unit_price": "20.00"},
            {"order_id": "1", "line_id": "2", "product_code": "B", "quantity": "1", "unit_price": "10.00"},
            {"order_id": "9", "line_id": "1", "product_code": "B", "quantity": "1", "unit_price": "10.00"},
        ],
        state_product=[{"product_code": "A", "category": "Home > Kitchen", "brand": "X", "cost": "12.50"}],
    ) as work:
        work.use("order_lines")
        rows = work.sql(
            "SELECT line_id, category, brand, amount, cost FROM order_lines ORDER BY 1"
        ).to_pylist()
    assert rows == [
        {
            "line_id": "1",
            "category": "Home > Kitchen",
            "brand": "X",
            "amount": Decimal("32.00"),
            "cost": Decimal("25.00"),
        },
        {"line_id": "2", "category": None, "brand": None, "amount": Decimal("8.00"), "cost": None},
    ]


def test_what_an_article_costs_is_in_the_reporting_currency() -> None:
    """At the rate of the day that the profile holds for, the third of June; without a rate nobody knows it."""
    codes = {"dear": "USD", "ours": None, "early": "GBP", "unknown": "SEK"}
    later = [{"currency": "GBP", "valid_from": dt.date(2026, 7, 1), "rate": 1.2}]
    with work_on(
        rates=[*RATES, *later],
        state_order=[order(1, 1, "2026-02-02T10:00:00Z", "80.00")],
        state_order_line=[
            {"order_id": "1", "line_id": code, "product_code": code, "quantity": "2", "unit_price": "20.00"}
            for code in codes
        ],
        state_product=[
            {"product_code": code, "cost": "10.00", "currency": currency} for code, currency in codes.items()
        ],
    ) as work:
        work.use("order_lines")
        products = dict(work.db.execute("SELECT product_code, cost FROM products").fetchall())
        lines = dict(work.db.execute("SELECT line_id, cost FROM order_lines").fetchall())
    assert products == {"dear": Decimal("8.00"), "ours": Decimal("10.00"), "early": None, "unknown": None}
    assert lines == {"dear": Decimal("16.00"), "ours": Decimal("20.00"), "early": None, "unknown": None}


def test_an_article_number_of_several_sources_is_described_by_the_source_of_the_order() -> None:
    """Else by another; by one row whole, never by parts of two. What it costs is said by who knows it."""
    numbered = {"A": "both", "B": "erp only", "C": "bare in the shop"}
    with work_on(
        state_order=[
            {**order(1, at, "2026-06-02T10:00:00Z", "30.00"), "source": source}
            for at, source in enumerate(("shop", "erp"), start=1)
        ],
        state_order_line=[
            {"source": source, "order_id": "1", "line_id": code, "product_code": code, "quantity": "1"}
            for source, codes in (("shop", numbered), ("erp", "A"))
            for code in codes
        ],
        state_product=[
            {"source": "shop", "product_code": "A", "category": "Garden", "brand": None},
            {"source": "erp", "product_code": "A", "category": "Zoo", "brand": "Zeta", "cost": "4.00"},
            {"source": "erp", "product_code": "B", "category": "Home", "brand": "Hut", "cost": "5.00"},
            {"source": "till", "product_code": "B", "category": "Yard", "brand": "Yak", "cost": "9.00"},
            {"source": "shop", "product_code": "C", "cost": "1.00"},
            {"source": "erp", "product_code": "C", "category": "Home", "brand": "Hut", "cost": "6.00"},
        ],
    ) as work:
        work.use("order_lines")
        found = {
            (source, code): tuple(said)
            for source, code, *said in work.db.execute(
                "SELECT source, product_code, category, brand, cost FROM order_lines"
            ).fetchall()
        }
    assert found == {
        ("shop", "A"): ("Garden", None, Decimal("4.00")),
        ("erp", "A"): ("Zoo", "Zeta", Decimal("4.00")),
        ("shop", "B"): ("Home", "Hut", Decimal("5.00")),
        ("shop", "C"): ("Home", "Hut", Decimal("1.00")),
    }


def test_inputs_have_the_columns_that_they_declare_each_with_its_meaning() -> None:
    with work_on() as work:
        work.use(*INPUTS)
        for name, one in INPUTS.items():
            found = [row[0] for row in work.db.execute(f"DESCRIBE {name}").fetchall()]
            assert set(one.columns) <= set(found), name
            if name not in ("customers", "records"):  # these have every attribute, and bookkeeping
                assert set(found) == set(one.columns), name
    assert all(column.description and column.of for one in INPUTS.values() for column in one.columns.values())


def test_every_output_says_which_columns_it_follows_from() -> None:
    for enricher in built_in().values():
        assert [one.name for one in enricher.outputs if not one.of] == []


@pytest.mark.parametrize(
    ("of", "problem"),
    [
        ("orders.net", "orders is no input of it. Name a column of purchases."),
        ("purchases.nett", "purchases has no such column. Name one of golden_id, source, order_id"),
    ],
)
def test_an_output_that_follows_from_what_is_not_there_is_refused(of: str, problem: str) -> None:
    given = Output("spent", ValueType.DECIMAL, "Net.", of=(of,))
    with pytest.raises(EnricherError, match=re.escape(problem)):
        Enricher(
            "own", "Own.", ("purchases",), (given,), "None.", "Never.", lambda work: work.sql("SELECT 1")
        )


def test_an_output_that_names_nothing_follows_from_whose_rows_are() -> None:
    given = Output("spent", ValueType.DECIMAL, "Net.")
    one = Enricher(
        "own",
        "Own.",
        ("purchases", "products"),
        (given,),
        "None.",
        "Never.",
        lambda work: work.sql("SELECT 1"),
    )
    assert one.read_for(given) == ("purchases.golden_id",)
    assert ("golden/staged", "golden_id") in one.origins(given)


@pytest.mark.parametrize("name", ["rfm", "customer", "model", "household_member"])
def test_a_company_s_own_enricher_takes_no_name_that_is_in_use(tmp_path: Path, name: str) -> None:
    (tmp_path / "enrichers").mkdir()
    own = tmp_path / "enrichers" / name
    own.with_suffix(".yaml").write_text(
        "{description: Own., purpose: None., inputs: [purchases], columns: [{name: a, type: text, description: A.}]}"
    )
    own.with_suffix(".sql").write_text("SELECT golden_id, 'a' AS a FROM purchases")
    with pytest.raises(EnricherError, match=f"{name} is .*Give yours another name"):
        enrichers(tmp_path)


def test_a_parameter_whose_name_begins_another_s_is_another(tmp_path: Path) -> None:
    (tmp_path / "enrichers").mkdir()
    own = tmp_path / "enrichers" / "large"
    own.with_suffix(".yaml").write_text(
        "{description: Own., purpose: None., inputs: [purchases], columns: [{name: orders, type: integer, "
        "description: Large ones.}], parameters: {big: {default: 1}, bigger: {default: 20}}}"
    )
    own.with_suffix(".sql").write_text(
        "SELECT golden_id, count(*) AS orders FROM purchases WHERE amount > $bigger GROUP BY ALL"
    )
    large = enrichers(tmp_path)["large"]
    orders = [order(at, 1, "2026-06-02T10:00:00Z", total) for at, total in enumerate(("10.00", "30.00"))]
    with work_on(state_order=orders) as work:
        rows = large.compute(work.of(large.parameters())).to_pylist()
    assert [row["orders"] for row in rows] == [1]
