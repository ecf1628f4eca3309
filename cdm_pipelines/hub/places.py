"""The places of the hub: every table, and the files of the embedded server.

Belongs here: declarations, beside the tables (``schema``, ``schema_feed``) and derived from them. Does not belong here:
what is in the lake, or Dagster's own tables (``steps.operate.places``).

Rows of persons leave in the caller's transaction. The order is that of erasing: what is found by another table's rows
comes before it.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    MetaData,
    Table,
    Text,
    Uuid,
    and_,
    cast,
    delete,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONPATH, array

from cdm_pipelines.hub import (
    consent,
    said,
    schema,
    schema_feed,
    schema_kpi,
    schema_ops,
    schema_privacy,
    schema_profile,
    schema_review,
    seals,
)
from cdm_pipelines.hub.outbox import RETIREMENT
from cdm_pipelines.hub.published import published
from cdm_pipelines.hub.retiring import retire
from cdm_pipelines.hub.schema import privacy_of
from cdm_pipelines.hub.table_places import (
    Condition,
    deleted,
    either,
    keyed_by,
    of_persons,
    place_of,
    records_of,
    search_by,
    with_ids,
)
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS, UNCLASSIFIED
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.register import (
    Follows,
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

_EVERYBODY = (Whom.CUSTOMERS, Whom.CONTACTS)
_NOTES = Retention(Keeps.FOR_EVER, "says nothing of a person")
_READ_MODEL = Retention(Keeps.REPLACED, "by each publication that touches the customer")
_OF_RUNS = Retention(Keeps.DAYS, "of the run that measured it", setting="run_retention_days")
_KEY_FIGURES = Retention(
    Keeps.FOR_EVER, "a row per month and figure, so many days as policies/pruning.yaml says: insight"
)
_LOG_OF_IDS = Retention(Keeps.FOR_EVER, "an id once published is never used again")

FORGOTTEN = "erased-"
"""How names of founding records begin that were erased."""


def _versions(table: Table) -> Condition:
    """Former versions of their customers, and those of others in which a record of theirs had a part."""

    def condition(persons: Persons) -> ColumnElement[bool]:
        keys = [
            dict(zip(("source", "entity", "record_id"), key, strict=True)) for key in sorted(persons.keys)
        ]
        named = [table.c.provenance.contains(one) for key in keys for one in ([key], [{"losers": [key]}])]
        ids = literal(sorted({record for _, _, record in persons.keys}), ARRAY(Text))
        named_in = func.jsonb_path_query_array(table.c.provenance, cast("$.**.record_id", JSONPATH))
        near = func.jsonb_exists_any(named_in, ids)  # of few rows all is compared
        return or_(table.c.golden_id.in_(persons.golden_ids), and_(near, or_(false(), *named)))

    return condition


def _published(table: Table, *, staged: bool = False) -> Place:
    """A published table, or what is staged of it: by golden id and by record key, whichever it has."""
    own = table.to_metadata(MetaData(), schema="staging") if staged else table
    names = set(own.columns.keys())
    ways: list[tuple[str, Condition]] = []
    if "golden_id" in names:
        ways.append(("golden id", with_ids(own, "golden_id")))
    if {"source", "entity", "record_id"} <= names:
        ways.append(("key of the source record", records_of(own)))
    by, condition = " or ".join(way for way, _ in ways), either(*(one for _, one in ways))
    if not staged:
        return of_persons(own, by, condition)
    return place_of(
        own,
        Retention(
            Keeps.REPLACED, "gone with the publication; left where its audit failed, until the next one"
        ),
        deleted(own, condition),
        search_by(own, by, condition),
        description=f"The next version of {table} while it is checked.",
        columns={column.name: privacy_of(column) or OPERATIONS for column in table.columns},
        absent=True,
    )


def _words(stores: Stores, persons: Persons) -> list[str]:
    """Words that nobody else is found by."""
    if not persons.golden_ids:
        return []
    s = schema.search.c
    own = select(func.unnest(s.terms).label("word")).where(s.golden_id.in_(persons.golden_ids)).subquery()
    word = schema.search_word.c.word
    found_by_it = s.terms.op("@>")(array([word]))  # as the index of terms answers it, word by word
    others = select(s.golden_id).where(found_by_it, s.golden_id.not_in(persons.golden_ids)).exists()
    found = stores.connection.execute(select(word).where(word.in_(select(own.c.word)), not_(others)))
    return [str(one) for (one,) in found]


def _search_words() -> Place:
    table = schema.search_word

    def find(stores: Stores, persons: Persons) -> Iterator[Found]:
        yield Found(str(table), [{"word": word} for word in _words(stores, persons)])

    def remove(stores: Stores, persons: Persons) -> int:
        words = _words(stores, persons)
        return int(stores.connection.execute(delete(table).where(table.c.word.in_(words))).rowcount)

    return place_of(
        table,
        Retention(
            Keeps.FOR_EVER, "a dictionary of words without who has them; words of nobody go with erasures"
        ),
        Rows(remove, "words deleted that nobody else is found by"),
        Search("words of golden.search that nobody else has", find),
    )


def _told(persons: Persons) -> ColumnElement[bool]:
    """What consumers are told of them: not that they are gone, by which others forget them too."""
    table = schema_feed.outbox
    return and_(with_ids(table, "golden_id")(persons), table.c.type != RETIREMENT)


def _events() -> Place:
    table = schema_feed.event
    condition = with_ids(table, "golden_id", "related_id")

    def remove(stores: Stores, persons: Persons) -> int:
        blanked = (
            update(table).where(condition(persons), table.c.evidence.is_not(None)).values(evidence=null())
        )
        rows = int(stores.connection.execute(blanked).rowcount)
        seals.renew(stores.connection, table)
        return rows

    return place_of(
        table,
        _LOG_OF_IDS,
        Rows(remove, "evidence blanked, which names records; that the id was made, merged or ended stays"),
        search_by(table, "golden id", condition),
    )


def _registry() -> Place:
    """Every golden id ever published: it stays, so that it is never given to somebody else, and tells of nobody."""
    table = schema.golden_id
    of_nobody = not_(
        select(schema.crosswalk.c.record_id)
        .where(*(schema.crosswalk.c[name] == table.c[name] for name in RECORD_KEY))
        .exists()
    )
    forgotten = table.c.record_id.not_like(f"{FORGOTTEN}%")

    def founders(persons: Persons) -> ColumnElement[bool]:
        own = and_(with_ids(table, "golden_id")(persons), of_nobody)
        return and_(forgotten, or_(records_of(table)(persons), own))

    def remove(stores: Stores, persons: Persons) -> int:
        name = literal(FORGOTTEN) + cast(func.gen_random_uuid(), Text)
        changed = update(table).where(founders(persons)).values(record_id=name)
        rows = int(stores.connection.execute(changed).rowcount)
        retire(stores.connection, persons.golden_ids)
        return rows

    return place_of(
        table,
        _LOG_OF_IDS,
        Rows(
            remove,
            "the key of the founding record replaced by a random one; the id stays, retired, and is never used again",
        ),
        search_by(table, "golden id", with_ids(table, "golden_id", "alias_of")),
    )


def _nobody(table: Table, kept: Retention = _NOTES) -> Place:
    return place_of(table, kept, Kept("names no record and holds no value"))


def places() -> Iterator[Place]:
    """The places of the hub, in the order of erasing."""
    for table in (one.table for one in published().values()):
        if table is not schema.golden_id:
            yield _published(table)
        yield _published(table, staged=True)
    yield from _staging()
    for table in consent.STAGED:
        yield _published(table)
        yield _published(table, staged=True)
    here = schema_privacy.said_here
    yield of_persons(
        here,
        "key of the source record that stands for the customer, or of the statement",
        either(records_of(here), keyed_by(literal(said.SOURCE), literal(said.ENTITY), here.c.statement)),
        Retention(Keeps.FOR_EVER, "the evidence of what was said, until the customer is erased"),
    )
    yield of_persons(
        schema.customer_history,
        "golden id, or a record that had a part in it",
        _versions(schema.customer_history),
        Retention(
            Keeps.FOR_EVER, "former versions, until the customer is erased, or as policies/pruning.yaml says"
        ),
    )
    by_id = "golden id"
    yield _links(schema_review.customer_link)
    review = schema_review.review_item
    yield of_persons(review, by_id, with_ids(review, "left_id", "right_id"), _READ_MODEL)
    yield of_persons(schema.customer_version, by_id, with_ids(schema.customer_version, "golden_id"))
    yield _search_words()
    yield of_persons(schema.search, by_id, with_ids(schema.search, "golden_id"))
    kept = Retention(
        Keeps.FOR_EVER,
        "so that every consumer can be told again from the beginning, or as policies/pruning.yaml says",
    )
    yield of_persons(schema_feed.outbox, "golden id, but for that it is retired", _told, kept)
    yield of_persons(schema_feed.dead_letter, by_id, with_ids(schema_feed.dead_letter, "golden_id"), kept)
    told = schema_profile.profile_told
    yield of_persons(told, by_id, with_ids(told, "golden_id"))
    yield _events()
    yield _registry()
    yield _nobody(schema_ops.measurement, _OF_RUNS)
    for table in schema_kpi.TABLES:
        yield _nobody(table, _KEY_FIGURES)
    yield place_of(
        schema_ops.linkage_model,
        Retention(Keeps.FOR_EVER, "so that a lost model is restored, never fitted unasked"),
        Kept("a value stands in it only where at least five records share it, without who"),
    )
    for table in (
        schema.decision,
        schema.decision_head,
        schema.publication,
        schema.staged,
        schema.version,
        schema_ops.source_day,
        schema_feed.sink,
        schema_feed.feed,
        schema_ops.seal,
        schema_privacy.consent_state,
        schema_profile.profile_state,
        schema_profile.profile_model,
    ):
        yield _nobody(table)
    yield from _SERVER


def _links(table: Table, **more: Any) -> Place:
    """Scored pairs of records: those of a customer, and those of others with one of its records."""
    other = keyed_by(table.c.other_source, table.c.other_entity, table.c.other_record_id)
    condition = either(with_ids(table, "golden_id"), records_of(table), other)
    by = "golden id or key of either record"
    return place_of(table, _READ_MODEL, deleted(table, condition), search_by(table, by, condition), **more)


def _staging() -> Iterator[Place]:
    """What is staged beside the published tables."""
    kept = Retention(
        Keeps.REPLACED, "gone with the publication; left where its audit failed, until the next one"
    )
    event = schema_feed.staged_event
    condition = with_ids(event, "golden_id", "related_id")
    yield place_of(
        event,
        kept,
        deleted(event, condition),
        search_by(event, "golden id", condition),
        absent=True,
        description="Events of the next version while it is checked.",
    )
    id_ = schema.column("golden_id", Uuid, "Customer that the next version touches.", IDENTIFIER, key=True)
    affected = Table("affected", MetaData(), id_, schema="staging")
    for table, description in (
        (affected, "Customers that the next version touches."),
        (consent.WORKED, "Customers whose consent was worked out anew."),
        (schema_review.relinked, "Customers whose links the next version brings."),
        (schema_review.staged_doubt, "Customers of the next version that may be several."),
    ):
        condition = with_ids(table, "golden_id")
        yield place_of(
            table,
            kept,
            deleted(table, condition),
            search_by(table, "golden id", condition),
            description=description,
            columns={one.name: privacy_of(one) or OPERATIONS for one in table.columns}
            | {"golden_id": IDENTIFIER},
            absent=True,
        )
    yield place_of(
        consent.WAITING,
        kept,
        Kept("holds versions and counts"),
        description="What is staged of consent.",
        columns=dict.fromkeys(consent.WAITING.columns.keys(), OPERATIONS),
        absent=True,
    )
    yield _links(
        schema_review.staged_link,
        description="Links of the next version while it is checked.",
        columns={one.name: privacy_of(one) or OPERATIONS for one in schema_review.customer_link.columns},
        absent=True,
    )


_MIGRATION = Place(
    name="migration/hub_version",
    kind=Kind.HUB_TABLE,
    root=Root.HUB,
    pattern="migration.hub_version",
    description="Which migrations the hub has had.",
    columns={"version_num": OPERATIONS},
    key=("version_num",),
    kept=_NOTES,
    erasure=Kept("holds a number"),
)
_SERVER = (
    _MIGRATION,
    Place(
        name="home/postgres/data",
        kind=Kind.FOLDER,
        root=Root.HOME,
        pattern="postgres/data/**",
        description="Files of the embedded server: all tables of the hub and of Dagster.",
        whom=(*_EVERYBODY, Whom.STAFF),
        categories_of_content=(UNCLASSIFIED,),
        kept=Retention(Keeps.AS_SOURCE, "as the tables in it"),
        erasure=Follows(
            "the hub's tables", "deleted rows leave the files with VACUUM, and the log when it is recycled"
        ),
    ),
    Place(
        name="home/postgres/data/new",
        kind=Kind.FOLDER,
        root=Root.HOME,
        pattern="postgres/new-{name}/**",
        description="A server's files while they are made.",
        kept=Retention(Keeps.WHILE_RUNNING, "removed by the next start"),
        erasure=Kept("holds no rows yet"),
    ),
    Place(
        name="home/postgres/log",
        kind=Kind.DOCUMENT,
        root=Root.HOME,
        pattern="postgres/server.log*",
        description="The embedded server's log: starts, stops and crashes, no statements.",
        kept=Retention(Keeps.REPLACED, "the last five million bytes"),
        erasure=Kept("quotes no statement and no value"),
    ),
    *(
        Place(
            name=f"home/postgres/{name}",
            kind=Kind.FOLDER,
            root=Root.HOME,
            pattern=f"postgres/{pattern}",
            description=description,
            kept=Retention(Keeps.WHILE_RUNNING),
            erasure=Kept("holds nothing"),
        )
        for name, pattern, description in (
            ("locks", "{name}.lock", "Who uses, starts and stops the embedded server."),
            ("socket", "socket/**", "The socket of the embedded server."),
        )
    ),
)
