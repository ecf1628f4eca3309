"""Pruning the lake and the hub: what goes, what is packed, and how much that frees.

Belongs here: going through the days of the lake and the tables of the hub by the policy. Does not belong here: how long
is kept what (pruning_policy), packing (store.compaction), SQL (hub.pruning), Dagster's runs and logs (components).

A table whose rows go keeps its columns and notes, and its number of rows as one more: so what was delivered is still
known by file and size, and every count stays what it was (R3).
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.hub import access_log, actions, kpi_history, scorecards
from cdm_pipelines.hub import pruning as hub
from cdm_pipelines.publish.policy import FeedPolicy
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.measurements import forget_superseded
from cdm_pipelines.steps.operate.pruning_policy import PruningPolicy, before, month_is_due
from cdm_pipelines.store import beside, layout
from cdm_pipelines.store.compaction import compact
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake

KEPT_OF_QUARANTINE = ("_file", "_row", "_sha256", "_reasons")


@dataclass(frozen=True)
class Pruned:
    """What was done, or would be, to one kind of thing.

    Attributes:
        what: In words.
        number: How many of it.
        freed: Bytes; None where it is not known.
        fault: What could not be done, and what to do about it.
    """

    what: str
    number: int
    freed: int | None = None
    fault: str = ""


def policy_of(settings: Settings) -> PruningPolicy:
    """The policy of a deployment.

    Raises:
        PruningPolicyError: It cannot be used.
    """
    return PruningPolicy.load(settings.policies / "pruning.yaml")


def prune_lake(
    lake: Lake, contracts: Sequence[SourceContract], policy: PruningPolicy, today: dt.date, *, dry_run: bool
) -> Iterator[Pruned]:
    """Take out of the lake what the policy lets go, and pack the files of past months.

    Args:
        lake: The lake.
        contracts: Of all sources.
        policy: How long is kept what.
        today: From which days are counted.
        dry_run: Whether to say what would go, and change nothing.
    """
    for layer, days in (
        ("raw", policy.lake.raw),
        ("valid", policy.lake.valid),
        ("quarantine", policy.lake.quarantine),
    ):
        yield from _without_rows(lake, contracts, layer, before(days, today), dry_run=dry_run)
    yield _without_reports(lake, before(policy.insight, today), dry_run=dry_run)
    files, freed = Counter[str](), 0
    for packing in compact(
        lake, lambda month: month_is_due(month, policy.lake.pack_after, today), dry_run=dry_run
    ):
        if packing.fault is not None:
            yield Pruned(f"{packing.pack} left as it is", 0, None, str(packing.fault))
        else:
            files.update(files=packing.files, packs=1)
            freed += packing.before - packing.after
    yield Pruned(f"files of past months into {files['packs']:,} packs", files["files"], freed)
    if not dry_run:
        yield Pruned("half-written files of killed processes", lake.sweep())


def sweep_plans(settings: Settings) -> Pruned:
    """Remove what plans that were killed left."""
    return Pruned("what killed plans left", beside.sweep(settings.home))


def _without_reports(lake: Lake, limit: str | None, *, dry_run: bool) -> Pruned:
    gone = [path for path in layout.kept_reports(lake) if layout.report_month(path) < (limit or "")[:7]]
    for path in () if dry_run else gone:
        lake.delete(path)
    return Pruned("reports of past months", len(gone))


def _without_rows(
    lake: Lake, contracts: Sequence[SourceContract], layer: str, limit: str | None, *, dry_run: bool
) -> Iterator[Pruned]:
    tables, freed = 0, 0
    for contract in contracts if limit is not None else ():
        for date in layout.days(lake, layer, contract):
            path = f"{layer}/{contract.name}/{date}.parquet"
            try:
                if date < (limit or "") and layout.PRUNED not in lake.notes(path):
                    held = len(lake.content(path))
                    tables, freed = tables + 1, freed + held
                    if not dry_run:
                        without_values(lake, path, contract.key if layer == "quarantine" else None)
                        freed -= lake.size(path)
            except DamagedError as damaged:
                yield Pruned(f"{path} left as it is", 0, None, str(damaged))
    yield Pruned(f"days of {layer} whose rows are older than the policy keeps", tables, freed)


def without_values(lake: Lake, path: str, keys: Sequence[str] | None) -> None:
    """Write a day anew without its rows; with ``keys``, without all but those of what was quarantined."""
    table, notes = lake.read(path), lake.notes(path)
    schema = lake.schema(path)
    notes = {name: note for name, note in notes.items() if name.encode() not in (schema.metadata or {})}
    notes[layout.PRUNED] = str(table.num_rows)
    if keys is None:
        table = schema.empty_table()
    else:
        kept = {*keys, *KEPT_OF_QUARANTINE}
        columns = [
            table[field.name] if field.name in kept else pa.nulls(table.num_rows, field.type)
            for field in schema
        ]
        table = pa.table(columns, schema=schema)
    with lake.writer(path, schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(notes)


def prune_hub(
    connection: Connection, lake: Lake, settings: Settings, policy: PruningPolicy, now: dt.datetime
) -> Iterator[Pruned]:
    """Take out of the hub what the policy lets go.

    Args:
        connection: Of a migrated hub, in a transaction; to say what would go, roll it back.
        lake: Whose days have figures.
        settings: Where the policy of the change feed is, how long figures are kept.
        policy: How long is kept what.
        now: From which days are counted.
    """
    if policy.outbox is not None:
        sinks = FeedPolicy.load(settings.policies / "change_feed.yaml").sinks
        events = hub.forget_events(connection, now - dt.timedelta(days=policy.outbox), sinks.keys())
        yield Pruned("events of the change feed that every sink has had", events.rows, events.size)
    if policy.history is not None:
        versions = hub.forget_versions(connection, now - dt.timedelta(days=policy.history))
        yield Pruned("former versions of customers", versions.rows, versions.size)
    if policy.access_log is not None:
        lines = access_log.forget(connection, now - dt.timedelta(days=policy.access_log))
        yield Pruned("lines of the access log", lines)
    if policy.insight is not None:
        before_day = (now - dt.timedelta(days=policy.insight)).date()
        yield Pruned("key figures of past months", kpi_history.forget(connection, before_day))
        yield Pruned("figures of quality and worth", scorecards.forget(connection, before_day))
    if policy.action_choices is not None:
        choices = actions.forget(connection, (now - dt.timedelta(days=policy.action_choices)).date())
        yield Pruned("choices of next best actions", choices)
    yield Pruned("figures of runs", forget_superseded(connection, lake, settings))
