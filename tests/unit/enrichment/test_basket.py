"""What is bought together is told from chance; what is next for a customer can be read off the rules."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from enricher_checks import by_customer, check_subset_equals_full, computed, fit, line, order
from enricher_tables import AS_OF, work_on

from cdm_pipelines.enrichment.basket import AGAIN, ENRICHER, TOGETHER, days_until_next, explain_fit, picture
from cdm_pipelines.enrichment.basket_rules import BasketParameters, adjusted

RHYTHM: dict[str, Any] = {"mu": math.log(30), "within": 0.25, "weight": 2.0, "shortest": 1, "longest": 400}


def baskets(*given: tuple[int, str, Sequence[str | None]], **more: Any) -> dict[str, Any]:
    """Orders of a customer on a day with products."""
    orders, lines = [], []
    for number, (customer, day, products) in enumerate(given):
        orders.append(order(number, customer, day, "10.00"))
        lines += [line(at, number, product) for at, product in enumerate(products)]
    return {"state_order": orders, "state_order_line": lines, **more}


def shop(orders: int = 600) -> dict[str, Any]:
    """Baskets with bread and butter planted together, coffee bought again, and everything else by chance."""
    random, given = np.random.default_rng(11), []
    others = [f"P{n:02}" for n in range(30)]
    for _ in range(orders):
        products: list[str | None] = list(random.choice(others, 2, replace=False))
        if random.random() < 0.2:
            products.append("bread")
            if random.random() < 0.7:
                products.append("butter")
        elif random.random() < 0.05:
            products.append("butter")
        customer = int(random.integers(1, 80))
        if customer % 2:
            products.append("coffee")
        day = AS_OF - dt.timedelta(days=int(random.integers(0, 300)))
        given.append((customer, day.isoformat(), products))
    names = [
        {"product_code": "bread", "name": "Bread, brown"},
        {"product_code": "bread", "category": "A > B"},
    ]
    return baskets(*given, state_product=names)


def test_planted_pairs_are_found_and_pairs_by_chance_are_not() -> None:
    given = shop()
    fitted = fit(ENRICHER, **given)
    assert {(rule["if"], rule["then"]) for rule in fitted["rules"]} == {
        ("bread", "butter"),
        ("butter", "bread"),
    }
    held: dict[str, set[str]] = {}
    for one in given["state_order_line"]:
        held.setdefault(one["order_id"], set()).add(one["product_code"])
    n, bread, both = (
        sum(what <= one for one in held.values()) for what in (set(), {"bread"}, {"bread", "butter"})
    )
    butter = sum("butter" in one for one in held.values())
    rule = next(rule for rule in fitted["rules"] if rule["if"] == "bread")
    assert rule["baskets"] == both
    assert (rule["support"], rule["confidence"]) == (round(both / n, 6), round(both / bread, 4))
    assert rule["lift"] == pytest.approx(both * n / (bread * butter), abs=1e-3)
    assert fitted["baskets"] == n == 600
    assert fitted["pairs_tested"] == 33 * 32 // 2
    assert "coffee" in fitted["again"]
    assert fitted["names"]["bread"] == "Bread, brown"


def test_the_test_is_fishers_and_the_correction_that_of_benjamini_and_hochberg() -> None:
    from scipy.stats import false_discovery_control, fisher_exact  # noqa: PLC0415 - slow to load

    given = (
        [(1, "2026-05-01", ["A", "B"])] * 12
        + [(1, "2026-05-02", ["A"])] * 10
        + [(1, "2026-05-03", ["B"])] * 8
    )
    found = fit(ENRICHER, **baskets(*given, *[(1, "2026-05-04", ["C"])] * 70))["rules"][0]
    p = fisher_exact([[12, 10], [8, 70]], alternative="greater").pvalue
    assert found["q"] == pytest.approx(p * 3, rel=0.01)  # the smallest of three pairs
    some = np.array([0.04, 0.001, 0.03, 0.2])
    everything = np.concatenate([some, np.ones(6)])
    assert np.allclose(adjusted(some, 10), false_discovery_control(everything)[:4])


def test_the_next_product_is_one_that_goes_with_what_was_bought_and_was_not() -> None:
    fitted = fit(ENRICHER, **shop()) | {"again": {}}
    some = baskets(
        (1, "2026-05-01", ["bread"]),
        (2, "2026-05-01", ["bread"]),
        (2, "2026-05-20", ["butter"]),
        (3, "2026-05-01", ["P01"]),
        (4, "2025-01-01", ["bread"]),  # before the window
    )
    rows = by_customer(computed(ENRICHER, fitted, **some))
    assert (rows[1]["next_product"], rows[1]["next_why"], rows[1]["next_because"]) == (
        "butter",
        TOGETHER,
        "bread",
    )
    rule = next(rule for rule in fitted["rules"] if rule["if"] == "bread")
    assert (rows[1]["next_probability"], rows[1]["next_product_on"]) == (rule["confidence"], None)
    assert [rows[one]["next_product"] for one in (2, 3, 4)] == [None, None, None]
    assert (rows[2]["products"], rows[2]["most_bought"]) == (2, "butter")


def test_what_is_bought_again_is_next_in_its_own_rhythm_until_it_is_long_past() -> None:
    fitted = {
        "again": {"coffee": {"share": 0.5, "gap": 20.0}},
        "names": {"coffee": "Coffee"},
        "rhythm": RHYTHM,
    }
    some = baskets(
        (1, "2026-05-20", ["coffee"]),
        (2, "2026-04-10", ["coffee"]),
        (2, "2026-05-20", ["coffee"]),
        (3, "2026-04-03", ["coffee"]),  # 61 days ago, more than three gaps
    )
    rows = by_customer(computed(ENRICHER, fitted, **some))
    assert (rows[1]["next_product"], rows[1]["next_product_name"], rows[1]["next_why"]) == (
        "coffee",
        "Coffee",
        AGAIN,
    )
    assert (rows[1]["next_probability"], rows[1]["next_product_on"]) == (0.5, dt.date(2026, 6, 9))
    assert (rows[2]["next_probability"], rows[2]["next_product_on"]) == (0.75, dt.date(2026, 6, 19))
    assert rows[3]["next_product"] is None


def test_the_next_day_follows_the_rhythm_and_the_silence_so_far() -> None:
    silent = np.array([0.0, 20.0, 30.0, 60.0, 400.0])
    days = days_until_next(np.full(5, 30.0), np.zeros(5), silent, RHYTHM)
    assert list(days[:2]) == [30, 30]  # the median of the gap itself, while that is to come
    assert 30 < days[2] < days[3]
    assert days[3] > 60
    assert math.isnan(days[4])
    random = np.random.default_rng(1)
    drawn = np.exp(random.normal(math.log(30), math.sqrt(0.25 * 1.5), 400_000))
    assert days[2] == pytest.approx(np.median(drawn[drawn > 30]), abs=1)
    rows = by_customer(
        computed(ENRICHER, {"rhythm": RHYTHM}, **baskets((1, "2026-06-03", ["A"]), (2, "2024-01-01", ["A"])))
    )
    assert (rows[1]["next_on"], rows[2]["next_on"]) == (dt.date(2026, 7, 3), None)


def test_a_subset_has_the_rows_that_it_has_among_everybody() -> None:
    table = check_subset_equals_full(ENRICHER, [1, 2, 40, 77], **shop())
    why = table["next_why"].to_pylist()
    assert {AGAIN, TOGETHER} <= set(why)


def test_huge_baskets_rare_products_and_lines_without_a_product_are_left_out_and_counted() -> None:
    given = baskets(
        *[(n, "2026-05-01", ["A", "B"]) for n in range(1, 11)],
        (11, "2026-05-01", [f"X{n}" for n in range(5)]),
        (12, "2026-05-01", [None, "A"]),
        (13, "2026-05-01", ["C", "C", "A"]),  # twice on one order is once in the basket
    )
    given["state_order_line"].append(line(9, 0, "D", quantity="-1"))  # a line that was sent back
    few = BasketParameters(largest_basket=4)
    fitted = fit(ENRICHER, parameters=few, **given)
    assert (fitted["baskets"], fitted["products"]) == (12, 2)
    assert fitted["left_out"] == {
        "orders with too many products": 1,
        "products not looked at": 6,
        "lines without a product": 1,
    }
    rows = by_customer(computed(ENRICHER, fitted, parameters=few, **given))
    assert (rows[11]["products"], rows[12]["products"], rows[13]["products"]) == (5, 1, 2)
    assert "D" not in {row["most_bought"] for row in rows.values()}
    capped = fit(ENRICHER, parameters=BasketParameters(most_products=2, most_rules=1), **shop())
    assert capped["products"] == 2


def test_figures_show_the_rules_and_nothing_at_all_is_no_error() -> None:
    given = shop()
    fitted = fit(ENRICHER, **given)
    lift: Any = explain_fit(fitted)["lift"]
    assert {row["bought"] for row in lift.rows} == {"bread Bread, brown", "butter"}
    with work_on() as work:
        table = computed(ENRICHER, fitted, **given)
        shown: Any = picture(table, work)["next_product"]
    assert sum(shown.counts.values()) == table.num_rows
    nothing = fit(ENRICHER)
    assert nothing["rules"] == []
    assert computed(ENRICHER, nothing).num_rows == 0
    alone = computed(ENRICHER, None, **baskets((1, "2026-05-01", ["A"]))).to_pylist()[0]
    assert (alone["products"], alone["next_product"], alone["next_on"]) == (1, None, None)
