"""The place of what decisions are about: who decided, why, which records, which value.

Belongs here: finding and erasing it with the chain of the log left whole. Does not belong here: the chain itself, which
holds seals and no values (hub.places).
"""

from collections.abc import Iterator

from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.hub.schema import decision_detail
from cdm_pipelines.hub.table_places import place_of
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.identity.entries import OF_PERSON
from cdm_pipelines.steps.stewardship.decisions import read_entries
from cdm_pipelines.steps.stewardship.erasure import decisions_naming, erase_details
from cdm_pipelines.store.register import Found, Keeps, Persons, Place, Retention, Rows, Search, Stores, Whom

_BY = Actor("erasure of a person", Role.PIPELINE)


def places() -> Iterator[Place]:
    """Details of the decision log."""
    yield place_of(
        decision_detail,
        Retention(Keeps.FOR_EVER, "decisions outlive models and deliveries"),
        Rows(_erase, "details erased: the log says so in an entry of its own, and its chain goes on"),
        Search("keys of source records that decisions name, or whose value they overruled", _find),
        whom=(Whom.CUSTOMERS, Whom.CONTACTS, Whom.STAFF),
    )


def _naming(stores: Stores, persons: Persons) -> list[int]:
    return decisions_naming(stores.connection, [Record(*key) for key in sorted(persons.keys)])


def _find(stores: Stores, persons: Persons) -> Iterator[Found]:
    numbers = set(_naming(stores, persons))
    _, details = read_entries(stores.connection)
    found = [vars(detail) for detail in details if detail.decision_id in numbers]
    yield Found(str(decision_detail), found)


def _erase(stores: Stores, persons: Persons) -> int:
    numbers = _naming(stores, persons)
    if not numbers:
        return 0
    records = [Record(*key) for key in sorted(persons.keys)]
    entry = erase_details(stores.connection, numbers, OF_PERSON, _BY, records=records)
    return 0 if entry is None else sum(len(places) for _, places in entry.subject["erased"])
