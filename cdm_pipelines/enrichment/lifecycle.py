"""In which stage of the life of a customer somebody is, since when, and when it will change unless something is bought.

Belongs here: the stage of now, and the declaration. Does not belong here: the rule of stages (``stages``), every
transition (``lifecycle_step``).
"""

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Age, Enricher, Output
from cdm_pipelines.enrichment.flow_pictures import heat_map
from cdm_pipelines.enrichment.stages import STAGES, LifecycleParameters, fit, stages
from cdm_pipelines.enrichment.work import GOLDEN_ID, Work
from cdm_pipelines.figures import Bars, Figures

_EMPTY = pa.schema(
    [
        (GOLDEN_ID, pa.string()),
        *((name, pa.string()) for name in ("stage", "previous_stage")),
        *(
            (name, pa.date32())
            for name in ("entered_on", "first_time_on", "loyal_on", "lost_on", "won_back_on")
        ),
        ("times_lost", pa.int64()),
        ("purchases", pa.int64()),
        ("rhythm_days", pa.float64()),
        *((name, pa.date32()) for name in ("at_risk_from", "lost_from")),
    ]
)


def compute(work: Work) -> pa.Table:
    """A row per customer; none without a scale."""
    made = stages(work)
    if made is None:
        return _EMPTY.empty_table()
    steps, now = made
    return work.sql(
        f"""
        WITH own AS (
            SELECT golden_id, arg_max(stage, coalesce(entered_on, DATE '0001-01-01')) AS stage,
                   max(entered_on) AS entered_on,
                   arg_max_null(from_stage, coalesce(entered_on, DATE '0001-01-01')) AS previous_stage,
                   min(entered_on) FILTER (stage = 'first_time') AS first_time_on,
                   min(entered_on) FILTER (stage = 'loyal') AS loyal_on,
                   max(entered_on) FILTER (stage = 'lost') AS lost_on,
                   max(entered_on) FILTER (stage = 'won_back') AS won_back_on,
                   count(*) FILTER (stage = 'lost') AS times_lost
            FROM {steps} GROUP BY 1)
        SELECT o.*, coalesce(n.purchases, 0) AS purchases, round(n.rhythm, 1) AS rhythm_days, n.at_risk_from,
               n.lost_from
        FROM own o LEFT JOIN {now} n USING (golden_id)
        """
    )


def explain_fit(fitted: Mapping[str, Any]) -> Figures:
    """The rhythm of everybody, and the retention of each quarter's new customers."""
    rhythm = fitted["rhythm"]
    return {
        "customers_with_a_gap": rhythm["customers"],
        "gaps": rhythm["gaps"],
        "rhythm_is_fitted": rhythm["fitted"],
        "gap_days": {
            "shortest (5 %)": rhythm["shortest"],
            "typical": round(math.exp(rhythm["mu"]), 1),
            "longest (95 %)": rhythm["longest"],
        },
        "gaps_that_the_population_counts_for": round(rhythm["weight"], 2),
        "retention": heat_map(fitted["retention"]),
    }


def picture(table: pa.Table, _work: Work) -> Figures:
    """Customers by stage."""
    counts = {row["values"]: row["counts"] for row in table["stage"].value_counts().to_pylist()}
    return {"stages": Bars({one: counts.get(one, 0) for one in STAGES}, ("stage", "customers"), scale=True)}


_DAYS = ("purchases.ordered_on",)
_ALL_DAYS = (*_DAYS, "customers.first_seen")
ENRICHER = Enricher(
    name="lifecycle",
    description="The stage of a customer: prospect, first_time, active, loyal, at_risk, lost, won_back.",
    inputs=("customers", "purchases"),
    outputs=(
        Output(
            "stage",
            ValueType.TEXT,
            "prospect: known, never bought; first_time: one purchase; active: more; loyal: from a number of purchases "
            "on; at_risk, lost: so many typical gaps of the customer without a purchase; won_back: the first purchase "
            "after lost. On the later of the day of the scale and the customer's last purchase; a purchase is a day "
            "with an order that counts.",
            of=_ALL_DAYS,
        ),
        Output("previous_stage", ValueType.TEXT, "The stage before that; null for the first.", of=_ALL_DAYS),
        Output(
            "entered_on",
            ValueType.DATE,
            "Day on which the stage began; of a prospect the day first seen.",
            of=_ALL_DAYS,
        ),
        Output("first_time_on", ValueType.DATE, "Day of the first purchase.", of=_DAYS),
        Output(
            "loyal_on", ValueType.DATE, "Day on which the customer became loyal for the first time.", of=_DAYS
        ),
        Output("lost_on", ValueType.DATE, "Day on which the customer was last lost.", of=_DAYS),
        Output("won_back_on", ValueType.DATE, "Day on which the customer was last won back.", of=_DAYS),
        Output("times_lost", ValueType.INTEGER, "How often the customer was lost.", "times", of=_DAYS),
        Output(
            "purchases",
            ValueType.INTEGER,
            "Number of days with an order that counts.",
            "days",
            "user.behavior.purchase_history",
            of=_DAYS,
        ),
        Output(
            "rhythm_days",
            ValueType.DECIMAL,
            "Typical gap of the customer: exp((sum of ln gap + w * mu) / (gaps + w)), mu the mean of everybody and w "
            "the gaps that it counts for, within the shortest and longest 5 % of all gaps.",
            "days",
            tells_from=1.0,
            of=_DAYS,
        ),
        Output(
            "at_risk_from",
            ValueType.DATE,
            "Day from which the customer is at risk unless something is bought.",
            of=_DAYS,
        ),
        Output(
            "lost_from",
            ValueType.DATE,
            "Day from which the customer is lost unless something is bought.",
            of=_DAYS,
        ),
    ),
    purpose="Choosing whom to welcome, keep and win back; reporting of how customers come and go.",
    stale_when="An order of the customer changes, or the scale is fitted anew.",
    compute=compute,
    parameters=LifecycleParameters,
    fit=fit,
    explain_fit=explain_fit,
    picture=picture,
    ages=(Age("days_in_stage", "entered_on", "Days since the stage began."),),
)
