"""The stages of the benchmark of rights, each as it runs in a process of its own.

Belongs here: calling the project's own steps on some customers. Does not belong here: measuring (``rights``), the
document (``rights_document``).
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, text

from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.privacy.words import Language
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.rights.archive import answer
from cdm_pipelines.steps.rights.erasure import Asked, erase

Counts = dict[str, Any]
_OFFICER = "Petra"


def access(number: str) -> Counts:
    """Answer so many persons, one after the other; seconds of each, the first with what a new process has to read."""
    settings = load_settings()
    seconds, processor = [], time.process_time()
    with open_hub(settings) as engine:
        for id_ in _persons(engine, int(number)):
            started = time.perf_counter()
            answer(
                settings,
                engine,
                id_,
                settings.home / "answers",
                language=Language.DUTCH,
                checked_by=_OFFICER,
            )
            seconds.append(time.perf_counter() - started)
    return {"seconds": seconds, "cpu_seconds": time.process_time() - processor}


def persons(number: str) -> Counts:
    """Golden ids of so many persons."""
    with open_hub(load_settings()) as engine:
        return {"persons": _persons(engine, int(number))}


def erased(number: str) -> Counts:
    """Erase so many persons at once; seconds by what was going on."""
    settings = load_settings()
    clock: list[tuple[str, float]] = []
    with open_hub(settings) as engine:
        ids = _persons(engine, int(number))
        asked = Asked(ids, Actor(_OFFICER, Role.PRIVACY_OFFICER), _OFFICER, "benchmark")
        started = time.perf_counter()
        certificate = erase(
            settings, engine, asked, progress=lambda what: clock.append((what, time.perf_counter()))
        )
        ended = time.perf_counter()
        with engine.connect() as connection:
            customers = connection.scalar(text("SELECT count(*) FROM golden.customer"))
    ends = [*(at for _, at in clock[1:]), ended]
    taken: dict[str, float] = {}
    for (what, began), end in zip(clock, ends, strict=True):
        part = _part(what)
        taken[part] = taken.get(part, 0.0) + end - began
    found = certificate.content["looked_through"]
    return {
        "seconds": ended - started,
        "parts": taken,
        "persons": len(ids),
        "customers": int(customers or 0) + len(ids),
        "records": certificate.content["records"],
        **{name: found[name] for name in ("values", "files", "tables", "found")},
    }


def _part(place: str) -> str:
    """What a place belongs to; what is no place is its own part."""
    layer, _, more = place.partition("/")
    if not more:
        return layer
    return "landing" if layer == "landing" else "days" if layer in _DAYS else _BESIDE


_DAYS = ("raw", "valid", "quarantine", "repairs", "corrections", "standard")
_BESIDE = "beside"
"""Tables of the database, and places of the lake that are erased beside them."""


def _persons(engine: Engine, number: int) -> list[str]:
    """Persons drawn at random in the same way each time."""
    query = text(
        "SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' "
        "ORDER BY md5(golden_id::text) LIMIT :number"
    )
    with engine.connect() as connection:
        return list(connection.scalars(query, {"number": number}))


STAGES: Mapping[str, Callable[..., Counts]] = {"access": access, "persons": persons, "erase": erased}
