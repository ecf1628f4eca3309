"""Logs of decisions for tests: written in short, sealed as the pipeline does."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from cdm_pipelines.identity import decisions as subjects
from cdm_pipelines.identity.chain import Head, sealed
from cdm_pipelines.identity.decisions import Decision, Draft, Kind, Record

NOON = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


def record(name: str) -> Record:
    return Record("crm", "contact", name)


def log(*entries: tuple[Any, ...]) -> list[Decision]:
    """A log of entries such as ("same", "a", "b"), ("different", "ab", "c"), ("confirm", "abc"), ("undo", 2).

    Records are single letters.
    """
    found: list[Decision] = []
    for number, entry in enumerate(entries):
        head = Head(found[-1].decision_id, found[-1].hash) if found else Head()
        found.append(sealed(_draft(*entry), head, NOON + dt.timedelta(minutes=number)))
    return found


def _draft(kind: str, *about: Any) -> Draft:
    match kind:
        case "same":
            subject = subjects.same(*map(record, about))
        case "different":
            subject = subjects.different(*(map(record, side) for side in about))
        case "confirm":
            subject = subjects.confirm(map(record, about[0]))
        case "set":
            name, value = about
            subject = subjects.set_value(record(name), "phone", value, None, {record(name): "old"})
        case _:
            return Draft(Kind.UNDO, {}, "Stien", undoes=about[0])
    return Draft(Kind(kind), subject, "Stien", 'because é "quoted"')


def names(records: Iterable[Record]) -> str:
    return "".join(record.record_id for record in records)
