"""Stages of customers through time: the one rule behind ``lifecycle`` and ``lifecycle_step``.

Belongs here: parameters, fitted scale, and every stage that a customer entered with its day. Does not belong here: what
is shown of them.

A purchase is a day with an order that counts. The first makes a customer *first_time*, later ones *active*, and from a
number of purchases on *loyal*. After each purchase the customer's rhythm (``rhythm``), as it was known that day, says
from when a silence is *at_risk*, and from when the customer is *lost*. The first purchase after that is *won_back*,
from which purchases are counted anew. A customer without a purchase is a *prospect*. What is written of the past never
changes by what is learnt later, but for orders that arrive late and a scale that is fitted anew.

Why 3 and 6 gaps: were purchases to come at random moments (exponential gaps), a silence longer than three median gaps
would be 1 in 8 of all, longer than six 1 in 64. So the first is worth a look, and the second is seldom wrong.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Self, cast

from pydantic import Field, model_validator

from cdm_pipelines.enrichment.rhythm import fit_rhythm, purchase_days, rhythm_sql
from cdm_pipelines.enrichment.work import Parameters, Work

STAGES = ("prospect", "first_time", "active", "loyal", "at_risk", "lost", "won_back")
_COHORTS = 12
"""Quarters of first purchases whose retention is shown."""


class LifecycleParameters(Parameters):
    """What may be set of ``lifecycle``, and holds for ``lifecycle_step``.

    Attributes:
        loyal_from: Purchases without having been lost from which a customer is loyal.
        at_risk_after: Typical gaps of the customer without a purchase after which one is at risk.
        lost_after: The same after which one is lost.
        default_gap_days: The typical gap where too few customers bought twice to tell.
    """

    loyal_from: int = Field(default=4, ge=3)
    at_risk_after: float = Field(default=3.0, gt=0)
    lost_after: float = Field(default=6.0, gt=0)
    default_gap_days: float = Field(default=90.0, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lost_after <= self.at_risk_after:
            raise ValueError("lost_after must be more than at_risk_after")
        return self


def fit(work: Work) -> dict[str, Any]:
    """The rhythm of everybody, and how many of each quarter's new customers bought again in later quarters."""
    set_to = cast("LifecycleParameters", work.parameters)
    rhythm = fit_rhythm(work, set_to.default_gap_days)
    ends = work.sql(
        "SELECT min(day)::VARCHAR AS first, max(day)::VARCHAR AS last FROM rhythm_days"
    ).to_pylist()[0]
    retention = work.sql(
        """
        WITH born AS (SELECT golden_id, date_trunc('quarter', day) AS cohort FROM rhythm_days WHERE number = 1),
        recent AS (SELECT * FROM born WHERE cohort > date_trunc('quarter', getvariable('as_of')::DATE)
                   - to_months(3 * $cohorts::INTEGER)),
        seen AS (SELECT DISTINCT golden_id, cohort, date_diff('quarter', cohort, day) AS later
                 FROM recent JOIN rhythm_days USING (golden_id)),
        quarters AS (
            SELECT cohort, unnest(range(date_diff('quarter', cohort, getvariable('as_of')::DATE) + 1)) AS later
            FROM (SELECT DISTINCT cohort FROM recent))
        SELECT year(cohort) || ' Q' || quarter(cohort) AS cohort, CAST(later AS INTEGER) AS later,
               count(golden_id) AS customers
        FROM quarters LEFT JOIN seen USING (cohort, later) GROUP BY ALL ORDER BY 1, 2
        """,
        cohorts=_COHORTS,
    ).to_pylist()
    return {
        "as_of": work.as_of.isoformat(),
        "window": list(ends.values()),
        "rhythm": rhythm,
        "retention": retention,
    }


def stages(work: Work) -> tuple[str, str] | None:
    """Make, once for a scale and parameters, two tables; None where there is no scale.

    Returns:
        Names: of ``golden_id, entered_on, stage, from_stage, number``, a row per stage entered (``number`` counts the
        purchases until then; ``entered_on`` is null for a prospect since nobody knows when); and of ``golden_id,
        purchases, rhythm, at_risk_from, lost_from``, a row per customer with a purchase.
    """
    if not work.fitted:
        return None
    set_to = cast("LifecycleParameters", work.parameters)
    rhythm = cast("Mapping[str, Any]", work.fitted["rhythm"])
    mark = sha256(repr((set_to, sorted(rhythm.items()))).encode()).hexdigest()[:12]
    steps, now = f"lifecycle_steps_{mark}", f"lifecycle_now_{mark}"
    purchase_days(work)
    work.use("customers")
    work.db.execute(
        f"""
        CREATE TEMP TABLE IF NOT EXISTS lifecycle_timed_{mark} AS
        WITH known AS (
            SELECT golden_id, day, number, next_day, sum(log_gap) OVER so_far AS logs, number - 1 AS gaps
            FROM rhythm_days WINDOW so_far AS (PARTITION BY golden_id ORDER BY day)),
        own AS (SELECT *, {rhythm_sql("logs", "gaps", rhythm)} AS rhythm FROM known),
        silent AS (
            SELECT *, day + CAST(greatest(round(rhythm * {set_to.at_risk_after!r}), 1) AS INTEGER) AS at_risk_from,
                   CAST(round(rhythm * {set_to.lost_after!r}) AS INTEGER) AS until_lost
            FROM own)
        SELECT golden_id, day, number, next_day, rhythm, at_risk_from,
               greatest(day + until_lost, at_risk_from + 1) AS lost_from
        FROM silent
        """
    )
    work.db.execute(
        f"""
        CREATE TEMP TABLE IF NOT EXISTS {now} AS
        SELECT golden_id, number AS purchases, rhythm, at_risk_from, lost_from FROM lifecycle_timed_{mark}
        WHERE next_day IS NULL
        """
    )
    work.db.execute(
        f"""
        CREATE TEMP TABLE IF NOT EXISTS {steps} AS
        WITH back AS (
            SELECT *, coalesce(lag(lost_from) OVER own < day, false) AS back,
                   coalesce(next_day, greatest(getvariable('as_of')::DATE, day) + 1) AS until
            FROM lifecycle_timed_{mark} WINDOW own AS (PARTITION BY golden_id ORDER BY day)),
        counted AS (
            SELECT *, number + 1 - max(CASE WHEN back OR number = 1 THEN number END)
                   OVER (PARTITION BY golden_id ORDER BY day) AS place
            FROM back),
        entered AS (
            SELECT golden_id, day AS entered_on, number,
                   CASE WHEN back THEN 'won_back' WHEN number = 1 THEN 'first_time'
                        WHEN place >= {set_to.loyal_from} THEN 'loyal' ELSE 'active' END AS stage
            FROM counted
            UNION ALL
            SELECT golden_id, at_risk_from, number, 'at_risk' FROM counted WHERE at_risk_from < until
            UNION ALL
            SELECT golden_id, lost_from, number, 'lost' FROM counted WHERE lost_from < until
            UNION ALL
            SELECT c.golden_id, TRY_CAST(c.first_seen AS DATE), 0, 'prospect'
            FROM customers c LEFT JOIN rhythm_days d ON d.golden_id = c.golden_id AND d.number = 1
            WHERE d.day IS NULL OR TRY_CAST(c.first_seen AS DATE) < d.day),
        followed AS (
            SELECT *, lag(stage) OVER (PARTITION BY golden_id ORDER BY entered_on) AS from_stage FROM entered)
        SELECT golden_id, entered_on, stage, from_stage, number FROM followed
        WHERE from_stage IS NULL OR from_stage <> stage
        """
    )
    return steps, now
