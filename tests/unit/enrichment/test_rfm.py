"""RFM: the published cuts and scores, sums to the cent, each pair of scores in one segment."""

import csv
import datetime as dt
import os
from collections import Counter, defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from enricher_checks import by_customer, check_subset_equals_full, computed, fit, order
from enricher_tables import AS_OF, work_on

from cdm_pipelines.enrichment import lifetime_value
from cdm_pipelines.enrichment.rfm import ENRICHER, SEGMENTS, RfmParameters

ROOT = Path(__file__).parents[3]
SHARED = Path(
    os.environ.get("CDM_SHARED_DATA", os.environ.get("BENCHMARK_DATA", ROOT.parent / "shared" / "data"))
)
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data: set CDM_SHARED_DATA")


@needs_data
def test_the_published_set_has_the_published_cuts_and_scores() -> None:
    with (SHARED / "rfm" / "rfm_orders.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    number = {name: at for at, name in enumerate(dict.fromkeys(row["customer_id"] for row in rows))}
    orders = [
        order(at, number[row["customer_id"]], row["order_date"], row["revenue"])
        for at, row in enumerate(rows)
    ]
    as_of = dt.date(2006, 12, 31)
    fitted = fit(ENRICHER, as_of=as_of, state_order=orders)
    assert {name: [int(cut) for cut in cuts] for name, cuts in fitted["cuts"].items()} == {
        "recency": [115, 181, 297, 482],
        "frequency": [4, 5, 6, 8],
        "monetary": [255, 382, 506, 666],
    }
    assert fitted["cuts"]["monetary"][0] == pytest.approx(255.8)  # published rounded: 256
    table = by_customer(computed(ENRICHER, fitted, as_of=as_of, state_order=orders))
    assert len(table) == 995
    assert sum(row["orders"] for row in table.values()) == 4906
    published = {
        "Abbey O'Reilly": "343",
        "Add Senger": "412",
        "Aden Lesch": "323",
        "Aden Murphy": "544",
        "Admiral Senger": "433",
    }
    assert {name: table[number[name]]["score"] for name in published} == published


@needs_data
def test_adventureworks_is_reconciled_to_the_cent_with_its_order_lines() -> None:
    folder = SHARED / "extracts" / "adventureworks"
    with (folder / "AdventureWorks_Products.csv").open(encoding="utf-8-sig") as file:
        price = {row["ProductKey"]: Decimal(row["ProductPrice"]) for row in csv.DictReader(file)}
    # Two order numbers are of two customers each, so an order is known by both.
    total: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    day_of: dict[tuple[str, str], dt.date] = {}
    lines = []
    for path in sorted(folder.glob("AdventureWorks_Sales_*.csv")):
        with path.open(encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                key = (row["OrderNumber"], row["CustomerKey"])
                unit, quantity = price[row["ProductKey"]], row["OrderQuantity"]
                total[key] += (int(quantity) * unit).quantize(Decimal("0.01"), ROUND_HALF_UP)
                day_of[key] = dt.datetime.strptime(row["OrderDate"], "%m/%d/%Y").date()  # noqa: DTZ007 - a day
                of = {"order_id": "/".join(key), "line_id": row["OrderLineItem"]}
                lines.append({**of, "quantity": quantity, "unit_price": str(unit)})
    expected: dict[int, Counter[str]] = defaultdict(Counter)
    days: dict[int, list[dt.date]] = defaultdict(list)
    orders = []
    for key, amount in total.items():
        customer = int(key[1])
        expected[customer]["orders"] += 1
        expected[customer]["cents"] += int(amount * 100)
        days[customer].append(day_of[key])
        orders.append({**order(0, customer, day_of[key].isoformat(), str(amount)), "order_id": "/".join(key)})
    as_of = dt.date(2019, 6, 30)
    fitted = fit(ENRICHER, as_of=as_of, state_order=orders)
    table = by_customer(computed(ENRICHER, fitted, as_of=as_of, state_order=orders))
    with work_on(as_of=as_of, state_order=orders, state_order_line=lines) as work:
        work.use("order_lines")
        of_lines = work.sql("SELECT golden_id, sum(amount) AS net FROM order_lines GROUP BY 1").to_pylist()
    assert len(table) == 17_411 == len(expected)
    assert {
        customer: (row["orders"], int(row["net"] * 100), row["first_ordered_on"], row["last_ordered_on"])
        for customer, row in table.items()
    } == {
        customer: (sums["orders"], sums["cents"], min(days[customer]), max(days[customer]))
        for customer, sums in expected.items()
    }
    assert {int(row["golden_id"][-12:]): row["net"] for row in of_lines} == {
        customer: row["net"] for customer, row in table.items()
    }
    assert all(row["gross"] == row["net"] and row["segment"] for row in table.values())
    value = by_customer(computed(lifetime_value.ENRICHER, None, as_of=as_of, state_order=orders))
    assert {customer: row["historic_value"] for customer, row in value.items()} == {
        customer: Decimal(sums["cents"]) / 100 for customer, sums in expected.items()
    }
    assert sum(row["historic_value"] for row in value.values()) == sum(total.values())


def test_orders_that_two_sources_may_have_delivered_are_counted_and_change_no_value() -> None:
    def of(source: str, *orders: dict[str, Any]) -> list[dict[str, Any]]:
        """Records of one customer, whom each source has under a number of its own."""
        return [{**one, "source": source, "order_id": f"{source}{at}"} for at, one in enumerate(orders)]

    one, other = order(0, 1, "2026-05-01", "10.00"), order(0, 1, "2026-05-01", "12.00")
    orders = [
        *of("shop", one, one, other, order(0, 2, "2026-05-01", "7.00")),
        *of("erp", one, order(0, 1, "2026-05-02", "12.00"), order(0, 3, "2026-05-01", "7.00")),
        *of("till", {**other, "status": "cancelled"}),
    ]
    assert ENRICHER.picture is not None
    with work_on(state_order=orders) as work:
        table = ENRICHER.compute(work.of(RfmParameters()))
        figures = ENRICHER.picture(table, work)
    assert figures["orders that may be delivered twice by two sources"] == 1
    assert by_customer(table)[1]["net"] == Decimal("54.00")


def test_each_pair_of_scores_is_in_exactly_one_of_ten_segments() -> None:
    assert set(SEGMENTS) == {(r, f) for r in range(1, 6) for f in range(1, 6)}
    assert len(set(SEGMENTS.values())) == 10
    assert (SEGMENTS[5, 5], SEGMENTS[1, 5], SEGMENTS[5, 1], SEGMENTS[1, 1]) == (
        "champion",
        "cannot_lose",
        "new",
        "hibernating",
    )


def history(customers: int = 40) -> dict[str, Any]:
    """Orders of many customers, with returns, among them what does not count."""
    orders, refunds, number = [], [], 0
    for customer in range(1, customers + 1):
        for nth in range(customer % 6 + 1):
            number += 1
            day = AS_OF - dt.timedelta(days=customer * 7 % 300 + nth * (customer % 4) * 15)
            orders.append(order(number, customer, day.isoformat(), f"{customer * 3 + nth}.{number % 100:02}"))
            if number % 5 == 0:
                back = {"amount": "1.25", "refunded_at": f"{day}T12:00:00Z"}
                refunds.append({"refund_id": str(number), "order_id": str(number), **back})
        orders.append(order(number + 10_000, customer, "2026-01-01", "-5.00"))
    orders.append({"order_id": "99999", "ordered_at": "2026-01-01T00:00:00Z", "total_amount": "1.00"})
    refunds.append(
        {"refund_id": "x", "order_id": "gone", "amount": "3.00", "refunded_at": "2026-01-01T00:00:00Z"}
    )
    return {"state_order": orders, "state_refund": refunds}


def test_a_subset_has_the_rows_that_it_has_among_everybody_and_sums_are_those_of_the_orders() -> None:
    given = history()
    table = check_subset_equals_full(ENRICHER, [3, 17, 40], **given)
    counted = [row for row in given["state_order"] if "customer" in row and row["total_amount"] != "-5.00"]
    rows = table.to_pylist()
    assert sum(row["orders"] for row in rows) == len(counted)
    assert sum(row["gross"] for row in rows) == sum(Decimal(row["total_amount"]) for row in counted)
    assert sum(row["returned"] for row in rows) == Decimal("1.25") * (len(given["state_refund"]) - 1)
    assert all(row["net"] == row["gross"] - row["returned"] for row in rows)
    assert sum(row["orders_not_counted"] for row in rows) == 40


@pytest.mark.parametrize("seed", range(4))
def test_merges_and_splits_move_orders_and_keep_their_sums(seed: int) -> None:
    given, random = history(), np.random.default_rng(seed)
    other = {customer: int(random.integers(1, 30)) for customer in range(1, 41)}
    moved = [
        {**row, "customer": other[row["customer"]]} if "customer" in row else row
        for row in given["state_order"]
    ]
    names = ("orders", "gross", "returned", "net", "orders_not_counted")
    sums = []
    for orders in (given["state_order"], moved):
        table = computed(ENRICHER, None, **{**given, "state_order": orders})
        sums.append({name: sum(table[name].to_pylist()) for name in names})
        with work_on(**{**given, "state_order": orders}) as work:
            work.use("purchases")
            of_purchases = work.sql("SELECT count(*) AS orders, sum(net) AS net FROM purchases").to_pylist()[
                0
            ]
        assert of_purchases == {name: sums[-1][name] for name in ("orders", "net")}
    assert sums[0] == sums[1]


def test_what_cannot_be_counted_is_told() -> None:
    fitted = fit(ENRICHER, **history())
    assert fitted["not_counted"] == {
        "negative": 40,
        "return without an order": 1,
        "without a known customer": 1,
    }


def test_a_customer_of_whom_nothing_counts_has_a_row_without_scores() -> None:
    given: dict[str, Any] = {
        "state_order": [
            order(1, 1, "2026-05-01", "10.00"),
            order(2, 2, "2026-05-01", "10", status="cancelled"),
        ]
    }
    rows = by_customer(computed(ENRICHER, fit(ENRICHER, **given), **given))
    assert (rows[2]["orders"], rows[2]["net"], rows[2]["score"], rows[2]["segment"]) == (0, 0, None, None)
    assert (rows[2]["last_ordered_on"], rows[2]["orders_not_counted"]) == (None, 1)
    assert rows[1]["score"] is not None


def test_orders_of_one_day_are_one_purchase_where_the_policy_says_so() -> None:
    orders = [order(n, 1, "2026-05-01", "10") for n in range(6)]
    orders += [order(10 * c + d, c, f"2026-05-0{d}", "10") for c in range(2, 6) for d in range(1, c)]
    by_order = by_customer(computed(ENRICHER, fit(ENRICHER, state_order=orders), state_order=orders))
    days = RfmParameters(frequency="purchase_days")
    by_day = by_customer(
        computed(
            ENRICHER, fit(ENRICHER, parameters=days, state_order=orders), parameters=days, state_order=orders
        )
    )
    assert (by_order[1]["orders"], by_order[1]["purchase_days"]) == (6, 1)
    assert (by_order[1]["frequency_score"], by_day[1]["frequency_score"]) == (5, 1)


def test_an_order_after_the_fit_counts_as_of_its_own_day_and_without_a_scale_there_are_no_scores() -> None:
    before: dict[str, Any] = {"state_order": [order(n, n, f"2026-0{n}-01", "10") for n in range(1, 6)]}
    fitted = fit(ENRICHER, **before)
    later = [*before["state_order"], order(9, 1, "2026-06-04", "10")]
    rows = by_customer(computed(ENRICHER, fitted, state_order=later))
    assert (rows[1]["last_ordered_on"], rows[1]["recency_score"]) == (dt.date(2026, 6, 4), 5)
    alone = by_customer(computed(ENRICHER, None, **before))
    assert (alone[1]["orders"], alone[1]["recency_score"], alone[1]["segment"]) == (1, None, None)


def test_nothing_at_all_is_no_error() -> None:
    fitted = fit(ENRICHER)
    assert fitted["customers"] == 0
    assert computed(ENRICHER, fitted).num_rows == 0
