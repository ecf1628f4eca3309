"""Which interactions count, which day is "now" for a customer, and for which day a record speaks.

Belongs here: what enrichers have in common about time. Does not belong here: what they count.

A window of days ends at ``work.as_of``, or at the customer's last interaction where that is later: scales are fitted
now and then, interactions come every day. A date beyond the horizon is an error of a clock or of a typist; it counts
for nothing, moves no window, and is counted apart.
"""

from cdm_pipelines.enrichment.work import Work
from cdm_pipelines.figures import Figures

DATED = """
dated AS (
    SELECT t.*, coalesce(late.now, getvariable('as_of')) AS now, coalesce(late.now, getvariable('as_of')) - t.day AS age
    FROM touches t LEFT JOIN late_touches late USING (golden_id)
    WHERE t.day <= getvariable('horizon'))
"""
"""Interactions that count, each with ``now`` of its customer and its ``age`` in days; for a WITH clause, after
``use_dated``."""

_CHANGED, _SEEN = "TRY_CAST(left(modified_at, 10) AS DATE)", "TRY_CAST(first_seen AS DATE)"
RECORD_SPEAKS_FOR = f"""coalesce(CASE WHEN {_CHANGED} <= getvariable('horizon') THEN {_CHANGED} END,
                                 CASE WHEN {_SEEN} <= getvariable('horizon') THEN {_SEEN} END)"""
"""Of a row of ``records``: the day on which its source changed it, else the day on which it was first seen. That an
extract still holds a record says nothing about whether it is still true."""

SERVICE_DESK = "('ticket_opened', 'ticket_solved', 'ticket_rated')"
"""Kinds of interactions about a ticket."""

BY_CUSTOMER = """(kind IS DISTINCT FROM 'bounce' AND coalesce(direction, CASE
    WHEN kind IN ('visit', 'product_view', 'cart', 'search', 'open', 'click', 'unsubscribe', 'ticket_opened',
                  'ticket_rated', 'complaint') THEN 'in' END) = 'in')"""
"""Whether the customer was in touch with us: what its source says, else what its kind tells."""
BY_US = """(kind IS DISTINCT FROM 'bounce' AND coalesce(direction, CASE
    WHEN kind IN ('sent', 'ticket_solved') THEN 'out' END) = 'out')"""
"""Whether we addressed the customer: what its source says, else what its kind tells."""


def use_dated(work: Work) -> None:
    """Make the inputs of ``DATED``.

    The few customers with interactions after ``as_of`` are a table and no part of the query, so that the planner knows
    that they are few, and never builds a hash table of all interactions to find them.
    """
    work.use("touches")
    work.db.execute(
        """CREATE OR REPLACE TEMP TABLE late_touches AS
           SELECT golden_id, max(day) AS now FROM touches
           WHERE day > getvariable('as_of') AND day <= getvariable('horizon') GROUP BY golden_id"""
    )


def left_out(work: Work) -> Figures:
    """How many interactions could not be counted, by reason, of those that are known."""
    work.use("touches")
    [found] = work.sql(
        """SELECT coalesce(sum(touches), 0)::BIGINT AS all_touches,
                  coalesce(sum(touches) FILTER (day > getvariable('horizon')), 0)::BIGINT AS future,
                  coalesce(sum(touches) FILTER (day IS NULL), 0)::BIGINT AS undated,
                  coalesce(sum(touches) FILTER (coalesce(kind, 'other') = 'other'), 0)::BIGINT AS unknown
           FROM touches"""
    ).to_pylist()
    return {
        "interactions": found["all_touches"],
        "interactions in the future": found["future"],
        "interactions without a date": found["undated"],
        "interactions of an unknown kind": found["unknown"],
    }


def changed_in_the_future(work: Work) -> int:
    """How many records a source says it will change."""
    work.use("records")
    query = f"SELECT count(*) AS n FROM records WHERE {_CHANGED} > getvariable('horizon')"
    return int(work.sql(query).to_pylist()[0]["n"])
