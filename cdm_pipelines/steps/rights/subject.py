"""Who is meant: from what a person writes to everything that names them.

Belongs here: resolving a golden id, an alias or a source record to all records and ids of a person. Does not belong
here: what is known of them (``collected``), doing something about it.
"""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, select

from cdm_pipelines.hub import golden_ids
from cdm_pipelines.hub.persons import persons_of
from cdm_pipelines.hub.published import customers_of, published
from cdm_pipelines.hub.schema import golden_id
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.privacy import log
from cdm_pipelines.privacy.tombstones import Kind, Tombstones, of_record
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Register, Stores, search

_LAYERS = ("raw", "valid", "quarantine", "standard")


class RightsError(ValueError):
    """A request that cannot be handled; the message says why and what to do."""


class ErasedError(RightsError):
    """Who is meant was erased."""


class UnknownError(RightsError):
    """Nobody is known by that name."""


def named(settings: Settings, connection: Connection, *names: str) -> Persons:
    """Persons of a deployment, as :func:`resolve` finds them.

    Raises:
        ErasedError, UnknownError: As there.
    """
    lake = Lake(settings.lake_url)
    stones = log.tombstones(settings.home, lake)
    return resolve(Stores(lake, connection), partial(all_places, settings), stones, *names)


def resolve(stores: Stores, register: Callable[[], Register], stones: Tombstones, *names: str) -> Persons:
    """Persons by golden id (an alias too), or by any of their source records as ``source/entity/record_id``.

    Args:
        stores: The lake, and a connection to a migrated hub.
        register: Gives all places; asked for a source record that is no customer's.
        stones: Of those who were erased.
        names: What was asked for.

    Raises:
        ErasedError: One of the persons was erased.
        UnknownError: Nobody is known by one of the names.
    """
    ids: list[UUID] = []
    alone: list[Record] = []
    for name in names:
        meant = _meant(stores, register, stones, name)
        if isinstance(meant, Record):
            alone.append(meant)
        else:
            ids.append(meant)
    known = persons_of(stores.connection, ids)
    return Persons.of([*known.keys, *alone], known.golden_ids)


def _meant(stores: Stores, register: Callable[[], Register], stones: Tombstones, name: str) -> UUID | Record:
    """A golden id; or a source record that is no customer's yet."""
    record = Record.parse(name)
    if record is not None:
        _refuse_erased(stones, Kind.RECORD, of_record(*record))
        return _by_record(stores, register, record)
    try:
        asked = golden_ids.meant(stores.connection, name)
    except LookupError as error:
        raise UnknownError(str(error)) from None
    if asked is None:
        raise UnknownError(
            "Name a customer by golden id, or by a source record as source/entity/record_id; `cdm customer` finds both."
        )
    _refuse_erased(stones, Kind.GOLDEN, str(asked))
    known = select(golden_id.c.status).where(golden_id.c.golden_id == asked)
    if stores.connection.scalar(known) is None:
        raise UnknownError(f"There is no golden id {asked}.")
    return asked


def _refuse_erased(stones: Tombstones, kind: Kind, text: str) -> None:
    request = stones.request_of(kind, text)
    if request is not None:
        raise ErasedError(
            f"That customer was erased, by request {request}: `cdm privacy certificate {request}` shows what was done. "
            "There is nothing left."
        )


def _by_record(stores: Stores, register: Callable[[], Register], record: Record) -> UUID | Record:
    owner = _owner(stores.connection, record)
    if owner is not None:
        return owner
    alone = Persons.of([record])
    own = [
        place
        for place in register()
        if place.name.split("/")[0] in _LAYERS
        and place.name.split("/")[1:3] == [record.source, record.entity]
    ]
    if not own or next(search(own, stores, alone), None) is None:
        raise UnknownError(f"There is no source record {record}, in the published customers or in the lake.")
    return record


def _owner(connection: Connection, record: Record) -> UUID | None:
    """The golden id of whoever has a record, whatever it is of."""
    for table in published().values():
        if set(RECORD_KEY) <= set(table.key):
            of = customers_of(table.name).subquery().c
            where = [of[name] == value for name, value in zip(RECORD_KEY, record, strict=True)]
            found = connection.scalar(select(of.golden_id).where(*where).limit(1))
            if found is not None:
                return UUID(str(found))
    return None
