"""The places of sessions, keys, kept answers, proposals, what is put off, assignments, and works.

Belongs here: declarations, beside the tables (``schema_console``). Does not belong here: other tables of the hub
(``places``).
"""

from collections.abc import Iterator

from cdm_pipelines.hub import proposals, works
from cdm_pipelines.hub import put_off as later
from cdm_pipelines.hub.schema_console import (
    api_token,
    assignment,
    kept_answer,
    proposal,
    put_off,
    session,
    work,
)
from cdm_pipelines.hub.table_places import deleted, place_of, search_by
from cdm_pipelines.store.register import Keeps, Kept, Persons, Place, Retention, Rows, Stores, Whom

_STAFF = (Whom.STAFF,)
_ALL = (Whom.CUSTOMERS, Whom.CONTACTS, Whom.STAFF)
_OF_NOBODY = Kept("names who works here, and no customer")


def places() -> Iterator[Place]:
    """Sessions, keys, answers, proposals, what is put off, assignments, works."""
    yield place_of(
        session,
        Retention(Keeps.BY_OWNER, "until the session ends, at most half a day"),
        _OF_NOBODY,
        whom=_STAFF,
    )
    yield place_of(
        api_token,
        Retention(Keeps.FOR_EVER, "so that the access log can be read"),
        _OF_NOBODY,
        whom=_STAFF,
    )
    yield place_of(
        kept_answer, Retention(Keeps.BY_OWNER, "for a day after it was asked"), _OF_NOBODY, whom=_STAFF
    )
    yield place_of(
        proposal,
        Retention(Keeps.FOR_EVER, "so that it can be shown who proposed and who approved"),
        Rows(_forget, "subject and reason emptied; that it was proposed, and who approved it, stays"),
        search_by(proposal, "golden ids and keys of source records that it names", proposals.about),
        whom=_ALL,
    )
    yield place_of(
        put_off,
        Retention(Keeps.BY_OWNER, "for a day"),
        deleted(put_off, later.about),
        search_by(put_off, "golden ids that it names", later.about),
        whom=_ALL,
    )
    yield place_of(
        assignment,
        Retention(Keeps.BY_OWNER, "until somebody says that nobody works on it"),
        _OF_NOBODY,
        whom=_STAFF,
    )
    yield place_of(
        work,
        Retention(Keeps.BY_OWNER, "for a week after it was asked for"),
        deleted(work, works.about),
        search_by(work, "golden ids that it waits to read", works.about),
        whom=_ALL,
    )


def _forget(stores: Stores, persons: Persons) -> int:
    return proposals.forget(stores.connection, persons)
