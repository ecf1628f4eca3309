"""What has to be known of persons before they are erased: what to look for after, and what keeps them out.

Belongs here: their telling values that nobody else has, the keys of their tombstones, what the law has kept. Does not
belong here: erasing (``erasure``), how values are looked for (privacy.traces).

All of it is read from what is about to go, once, and written down with the request until the request is done.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Row, Table, select

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, declaration
from cdm_pipelines.hub.published import published_table
from cdm_pipelines.hub.schema import customer
from cdm_pipelines.hub.schema_ops import linkage_model
from cdm_pipelines.parallel import in_order
from cdm_pipelines.privacy.policy import Hold
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.privacy.tombstones import (
    PERSONAL,
    Key,
    Kind,
    PartyKeys,
    of_number,
    of_record,
    person_keys,
    together,
)
from cdm_pipelines.privacy.traces import Traces, as_looked_for, names_somebody, telling, texts_of
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.categories import is_personal
from cdm_pipelines.store.cipher import Cipher
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered
from cdm_pipelines.store.register import Found, Persons, Place, Register, Stores
from cdm_pipelines.store.removal import paths_of

_BATCH = 100_000
_MANY = 0.1
_AS_DELIVERED, _STANDARD = "raw/", "standard/"
_NEAR = (("email",), ("phone", "mobile"), ("postcode",))
"""Columns of a party of which one is equal, whichever of them, where a personal key of a tombstone is."""
_COMPARED = (
    "given_name",
    "initials",
    "surname",
    "organisation_name",
    "birth_date",
    *(n for one in _NEAR for n in one),
)


@dataclass(frozen=True)
class Collected:
    """What has to be known of persons.

    Attributes:
        persons: Who they are.
        values: Telling values that nobody else has, in small letters.
        keys: Of their tombstones, in clear.
    """

    persons: Persons
    values: tuple[str, ...]
    keys: tuple[Key, ...]

    @property
    def as_json(self) -> dict[str, Any]:
        """As it is written down with an open request."""
        return {
            "golden_ids": sorted(map(str, self.persons.golden_ids)),
            "records": sorted(map(list, self.persons.keys)),
            "values": list(self.values),
            "keys": [[str(kind), text] for kind, text in self.keys],
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> "Collected":
        """From what was written down."""
        return cls(
            Persons.of(told["records"], [UUID(one) for one in told["golden_ids"]]),
            tuple(told["values"]),
            tuple((Kind(kind), text) for kind, text in told["keys"]),
        )


def collect(
    stores: Stores, register: Register, contracts: Sequence[SourceContract], persons: Persons, vault: Vault
) -> Collected:
    """Read everything about persons that has to be known once they are gone; what is encrypted also in clear."""
    theirs: dict[str, set[tuple[object, object]]] = {}
    values: set[str] = {record for _, _, record in persons.keys}
    parties: list[Mapping[str, Any]] = []

    def found_in(place: Place) -> tuple[Place, list[Found]]:
        return place, list(place.search.find(stores, persons)) if place.search else []

    for place, held_there in in_order(found_in, _read(register)):
        names = {name: category for name, category in place.columns.items() if is_personal(category)}
        for found in held_there:
            rows = theirs.setdefault(found.where, set())
            for row in found.rows:
                rows.add((row["_file"], row["_row"]))
                values.update(
                    row[name]
                    for name, category in names.items()
                    if isinstance(row.get(name), str) and names_somebody(row[name], category)
                )
            if place.name.endswith(f"/{Entity.PARTY}"):
                parties += found.rows
    known = {value.lower() for value in telling(values)}
    exclusive = known - _of_others(stores.lake, register, theirs, known)
    exclusive -= _common(stores, exclusive)
    exclusive |= {value.lower() for value in telling(_in_clear(values, exclusive, vault.cipher))}
    return Collected(
        persons, tuple(sorted(exclusive)), tuple(_keys(stores.lake, contracts, persons, parties, exclusive))
    )


def _in_clear(values: Iterable[str], exclusive: set[str], cipher: Cipher) -> Iterator[str]:
    """What those among some values say that are encrypted and only theirs: it lies in extracts as delivered."""
    for value in values:
        plain = cipher.opened(value)
        if plain != value and not exclusive.isdisjoint(one.lower() for one in telling([value])):
            yield plain


def _read(register: Register) -> Iterator[Place]:
    yield from (place for place in register if place.name.startswith((_AS_DELIVERED, _STANDARD)))


def _of_others(
    lake: Lake, register: Register, theirs: Mapping[str, set[tuple[object, object]]], values: set[str]
) -> set[str]:
    """Those of some values that rows of others hold too, as delivered or standardised."""
    sought, known = Traces(values), set[str]()

    def held_in(path: str) -> set[str]:
        own, traces, found = theirs.get(path, set()), sought, set[str]()
        for table in lake.read_batches(path, _BATCH, coded=True):
            found |= _within(table, own, traces)
            traces = _fewer(traces, found)
        return found

    for found in in_order(
        held_in, (path for place in _read(register) for path in paths_of(lake, place.pattern))
    ):
        known |= found
        sought = _fewer(sought, known)
    return known


def _fewer(traces: Traces, known: set[str]) -> Traces:
    """Without those that are known, where they are so many that it is worth making ready for the others anew."""
    many = len(known.intersection(traces.values)) > _MANY * len(traces.values)
    return traces.without(known) if many else traces


def _common(stores: Stores, values: set[str]) -> set[str]:
    """Those of some values that linkage models count: at least five records had them, and nothing says which."""
    lake, traces = stores.lake, Traces(values)
    texts = [lake.read_json(path) for path in lake.paths(layout.MODELS, ".json")]
    texts += stores.connection.scalars(select(linkage_model.c.model))
    return {value for text in texts for value in traces.in_text(text)}


def _within(table: pa.Table, own: set[tuple[object, object]], traces: Traces) -> set[str]:
    """The values that rows of others hold. Own rows are left out of columns in which there is any, which are few."""
    others = _others(table, own)
    found: set[str] = set()
    for name in table.column_names:
        column = table.select([name])
        held = _held(column, traces)
        if held and others is not None:
            held = _held(column.filter(others), traces)
        found |= held
    return found


def _held(column: pa.Table, traces: Traces) -> set[str]:
    return {value for _, texts in texts_of(column) for value in traces.within(texts)}


def _others(table: pa.Table, own: set[tuple[object, object]]) -> pa.Array | None:
    """Whether each row is of others; None where all are."""
    if not own:
        return None
    near = pc.is_in(table["_row"], value_set=pa.array(sorted({row for _, row in own}), pa.int64()))
    at = np.flatnonzero(near.to_numpy())
    some = table.select(["_file", "_row"]).take(pa.array(at)).to_pylist()
    mine = [place for place, row in zip(at, some, strict=True) if (row["_file"], row["_row"]) in own]
    others = np.ones(table.num_rows, dtype=bool)
    others[mine] = False
    return pa.array(others) if mine else None


def _keys(
    lake: Lake,
    contracts: Sequence[SourceContract],
    persons: Persons,
    parties: Iterable[Mapping[str, Any]],
    exclusive: set[str],
) -> Iterator[Key]:
    """Keys of tombstones, sorted."""
    keys: set[Key] = {(Kind.GOLDEN, str(one)) for one in persons.golden_ids}
    fed = {(one.source, one.entity): one.entities for one in contracts}
    for source, entity, record in persons.keys:
        keys.add((Kind.RECORD, of_record(source, entity, record)))
        entities = fed.get((source, entity), ())
        if Entity.PARTY in entities:
            keys.add((Kind.PARTY, of_number(source, record)))
        if Entity.ORDER in entities:
            keys.add((Kind.ORDER, of_number(source, record)))
    state = tables.records(lake, Entity.PARTY)
    known = [*parties, *(state.rows(persons.records).to_pylist() if state.exists else ())]
    for row in (*known, *together(known)):
        lines = [str(row[name]) for name in ("phone", "mobile") if _looked_for(row.get(name)) in exclusive]
        box = _looked_for(row.get("email")) in exclusive
        keys.update(person_keys(row, own_box=box, own_lines=lines))
    yield from sorted(keys | (_spared(state, persons, known, keys) if state.exists else set()))


def _spared(
    state: Layered, persons: Persons, known: Sequence[Mapping[str, Any]], keys: Collection[Key]
) -> set[Key]:
    """Keys of records of others that the tombstones would keep out: of one name and mailbox, say, since a split.

    Args:
        state: Records of parties.
        persons: Who is erased.
        known: Their records.
        keys: Of their tombstones.
    """
    of_persons = [key for key in keys if key[0] in PERSONAL]
    if not of_persons:
        return set()
    rows = state.read([*RECORD_KEY, *_COMPARED])
    near = np.zeros(rows.num_rows, dtype=bool)
    for columns in _NEAR:
        theirs = {str(row[name]) for row in known for name in columns if row.get(name)}
        for name in columns:
            near |= pc.is_in(rows[name], value_set=pa.array(sorted(theirs), pa.string())).to_numpy()
    rows = rows.filter(pa.array(near))
    found, hit = PartyKeys(rows), set(of_persons)
    of_kind = {kind: found.of(kind) for kind in PERSONAL}
    return {
        (Kind.SPARED, of_record(*record))
        for at, record in enumerate(zip(*(rows[name].to_pylist() for name in RECORD_KEY), strict=True))
        if record not in persons.keys
        and any((kind, key) in hit for kind, own in of_kind.items() for key in own[at])
    }


def _looked_for(value: object) -> str:
    return as_looked_for(str(value)).lower()


def held(
    connection: Connection, holds: Sequence[Hold], golden_ids: Iterable[UUID], today: dt.date
) -> list[dict[str, Any]]:
    """Documents that the law has kept: rows of ``privacy.legal_hold`` without request and number.

    A document counts from its date; one that bears none is kept as if it were of today.
    """
    ids, found = list(golden_ids), []
    for rule in holds:
        table = _table(rule.entity)
        for row in connection.execute(select(table).where(table.c.golden_id.in_(ids))):
            until = rule.until(row._mapping[rule.dated] or today)  # noqa: SLF001 - its public name
            if until > today:
                content = {
                    "document": _plain(row),
                    "rows": {one: _of_order(connection, one, row) for one in rule.with_rows},
                    "party": _party(connection, rule, row.golden_id),
                }
                found.append({"what": rule.entity, "content": content, "reason": rule.reason, "until": until})
    return found


def _of_order(connection: Connection, entity: str, document: Row[Any]) -> list[dict[str, Any]]:
    table = _table(entity)
    if "order_id" not in table.c or document.order_id is None:
        return []
    same = (table.c.source == document.source, table.c.order_id == document.order_id)
    return [_plain(row) for row in connection.execute(select(table).where(*same))]


def _party(connection: Connection, rule: Hold, id_: UUID) -> dict[str, Any]:
    columns = [customer.c[name] for name in rule.with_party]
    row = connection.execute(select(*columns).where(customer.c.golden_id == id_)).first()
    return {} if row is None else _plain(row)


def _table(entity: str) -> Table:
    return published_table(declaration(Entity(entity)).table_name).table


def _plain(row: Row[Any]) -> dict[str, Any]:
    return {name: None if value is None else str(value) for name, value in row._mapping.items()}  # noqa: SLF001 - its public name
