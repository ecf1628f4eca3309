"""The places of this room: what is counted of the days of interactions.

Belongs here: declarations, and which counted rows are a person's. Does not belong here: counting (``interactions``),
the tables of the profile.

A counted row names a person as the interaction did: by a number of the source, an order, an address, a phone, or by a
device alone. A device is a person's when nobody else was identified with it; rows of one that several share are
nobody's.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.enrichment.interactions import DAY_SCHEMA, EVIDENCE
from cdm_pipelines.enrichment.tokens import eras_from_json
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.keys import RECORD_KEY, having
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.places import RECORD, canonical_columns
from cdm_pipelines.store.register import (
    IDENTIFIER,
    OPERATIONS,
    Anew,
    Found,
    Keeps,
    Kept,
    Kind,
    Persons,
    Place,
    Retention,
    Root,
    Rows,
    Search,
    Stores,
    Whom,
)
from cdm_pipelines.store.removal import Test, arrow_rows, by_columns, paths_of, thrown_away, without_rows

_BATCH = 100_000
_DAYS = f"{layout.INTERACTIONS}/{{source}}/{{entity}}/{{date}}.parquet"
_IDS = f"{layout.INTERACTION_IDS}/{{source}}/{{entity}}/{{date}}.parquet"
_COLUMNS = {
    "token": "user.device.cookie_id",
    "party_id": IDENTIFIER,
    "order_id": "user.behavior.purchase_history",
    "party_email": "user.contact.email",
    "party_phone": "user.contact.phone_number",
    "subject": "user.content",
    "outcome": "user.behavior",
    "thread_id": "user.behavior",
}
_OF_NOBODY = {"source", "entity", "extract_date", "segment"}


def places() -> Iterator[Place]:
    """The places of every source that delivers interactions."""
    yield Place(
        name="profile/interactions",
        kind=Kind.LAKE_TABLE,
        root=Root.LAKE,
        pattern=_DAYS,
        description="Interactions of a day, counted: how often, and first and last when, by what they named.",
        whom=(Whom.CUSTOMERS,),
        columns={
            name: OPERATIONS if name in _OF_NOBODY else _COLUMNS.get(name, "user.behavior")
            for name in DAY_SCHEMA.names
        },
        kept=Retention(Keeps.AS_SOURCE, "counted anew when the day is run again"),
        search=Search(
            "what the interaction named: a record, an order, an address, a phone, or a device", _find
        ),
        erasure=Rows(_remove, "files written anew without their rows"),
        absent=True,
    )
    yield Place(
        name="profile/interaction_ids",
        kind=Kind.LAKE_TABLE,
        root=Root.LAKE,
        pattern=_IDS,
        description="Which interactions a day delivered: 64 bits of a digest of each id, so that one that several days "
        "deliver counts once.",
        columns={"id": OPERATIONS},
        kept=Retention(Keeps.AS_SOURCE, "written anew when the day is run again"),
        erasure=Kept("a part of a digest of a number of an event, beside nothing else: it tells of nobody"),
        absent=True,
    )
    search, erasure = _whole(layout.FORMER_PARTIES, "`records/party`")
    yield Place(
        name="profile/parties",
        kind=Kind.LAKE_TABLE,
        root=Root.LAKE,
        pattern=layout.FORMER_PARTIES,
        description="By which addresses and phones party records were known in the published version: whose "
        "interactions were, where they are another's now.",
        whom=(Whom.CUSTOMERS, Whom.CONTACTS),
        columns=RECORD
        | {name: canonical_columns(Entity.PARTY)[name] for name in ("email", "phone", "mobile")},
        key=tuple(RECORD),
        kept=Retention(Keeps.REPLACED, "by each publication that changes a party record"),
        search=search,
        erasure=erasure,
        absent=True,
    )
    yield Place(
        name="profile/interactions.made",
        kind=Kind.DOCUMENT,
        root=Root.LAKE,
        pattern=f"{layout.INTERACTIONS}/{{source}}/{{entity}}.made.json",
        description="Which days were counted: fingerprints and numbers.",
        kept=Retention(Keeps.REPLACED, "by each run of customers"),
        erasure=Kept("names no record and holds no value"),
    )
    yield Place(
        name="profile/interactions.rules",
        kind=Kind.DOCUMENT,
        root=Root.LAKE,
        pattern=layout.INTERACTION_RULES,
        description="By which rules interactions of which days are attached.",
        kept=Retention(Keeps.REPLACED, "by each run of customers"),
        erasure=Kept("names no record and holds no value"),
    )
    yield Place(
        name="profile/figures",
        kind=Kind.DOCUMENT,
        root=Root.LAKE,
        pattern=layout.profile_figures_path("{enricher}"),
        description="Figures and pictures of everybody that an enricher worked on: counts and rates.",
        kept=Retention(Keeps.REPLACED, "by each run that works on everybody"),
        erasure=Kept("names no record and holds no value"),
    )


def _whole(path: str, of: str) -> tuple[Search, Anew]:
    """Search and erasure of an Arrow file that is thrown away whole."""
    search = arrow_rows(path, by_columns(tuple(RECORD)))
    return search, thrown_away(search, of, path)


@dataclass(frozen=True)
class _Named:
    """What names some persons: their numbers with the source, and their orders, addresses and phones."""

    numbers: pa.Table
    orders: pa.Table
    emails: pa.Array
    phones: pa.Array

    def says(self, rows: pa.Table) -> pa.ChunkedArray:
        """Whether rows name one of the persons."""
        return pc.or_(
            pc.or_(
                having(rows, self.numbers, ("source", "record_id"), ("source", "party_id")),
                having(rows, self.orders, ("source", "order_id")),
            ),
            pc.or_(
                pc.is_in(rows["party_email"], value_set=self.emails, skip_nulls=True),
                pc.is_in(rows["party_phone"], value_set=self.phones, skip_nulls=True),
            ),
        )


def _named(lake: Lake, persons: Persons) -> _Named:
    """What names persons, by what is known of their records."""
    parties = _records(lake, Entity.PARTY, persons, ["email", "phone", "mobile"])
    orders = _records(lake, Entity.ORDER, persons, ["order_id"])
    phones = pa.chunked_array([*parties["phone"].chunks, *parties["mobile"].chunks], pa.string())
    return _Named(
        _as_named(lake, parties, "record_id"),
        _as_named(lake, orders, "order_id"),
        parties["email"].combine_chunks().drop_null(),
        phones.combine_chunks().drop_null(),
    )


def _as_named(lake: Lake, records: pa.Table, number: str) -> pa.Table:
    """Numbers by the sources that name them: their own, and those of which the rules say so."""
    found = [records.select(["source", number])]
    kept = (
        json.loads(lake.read_json(layout.INTERACTION_RULES)) if lake.exists(layout.INTERACTION_RULES) else {}
    )
    for era in eras_from_json(kept.get("eras", [])):
        for said_by, sources in era.rules.numbers_of.items():
            rows = records.filter(pc.is_in(records["source"], value_set=pa.array(sources, pa.string())))
            saying = pa.repeat(pa.scalar(said_by, pa.string()), rows.num_rows)
            found.append(pa.table({"source": saying, number: rows[number]}))
    return pa.concat_tables(found)


def _records(lake: Lake, entity: Entity, persons: Persons, columns: list[str]) -> pa.Table:
    table = tables.records(lake, entity)
    if not table.exists:
        return pa.table({name: pa.array([], pa.string()) for name in (*RECORD_KEY, *columns)})
    state = table.read([*RECORD_KEY, *columns])
    return state.filter(having(state, persons.records, RECORD_KEY))


def _devices(lake: Lake, paths: list[str], named: _Named) -> pa.Table:
    """Devices with which the persons were identified, and nobody else: ``source`` and ``token``."""
    theirs, others = [], []
    for path in paths:
        for rows in lake.read_batches(path, _BATCH, ["source", "token", *EVIDENCE]):
            silent = _silent(rows)
            say = named.says(rows)
            theirs.append(rows.filter(say).select(["source", "token"]))
            others.append(rows.filter(pc.invert(pc.or_(say, silent))).select(["source", "token"]))
    empty = pa.table({name: pa.array([], pa.string()) for name in ("source", "token")})
    own = pa.concat_tables([empty, *theirs]).group_by(["source", "token"]).aggregate([])
    own = own.filter(pc.is_valid(own["token"]))
    return own.filter(pc.invert(having(own, pa.concat_tables([empty, *others]), ("source", "token"))))


def _silent(rows: pa.Table) -> pa.ChunkedArray:
    """Whether rows name nobody."""
    return pc.is_null(pc.coalesce(*(rows[name] for name in EVIDENCE)))


def _on(devices: pa.Table) -> Test:
    """The test for rows that name nobody and are of some devices."""

    def test(rows: pa.Table) -> pa.ChunkedArray:
        return pc.and_(_silent(rows), having(rows, devices, ("source", "token")))

    return test


def _find(stores: Stores, persons: Persons) -> Iterator[Found]:
    paths = paths_of(stores.lake, _DAYS)
    if not paths:
        return
    named = _named(stores.lake, persons)
    on = _on(_devices(stores.lake, paths, named))
    for path in paths:
        found = [
            row
            for rows in stores.lake.read_batches(path, _BATCH)
            for row in rows.filter(pc.or_(named.says(rows), on(rows))).to_pylist()
        ]
        yield Found(path, found)


def _remove(stores: Stores, persons: Persons) -> int:
    """Take out rows of the persons: those that name nobody first, for they are found by those that do."""
    paths = paths_of(stores.lake, _DAYS)
    if not paths:
        return 0
    named = _named(stores.lake, persons)
    on = _on(_devices(stores.lake, paths, named))
    return sum(without_rows(stores.lake, path, test) for test in (on, named.says) for path in paths)
