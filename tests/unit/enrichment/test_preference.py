"""What customers like: by share and by lift, with habits that are habits and guesses that say that they are."""

from operator import itemgetter
from typing import Any

import pytest
from enricher_tables import work_on
from touch_rows import computed, profile_of, told, touch

from cdm_pipelines.enrichment.preference import ENRICHER
from cdm_pipelines.figures import Picture

PRODUCTS = [
    {"product_code": "pan", "category": "Home > Kitchen > Pans", "brand": "Iron"},
    {"product_code": "pot", "category": "Home>Kitchen>Pots", "brand": "Iron"},
    {"product_code": "lamp", "category": "Home > Light", "brand": "Glow"},
    {"product_code": "tent", "category": "Garden", "brand": "Iron"},
    {"product_code": "bare"},
]


def bought(
    customer: int, *products: str, at: str = "2026-05-04T10:00:00Z", number: int = 0, **more: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """An order with a line for each product."""
    order = f"{customer}-{at}-{number}"
    values = {"quantity": "1", "unit_price": "10.00", **more}
    head = {"order_id": order, "customer": customer, "ordered_at": at, "total_amount": "100.00"}
    lines = [
        {"order_id": order, "line_id": str(line), "product_code": code, **values}
        for line, code in enumerate(products)
    ]
    return [head], lines


def given(*orders: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "state_order": [one for heads, _ in orders for one in heads],
        "state_order_line": [one for _, lines in orders for one in lines],
        "state_product": PRODUCTS,
    }


def test_categories_and_brands_by_share_and_by_lift() -> None:
    rows, figures = computed(
        ENRICHER,
        {"smoothing": 0},
        **given(
            bought(1, "pan", "pot", "pan", "tent", "tent"),
            bought(2, *["pan"] * 12, "lamp", "lamp", "lamp"),
            bought(3, "bare", "unknown"),
        ),
    )
    assert told(rows[1], "category", "category_share", "category_lift", "categories") == (
        "Home > Kitchen",
        0.6,
        0.8,  # .6 of the lines against .75 of everybody's
        2,
    )
    assert told(rows[1], "characteristic_category", "characteristic_category_lift") == ("Garden", 4.0)
    assert told(rows[1], "brand", "brand_share", "brand_lift", "characteristic_brand") == (
        "Iron",
        1.0,
        1.18,
        "Iron",
    )
    assert told(rows[2], "characteristic_category", "characteristic_brand", "brands") == (
        "Home > Light",
        "Glow",
        2,
    )
    assert told(rows[3], "category", "category_share", "category_lift", "categories", "brand") == (
        None,
        None,
        None,
        0,
        None,
    )
    assert figures["order lines without a category"] == 2


def test_article_numbers_that_sources_place_in_different_categories_are_counted() -> None:
    orders = given(bought(1, "pan", "lamp"))
    others = [
        {
            "source": "erp",
            "product_code": "pan",
            "category": "home>kitchen > pans",
        },  # the same, written otherwise
        {"source": "erp", "product_code": "lamp", "category": "Garden > Light"},
        {"source": "erp", "product_code": "tent"},
    ]
    rows, figures = computed(ENRICHER, **{**orders, "state_product": [*PRODUCTS, *others]})
    assert figures["article numbers that sources place in different categories"] == 1
    assert told(rows[1], "categories") == (2,)


def test_a_single_line_in_a_rare_category_is_no_character() -> None:
    orders = given(bought(1, "tent", "pan", "pan"), bought(2, *["pan"] * 40), bought(3, "tent"))
    row = profile_of(ENRICHER, **orders)[1]
    assert row["characteristic_category"] is None
    smoothed, raw = (profile_of(ENRICHER, {"smoothing": n}, **orders)[3] for n in (5, 0))
    assert (float(raw["category_lift"]), float(smoothed["category_lift"])) == (22.0, 4.5)


def test_of_two_categories_with_as_many_lines_the_later_one_is_preferred() -> None:
    rows = profile_of(
        ENRICHER,
        **given(
            bought(1, "lamp", at="2026-03-01T10:00:00Z"),
            bought(1, "tent", at="2026-04-01T10:00:00Z"),
            bought(2, "lamp", "tent"),
        ),
    )
    assert [rows[n]["category"] for n in (1, 2)] == ["Garden", "Home > Light"]  # of one day, by name


def test_what_was_taken_back_or_cancelled_is_not_liked() -> None:
    heads, lines = bought(1, "tent", "tent", number=2)
    heads[0]["status"] = "Cancelled"
    rows, figures = computed(
        ENRICHER,
        **given(bought(1, "pan"), bought(1, "lamp", "lamp", quantity="-1", number=1), (heads, lines)),
    )
    assert told(rows[1], "category", "categories") == ("Home > Kitchen", 1)
    assert figures["order lines that take back"] == 2


def test_a_category_that_is_new_since_the_fit_has_no_lift_and_the_scale_is_not_fitted_again() -> None:
    with work_on(**given(bought(1, "pan", "pan"))) as base:
        chosen = ENRICHER.parameters()
        assert ENRICHER.fit is not None
        fitted = ENRICHER.fit(base.of(chosen))
    with work_on(**given(bought(1, "pan", "pan"), bought(2, "tent", "tent"))) as base:
        rows = ENRICHER.compute(base.of(chosen, fitted)).to_pylist()
    assert {row["category"]: row["category_lift"] and float(row["category_lift"]) for row in rows} == {
        "Home > Kitchen": 1.0,
        "Garden": None,
    }


def test_the_price_level_is_that_of_the_category() -> None:
    kitchen = [bought(9, "pan", unit_price=f"{n}.00", number=n) for n in range(1, 51)]
    garden = [bought(9, "tent", unit_price=f"{n}00.00", number=100 + n) for n in range(1, 51)]
    rows = profile_of(
        ENRICHER,
        **given(
            *kitchen,
            *garden,
            bought(1, "pan", "pan", unit_price="49.00"),
            bought(2, "tent", "tent", unit_price="100.00"),
            bought(3, "pan", unit_price="49.00"),  # one line tells little
            bought(4, "lamp", "lamp", unit_price="1.00"),  # too few to have a scale
            bought(5, "pan", "pan", unit_price="98.00", quantity="2"),
        ),
    )
    assert {n: told(rows[n], "price_level")[0] for n in (1, 2, 3, 4, 5)} == {
        1: 5,
        2: 1,
        3: None,
        4: None,
        5: 5,
    }


def test_weekday_and_hour_in_local_time_where_there_is_a_habit() -> None:
    def at(customer: int, *times: str) -> list[Any]:
        return [bought(customer, "pan", at=f"{one}Z", number=n) for n, one in enumerate(times)]

    rows = profile_of(
        ENRICHER,
        **given(
            *at(
                1, "2026-05-03T22:30:00", "2026-05-10T22:45:00", "2026-05-12T08:00:00"
            ),  # Monday, half past midnight
            *at(2, "2026-05-04T10:00:00", "2026-05-05T11:00:00", "2026-05-06T12:00:00"),
            *at(3, "2026-05-04T10:00:00", "2026-05-04T10:05:00"),
            *at(
                4, "2026-05-03T22:00:00", "2026-05-10T22:00:00", "2026-05-17T22:00:00"
            ),  # no time, only a day
        ),
    )
    assert told(rows[1], "weekday", "weekday_share", "hour", "hour_share") == (1, 0.6667, 0, 0.6667)
    assert told(rows[2], "weekday", "hour") == (None, None)  # three orders on three days are no habit
    assert told(rows[3], "weekday", "hour") == (None, None)  # two are too few
    assert told(rows[4], "weekday", "hour") == (1, None)


def test_channels_by_orders_and_by_days_with_a_contact() -> None:
    heads, lines = bought(1, "pan", number=8)
    other = [{**heads[0], "party_entity": "customer", "party_record_id": "1"}]
    rows = profile_of(
        ENRICHER,
        **given((other, lines), bought(1, "pan", number=9)),
        attached=[
            touch(1, "visit", 3, 50, channel="web"),
            touch(1, "cart", 3, 50, channel="web"),
            touch(1, "call", 4, channel="phone", direction="in"),
            touch(1, "call", 5, channel="phone", direction="in"),
            touch(1, "sent", 6, 99, channel="email", direction="out"),
            touch(1, "bounce", 6, 99, channel="email"),
            touch(1, "visit", 400, channel="shop"),
            touch(2, "visit", 1, channel="web"),
            touch(2, "visit", -300, channel="shop"),
            touch(3, "sent", 1, channel="email"),
        ],
    )
    assert told(rows[1], "order_channel", "order_channel_share") == ("shop", 1.0)
    assert told(rows[1], "contact_channel", "contact_channel_share") == ("phone", 0.6667)
    assert told(rows[2], "contact_channel", "order_channel", "category") == ("web", None, None)
    assert 3 not in rows


@pytest.mark.parametrize(
    ("language", "country", "expected"),
    [
        ("fr", "NL", ("fr", "stated")),
        (None, "NL", ("nl", "country")),
        (None, "BE", None),
        (None, None, None),
        ("DE", None, ("de", "stated")),
    ],
)
def test_language_is_stated_or_follows_from_a_country_with_one(
    language: str | None, country: str | None, expected: tuple[str, str] | None
) -> None:
    rows = profile_of(ENRICHER, golden_customer=[{"golden_id": 1, "language": language, "country": country}])
    assert (told(rows[1], "language", "language_from") if rows else None) == expected
    assert not profile_of(ENRICHER, {"languages": {}}, golden_customer=[{"golden_id": 1, "country": "NL"}])


def test_figures_show_what_was_fitted_and_when_people_order() -> None:
    orders = given(
        bought(1, "pan", "tent", at="2026-05-04T10:00:00Z"), bought(2, "pan", at="2026-05-05T10:00:00Z")
    )
    rows, figures = computed(ENRICHER, **orders)
    picture = figures["orders by weekday and hour"]
    assert isinstance(picture, Picture)
    assert picture.points == {"Monday 12": 1, "Tuesday 12": 1}
    assert picture.svg.startswith("<svg")
    with work_on(**orders) as base:
        assert ENRICHER.fit is not None
        assert ENRICHER.explain_fit is not None
        fitted = ENRICHER.fit(base.of(ENRICHER.parameters()))
    assert fitted["window"] == ["2026-05-04", "2026-05-05"]
    assert fitted["categories"] == {"Garden": pytest.approx(1 / 3), "Home > Kitchen": pytest.approx(2 / 3)}
    assert ENRICHER.explain_fit(fitted)["order lines"] == 3
    assert len(rows) == 2


def test_nothing_at_all() -> None:
    rows, figures = computed(ENRICHER)
    assert rows == {}
    assert figures["customers"] == 0


def test_some_customers_alone_have_the_rows_that_they_have_among_all() -> None:
    codes = ("pan", "pot", "lamp", "tent")
    orders = [
        bought(n, codes[(n + at) % 4], codes[at % 4], at=f"2026-0{1 + at}-0{n}T1{at}:00:00Z", number=at)
        for n in range(1, 9)
        for at in range(n % 5)
    ]
    touches = [
        touch(n, "visit", n * at, channel=("web", "shop", "phone")[(n + at) % 3])
        for n in range(1, 9)
        for at in range(5)
    ]
    everything: dict[str, Any] = {
        **given(*orders),
        "attached": touches,
        "golden_customer": [{"golden_id": n, "country": "NL"} for n in range(1, 9)],
    }
    of = {"state_order": "customer", "attached": "golden_id", "golden_customer": "golden_id"}
    some: dict[str, Any] = {
        name: [row for row in reversed(rows) if name not in of or row[of[name]] in (4, 7)]
        for name, rows in everything.items()
    }
    with work_on(**everything) as base:
        chosen = ENRICHER.parameters()
        assert ENRICHER.fit is not None
        fitted = ENRICHER.fit(base.of(chosen))
        every = ENRICHER.shaped(ENRICHER.compute(base.of(chosen, fitted))).to_pylist()
    with work_on(**some) as base:
        alone = ENRICHER.shaped(ENRICHER.compute(base.of(chosen, fitted))).to_pylist()
    by_id = itemgetter("golden_id")
    assert sorted(alone, key=by_id) == sorted(
        (row for row in every if row["golden_id"][-1] in "47"), key=by_id
    )
