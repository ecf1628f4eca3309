"""Taking part: windows, last contacts, pressure; nothing that is wrong counts, and it is told."""

import datetime as dt

from enricher_tables import AS_OF, gid, work_on
from touch_rows import computed, profile_of, told, touch

from cdm_pipelines.enrichment.engagement import ENRICHER


def days_ago(days: int) -> dt.date:
    return AS_OF - dt.timedelta(days=days)


def test_windows_hold_their_days_and_no_other() -> None:
    row = profile_of(
        ENRICHER,
        attached=[
            touch(1, "sent", 0, direction="out"),
            touch(1, "open", 29, 2),
            touch(1, "open", 30),
            touch(1, "click", 89),
            touch(1, "click", 90),
            touch(1, "visit", 364, 3, channel="web"),
            touch(1, "visit", 365, channel="web"),
            touch(1, "visit", 2, channel="shop"),
            touch(1, "cart", 2, channel="web"),
        ],
    )[1]
    assert told(row, "emails_30", "opens_30", "opens_90", "clicks_30", "clicks_90", "clicks_365") == (
        1,
        2,
        3,
        0,
        1,
        2,
    )
    assert told(row, "visits_90", "visits_365", "web_actions_30", "bounces_365") == (0, 3, 1, 0)
    assert told(row, "open_rate", "click_rate") == (
        1.0,
        1.0,
    )  # an e-mail opened three times is no share of three


def test_who_was_last_in_touch() -> None:
    rows = profile_of(
        ENRICHER,
        attached=[
            touch(1, "sent", 40),  # an e-mail goes out, whether the source says so or not
            touch(1, "call", 10, direction="out"),
            touch(1, "bounce", 1, direction="out"),
            touch(1, "open", 39),
            touch(1, "call", 20, direction="in"),
            touch(1, "unsubscribe", 15),
            touch(2, "call", 3),  # nobody knows who called
            touch(3, "sent", 5),
        ],
    )
    assert told(
        rows[1], "last_contact_by_us", "last_contact_by_customer", "last_bounce_on", "unsubscribed_on"
    ) == (
        days_ago(10),
        days_ago(15),
        days_ago(1),
        days_ago(15),
    )
    assert told(rows[2], "last_contact_by_us", "last_contact_by_customer") == (None, None)
    assert told(rows[3], "open_rate", "last_contact_by_customer") == (0.0, None)


def test_pressure_counts_what_we_send_and_not_what_we_answer() -> None:
    mails = [touch(1, "sent", day, 4, direction="out") for day in (1, 30, 60, 89)]
    rows = profile_of(
        ENRICHER,
        {"contacts_per_week": 1.2},
        attached=[
            *mails,
            touch(1, "sent", 90, 100, direction="out"),
            touch(1, "ticket_solved", 3, 20, direction="out"),
            touch(2, "sent", 1, 15, direction="out"),
        ],
    )
    assert told(rows[1], "contact_pressure", "contacted_too_often") == (1.24, True)
    assert told(rows[2], "contact_pressure", "contacted_too_often") == (1.17, False)


def test_windows_move_with_interactions_after_the_last_fit_and_not_with_dates_in_the_future() -> None:
    rows, figures = computed(
        ENRICHER,
        attached=[
            touch(1, "visit", 25),
            touch(1, "visit", -6),
            touch(2, "visit", 25),
            touch(2, "visit", -400, 7),
            touch(2, "something new", 3),
            touch(2, None, 3),
            touch(2, "other", 3, direction="in"),
            touch(2, "visit", None),
        ],
    )
    assert told(rows[1], "visits_30", "visits_90", "last_contact_by_customer") == (1, 2, days_ago(-6))
    assert told(rows[2], "visits_30", "visits_365", "last_contact_by_customer") == (1, 1, days_ago(3))
    assert figures["interactions in the future"] == 7
    assert figures["interactions without a date"] == 1
    assert figures["interactions of an unknown kind"] == 2


def test_no_interactions_at_all_are_no_rows_and_no_error() -> None:
    rows, figures = computed(ENRICHER, attached=[])
    assert (rows, figures["interactions"]) == ({}, 0)


def test_some_customers_alone_have_the_rows_that_they_have_among_all() -> None:
    touches = [
        touch(customer, kind, (customer * 7 + at * 13) % 200 - 5, direction=direction)
        for customer in range(1, 9)
        for at, (kind, direction) in enumerate(
            (("sent", "out"), ("open", "in"), ("visit", None), ("call", "in"))
        )
    ]
    every = profile_of(ENRICHER, attached=touches)
    some = profile_of(ENRICHER, attached=[row for row in reversed(touches) if row["golden_id"] in (2, 5)])
    assert some == {customer: every[customer] for customer in (2, 5)}


def test_a_row_per_customer() -> None:
    with work_on(attached=[touch(2, "open", 1), touch(1, "open", 1)]) as base:
        table = ENRICHER.shaped(ENRICHER.compute(base.of(ENRICHER.parameters())))
    assert sorted(table["golden_id"].to_pylist()) == [gid(1), gid(2)]
