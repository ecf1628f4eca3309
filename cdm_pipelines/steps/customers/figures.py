"""The figures of staged and published customers, and of those who are told.

Belongs here: what is told of a result, and under which name. Does not belong here: counting (publication, feed,
source_corrections), or how a figure is kept and shown.
"""

from collections.abc import Mapping, Sequence

from cdm_pipelines.figures import ROWS, Bars, Check, Figures, Grid, Moment, Outcome, Words
from cdm_pipelines.hub.differences import Change
from cdm_pipelines.identity import chain as chains
from cdm_pipelines.quality.thresholds import Verdict
from cdm_pipelines.steps.customers.feed import Served
from cdm_pipelines.steps.customers.publication import StagedCustomers
from cdm_pipelines.steps.customers.source_corrections import Corrections
from cdm_pipelines.steps.days.figures import judged
from cdm_pipelines.steps.stewardship.review import Waiting
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake


def staged_outcome(done: StagedCustomers, chain: chains.Verdict, late: Sequence[str] = ()) -> Outcome:
    """What came of ``golden/staged``, with the audits and the chain of steward decisions.

    Args:
        done: What was staged.
        chain: What the log of decisions shows.
        late: Requests of persons that should have been answered.
    """
    figures: Figures = {
        ROWS: done.customers,
        "records": done.records,
        "customers worked through": done.worked,
        "golden ids": Bars(done.identity, ("event", "ids")),
        "id churn": Bars(done.churn.moved, ("reason", "records with another golden id")),
        "id churn, share": done.churn.share,
    }
    sealed = Check(
        not chain.faults,
        "; ".join(fault.text for fault in chain.faults) or "in order",
        figures={"decisions": chain.head.decision_id, "erased": len(chain.erased), "head": str(chain.head)},
    )
    checks = {name: judged(verdict) for name, verdict in done.verdicts.items()}
    answered = Check(
        not late,
        f"requests of persons are late: {', '.join(late)}; see `cdm privacy requests`"
        if late
        else "in order",
        "WARN",
        {"late": len(late)},
    )
    checks |= {"decision_chain": sealed, "requests_answered": answered}
    return Outcome("golden/staged", figures, checks, made=not done.stopped)


def published_outcomes(
    changes: Mapping[str, Change], waiting: Waiting, names: Sequence[str], verdicts: Mapping[str, Verdict]
) -> list[Outcome]:
    """What came of the published tables; the review queue and the verdicts are told with the customers."""
    queue: dict[str, int | Bars | Moment] = {
        "review queue": sum(waiting.items.values()),
        "review queue, items": Bars(waiting.items, ("about", "items")),
        "decisions in conflict": waiting.items["conflicts"],
    }
    if waiting.oldest_conflict is not None:
        queue["oldest conflict"] = Moment(waiting.oldest_conflict.timestamp())
    checks = {name: judged(verdict) for name, verdict in verdicts.items()}
    return [
        Outcome(f"golden/{name}", {**_change(changes[name]), **queue}, checks)
        if name == "customer"
        else Outcome(f"golden/{name}", _change(changes[name]))
        for name in names
    ]


def _change(change: Change) -> dict[str, int]:
    return {
        ROWS: change.rows,
        "inserted": change.inserted,
        "updated": change.updated,
        "deleted": change.deleted,
        "unchanged": change.unchanged,
    }


def feed_outcome(served: Sequence[Served]) -> Outcome:
    """What came of ``publish/feed``."""
    rows = [
        {"sink": sink.sink, "delivered": sink.delivered, "behind": sink.behind, "dead letters": sink.dead}
        for sink in served
    ]
    unwell = [sink for sink in served if not sink.well]
    totals = {
        "behind": sum(sink.behind for sink in served),
        "dead letters": sum(sink.dead for sink in served),
    }
    known = Check(not unwell, "; ".join(sink.sentence for sink in unwell) or "in order", "WARN", totals)
    figures: Figures = {
        "delivered": sum(sink.delivered for sink in served),
        "sinks": Grid(rows, ("sink",)),
    }
    return Outcome("publish/feed", figures, {"everybody_knows": known})


def corrections_outcome(lake: Lake, written: Sequence[Corrections]) -> Outcome:
    """What came of ``publish/source_corrections``."""
    counts = {f"{one.source} {name}": count for one in written for name, count in one.cells.items()}
    figures: Figures = {
        ROWS: sum(counts.values()),
        "files": Words("\n".join(one.path for one in written)),
        "cells": Bars(counts, ("column", "cells")),
    }
    return Outcome("publish/source_corrections", figures, url=lake.where(layout.SOURCE_CORRECTIONS))
