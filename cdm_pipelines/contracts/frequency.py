"""How often an extract comes, as contracts write it.

Belongs here: numbers and units. Does not belong here: the contract (``model``), or what is late (steps.operate).
"""

from datetime import timedelta

from cdm_pipelines.contracts.model import SourceContract

_DAYS_OF = {
    **dict.fromkeys(("h", "hr", "hour"), 1 / 24),
    **dict.fromkeys(("d", "day"), 1),
    **dict.fromkeys(("w", "wk", "week"), 7),
    **dict.fromkeys(("mo", "month"), 31),
    **dict.fromkeys(("y", "yr", "year"), 366),
}
"""Days of the units in which contracts write a frequency, at most."""


def every(contract: SourceContract) -> timedelta | None:
    """How often an extract is delivered, as agreed (``frequency``); None when that is not said in numbers."""
    for level in contract.sla:
        days = _DAYS_OF.get((level.unit or "").lower().removesuffix("s"))
        if level.property == "frequency" and days is not None and level.value.replace(".", "", 1).isdigit():
            return timedelta(days=float(level.value) * days)
    return None
