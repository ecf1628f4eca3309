"""Which days are ready to be ingested, decided from what lies in landing.

Belongs here: the decision, a pure function of two looks at landing and of what was already asked for. Does not
belong here: listing files (ingest) or asking for runs (the sensor).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(frozen=True)
class Delivery:
    """What lies in landing for one source and day.

    Attributes:
        files: Size and modification stamp of each file, by path.
        entities: Entities that have at least one file.
        marked: Whether the marker file is there, for a source that writes one.
    """

    files: Mapping[str, tuple[int, str]]
    entities: frozenset[str]
    marked: bool = True

    @property
    def digest(self) -> str:
        """Changes whenever a file appears, disappears, grows or is written anew."""
        return sha256(repr(sorted(self.files.items())).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Decision:
    """Dates to run now, in order, and why each other new date waits."""

    ready: tuple[str, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)


def decide(
    now: Mapping[str, Delivery],
    before: Mapping[str, str],
    asked: Mapping[str, str],
    expected: Collection[str],
) -> Decision:
    """Decide which days of a source are whole and new.

    A day is ready when every expected entity has a file, the marker is there, no file changed since the previous
    look, and the files differ from those a run was already asked for.

    Args:
        now: What lies in landing, by date.
        before: Digest per date as the previous look saw it.
        asked: Digest per date as it was when a run was asked for.
        expected: Entities that the source delivers every day.
    """
    ready: list[str] = []
    waiting: dict[str, str] = {}
    for date in sorted(now):
        delivery = now[date]
        if delivery.digest == asked.get(date):
            continue
        missing = sorted(set(expected) - delivery.entities)
        if missing:
            waiting[date] = f"no file yet for {', '.join(missing)}"
        elif not delivery.marked:
            waiting[date] = "the marker file is not there yet"
        elif delivery.digest != before.get(date):
            waiting[date] = "just arrived or still growing: looked at again on the next tick"
        else:
            ready.append(date)
    return Decision(tuple(ready), waiting)
