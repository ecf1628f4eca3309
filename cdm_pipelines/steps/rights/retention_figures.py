"""The figures of retention: what goes by which rule, what stays and why, what expires in which month.

Belongs here: counting a plan for people and charts. Does not belong here: the plan (privacy.retention).
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cdm_pipelines.figures import ROWS, Bars, Check, Figures, Grid, Outcome
from cdm_pipelines.privacy.certificate import Certificate
from cdm_pipelines.steps.rights.retention import Planned

ASSET = "privacy/retention"
_MONTHS = 24
"""Months ahead that are told one by one."""


def by_rule(rows: pa.Table) -> list[dict[str, Any]]:
    """How many entries of a plan, and rows in them, each kind and rule has."""
    found: dict[tuple[str, str], list[int]] = {}
    for what, rule, number in _each(rows, "what", "rule", "number"):
        counted = found.setdefault((what, rule), [0, 0])
        counted[0] += 1
        counted[1] += number
    return [
        {"what": what, "by": rule, "entries": entries, "rows": number}
        for (what, rule), (entries, number) in sorted(found.items())
    ]


def by_reason(rows: pa.Table) -> list[dict[str, Any]]:
    """How many entries of a plan stay, by kind and reason."""
    counted = Counter(_each(rows, "what", "kept"))
    return [{"what": what, "why": why, "entries": number} for (what, why), number in sorted(counted.items())]


def by_month(found: Planned) -> list[dict[str, Any]]:
    """How many entries of a plan expire in each month to come, those after the last of them together."""
    counted: Counter[tuple[str, str]] = Counter()
    last = found.today.year * 12 + found.today.month - 1 + _MONTHS
    for due, what in _each(found.rows, "due", "what"):
        if due > found.today:
            late = due.year * 12 + due.month - 1 > last
            counted["later" if late else f"{due:%Y-%m}", what] += 1
    return [{"month": month, "what": what, "entries": n} for (month, what), n in sorted(counted.items())]


def retention_outcome(found: Planned, done: Certificate | None, *, applied: bool) -> Outcome:
    """What came of ``privacy/retention``: counts, and a warning where something is past its time and was not let go.

    Args:
        found: The plan.
        done: The certificate of what went; None where nothing was due or let go.
        applied: Whether what is due was to go.
    """
    months: Counter[str] = Counter()
    for row in by_month(found):
        months[row["month"]] += row["entries"]
    due, stay = by_rule(found.expired), by_reason(found.staying)
    left = list(done.content.get("left", ())) if done else []
    waiting = sum(row["entries"] for row in stay if "at_once" in row["why"])
    overdue = (len(left) if applied else found.expired.num_rows) + waiting
    figures: Figures = {
        ROWS: found.rows.num_rows,
        "expired": found.expired.num_rows,
        "let go": (found.expired.num_rows - len(left)) if applied else 0,
        "expires in": Bars(dict(sorted(months.items())), ("month", "entries"), scale=True),
        "expired by rule": Grid(due, ("what", "by")),
        "due and staying": Grid(stay, ("what", "why")),
    }
    text = (
        f"{overdue:,} entries are past the time that policies/retention.yaml gives them: "
        "`cdm privacy retention` lists them, and `cdm privacy retention --apply` lets them go"
        if overdue
        else "nothing is overdue"
    )
    return Outcome(ASSET, figures, {"nothing_overdue": Check(not overdue, text, "WARN")})


def _each(rows: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    columns: Mapping[str, list[Any]] = rows.select(names).to_pydict()
    return list(zip(*(columns[name] for name in names), strict=True))
