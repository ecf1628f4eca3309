"""Is everything that is kept what was written, and does it belong together?

Belongs here: what is compared with what, and the findings in words. Does not belong here: backups (``backup``), what
else the pipeline needs (``checkup``).

Files of the lake are compared with the checksums in them, days with the layers that they should have. Of the hub's
tables those that follow from the lake are made anew from it, in a transaction that is rolled back, and compared row by
row; those that only grow have a seal for each publication; the decision log is a chain of hashes.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, select, text

from cdm_pipelines.contracts.canonical import Entity, with_state
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub import bulk, review, seals
from cdm_pipelines.hub.places import FORGOTTEN
from cdm_pipelines.hub.publish import compare, published_from, published_rows
from cdm_pipelines.hub.published import published
from cdm_pipelines.hub.schema_ops import linkage_model
from cdm_pipelines.hub.search_index import count_different
from cdm_pipelines.hub.source_days import known_days
from cdm_pipelines.identity.registry import REGISTRY_SCHEMA, golden_ids
from cdm_pipelines.linkage import LinkageError, LinkageModel
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.customers.publication import Rules, made_from_now, stage_customers
from cdm_pipelines.steps.operate.backup import check_file
from cdm_pipelines.steps.operate.finding import Finding
from cdm_pipelines.steps.stewardship.decisions import told_since, verify_log
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.damage import Fault
from cdm_pipelines.store.lake import DamagedError, Lake

_RESTORE = "Restore the last good backup: `cdm restore FROM`"
_REBUILD = "`cdm run --rebuild` makes it anew from the lake."
_FATES = text(
    """SELECT count(*) FROM identity.golden_id i LEFT JOIN (
           SELECT DISTINCT ON (golden_id) golden_id, event FROM identity.event
           ORDER BY golden_id, publication_id DESC) e USING (golden_id)
       WHERE i.status IS DISTINCT FROM CASE e.event WHEN 'merged' THEN 'alias' WHEN 'retired' THEN 'retired'
                                                    ELSE 'current' END
          OR (i.status = 'alias') IS DISTINCT FROM (i.alias_of IS NOT NULL)"""
)
_VERSIONS = text(
    """SELECT count(*) FROM golden.customer_version v
       LEFT JOIN golden.customer c USING (golden_id) LEFT JOIN ops.publication p USING (publication_id)
       WHERE c.golden_id IS NULL OR p.published_at IS DISTINCT FROM v.valid_from"""
)
_DAYS = ("raw", "valid", "quarantine", "repairs")


def verify(
    connection: Connection,
    settings: Settings,
    *,
    thorough: bool = True,
    progress: Callable[[str], None] = lambda _: None,
    today: dt.date | None = None,
) -> list[Finding]:
    """Compare everything that is kept with what it should be.

    Args:
        connection: Of a migrated hub, in a transaction that the caller rolls back.
        settings: Of the deployment.
        thorough: Whether to make the hub's tables anew from the lake, which takes as long as a full publication.
        progress: Told what is going on.
        today: The day for which set values hold; today in UTC when left out.
    """
    lake = Lake(settings.lake_url)
    progress("comparing the lake's files with their checksums")
    found = [*_files(lake), *_days(connection, lake)]
    progress("comparing the hub's tables with their seals")
    found += [*_rows(connection), _ids(connection), *_seals(connection), _chain(connection)]
    if thorough:
        whole = all(one.well for one in found if one.what.startswith("lake "))
        progress("making the hub's tables anew from the lake")
        found += _against_lake(connection, lake, settings, today) if whole else [_NOT_COMPARED]
    return found


_NOT_COMPARED = Finding(
    "hub against lake",
    False,
    "not compared, since the lake is not whole",
    "Mend the lake, then verify again.",
)


def _files(lake: Lake) -> Iterator[Finding]:
    """Every file with its checksum, by the folder at the top."""
    counted: Counter[str] = Counter()
    for path in lake.stamps():
        layer = f"lake {PurePosixPath(path).parts[0]}"
        try:
            check_file(lake, path)
            counted[layer] += 1
        except DamagedError as damaged:
            yield _damaged(layer, damaged)
    for one in with_state():
        yield from _layered(lake, one.entity)
    for path in _expected(lake):
        if not lake.exists(path):
            yield _damaged(f"lake {PurePosixPath(path).parts[0]}", lake.damaged(path, Fault.MISSING))
    for layer, number in sorted(counted.items()):
        yield Finding(layer, True, f"{number:,} files are what was written")


def _layered(lake: Lake, entity: Entity) -> Iterator[Finding]:
    """Tables of which a part may be missing."""
    known = [tables.records(lake, entity)]
    if entity is Entity.PARTY:
        known += [tables.matches(lake), tables.clusters(lake)]
    for table in known:
        damaged = table.fault()
        if damaged is not None and not lake.exists(damaged.path):  # others were found already
            yield _damaged(f"lake {PurePosixPath(damaged.path).parts[0]}", damaged)


def _expected(lake: Lake) -> Iterator[str]:
    """Files that belong to others which are there."""
    yield from (
        layout.made_path(one.entity) for one in with_state() if tables.records(lake, one.entity).exists
    )
    if tables.clusters(lake).exists:
        yield from (layout.linked_path(), layout.HEALTH)
    for kind in PartyKind:
        if lake.exists(layout.link_state_path(kind)):
            yield from (layout.model_path(kind), layout.plan_path(kind))


def _damaged(layer: str, damaged: DamagedError) -> Finding:
    fix = str(damaged).partition(f" {damaged.fault}. ")[2]
    return Finding(layer, False, f"{damaged.path} {damaged.fault}", fix)


def _days(connection: Connection, lake: Lake) -> Iterator[Finding]:
    """Days of which a layer is missing.

    One that has been landed and no more has only begun, and one that a check refused is not standardised: so days of
    the standard layer are held against those that customers were made from.
    """
    behind = known_days(connection)
    for contract in all_contracts():
        days = {layer: set(layout.days(lake, layer, contract)) for layer in _DAYS}
        standard = {entity: set(layout.standard_days(lake, contract, entity)) for entity in contract.entities}
        checked = set().union(*(days[layer] for layer in _DAYS[1:]), *standard.values())
        missing = [(layer, day) for layer in _DAYS for day in checked - days[layer]]
        missing += [
            ("standard", one.date)
            for one in behind
            if (one.source, one.entity) == (contract.source, contract.entity)
            and any(str(entity) == one.holds and one.date not in there for entity, there in standard.items())
        ]
        for layer, day in sorted(set(missing)):
            yield Finding(
                f"lake {layer}",
                False,
                f"{layer}/{contract.source}/{contract.entity} has no {day}, which there should be",
                f"Make it anew from landing: `cdm run --date {day} --source {contract.source}`.",
            )


def _rows(connection: Connection) -> Iterator[Finding]:
    """Rows of each published table against the number that was noted with the version."""
    for known in published().values():
        there = int(connection.scalar(text(f"SELECT count(*) FROM {known.table}")) or 0)  # noqa: S608 - our own name
        noted = published_rows(connection, known.table)
        well = there == noted
        finding = f"{there:,} rows" if well else f"{there:,} rows, and {noted:,} were published"
        yield Finding(str(known.table), well, finding, "" if well else _REBUILD)


def _ids(connection: Connection) -> Finding:
    """Golden ids against the records that founded them, and against what happened to them."""
    registry = bulk.read_registry(connection, REGISTRY_SCHEMA)
    registry = registry.filter(
        pc.invert(pc.starts_with(registry["record_id"], FORGOTTEN))
    )  # erased: nobody knows
    founders = registry.select(["generation", "source", "entity", "record_id"])
    names = pc.binary_join_element_wise(*(column.cast(pa.string()) for column in founders.columns), "|")
    made = golden_ids(names.combine_chunks())
    wrong = registry.num_rows - int(
        pc.sum(pc.equal(made, registry["golden_id"].combine_chunks())).as_py() or 0
    )
    wrong += int(connection.scalar(_FATES) or 0)
    finding = (
        f"{wrong:,} are not what their founding record or their last event says"
        if wrong
        else "follow from records and events"
    )
    return Finding("identity.golden_id", not wrong, finding, f"{_RESTORE}." if wrong else "")


def _seals(connection: Connection) -> Iterator[Finding]:
    broken = list(seals.broken(connection))
    for sentence in broken:
        yield Finding(sentence.split(" ", 1)[0].rstrip(":"), False, sentence, f"{_RESTORE}.")
    if not broken:
        yield Finding("history, events, feed", True, "are what publications wrote")
    models = list(connection.execute(select(linkage_model)))
    bad = [one.kind for one in models if not _is_model(one.model, one.fingerprint)]
    finding = f"{len(models):,} models are what was fitted"
    if bad:
        finding = f"models of {', '.join(sorted(set(bad)))} are not what was fitted"
    yield Finding("ops.linkage_model", not bad, finding, f"{_RESTORE}." if bad else "")
    unlike = int(connection.scalar(_VERSIONS) or 0)
    finding = f"{unlike:,} rows name a customer or a publication that is not there" if unlike else "in order"
    yield Finding("golden.customer_version", not unlike, finding, f"{_RESTORE}." if unlike else "")


def _is_model(content: str, fingerprint: str) -> bool:
    try:
        return LinkageModel.from_json(content).fingerprint == fingerprint
    except LinkageError:
        return False


def _chain(connection: Connection) -> Finding:
    verdict = verify_log(connection)
    if verdict.faults:
        first = verdict.faults[0]
        finding = f"{len(verdict.faults):,} signs of tampering, the first at decision {first.decision_id}: {first.text}"
        return Finding("ops.decision", False, finding, "`cdm steward verify` tells them all.")
    return Finding("ops.decision", True, f"the chain is whole up to decision {verdict.head.decision_id}")


def _against_lake(
    connection: Connection, lake: Lake, settings: Settings, today: dt.date | None
) -> Iterator[Finding]:
    """Published tables against what the lake makes now; everything is rolled back."""
    rules = Rules.load(settings)
    if not published_from(connection):
        yield Finding("hub against lake", True, "nothing is published yet")
        return
    if published_from(connection) != made_from_now(lake, rules):
        yield Finding(
            "hub against lake", True, "not compared: the lake has changes that are not published yet"
        )
        return
    if why := told_since(connection, today):
        yield Finding("hub against lake", True, f"not compared: {why}")
        return
    with connection.begin_nested() as savepoint:
        staged = stage_customers(connection, lake, settings, rebuild=True)
        stops = [verdict.text for verdict in staged.verdicts.values() if verdict.stops]
        if stops:
            finding = f"the lake makes customers that no audit lets pass: {stops[0]}"
            yield Finding("hub against lake", False, finding, f"{_RESTORE}.")
        else:
            yield from _compared(connection)
        savepoint.rollback()


def _compared(connection: Connection) -> Iterator[Finding]:
    different = compare(connection)
    for name, known in published().items():
        kinds = different.get(name, {})
        words = {"inserted": "are missing", "updated": "have other values", "deleted": "are too many"}
        finding = ", ".join(f"{kinds[kind]:,} rows {says}" for kind, says in words.items() if kind in kinds)
        yield Finding(f"{known.table} against lake", not kinds, finding or "equal", _REBUILD if kinds else "")
    links = review.count_different_links(connection)
    yield Finding(
        "golden.customer_link against lake",
        not links,
        f"{links:,} rows differ" if links else "equal",
        _REBUILD if links else "",
    )
    found = count_different(connection)
    yield Finding(
        "golden.search",
        not found,
        f"{found:,} customers are found by something else" if found else "equal",
        f"{_RESTORE}." if found else "",
    )
