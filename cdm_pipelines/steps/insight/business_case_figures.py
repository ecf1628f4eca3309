"""What is told of the business case: in Dagster, on a terminal, on a page.

Belongs here: which figures, tables and pictures. Does not belong here: working out (``business_case``, insight).
"""

from collections.abc import Iterable

from cdm_pipelines.figures import ROWS, Figures, Grid, Outcome, Words
from cdm_pipelines.insight.business_case import Amount, Volumes
from cdm_pipelines.insight.business_case_measures import VOLUMES
from cdm_pipelines.insight.business_case_pictures import graph, tornado, upkeep
from cdm_pipelines.steps.insight.business_case import Worked

Rows = list[dict[str, object]]


def business_case_outcome(done: Worked) -> Outcome:
    """What came of ``insight/business_case``."""
    currency, case = done.policy.currency, done.case
    figures: Figures = {
        ROWS: len(case.amounts),
        "volumes": Grid(volume_rows(done.volumes, currency), ("volume",)),
        "amounts": Grid(amount_rows(case.amounts), ("kind", "name")),
        "figures changed": done.changed,
        "graph": graph(done.policy, case),
        "what matters most": tornado(case.matters, case.total.likely, currency),
        "upkeep": upkeep(done.optimum, currency),
        "inputs missing": len(case.missing),
        "missing": Words(", ".join(case.missing) or "nothing"),
    }
    return Outcome("insight/business_case", figures)


def volume_rows(volumes: Volumes, currency: str) -> Rows:
    """What was counted, in all and by source."""
    rows: Rows = []
    for name, volume in VOLUMES.items():
        counts = volumes.get(name)
        by_source = ", ".join(
            f"{source} {value:,.6g}" for source, value in sorted((counts or {}).items()) if source
        )
        unit = currency if volume.unit == "money" else volume.unit
        value = None if counts is None else round(sum(counts.values()), 6)
        rows.append(
            {"volume": name, "value": value, "unit": unit, "by source": by_source, "what": volume.words}
        )
    return rows


def amount_rows(amounts: Iterable[Amount]) -> Rows:
    """Amounts a year with their spread, the formula beside each."""
    return [
        {
            "kind": one.kind,
            "name": one.name,
            "low": None if one.low is None else float(one.low),
            "likely": None if one.likely is None else float(one.likely),
            "high": None if one.high is None else float(one.high),
            "volume": one.volume,
            "formula": one.formula,
            "missing": ", ".join(one.missing),
        }
        for one in amounts
    ]


def before_and_after(done: Worked) -> Rows:
    """Each driver with the volumes of the first day and of the last, at today's inputs; none on the first day."""
    if done.first is None:
        return []
    return [
        {
            "driver": one.name,
            str(done.first_day): before.likely,
            str(done.as_of): one.likely,
            "less": before.likely - one.likely,
        }
        for before, one in zip(done.first.amounts, done.case.amounts, strict=True)
        if one.kind in {"driver", "total"} and before.likely is not None and one.likely is not None
    ]
