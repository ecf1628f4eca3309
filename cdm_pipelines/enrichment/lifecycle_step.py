"""Every stage that a customer entered: a row per transition, for the journey and the picture of transitions.

Belongs here: the declaration. Does not belong here: the rule of stages (``stages``), the stage of now (``lifecycle``).
"""

import pyarrow as pa

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Enricher, Output
from cdm_pipelines.enrichment.flow_pictures import sankey
from cdm_pipelines.enrichment.stages import STAGES, LifecycleParameters, fit, stages
from cdm_pipelines.enrichment.work import GOLDEN_ID, Work
from cdm_pipelines.figures import Figures

_EMPTY = pa.schema(
    [
        (GOLDEN_ID, pa.string()),
        ("entered_on", pa.date32()),
        ("stage", pa.string()),
        ("from_stage", pa.string()),
        ("purchases", pa.int64()),
    ]
)


def compute(work: Work) -> pa.Table:
    """A row per customer and stage entered; none without a scale."""
    made = stages(work)
    if made is None:
        return _EMPTY.empty_table()
    return work.sql(
        f"""SELECT golden_id, entered_on, stage, from_stage, number AS purchases
        FROM {made[0]} WHERE entered_on IS NOT NULL"""
    )


def picture(table: pa.Table, _work: Work) -> Figures:
    """From which stage customers went to which."""
    rows = table.group_by(["from_stage", "stage"]).aggregate([([], "count_all")]).to_pylist()
    flows = {(row["from_stage"], row["stage"]): row["count_all"] for row in rows if row["from_stage"]}
    return {"transitions": sankey(flows, STAGES)}


_DAYS = ("purchases.ordered_on", "customers.first_seen")
ENRICHER = Enricher(
    name="lifecycle_step",
    description="The stages that a customer entered, each with its day.",
    inputs=("customers", "purchases"),
    outputs=(
        Output("entered_on", ValueType.DATE, "Day on which the stage began.", of=_DAYS),
        Output("stage", ValueType.TEXT, "The stage, as in lifecycle.", of=_DAYS),
        Output("from_stage", ValueType.TEXT, "The stage before it; null for the first.", of=_DAYS),
        Output(
            "purchases",
            ValueType.INTEGER,
            "Purchases until then, this one included.",
            "days",
            "user.behavior.purchase_history",
            of=_DAYS,
        ),
    ),
    purpose="The journey of a customer; reporting of how customers come and go.",
    stale_when="An order of the customer changes, or the scale is fitted anew.",
    compute=compute,
    parameters=LifecycleParameters,
    parameters_of="lifecycle",
    fit=fit,
    picture=picture,
    key=("entered_on", "stage"),
)
