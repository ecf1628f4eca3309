"""The places of this room: what is counted of the days of interactions.

Belongs here: declarations. Does not belong here: which rows are a person's (``naming``), counting (``interactions``),
the tables of the profile.
"""

from collections.abc import Iterator
from functools import partial
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.enrichment.interactions import DAY_SCHEMA
from cdm_pipelines.enrichment.naming import DAYS, InteractionRows
from cdm_pipelines.store import layout
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS
from cdm_pipelines.store.places import RECORD, canonical_columns
from cdm_pipelines.store.register import (
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
from cdm_pipelines.store.removal import arrow_rows, by_columns, paths_of, thrown_away, without_rows

_BATCH = 100_000
_NEIGHBOURS = layout.neighbours_path("{enricher}", "{version}")
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


def places(rows: InteractionRows | None = None) -> Iterator[Place]:
    """The places of every source that delivers interactions.

    Args:
        rows: Which are a person's; None to tell by the counted days alone.
    """
    rows = rows or InteractionRows(())
    yield Place(
        name="profile/interactions",
        kind=Kind.LAKE_TABLE,
        root=Root.LAKE,
        pattern=DAYS,
        description="Interactions of a day, counted: how often, and first and last when, by what they named.",
        whom=(Whom.CUSTOMERS,),
        columns={
            name: OPERATIONS if name in _OF_NOBODY else _COLUMNS.get(name, "user.behavior")
            for name in DAY_SCHEMA.names
        },
        kept=Retention(Keeps.AS_SOURCE, "counted anew when the day is run again"),
        search=Search(
            "what the interaction named: a record, an order, an address, a phone, or a device",
            partial(_find, rows),
        ),
        erasure=Rows(partial(_remove, rows), "files written anew without their rows"),
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
    links = Search("golden id", _find_links)
    yield Place(
        name="profile/neighbours",
        kind=Kind.LAKE_TABLE,
        root=Root.LAKE,
        pattern=_NEIGHBOURS,
        description="What customers of a published version have in common with others: 64 bits of digests of "
        "addresses, contact points and numbers, so that a night works on whom a change reaches.",
        whom=(Whom.CUSTOMERS, Whom.CONTACTS),
        columns={"golden_id": IDENTIFIER, "kind": OPERATIONS, "link": "user.contact"},
        kept=Retention(Keeps.REPLACED, "by each run that works on the enricher"),
        search=links,
        erasure=thrown_away(links, "golden customers and `records/party`", layout.NEIGHBOURS),
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


def _find_links(stores: Stores, persons: Persons) -> Iterator[Found]:
    ids = pa.array(sorted(one.bytes for one in persons.golden_ids), pa.binary())
    for path in paths_of(stores.lake, _NEIGHBOURS) if len(ids) else []:
        table = stores.lake.read_arrow(path)
        rows = table.filter(pc.is_in(table["golden_id"], value_set=ids)).to_pylist()
        yield Found(path, [{**row, "golden_id": str(UUID(bytes=row["golden_id"]))} for row in rows])


def _whole(path: str, of: str) -> tuple[Search, Anew]:
    """Search and erasure of an Arrow file that is thrown away whole."""
    search = arrow_rows(path, by_columns(tuple(RECORD)))
    return search, thrown_away(search, of, path)


def _find(rows: InteractionRows, stores: Stores, persons: Persons) -> Iterator[Found]:
    paths = paths_of(stores.lake, DAYS)
    if not paths:
        return
    theirs = rows.of(stores, persons)
    for path in paths:
        found = [
            row
            for table in stores.lake.read_batches(path, _BATCH)
            for row in table.filter(theirs.any(table)).to_pylist()
        ]
        yield Found(path, found)


def _remove(rows: InteractionRows, stores: Stores, persons: Persons) -> int:
    """Take out rows of the persons: those that name nobody first, for they are found by those that do.

    A day of which rows went does not say any more that it is what was counted: whose the others are is told anew.
    """
    paths = paths_of(stores.lake, DAYS)
    if not paths:
        return 0
    theirs = rows.of(stores, persons)
    return sum(
        without_rows(stores.lake, path, test, unsaid=(layout.FINGERPRINT,))
        for test in (theirs.on_devices, theirs.named.says)
        for path in paths
    )
