"""How a customer fared with the service desk: open issues, satisfaction, complaints.

Belongs here: tickets, ratings and complaints. Does not belong here: other interactions (``engagement``).

A ticket is the interactions of one customer in one source with one thread. It is open when nothing says that it was
solved, or when it was opened again after that. Where it was opened once, any solving closes it, at an earlier time
too: clocks of two systems differ.

Scores. A score is one of NPS where outcome or subject of the interaction says so (``nps_words``): 0 to 10, of which 9
and 10 are promoters and up to 6 detractors. Every other score of a rating (kind ``ticket_rated``) is one of CSAT, on
the company's scale (``csat_scale``). A rating without a score counts by the word of its outcome (``satisfied_words``,
``dissatisfied_words``), as the top and the bottom of that scale: that is how service desks with a thumb up or down
export it. Scores outside their scale, and words that are in neither list, are no answers; they are counted apart.
"""

from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Age, Enricher, Output
from cdm_pipelines.enrichment.moments import DATED, SERVICE_DESK, left_out, use_dated
from cdm_pipelines.enrichment.work import Parameters, Work
from cdm_pipelines.figures import Bars, Figures

_SERVICE = "user.behavior"


class ServiceParameters(Parameters):
    """What may be set.

    Attributes:
        nps_words: A score whose outcome or subject has one of these, in small letters, is one of NPS.
        csat_scale: Lowest and highest score of a rating.
        satisfied_words: Outcomes of a rating without a score that are its highest, in small letters.
        dissatisfied_words: Those that are its lowest.
    """

    nps_words: tuple[str, ...] = ("nps", "net promoter", "promoter score")
    csat_scale: tuple[float, float] = (1.0, 5.0)
    satisfied_words: tuple[str, ...] = ("good", "satisfied", "goed", "tevreden", "positive")
    dissatisfied_words: tuple[str, ...] = ("bad", "dissatisfied", "slecht", "ontevreden", "negative")
    complaint_days: int = Field(default=30, ge=1, le=3650)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        low, high = self.csat_scale
        if not low < high:
            raise ValueError("csat_scale: give the lowest score, then a higher one, such as [1, 5]")
        return self


_DESK = f"""
{DATED},
desk AS MATERIALIZED (
    SELECT golden_id, source, thread_id, day, age, coalesce(kind, 'other') AS kind, touches, outcome, subject,
           coalesce(first_at, day) AS first_at, coalesce(last_at, day) AS last_at,
           coalesce(scores, 0) AS scores, TRY_CAST(score AS DECIMAL(18, 4)) AS score
    FROM dated WHERE kind IN {SERVICE_DESK} OR kind = 'complaint' OR scores > 0)
"""
"""What is about tickets, satisfaction or complaints: a small part of all interactions."""

_ANSWERS = """
asked AS (
    SELECT golden_id, day, touches, lower(trim(outcome)) AS word, kind = 'ticket_rated' AS rated, scores, score,
           len(list_filter($nps, lambda w: contains(lower(concat_ws(' ', outcome, subject)), w))) > 0 AS of_nps
    FROM desk WHERE scores > 0 OR kind = 'ticket_rated'),
answers AS (
    SELECT golden_id, day, of_nps, CASE WHEN scores > 0 THEN scores ELSE touches END AS answers,
           CASE WHEN scores > 0 THEN score
                WHEN of_nps THEN NULL
                WHEN list_contains($good, word) THEN CAST(touches * $high AS DECIMAL(18, 4))
                WHEN list_contains($bad, word) THEN CAST(touches * $low AS DECIMAL(18, 4)) END AS score
    FROM asked WHERE of_nps OR rated),
judged AS (
    SELECT *, coalesce(CASE WHEN of_nps THEN score BETWEEN 0 AND 10 * answers
                            ELSE score BETWEEN $low * answers AND $high * answers END, false) AS valid
    FROM answers)
"""
"""Answers to questions of satisfaction: how many, the sum of their scores, and whether it can be right."""

_TICKETS = f"""
threads AS (
    SELECT golden_id, source, thread_id, min(first_at) FILTER (kind = 'ticket_opened') AS opened_at,
           max(last_at) FILTER (kind = 'ticket_opened') AS reopened_at,
           coalesce(sum(touches) FILTER (kind = 'ticket_opened'), 0) AS openings,
           max(last_at) FILTER (kind = 'ticket_solved') AS solved_at
    FROM desk WHERE thread_id IS NOT NULL AND kind IN {SERVICE_DESK} GROUP BY ALL),
tickets AS (
    SELECT golden_id,
           count(*) AS tickets,
           count(*) FILTER (open) AS open_tickets,
           CAST(min(opened_at) FILTER (open) AS DATE) AS oldest_open_on,
           count(*) FILTER (NOT open) AS solved_tickets,
           median(greatest(epoch(solved_at) - epoch(opened_at), 0) / 86400) FILTER (NOT open) AS days_to_solve
    FROM (SELECT *, solved_at IS NULL OR (openings > 1 AND reopened_at > solved_at) AS open
          FROM threads WHERE opened_at IS NOT NULL) GROUP BY golden_id)
"""
"""Tickets that can be followed: those with a number whose opening is known."""


def _values(parameters: ServiceParameters) -> dict[str, object]:
    low, high = parameters.csat_scale
    return {
        "nps": list(parameters.nps_words),
        "good": list(parameters.satisfied_words),
        "bad": list(parameters.dissatisfied_words),
        "low": low,
        "high": high,
    }


def _compute(work: Work) -> pa.Table:
    assert isinstance(work.parameters, ServiceParameters)  # noqa: S101 - for the type checker
    use_dated(work)
    return work.sql(
        f"""
        WITH {_DESK}, {_ANSWERS}, {_TICKETS},
        answered AS (
            SELECT golden_id,
                   sum(score) FILTER (NOT of_nps) / sum(answers) FILTER (NOT of_nps) AS csat,
                   sum(answers) FILTER (NOT of_nps) AS csat_answers,
                   max(day) FILTER (of_nps) AS nps_on
            FROM judged WHERE valid GROUP BY golden_id),
        promoting AS (
            SELECT golden_id, sum(score) / sum(answers) AS nps
            FROM judged JOIN answered USING (golden_id) WHERE valid AND of_nps AND day = nps_on GROUP BY golden_id),
        said AS (
            SELECT golden_id, max(day) FILTER (kind IN {SERVICE_DESK}) AS last_ticket_on,
                   coalesce(sum(touches) FILTER (kind = 'complaint'), 0) AS complaints,
                   max(day) FILTER (kind = 'complaint') AS last_complaint_on,
                   coalesce(bool_or(kind = 'complaint' AND age < $complaint_days), false) AS complained_lately
            FROM desk GROUP BY golden_id)
        SELECT golden_id,
               coalesce(tickets, 0)::INTEGER AS tickets,
               coalesce(open_tickets, 0)::INTEGER AS open_tickets, oldest_open_on, last_ticket_on,
               coalesce(solved_tickets, 0)::INTEGER AS solved_tickets,
               CAST(days_to_solve AS DECIMAL(10, 2)) AS days_to_solve,
               CAST(csat AS DECIMAL(6, 2)) AS csat, coalesce(csat_answers, 0)::INTEGER AS csat_answers,
               CAST(nps AS DECIMAL(6, 2)) AS nps, nps_on,
               CASE WHEN nps >= 9 THEN 'promoter' WHEN nps >= 7 THEN 'passive' WHEN nps < 7 THEN 'detractor' END
                   AS nps_group,
               complaints::INTEGER AS complaints, last_complaint_on, complained_lately
        FROM said LEFT JOIN tickets USING (golden_id) LEFT JOIN answered USING (golden_id)
             LEFT JOIN promoting USING (golden_id)
        WHERE last_ticket_on IS NOT NULL OR complaints > 0 OR csat_answers > 0 OR nps IS NOT NULL
        """,
        complaint_days=work.parameters.complaint_days,
        **_values(work.parameters),
    )


def _picture(table: pa.Table, work: Work) -> Figures:
    assert isinstance(work.parameters, ServiceParameters)  # noqa: S101 - for the type checker
    groups = {
        row["values"]: row["counts"]
        for row in pc.value_counts(table["nps_group"].combine_chunks().drop_null()).to_pylist()
    }
    asked = sum(groups.values())
    figures: dict[str, object] = {
        "customers of the service desk": table.num_rows,
        "open tickets": pc.sum(table["open_tickets"]).as_py() or 0,
        "customers who complained lately": pc.sum(table["complained_lately"]).as_py() or 0,
        "open tickets of a customer": _open_tickets(table["open_tickets"]),
        "latest answer to NPS": Bars(
            {name: groups.get(name, 0) for name in ("promoter", "passive", "detractor")},
            ("group", "customers"),
            scale=True,
        ),
    }
    if asked:
        figures["NPS"] = round(100 * (groups.get("promoter", 0) - groups.get("detractor", 0)) / asked, 1)
    if rated := table["csat"].drop_null():
        figures["CSAT, mean over customers"] = round(float(pc.sum(rated).as_py()) / len(rated), 2)
    return {**figures, **_not_followed(work, work.parameters), **left_out(work)}  # type: ignore[dict-item]


def _open_tickets(counts: pa.ChunkedArray) -> Bars:
    steps = {"none": (0, 0), "1": (1, 1), "2": (2, 2), "3 and more": (3, 2**31 - 1)}
    inside = {
        name: pc.and_(pc.greater_equal(counts, low), pc.less_equal(counts, high))
        for name, (low, high) in steps.items()
    }
    return Bars(
        {name: int(pc.sum(mask).as_py() or 0) for name, mask in inside.items()},
        ("open tickets", "customers"),
        scale=True,
    )


def _not_followed(work: Work, parameters: ServiceParameters) -> Figures:
    """What the service desk delivered and nothing could be made of."""
    use_dated(work)
    [found] = work.sql(
        f"""
        WITH {_DESK}, {_ANSWERS}
        SELECT (SELECT coalesce(sum(touches), 0)::BIGINT FROM desk
                WHERE kind = 'ticket_opened' AND thread_id IS NULL) AS unnumbered,
               (SELECT count(*) FROM (
                    SELECT bool_or(kind = 'ticket_opened') AS opened FROM desk
                    WHERE thread_id IS NOT NULL AND kind IN ('ticket_opened', 'ticket_solved')
                    GROUP BY golden_id, source, thread_id) WHERE NOT opened) AS unopened,
               (SELECT coalesce(sum(answers), 0)::BIGINT FROM judged WHERE NOT valid) AS off_scale
        """,
        **_values(parameters),
    ).to_pylist()
    return {
        "tickets without a number": found["unnumbered"],
        "tickets solved and never opened": found["unopened"],
        "ratings that are no answer": found["off_scale"],
    }


_FOLLOWED = tuple(
    f"touches.{name}" for name in ("source", "thread_id", "kind", "first_at", "last_at", "touches")
)
_ANSWERED = tuple(f"touches.{name}" for name in ("kind", "outcome", "subject", "touches", "score", "scores"))
_COMPLAINED = ("touches.kind", "touches.day")
ENRICHER = Enricher(
    name="service",
    description="Open issues, the last ticket, satisfaction (CSAT and NPS), complaints, days to solve.",
    inputs=("touches",),
    outputs=(
        Output(
            "tickets",
            ValueType.INTEGER,
            "Tickets with a number whose opening is known.",
            privacy=_SERVICE,
            of=_FOLLOWED,
        ),
        Output(
            "open_tickets",
            ValueType.INTEGER,
            "Tickets that nothing says were solved, or that were opened again later than they were solved.",
            privacy=_SERVICE,
            of=_FOLLOWED,
        ),
        Output(
            "oldest_open_on",
            ValueType.DATE,
            "Day on which the oldest open ticket was first opened.",
            of=_FOLLOWED,
        ),
        Output(
            "last_ticket_on",
            ValueType.DATE,
            "Day on which a ticket was last opened, solved or rated, with or without a number.",
            of=("touches.kind", "touches.day"),
        ),
        Output(
            "solved_tickets", ValueType.INTEGER, "tickets - open_tickets.", privacy=_SERVICE, of=_FOLLOWED
        ),
        Output(
            "days_to_solve",
            ValueType.DECIMAL,
            "Median over solved tickets of the days from the first opening to the last solving, at least 0.",
            unit="days",
            tells_from=1,
            of=_FOLLOWED,
        ),
        Output(
            "csat",
            ValueType.DECIMAL,
            "Mean score of the ratings of tickets, on the scale of the parameter csat_scale (1 to 5); good and bad "
            "without a score count as its ends. Empty where the customer rated nothing.",
            unit="score",
            tells_from=0.5,
            of=_ANSWERED,
        ),
        Output("csat_answers", ValueType.INTEGER, "How many ratings csat is the mean of.", of=_ANSWERED),
        Output(
            "nps",
            ValueType.DECIMAL,
            "The latest answer to 'would you recommend us', 0 to 10; the mean of the answers of that day. Empty "
            "where the customer was not asked or did not answer.",
            unit="score",
            tells_from=1,
            of=(*_ANSWERED, "touches.day"),
        ),
        Output("nps_on", ValueType.DATE, "Day of that answer.", of=(*_ANSWERED, "touches.day")),
        Output(
            "nps_group",
            ValueType.TEXT,
            "promoter where nps is 9 or more, passive from 7, detractor below.",
            of=(*_ANSWERED, "touches.day"),
        ),
        Output(
            "complaints",
            ValueType.INTEGER,
            "Complaints of the customer, of all times.",
            of=("touches.kind", "touches.touches"),
        ),
        Output("last_complaint_on", ValueType.DATE, "Day of the last complaint.", of=_COMPLAINED),
        Output(
            "complained_lately",
            ValueType.BOOLEAN,
            "Whether a complaint lies in the last 30 days (parameter complaint_days) before as_of, or before the "
            "customer's last interaction after it.",
            of=_COMPLAINED,
        ),
    ),
    purpose="Helping customers with what is open, hearing those who are dissatisfied, not advertising to them.",
    stale_when="an interaction of the customer is new, or the customer's identity changed",
    compute=_compute,
    parameters=ServiceParameters,
    picture=_picture,
    ages=(
        Age("days_open", "oldest_open_on", "Days that the oldest open ticket has been open."),
        Age("days_since_ticket", "last_ticket_on", "Days since anything happened to a ticket."),
        Age("days_since_complaint", "last_complaint_on", "Days since the last complaint."),
    ),
)
