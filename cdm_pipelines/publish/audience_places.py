"""The places of audiences: files that wait for the systems that take them.

Belongs here: paths, declarations, and how a person's rows are found in files that name nobody. Does not belong here:
writing them (steps.activation), the ledger (hub.delivery_places).

A file in the form of a system has no golden id, and may hold nothing but hashes. The ledger has a keyed digest of each
row that was ever written of somebody; by it the rows are found and taken out, before the ledger forgets the person. A
list of removals holds keys only, and stays: by it the system lets go of who was erased.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.hub.schema_activation import delivery_member
from cdm_pipelines.publish.audience_keys import Keys
from cdm_pipelines.publish.audience_policy import FOLDER, AudiencePolicy
from cdm_pipelines.publish.platforms.catalogue import FORMS
from cdm_pipelines.store.categories import IDENTIFIER, UNCLASSIFIED
from cdm_pipelines.store.register import (
    ByOwner,
    Keeps,
    Kept,
    Kind,
    Persons,
    Place,
    Retention,
    Root,
    Stores,
    Whom,
)
from cdm_pipelines.store.removal import Match, Test, csv_rows

MEMBERS, ADDED, REMOVED, MANIFEST = "members.csv", "added.csv", "removed.csv", "delivery.json"
_DIGITS = 6
_PRIVACY = {one.name: one.privacy for one in attributes(Entity.PARTY)}
_COLUMNS = {
    column.header: next((_PRIVACY[name] for name in column.of if _PRIVACY.get(name)), IDENTIFIER)
    for form in FORMS.values()
    for column in form.columns
}
"""Categories of all headers of all forms, of which a file has those of one: of the value that a column is made of, or
of a key."""
_KEYS = {form.key: IDENTIFIER for form in FORMS.values() if form.key}
_WHOM = (Whom.CUSTOMERS, Whom.CONTACTS)


def folder_of(audience: str, number: int) -> str:
    """Where the files of a delivery lie, below the folder of its target."""
    return f"{audience}/{str(number).zfill(_DIGITS)}"


def places(policy: AudiencePolicy, keys: Keys) -> Iterator[Place]:
    """The places of the files of audiences.

    Args:
        policy: Targets, of which some have folders of their own.
        keys: By which rows are found.
    """
    kept = Retention(
        Keeps.BY_OWNER, "keep_files of policies/audiences.yaml, in days; the newest delivery stays"
    )
    what = {
        "members": (MEMBERS, "Everybody who is in an audience, in the form of the system that takes it."),
        "added": (ADDED, "Who is new in an audience, or has other values than at the last delivery."),
    }
    for name, (file, description) in what.items():
        pattern = f"{FOLDER}/{{audience}}/{{number}}/{file}"
        search, erasure = csv_rows(pattern, _of_ledger(keys))
        yield Place(
            name=f"publish/audiences/{name}",
            kind=Kind.FOLDER,
            root=Root.LAKE,
            pattern=pattern,
            description=description,
            whom=_WHOM,
            columns=_COLUMNS,
            optional=frozenset(_COLUMNS),
            kept=kept,
            search=search,
            erasure=erasure,
        )
    yield Place(
        name="publish/audiences/removed",
        kind=Kind.FOLDER,
        root=Root.LAKE,
        pattern=f"{FOLDER}/{{audience}}/{{number}}/{REMOVED}",
        description="Keys of who is no longer in an audience.",
        whom=_WHOM,
        columns=_KEYS,
        optional=frozenset(_KEYS),
        kept=kept,
        erasure=Kept("holds keys alone, by which the system lets go of who was erased, too"),
    )
    yield Place(
        name="publish/audiences/deliveries",
        kind=Kind.DOCUMENT,
        root=Root.LAKE,
        pattern=f"{FOLDER}/{{audience}}/{{number}}/{MANIFEST}",
        description="That a delivery is whole, and counts of it.",
        kept=kept,
        erasure=Kept("names nobody and holds no value"),
    )
    for name, target in policy.targets.items():
        if target.made_by is None or target.folder:
            where = "web address" if target.made_by is None else "folder"
            yield Place(
                name=f"outside/audiences/{name}",
                kind=Kind.FOLDER,
                root=Root.OUTSIDE,
                pattern=f"audiences/{name}/**",
                description=f"Members of audiences, at the {where} that the target names.",
                whom=_WHOM,
                categories_of_content=(UNCLASSIFIED,),
                kept=Retention(Keeps.BY_OWNER, "the system that takes them"),
                erasure=ByOwner("the system lets go of whom the next delivery removes, or no longer lists"),
            )
    for form in FORMS.values():
        yield Place(
            name=f"outside/platform/{form.platform}",
            kind=Kind.FOLDER,
            root=Root.OUTSIDE,
            pattern=f"{form.title}/**",
            description=f"Members of audiences, as {form.title} has them once somebody has imported them.",
            whom=_WHOM,
            categories_of_content=(UNCLASSIFIED,),
            kept=Retention(Keeps.BY_OWNER, "the system that took them"),
            erasure=ByOwner("the system lets go of whom the next delivery removes, or no longer lists"),
        )


def _of_ledger(keys: Keys) -> Match:
    """Rows of which the ledger has the digest, of some persons."""

    def match(stores: Stores, path: str, persons: Persons) -> Test | None:
        m = delivery_member.c
        audience = path.split("/")[-3]
        query = select(m.row_digest).where(
            m.audience == audience, m.golden_id.in_(persons.golden_ids), m.row_digest.is_not(None)
        )
        known = pa.array(sorted(set(stores.connection.scalars(query))), pa.string())
        if not len(known):
            return None

        def test(table: pa.Table) -> pa.Array:
            return pc.is_in(keys.rows(table), value_set=known)

        return test

    return match
