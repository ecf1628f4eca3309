"""The places of this room: the log of erasures with its keys, and which backups there are.

Belongs here: declarations. Does not belong here: the tables of requests and certificates (hub.places).
"""

from collections.abc import Iterator

from cdm_pipelines.privacy import backups, log
from cdm_pipelines.store import gate, keyring
from cdm_pipelines.store.register import (
    UNCLASSIFIED,
    ByOwner,
    Keeps,
    Kept,
    Kind,
    Place,
    Retention,
    Root,
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


def places() -> Iterator[Place]:
    """Files under home, and the note in the lake."""
    yield ARCHIVE
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
