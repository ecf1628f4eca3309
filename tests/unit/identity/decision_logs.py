"""Logs of decisions for tests: written in short, sealed as the pipeline does."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from cdm_pipelines.identity import decisions as subjects
from cdm_pipelines.identity.chain import Head, sealed
from cdm_pipelines.identity.decisions import Decision, Draft, Kind, Record
from cdm_pipelines.identity.entries import Detail, Entry

NOON = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


def record(name: str) -> Record:
    return Record("crm", "contact", name)


def kept(*entries: tuple[Any, ...]) -> tuple[list[Entry], list[Detail]]:
    """A log as it is kept, of entries such as ("same", "a", "b"), ("different", "ab", "c"), ("undo", 2).

    Records are single letters; an erasure names decisions with places: ("erase", (1, 0, 1)).
    """
    found: list[Entry] = []
    details: list[Detail] = []
    for number, entry in enumerate(entries):
        one, own = sealed(_draft(*entry), Head.of(found), NOON + dt.timedelta(minutes=number))
        found.append(one)
        details += own
    return found, details


def log(*entries: tuple[Any, ...]) -> list[Decision]:
    """The decisions of such a log."""
    found, details = kept(*entries)
    return [entry.decision([d for d in details if d.decision_id == entry.decision_id]) for entry in found]


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
        case "erase":
            erased = [[number, list(places)] for number, *places in about]
            return Draft(Kind.ERASE, {"role": "privacy officer", "erased": erased, "altered": []}, "Guus")
        case _:
            return Draft(Kind.UNDO, {}, "Stien", undoes=about[0])
    return Draft(Kind(kind), subject, "Stien", 'because é "quoted"')


def names(records: Iterable[Record]) -> str:
    return "".join(record.record_id for record in records)
