"""The places of this room: who read what of whom, and the key of pseudonyms.

Belongs here: declarations. Does not belong here: the tables (hub.schema_access).
"""

from collections.abc import Iterator

from sqlalchemy import select

from cdm_pipelines.hub import access_log
from cdm_pipelines.hub.places import place_of
from cdm_pipelines.hub.schema_access import access_log as table
from cdm_pipelines.hub.schema_access import pseudonym_key
from cdm_pipelines.store.register import (
    ByOwner,
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


def places() -> Iterator[Place]:
    """Of the hub, and of what is written for people."""
    yield place_of(
        table,
        Retention(Keeps.FOR_EVER, "so many days as policies/pruning.yaml says: access_log"),
        Rows(
            _take_out,
            "golden ids taken out of the line, which stays: that somebody read, and what kind of thing",
        ),
        Search("golden id", _find),
        whom=(Whom.CUSTOMERS, Whom.CONTACTS, Whom.STAFF),
    )
    yield place_of(
        pseudonym_key,
        Retention(Keeps.FOR_EVER, "as the secret of the deployment, from which it is made"),
        Kept("a random number"),
    )
    yield Place(
        name="outside/handbook",
        kind=Kind.DOCUMENT,
        root=Root.OUTSIDE,
        pattern="cdm handbook/{file}",
        description="A manual for each role: what data means, who answers for it; no data.",
        kept=Retention(Keeps.BY_OWNER, "whoever ran the command"),
        erasure=ByOwner("names no record and holds no value"),
    )


def _find(stores: Stores, persons: Persons) -> Iterator[Found]:
    if persons.golden_ids:
        lines = stores.connection.execute(
            select(table).where(access_log.about(persons.golden_ids))
        ).mappings()
        yield Found(str(table), [dict(line) for line in lines])


def _take_out(stores: Stores, persons: Persons) -> int:
    return access_log.take_out(stores.connection, persons.golden_ids)
