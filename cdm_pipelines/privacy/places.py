"""The places of this room: who read what of whom, keys, handbooks, the log of erasures, and which backups there are.

Belongs here: declarations. Does not belong here: the tables (hub.schema_access), or those of requests and certificates
(hub.rights_places).
"""

from collections.abc import Iterator

from sqlalchemy import select

from cdm_pipelines.hub import access_log
from cdm_pipelines.hub.schema_access import access_log as table
from cdm_pipelines.hub.schema_access import pseudonym_key
from cdm_pipelines.hub.table_places import place_of
from cdm_pipelines.privacy import backups, exports, log, protection
from cdm_pipelines.store import gate, keyring
from cdm_pipelines.store.categories import IDENTIFIER, UNCLASSIFIED
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

ARCHIVE = Place(
    name="outside/access",
    kind=Kind.DOCUMENT,
    root=Root.OUTSIDE,
    pattern="cdm privacy access/{file}",
    description="Everything that is known of a person, for that person.",
    whom=(Whom.CUSTOMERS, Whom.CONTACTS),
    categories_of_content=(UNCLASSIFIED,),
    kept=Retention(Keeps.BY_OWNER, "whoever ran the command hands it over and deletes it"),
    erasure=ByOwner("whoever ran the command deletes the file"),
)
EXPOSED = Place(
    name="outside/exposure",
    kind=Kind.DOCUMENT,
    root=Root.OUTSIDE,
    pattern="cdm privacy exposure --list {file}",
    description="Golden ids of customers whose data was in reach of others, so that they can be told; ids alone.",
    whom=(Whom.CUSTOMERS, Whom.CONTACTS),
    categories_of_content=(IDENTIFIER,),
    kept=Retention(Keeps.BY_OWNER, "whoever ran the command, until the customers were told"),
    erasure=ByOwner("whoever ran the command deletes the file"),
)
EXPORTS = Place(
    name="home/privacy/exports",
    kind=Kind.FOLDER,
    root=Root.HOME,
    pattern=f"{exports.FOLDER}/{{name}}.json",
    description="Which files were exported: where to, when, by whom and of what; no record and no value.",
    whom=(Whom.STAFF,),
    categories_of_content=("user.account.username",),
    kept=Retention(Keeps.BY_OWNER, "until the file is exported again, or removed by an erasure"),
    erasure=Kept("names who works here, and no customer"),
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
    yield Place(
        name="outside/processing",
        kind=Kind.DOCUMENT,
        root=Root.OUTSIDE,
        pattern="cdm privacy processing/{file}",
        description="The record of processing: which data is used why, where and until when; no data.",
        kept=Retention(Keeps.BY_OWNER, "whoever ran the command"),
        erasure=ByOwner("names no record and holds no value"),
    )
    yield from _of_erasures()


def _of_erasures() -> Iterator[Place]:
    """Files under home, and the note in the lake."""
    yield ARCHIVE
    yield EXPOSED
    yield EXPORTS
    for name, root, pattern, description, kept, why in (
        (
            "home/privacy/erasures",
            Root.HOME,
            log.FILE,
            "Who was erased, as keyed digests that tell of nobody, by which deliveries of them are kept out.",
            Retention(Keeps.FOR_EVER, "without it erased persons come back with the next delivery"),
            "holds digests under keys that lie apart, no record and no value",
        ),
        (
            "home/privacy/keys",
            Root.HOME,
            keyring.FILE,
            "Keys of those digests, one a year.",
            Retention(Keeps.FOR_EVER, "without it erased persons come back with the next delivery"),
            "random numbers",
        ),
        (
            "home/privacy/protection",
            Root.HOME,
            protection.FILE,
            "Keys under which values are encrypted; in no backup.",
            Retention(Keeps.FOR_EVER, "without it nobody can read what is encrypted"),
            "random numbers",
        ),
        (
            "privacy/protection",
            Root.LAKE,
            protection.NOTE,
            "Number of the newest of those keys, so that keys that were lost are told.",
            Retention(Keeps.REPLACED, "by each new key"),
            "a number",
        ),
        (
            "home/privacy/backups",
            Root.HOME,
            backups.FILE,
            "Which backups were made, where and when.",
            Retention(Keeps.REPLACED, "by each backup"),
            "names no record and holds no value",
        ),
        (
            "home/privacy/lock",
            Root.HOME,
            gate.FILE,
            "That an erasure is under way.",
            Retention(Keeps.WHILE_RUNNING),
            "holds nothing",
        ),
        (
            "privacy/erasures",
            Root.LAKE,
            log.NOTE,
            "How many erasures there were, so that a log that was lost is told.",
            Retention(Keeps.REPLACED, "by each erasure"),
            "a number",
        ),
        (
            "publish/kept_out",
            Root.LAKE,
            "publish/kept_out/{source}/{entity}.json",
            "How many rows of erased persons each day of a source still brings, for the owner of the source.",
            Retention(Keeps.REPLACED, "by each run of the day"),
            "numbers by day",
        ),
    ):
        yield Place(
            name=name,
            kind=Kind.DOCUMENT,
            root=root,
            pattern=pattern,
            description=description,
            kept=kept,
            erasure=Kept(why),
        )


def _find(stores: Stores, persons: Persons) -> Iterator[Found]:
    if persons.golden_ids:
        lines = stores.connection.execute(
            select(table).where(access_log.about(persons.golden_ids))
        ).mappings()
        yield Found(str(table), [dict(line) for line in lines])


def _take_out(stores: Stores, persons: Persons) -> int:
    return access_log.take_out(stores.connection, persons.golden_ids)
