"""Erasures that a backup does not know are done again when it is restored, before anybody reads.

Belongs here: finding the persons in what was restored, and erasing them once more. Does not belong here: restoring
(steps.operate.restore), the erasure itself (``erasure``).

The log of erasures lies under ``CDM_HOME`` and beside every backup, and no restore takes it away. It holds digests
alone: so the keys of all records that were restored are digested, and those that hit are of erased persons.
"""

from collections.abc import Iterator
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Engine, func, select, text

from cdm_pipelines.contracts.actor import PIPELINE
from cdm_pipelines.contracts.canonical import with_state
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import rights as hub
from cdm_pipelines.hub.published import published
from cdm_pipelines.hub.schema import golden_id
from cdm_pipelines.hub.schema_rights import request
from cdm_pipelines.privacy import backups, log
from cdm_pipelines.privacy.certificate import Certificate
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.privacy.tombstones import Kind, Tombstones, records
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.backup import Backup
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.rights.collected import Collected, collect
from cdm_pipelines.steps.rights.erasure import Progress, begin, resume
from cdm_pipelines.steps.rights.requests import Receipt
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.file_store import FileStore
from cdm_pipelines.store.keyring import Keyring
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.places import record_ids
from cdm_pipelines.store.register import Persons, Stores

_REASON = "erased before, and brought back by a backup that was restored"


def replay(
    settings: Settings, engine: Engine, backup: Backup, progress: Progress = lambda _: None
) -> list[Certificate]:
    """Erase once more whoever was erased since a backup was made.

    Args:
        settings: Of the deployment.
        engine: Of its hub, restored and migrated.
        backup: The backup: beside it is the log of another machine, and it still holds them.
        progress: Told what is going on.

    Raises:
        KeyringError: The log of erasures or a key is missing.
    """
    backups.note(settings.home, backup.place.url, backup.manifest.made_at, made_here=False)
    backups.take_over(settings.home, backup.place.url)
    lake, known = Lake(settings.lake_url), log.erasures(settings.home)
    if not known:
        return []
    log.note_in(lake, known)
    log.tombstones(settings.home, lake)  # says so where a key is missing
    asked = (
        one for one in known if not one.by_rule
    )  # retention finds again what is overdue, and whoever came back
    stones, register = Tombstones(log.every(asked), Keyring.of(settings.home)), all_places(settings)
    with engine.begin() as connection:
        hub.wait_for_turn(connection)
        _count_on(connection, max(one.request for one in known))
        persons = _not_begun(connection, _erased_before(connection, lake, stones))
        if persons.keys or persons.golden_ids:
            progress("erasing once more who was erased since the backup was made")
            stores = Stores(lake, connection, FileStore(settings.landing_url))
            collected = collect(stores, register, all_contracts(), persons, Vault.of(settings, lake))
            begin(
                connection, lake, collected, Receipt.now(settings), checked_by=PIPELINE.name, reason=_REASON
            )
    return resume(settings, engine, PIPELINE, patience=None, progress=progress)


def _count_on(connection: Connection, last: int) -> None:
    """Have requests numbered behind those that the log knows."""
    newest = int(connection.scalar(select(func.coalesce(func.max(request.c.request_id), 0))) or 0)
    connection.execute(
        text("SELECT setval(pg_get_serial_sequence('privacy.request', 'request_id'), :number)"),
        {"number": max(newest, last)},
    )


def _erased_before(connection: Connection, lake: Lake, stones: Tombstones) -> Persons:
    """Records and golden ids in what was restored that are of erased persons."""
    keys = {key for table in _all_keys(connection, lake) for key in _hit(table, stones)}
    ids = pa.array([str(one) for one in connection.scalars(select(golden_id.c.golden_id))], pa.string())
    founders = select(golden_id.c.golden_id).where(golden_id.c.record_id.like("erased-%"))
    done = set(connection.scalars(founders))
    hit = ids.filter(stones.hits(Kind.GOLDEN, ids)).to_pylist()
    return Persons.of(keys, {one for one in map(UUID, hit) if one not in done})


def _not_begun(connection: Connection, persons: Persons) -> Persons:
    """Those whom no open request is about: a restore that was cut short goes on with the one that it began."""
    begun = [Collected.of_json(one.subject).persons for one in hub.requests(connection) if one.subject]
    keys = persons.keys.difference(*(one.keys for one in begun))
    return Persons.of(keys, persons.golden_ids.difference(*(one.golden_ids for one in begun)))


def _all_keys(connection: Connection, lake: Lake) -> Iterator[pa.Table]:
    for known in published().values():
        if set(RECORD_KEY) <= set(known.key):
            rows = connection.execute(select(*(known.table.c[name] for name in RECORD_KEY))).all()
            columns = list(zip(*rows, strict=True)) or [()] * len(RECORD_KEY)
            yield pa.table([pa.array(one, pa.string()) for one in columns], names=list(RECORD_KEY))
    for declared in with_state():
        state = tables.records(lake, declared.entity)
        if state.exists:
            yield state.read(list(RECORD_KEY))
    for contract in all_contracts():  # of who was erased by a record that was never accepted
        for day in layout.days(lake, "quarantine", contract):
            for ids in record_ids(lake.read(layout.quarantine_path(contract, day)), contract):
                own = ids.drop_null()
                named = [pa.repeat(pa.scalar(one), len(own)) for one in (contract.source, contract.entity)]
                yield pa.table([*named, own], names=list(RECORD_KEY))


def _hit(table: pa.Table, stones: Tombstones) -> Iterator[tuple[str, str, str]]:
    """Keys of a table that are an erased person's, source entity by source entity."""
    pairs = table.group_by(["source", "entity"]).aggregate([]).to_pylist()
    for pair in pairs:
        own = table.filter(
            pc.and_(pc.equal(table["source"], pair["source"]), pc.equal(table["entity"], pair["entity"]))
        )
        theirs = stones.hits(Kind.RECORD, records(pair["source"], pair["entity"], own["record_id"]))
        yield from (
            (pair["source"], pair["entity"], one) for one in own["record_id"].filter(theirs).to_pylist()
        )
