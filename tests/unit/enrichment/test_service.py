"""The service desk: what is open, how long it took, and what customers said of it."""

import datetime as dt

import pytest
from enricher_tables import AS_OF
from pydantic import ValidationError
from touch_rows import computed, profile_of, told, touch

from cdm_pipelines.enrichment.service import ENRICHER, ServiceParameters


def days_ago(days: int) -> dt.date:
    return AS_OF - dt.timedelta(days=days)


@pytest.mark.parametrize(
    ("events", "still_open"),
    [
        ([("ticket_opened", 9, 10)], True),
        ([("ticket_opened", 9, 10), ("ticket_solved", 8, 10)], False),
        ([("ticket_opened", 9, 10), ("ticket_solved", 9, 9)], False),  # a clock that runs behind
        ([("ticket_opened", 9, 10), ("ticket_solved", 8, 10), ("ticket_opened", 7, 10)], True),
        (
            [
                ("ticket_opened", 9, 10),
                ("ticket_solved", 8, 9),
                ("ticket_opened", 8, 15),
                ("ticket_solved", 6, 9),
            ],
            False,
        ),
        ([("ticket_opened", 9, 10), ("ticket_rated", 8, 9)], True),
        (
            [("ticket_opened", 9, 10), ("ticket_solved", -100, 9)],
            True,
        ),  # solved in a future that has not come
    ],
)
def test_a_ticket_is_open_until_it_is_solved(events: list[tuple[str, int, int]], still_open: bool) -> None:
    rows = profile_of(
        ENRICHER, attached=[touch(1, kind, day, thread_id="T1", hour=hour) for kind, day, hour in events]
    )
    assert told(rows[1], "tickets", "open_tickets", "oldest_open_on") == (
        1,
        int(still_open),
        days_ago(9) if still_open else None,
    )


def test_tickets_of_two_sources_and_customers_with_one_number_are_different_ones() -> None:
    rows = profile_of(
        ENRICHER,
        attached=[
            touch(1, "ticket_opened", 9, thread_id="T1"),
            touch(1, "ticket_solved", 5, thread_id="T1", source="other desk"),
            touch(2, "ticket_solved", 5, thread_id="T1"),
        ],
    )
    assert told(rows[1], "tickets", "open_tickets", "last_ticket_on") == (1, 1, days_ago(5))
    assert told(rows[2], "tickets", "open_tickets", "last_ticket_on") == (0, 0, days_ago(5))


def test_days_to_solve_are_the_median() -> None:
    tickets = [("A", 20, 18), ("B", 20, 16), ("C", 20, 0), ("D", 9, 9)]
    row = profile_of(
        ENRICHER,
        attached=[
            one
            for name, opened, solved in tickets
            for one in (
                touch(1, "ticket_opened", opened, thread_id=name),
                touch(1, "ticket_solved", solved, thread_id=name),
            )
        ],
    )[1]
    assert told(row, "solved_tickets", "days_to_solve") == (4, 3.0)


def test_ratings_with_scores_with_words_and_with_nonsense() -> None:
    rows, figures = computed(
        ENRICHER,
        attached=[
            touch(1, "ticket_rated", 5, score=4.0, scores=1),
            touch(1, "ticket_rated", 4, 2, score=9.0, scores=2),
            touch(1, "ticket_rated", 3, outcome="Good"),
            touch(1, "ticket_rated", 3, outcome="offered"),
            touch(1, "ticket_rated", 2, score=900.0, scores=1),
            touch(1, "ticket_rated", 2, score=float("nan"), scores=1),
            touch(2, "ticket_rated", 2, outcome="slecht"),
            touch(3, "ticket_rated", 2, outcome="unoffered"),
        ],
    )
    assert told(rows[1], "csat", "csat_answers", "nps") == (4.5, 4, None)
    assert told(rows[2], "csat", "csat_answers") == (1.0, 1)
    assert told(rows[3], "csat", "csat_answers") == (None, 0)
    assert figures["ratings that are no answer"] == 4


def test_nps_is_the_latest_answer_and_no_csat() -> None:
    rows, figures = computed(
        ENRICHER,
        attached=[
            touch(1, "other", 50, subject="NPS survey", score=3.0, scores=1),
            touch(1, "ticket_rated", 5, outcome="nps", score=9.0, scores=1),
            touch(2, "other", 5, subject="Net Promoter Score", score=6.0, scores=1),
            touch(3, "other", 5, subject="nps", score=11.0, scores=1),
            touch(4, "other", 5, subject="quiz", score=11.0, scores=1),
            touch(5, "ticket_rated", 5, subject="nps", outcome="good"),
        ],
    )
    assert told(rows[1], "nps", "nps_group", "nps_on", "csat") == (9.0, "promoter", days_ago(5), None)
    assert told(rows[2], "nps", "nps_group") == (6.0, "detractor")
    assert sorted(rows) == [1, 2, 5]
    assert told(rows[5], "nps", "csat") == (None, None)
    assert figures["NPS"] == 0.0


def test_complaints_of_the_last_days() -> None:
    rows = profile_of(
        ENRICHER,
        attached=[
            touch(1, "complaint", 29),
            touch(1, "complaint", 200, 2),
            touch(2, "complaint", 30),
            touch(3, "complaint", 28),
            touch(3, "visit", -5),
            touch(4, "visit", 1),
        ],
    )
    assert {customer: told(row, "complaints", "complained_lately") for customer, row in rows.items()} == {
        1: (3, True),
        2: (1, False),
        3: (1, False),
    }


def test_what_cannot_be_followed_is_told() -> None:
    _, figures = computed(
        ENRICHER,
        attached=[
            touch(1, "ticket_opened", 3, 2),
            touch(1, "ticket_solved", 3, thread_id="T9"),
            touch(1, "ticket_opened", -300, thread_id="T1"),
        ],
    )
    assert figures["tickets without a number"] == 2
    assert figures["tickets solved and never opened"] == 1
    assert figures["interactions in the future"] == 1


def test_no_interactions_are_no_rows() -> None:
    rows, figures = computed(ENRICHER, attached=[])
    assert rows == {}
    assert "NPS" not in figures


def test_some_customers_alone_have_the_rows_that_they_have_among_all() -> None:
    kinds = ("ticket_opened", "ticket_solved", "complaint", "ticket_rated")
    touches = [
        touch(customer, kind, (customer * 11 + at * 17) % 90, thread_id="T", score=2.5, scores=1)
        for customer in range(1, 9)
        for at, kind in enumerate(kinds)
    ]
    every = profile_of(ENRICHER, attached=touches)
    some = profile_of(ENRICHER, attached=[row for row in reversed(touches) if row["golden_id"] in (3, 8)])
    assert some == {customer: every[customer] for customer in (3, 8)}


def test_a_scale_must_rise() -> None:
    with pytest.raises(ValidationError, match="csat_scale"):
        ServiceParameters(csat_scale=(5, 1))
