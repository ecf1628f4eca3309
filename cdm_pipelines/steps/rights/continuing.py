"""The run after an erasure works on from the published version, not from nothing.

Belongs here: before an erasure, from where the next run could go on, and whom the erasure may concern beside the
erased; after it, saying both. Does not belong here: erasing (``erasure``), working through changes (steps.customers).

An erasure takes the same rows from the lake and from what is published. So the published version, where it was made of
the lake as it is, is afterwards what a run would make of the lake that is left, but for customers who had something in
common with the erased: an address or phone (whose interactions and statements are), an employer, a document of theirs
that has expired. Their records count as changed. Who merely lived with them does not: what follows from others' rows is
worked out for everybody anyway.

So it is with the current state of records, where it was made of the days as they were: the next run need not go through
all days to come to what is there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, select

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, with_state
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub.continuing import made_from_instead
from cdm_pipelines.hub.publish import published_from
from cdm_pipelines.hub.published import published
from cdm_pipelines.hub.schema import crosswalk, customer
from cdm_pipelines.hub.table_places import records_of
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.customers.affected import employed_by, versions
from cdm_pipelines.steps.customers.read_models import version
from cdm_pipelines.steps.days.records import is_up_to_date, made_of_what_is_left
from cdm_pipelines.steps.profile.enrich import policy_of
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY, having
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons

STEP = "published version"
HOW = "said to be made of what is left, so that the next run goes on from it"
_MADE_FROM, _NEAR, _STATES = "made_from", "near", "states"
_EMAIL, _PHONES = ("email",), ("phone", "mobile")
_MOST = 0.1  # of the records; where more are concerned the next run works through everybody


def noted(
    connection: Connection, lake: Lake, persons: Persons, contracts: Sequence[SourceContract]
) -> dict[str, Any]:
    """What has to be known before persons are erased, to be kept with the request.

    Args:
        connection: To a migrated hub.
        lake: The lake.
        persons: Who will be erased.
        contracts: Of all sources; none where whole days go too, after which records are of other days.
    """
    made_from, now = published_from(connection), _versions(lake)
    parties = tables.records(lake, Entity.PARTY)
    if not parties.exists:
        return {}
    near = _near(connection, lake, persons)
    if near.num_rows > _MOST * parties.read(["record_id"]).num_rows:
        return {}
    return {
        _MADE_FROM: {name: mark for name, mark in now.items() if made_from.get(name) == mark},
        _NEAR: [list(row.values()) for row in near.to_pylist()],
        _STATES: [str(one.entity) for one in with_state() if is_up_to_date(lake, contracts, one.entity)],
    }


def hand_on(
    settings: Settings,
    connection: Connection,
    lake: Lake,
    told: Mapping[str, Any],
    persons: Persons,
) -> None:
    """Have the next run go on from the published version, of which the persons were erased; may be done twice.

    Args:
        settings: Where policies are.
        connection: In a transaction.
        lake: The lake, of which they were erased too.
        told: What was noted before.
        persons: Who they are.
    """
    before, now = published_from(connection), _versions(lake)
    noted_then = told.get(_MADE_FROM, {})
    moved = {name: now[name] for name, mark in noted_then.items() if name in now and before.get(name) == mark}
    own = [name for name, one in policy_of(settings).chosen.items() if one.enricher.neighbours is None]
    made_from_instead(connection, moved, own)
    near = Persons.of(told.get(_NEAR, ())).records
    if Entity.PARTY in moved and near.num_rows:
        parties = tables.records(lake, Entity.PARTY)
        parties.update(parties.rows(near))
    for name in told.get(_STATES, ()):  # after the parties, whose version those of others are made of
        made_of_what_is_left(lake, all_contracts(), Entity(name), persons.records)


def _versions(lake: Lake) -> dict[str, str]:
    return {**versions(lake), **version(lake)}


def _near(connection: Connection, lake: Lake, persons: Persons) -> pa.Table:
    """Keys of party records, of others, that have something in common with the persons."""
    parties = tables.records(lake, Entity.PARTY)
    own = parties.rows(persons.records)
    everyone = parties.read([*RECORD_KEY, *_EMAIL, *_PHONES, "party_kind", "employer_id"])
    shares: pa.Array | pa.ChunkedArray = pa.repeat(pa.scalar(False), everyone.num_rows)
    of_customers = [pa.table({name: pa.array([], pa.string()) for name in RECORD_KEY})]
    for names in (_EMAIL, _PHONES):
        values = _values(connection, own, persons, names)
        for name in names if len(values) else ():
            shares = pc.or_(shares, pc.is_in(everyone[name], value_set=values, skip_nulls=True))
        of_customers.append(_records_of_those_with(connection, names, values))
    organisations = own.filter(pc.equal(own["party_kind"], "organisation")).select(RECORD_KEY)
    found = pa.concat_tables(
        [
            everyone.filter(shares).select(RECORD_KEY),
            employed_by(everyone, organisations),
            _records_of_owners(connection, persons),
            *of_customers,
        ]
    )
    keys = found.filter(pc.invert(having(found, persons.records, RECORD_KEY)))
    return keys.group_by(list(RECORD_KEY)).aggregate([]).sort_by([(name, "ascending") for name in RECORD_KEY])


def _values(connection: Connection, own: pa.Table, persons: Persons, names: tuple[str, ...]) -> pa.Array:
    """What the persons were reached by: as their records have it, and as a steward set it."""
    golden = connection.execute(
        select(*(customer.c[name] for name in names)).where(customer.c.golden_id.in_(persons.golden_ids))
    )
    set_ = [value for row in golden for value in row if value is not None]
    of_records = [chunk for name in names for chunk in own[name].chunks]
    return pa.chunked_array([*of_records, pa.array(set_, pa.string())], pa.string()).unique().drop_null()


def _records_of_those_with(connection: Connection, names: tuple[str, ...], values: pa.Array) -> pa.Table:
    """Keys of the records of customers that have one of some values, by whomever it was said."""
    has = [customer.c[name].in_(values.to_pylist()) for name in names]
    ids = {
        id_ for condition in has for id_ in connection.scalars(select(customer.c.golden_id).where(condition))
    }
    return _records_of(connection, ids)


def _records_of_owners(connection: Connection, persons: Persons) -> pa.Table:
    """Keys of the records of customers who stay, and of whom a document is erased, with what belongs to it."""
    ids = set()
    for table in (one.table for one in published().values()):
        if {"golden_id", *RECORD_KEY} <= {column.name for column in table.columns}:
            ids |= set(connection.scalars(select(table.c.golden_id).where(records_of(table)(persons))))
    return _records_of(connection, ids - {None, *persons.golden_ids})


def _records_of(connection: Connection, ids: set[Any]) -> pa.Table:
    keys = select(*(crosswalk.c[name] for name in RECORD_KEY)).where(crosswalk.c.golden_id.in_(ids))
    return Persons.of([tuple(row) for row in connection.execute(keys)]).records


__all__ = ["HOW", "STEP", "hand_on", "noted"]
