"""What customers are expected to be worth: on the published purchases, and on a few rows."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from clv_data import END, END_OF_CALIBRATION, purchases
from enricher_tables import AS_OF, Rows, gid, work_on

from cdm_pipelines.enrichment.catalogue import built_in
from cdm_pipelines.enrichment.lifetime_value import AVERAGE, ENRICHER, HISTORIC, MODEL
from cdm_pipelines.enrichment.value_fitting import LifetimeValueParameters, fit
from cdm_pipelines.enrichment.work import Work
from cdm_pipelines.figures import Bars, Grid, Picture

FEW = LifetimeValueParameters(smallest_repeat_buyers=20, shortest_window_days=14)


def order(number: int, customer: int, day: dt.date, total: str, **more: str) -> dict[str, Any]:
    # At noon UTC, which is the same day here.
    return {
        "order_id": str(number),
        "customer": customer,
        "ordered_at": f"{day}T12:00:00Z",
        "total_amount": total,
        **more,
    }


def orders(rows: Iterable[tuple[int, dt.date, str]]) -> Rows:
    return [order(number, *row) for number, row in enumerate(rows)]


def fitted(work: Work) -> Mapping[str, Any]:
    """As it is kept: through JSON and back."""
    kept: Mapping[str, Any] = json.loads(json.dumps(fit(work)))
    return kept


def scored(work: Work, model: Mapping[str, Any] | None) -> pa.Table:
    return ENRICHER.shaped(ENRICHER.compute(work.of(work.parameters, model)))


def rows_of(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["golden_id"]: row for row in table.to_pylist()}


@cache
def cdnow() -> tuple[Mapping[str, Any], pa.Table]:
    """The enricher on all raw purchases."""
    with work_on(as_of=END, state_order=orders(purchases())) as work:
        model = fitted(work)
        return model, scored(work, model)


def test_the_enricher_is_one_of_the_project() -> None:
    assert built_in()["lifetime_value"] is ENRICHER


def test_of_nobody_a_fitted_model_says_nothing() -> None:
    model, _ = cdnow()
    with work_on(as_of=END) as work:
        assert scored(work, model).num_rows == 0


def test_raw_purchases_give_the_published_fits() -> None:
    until = [row for row in purchases() if row[1] <= END_OF_CALIBRATION]
    with work_on(as_of=END_OF_CALIBRATION, state_order=orders(until)) as work:
        model = fitted(work)
    purchase, spend, still = model["purchases"], model["spend"], model["alive"]
    assert [purchase[name] for name in ("r", "alpha", "a", "b")] == pytest.approx(
        [0.2426, 4.4135, 0.7929, 2.4258], rel=5e-3
    )
    assert purchase["log_likelihood"] == pytest.approx(-9582.4, abs=0.1)
    assert [spend[name] for name in ("p", "q", "gamma")] == pytest.approx([6.25, 3.74, 15.44], rel=5e-3)
    assert [still[name] for name in ("r", "alpha", "a", "b")] == pytest.approx(
        [0.52484, 6.18299, 0.89136, 1.61401], rel=5e-3
    )
    assert (model["customers"], model["repeat_buyers"]) == (2357, 946)
    assert model["correlation"] == pytest.approx(0.114, abs=0.005)


def test_a_fit_keeps_what_it_expects_and_published_customers_buy_as_expected() -> None:
    """Ninety days after the fit to the published calibration window, against all who bought in them."""
    until = [row for row in purchases() if row[1] <= END_OF_CALIBRATION]
    later = END_OF_CALIBRATION + dt.timedelta(days=90)
    came = {(one, day) for one, day, _ in purchases() if END_OF_CALIBRATION < day <= later}
    with work_on(as_of=END_OF_CALIBRATION, state_order=orders(until)) as work:
        model = fitted(work)
    assert model["ahead"]["customers"] == len({one for one, *_ in until})
    assert ENRICHER.drift is not None
    seen = {}
    for name, some in (("all", came), ("half", {one for one in came if one[0] % 2})):
        known = [row for row in purchases() if row[1] <= END_OF_CALIBRATION or row[:2] in some]
        with work_on(as_of=END_OF_CALIBRATION, ahead=92, state_order=orders(known)) as work:
            table = scored(work, model)
        seen[name] = ENRICHER.drift.judge(model, table, END_OF_CALIBRATION, later)
    assert [one.passed for one in seen.values()] == [True, False]
    assert seen["all"].figures["bought"] == len({one for one, _ in came})


def test_hold_out_is_told_per_frequency_and_drawn() -> None:
    model, _ = cdnow()
    told = ENRICHER.explain_fit and ENRICHER.explain_fit(model)
    assert told
    table, chart = told["hold-out"], told["hold-out chart"]
    assert isinstance(table, Grid)
    assert isinstance(chart, Picture)
    actual = [0.237, 0.697, 1.393, 1.56, 2.53, 2.95, 3.86, 6.36]
    expected = [0.225, 0.523, 1.044, 1.52, 2.16, 2.65, 3.50, 6.16]
    assert [row["frequency"] for row in table.rows] == [*map(str, range(7)), "7+"]
    assert [row["actual"] for row in table.rows] == pytest.approx(actual, abs=0.01)
    assert [row["expected"] for row in table.rows] == pytest.approx(expected, abs=0.01)
    assert chart.points == {
        f"{row['frequency']} {name}": row[name] for row in table.rows for name in ("actual", "expected")
    }
    assert chart.svg.count("<rect") == 1 + 2 + 16
    assert "1,882 purchases, 1,653 expected" in chart.told
    assert model["holdout"]["days"] == 39 * 7
    assert told["hold-out actual"] == 1882
    assert told["hold-out expected"] == pytest.approx(1653, abs=1)
    assert told["hold-out correlation"] == pytest.approx(0.626, abs=0.001)


def test_every_customer_has_a_value_and_history_adds_up() -> None:
    _, table = cdnow()
    rows = table.to_pylist()
    assert len(rows) == 2357
    assert {row["method"] for row in rows} == {MODEL}
    assert sum(row["historic_value"] for row in rows) == sum(Decimal(amount) for *_, amount in purchases())
    for row in rows:
        assert row["value_low"] <= row["value_high"]
        assert row["purchases_low"] <= row["purchases_high"]
        assert row["expected_value"] == pytest.approx(
            row["expected_purchases"] * row["expected_spend"], abs=Decimal("0.5")
        )
        assert row["reason"] is None
    # Nobody who bought once is certainly alive.
    assert all(row["probability_alive"] < 1 for row in rows if row["purchases"] == 1)
    told = ENRICHER.picture and ENRICHER.picture(table, None)  # type: ignore[arg-type]
    assert told
    assert told["method"] == Bars({MODEL: 2357}, ("method", "customers"))


def test_a_part_of_the_customers_gives_the_rows_of_everybody() -> None:
    model, table = cdnow()
    whole = rows_of(table)
    part = [row for row in purchases() if row[0] % 97 == 3]
    with work_on(as_of=END, state_order=orders(reversed(part))) as work:
        some = rows_of(scored(work, model))
    assert len(some) > 20
    assert some == {golden_id: whole[golden_id] for golden_id in some}


@cache
def shoppers() -> list[tuple[int, dt.date, str]]:
    """Three hundred customers who come as often, stay as long and spend as much as each likes to."""
    rng = np.random.default_rng(8)
    rows = []
    for customer in range(1, 301):
        day, rate, leave, spend = (
            rng.uniform(0, 200),
            rng.gamma(1.0, 1 / 40),
            rng.beta(1, 3),
            rng.gamma(4, 10),
        )
        while day < 400:
            rows.append(
                (customer, AS_OF - dt.timedelta(days=400 - int(day)), f"{rng.gamma(5, spend / 5) + 0.01:.2f}")
            )
            day += rng.exponential(1 / rate) if rng.random() > leave else 400
    return rows


def test_a_model_is_used_where_customers_differ_as_it_says() -> None:
    with work_on(state_order=orders(shoppers())) as work:
        model = fitted(work.of(FEW))
        rows = scored(work.of(FEW), model).to_pylist()
        again = scored(work.of(FEW), fitted(work.of(FEW))).to_pylist()
    assert rows == again
    assert {row["method"] for row in rows} == {MODEL}
    ahead = model["holdout"]
    assert ahead["expected"] == pytest.approx(ahead["actual"], rel=0.25)


def test_two_orders_of_a_day_are_one_purchase_and_what_came_back_is_none() -> None:
    day = dt.date(2026, 3, 1)
    with work_on(
        state_order=[
            order(1, 1, day, "10.00"),
            order(2, 1, day, "15.00"),
            order(3, 1, dt.date(2026, 4, 1), "20.00"),
            order(4, 1, dt.date(2026, 5, 1), "30.00"),
            order(5, 2, day, "40.00"),
            order(6, 2, dt.date(2026, 4, 1), "5.00", status="cancelled"),
        ],
        state_refund=[
            {"refund_id": "1", "order_id": "4", "amount": "30.00", "refunded_at": "2026-05-02T12:00:00Z"},
            {"refund_id": "2", "order_id": "3", "amount": "5.00", "refunded_at": "2026-04-02T12:00:00Z"},
            {"refund_id": "3", "order_id": "5", "amount": "40.00", "refunded_at": "2026-05-02T12:00:00Z"},
        ],
    ) as work:
        rows = rows_of(scored(work, fitted(work)))
    one, two = rows[gid(1)], rows[gid(2)]
    assert (one["purchases"], one["first_purchase_on"], one["last_purchase_on"]) == (
        2,
        day,
        dt.date(2026, 4, 1),
    )
    assert (one["historic_value"], one["mean_spend"]) == (Decimal("40.00"), Decimal("20.00"))
    assert (two["purchases"], two["historic_value"], two["expected_value"]) == (0, 0, 0)
    assert two["reason"] == "Everything that was ordered was returned."


def test_too_little_is_refused_with_the_reason_and_history_is_told_instead() -> None:
    rows = [
        *shoppers(),
        (999, AS_OF - dt.timedelta(days=500), "70.00"),
        (999, AS_OF - dt.timedelta(days=5), "30.00"),
    ]
    many = LifetimeValueParameters(smallest_repeat_buyers=1000)
    with work_on(state_order=orders(rows)) as work:
        model = fitted(work.of(many))
        found = rows_of(scored(work, model))
        never = rows_of(scored(work, None))
    told = ENRICHER.explain_fit and ENRICHER.explain_fit(model)
    assert told
    reason = f"{model['repeat_buyers']} repeat buyers; a model needs 1,000 (smallest_repeat_buyers)."
    assert 100 < model["repeat_buyers"] < 301
    assert told["BG/NBD"] == told["Gamma-Gamma"] == told["hold-out"] == reason
    row = found[gid(999)]
    assert (row["method"], row["reason"]) == (HISTORIC, reason)
    assert (row["historic_value"], row["expected_value"]) == (Decimal("100.00"), Decimal("30.00"))
    assert row["expected_purchases"] is row["probability_alive"] is row["value_high"] is None
    assert never[gid(999)]["reason"] == "No model has been fitted yet."


def test_a_short_window_and_no_orders_at_all_are_refused() -> None:
    with work_on(state_order=orders(shoppers())) as work:
        short = fit(work.of(LifetimeValueParameters(smallest_repeat_buyers=20, shortest_window_days=500)))
    assert short["purchases"]["refused"] == "400 days of purchases; a model needs 500 (shortest_window_days)."
    with work_on() as work:
        nothing = fitted(work)
        assert nothing["customers"] == 0
        assert scored(work, nothing).num_rows == 0
        assert ENRICHER.picture
        ENRICHER.picture(scored(work, nothing), work)


def test_customers_who_are_all_alike_are_refused() -> None:
    alike = [
        (customer, AS_OF - dt.timedelta(days=30 * number), "10.00")
        for customer in range(1, 60)
        for number in range(12)
    ]
    with work_on(state_order=orders(alike)) as work:
        model = fit(work.of(FEW))
        row = scored(work.of(FEW), model).to_pylist()[0]
    assert "border" in model["purchases"]["refused"]
    assert row["method"] == HISTORIC
    assert row["expected_value"] == row["historic_value"]


def test_spend_that_goes_with_frequency_leaves_the_average_spend() -> None:
    often = Counter(one for one, *_ in shoppers())
    rich = [(one, day, str(10 + often[one] ** 2)) for one, day, _ in shoppers()]
    with work_on(state_order=orders(rich)) as work:
        model = fitted(work.of(FEW))
        rows = rows_of(scored(work.of(FEW), model))
    assert model["correlation"] > 0.3
    row = rows[gid(next(one for one, number in often.items() if number > 2))]
    assert row["method"] == AVERAGE
    assert row["reason"].startswith("Frequency and mean spend of repeat buyers have a correlation of 0.")
    assert row["expected_spend"] == row["mean_spend"]
    assert row["value_high"] is None
    assert row["purchases_high"] is not None


def test_margin_over_the_lines_whose_cost_is_known() -> None:
    with work_on(
        state_order=[order(1, 1, dt.date(2026, 3, 1), "100.00"), order(2, 2, dt.date(2026, 3, 1), "10.00")],
        state_order_line=[
            {"order_id": "1", "line_id": "1", "product_code": "A", "quantity": "2", "unit_price": "20.00"},
            {"order_id": "1", "line_id": "2", "product_code": "B", "quantity": "1", "unit_price": "60.00"},
            {"order_id": "2", "line_id": "1", "product_code": "B", "quantity": "1", "unit_price": "10.00"},
        ],
        state_product=[{"product_code": "A", "cost": "12.50"}, {"product_code": "B"}],
    ) as work:
        rows = rows_of(scored(work, None))
    assert (rows[gid(1)]["margin_share"], rows[gid(1)]["expected_margin"]) == (
        Decimal("0.3750"),
        Decimal("37.50"),
    )
    assert rows[gid(2)]["margin_share"] is rows[gid(2)]["expected_margin"] is None


def test_who_bought_after_the_fit_is_as_old_as_that_purchase() -> None:
    model, _ = cdnow()
    with work_on(
        as_of=END,
        state_order=orders(
            [(1, END - dt.timedelta(days=300), "20.00"), (1, END + dt.timedelta(days=1), "20.00")]
        ),
    ) as work:
        row = scored(work, model).to_pylist()[0]
    assert (row["purchases"], row["last_purchase_on"]) == (2, END + dt.timedelta(days=1))
    # Bought just now: as alive as anybody with one repeat purchase can be.
    same = model["alive"]
    assert float(row["probability_alive"]) == pytest.approx(1 / (1 + same["a"] / (same["b"] + 1)), abs=1e-4)


def test_a_longer_horizon_has_more_to_expect() -> None:
    model, table = cdnow()
    with work_on(as_of=END, state_order=orders(row for row in purchases() if row[0] < 80)) as work:
        longer = rows_of(scored(work.of(LifetimeValueParameters(horizon_months=24)), model))
    for golden_id, row in rows_of(table).items():
        if golden_id in longer:
            assert longer[golden_id]["expected_value"] >= row["expected_value"]
            assert longer[golden_id]["value_high"] >= row["value_high"]
