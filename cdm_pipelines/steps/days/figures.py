"""The figures of source days and of the current records.

Belongs here: what is told of a result, and under which name. Does not belong here: counting (source_day, records), or
how a figure is kept and shown.
"""

from collections.abc import Mapping, Sequence

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.told import told_names, told_path
from cdm_pipelines.figures import ROWS, Bars, Check, Figures, Outcome, Words
from cdm_pipelines.quality.thresholds import Verdict
from cdm_pipelines.steps.days.records import Built
from cdm_pipelines.steps.days.tally import DayResult
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

FINGERPRINT = "input fingerprint"
_WITH_LIMITS = {
    "contract": "valid",
    "share_quarantined": "valid",
    "repeated_keys": "valid",
    "spreadsheet": "valid",
    "volume": "raw",
}
_NOTHING_TO_COMPARE = "nothing to compare with"


def day_outcomes(lake: Lake, contract: SourceContract, result: DayResult) -> list[Outcome]:
    """What came of the four layers of one day, in their order."""
    figures, checks = _day_figures(lake, contract, result), day_checks([result])
    return [
        Outcome(
            f"{layer}/{contract.name}",
            {**figures[layer], FINGERPRINT: result.fingerprint},
            checks.get(layer, {}),
            partition=result.date,
            url=lake.where(layout.day_place(layer, contract, result.date)),
            version=result.fingerprint,
            made=layer != "standard" or not result.stopped,
        )
        for layer in layout.LAYERS
    ]


def _day_figures(lake: Lake, contract: SourceContract, result: DayResult) -> dict[str, Figures]:
    repairs = Words(lake.where(layout.repairs_path(contract, result.date)))
    reasons = Bars(result.reasons, ("rule", "rows"))
    by_rule = {"repaired cells by rule": Bars(result.repairs, ("rule", "cells"))} if result.repairs else {}
    return {
        "raw": {
            ROWS: result.read,
            "files": Words("\n".join(told_path(path, contract) for path in result.files)),
            "copies of files": len(result.copies),
            "new columns": Words(told_names(result.new_columns, ()) or "none"),
        },
        "valid": {
            ROWS: result.accepted,
            "repaired rows": result.repaired,
            "repaired cells": repairs,
            **by_rule,
        },
        "quarantine": {
            ROWS: result.quarantined,
            "repeats": result.repeats,
            "share": round(result.quarantined / result.read, 6) if result.read else 0.0,
            **({"reasons": reasons} if result.reasons else {}),
            "repaired cells": repairs,
        },
        "standard": {ROWS: sum(result.standard.values()), **result.standard},
    }


def day_checks(results: Sequence[DayResult]) -> dict[str, dict[str, Check]]:
    """The checks of one or more days, by layer and name: of several days the worst verdict counts."""
    found: dict[str, dict[str, Check]] = {"raw": {"schema": _schema(results)}, "valid": {}}
    found["valid"]["reconciliation"] = Check(
        all(result.reconciles for result in results),
        "",
        figures={
            "days": max(len(results), 1),
            "read": sum(result.read for result in results),
            "quarantined": sum(result.quarantined for result in results),
        },
    )
    for name, layer in _WITH_LIMITS.items():
        verdicts = [verdict for result in results if (verdict := result.verdicts.get(name))]
        worst = max(verdicts, key=lambda verdict: verdict.rank, default=None)
        found[layer][name] = judged(worst, _NOTHING_TO_COMPARE)
    return found


def _schema(results: Sequence[DayResult]) -> Check:
    """Which columns came and which did not, against the contract, and how files were read otherwise than agreed."""
    new = sorted({name for result in results for name in result.new_columns})
    absent = sorted({name for result in results for name in result.absent_columns})
    remarks = [f"not in the contract: {told_names(new, ())}"] if new else []
    remarks += [f"in the contract but not delivered: {', '.join(absent)}"] if absent else []
    remarks += [note for result in results for note in result.notes]
    counts = {"columns not in the contract": len(new), "columns not delivered": len(absent)}
    return Check(not remarks, "; ".join(remarks) or "as declared", "WARN", counts)


def judged(verdict: Verdict | None, unknown: str = "") -> Check:
    """The check that a verdict on a figure makes; ``unknown`` is told where there is none."""
    if verdict is None:
        return Check(True, unknown, "WARN")
    return Check(verdict.passed, verdict.text, verdict.severity, {"figure": round(verdict.figure, 6)})


def records_outcome(lake: Lake, name: str, entities: Sequence[Entity], built: Built) -> Outcome:
    """What came of ``records/<name>``."""
    tables = [lake.where(layout.records_path(entity)) for entity in entities]
    others: Mapping[str, Words] = {"further tables": Words("\n".join(tables[1:]))} if tables[1:] else {}
    figures: Figures = {
        ROWS: built.rows,
        **others,
        "active": built.active,
        "changed": built.changed,
        "by source": Bars(built.by_source, ("source", "records")),
        FINGERPRINT: built.fingerprint,
    }
    return Outcome(f"records/{name}", figures, url=tables[0], version=built.fingerprint)
