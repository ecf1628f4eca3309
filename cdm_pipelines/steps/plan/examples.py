"""The ten customers that tell most of what a change does.

Belongs here: choosing them and what is shown of each, shapes for values unless the reader may see those. Does not
belong here: finding who changes (hub.foreseen).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from cdm_pipelines.hub import foreseen
from cdm_pipelines.hub.foreseen import Foreseen
from cdm_pipelines.quality.shapes import shape
from cdm_pipelines.steps.plan.outcome import Answer, Example, MovedRecord, ValueChange

MOST = 10
_RECORDS = 6
"""Records that are told of an example."""


@dataclass(frozen=True)
class Shown:
    """How values are shown: by their shapes, but for attributes that the reader may see in clear.

    Attributes:
        clear: Attributes whose values are shown.
        opened: Gives a row with its encrypted values in clear.
        noted: Told the golden ids of all examples before any is shown.
    """

    clear: frozenset[str] = frozenset()
    opened: Callable[[Mapping[str, object]], Mapping[str, object]] = dict
    noted: Callable[[Sequence[str]], None] = field(default=lambda _: None)


def examples_of(found: Foreseen, shown: Shown, most: int = MOST) -> tuple[Example, ...]:
    """So many customers, of each kind those of whom most changes, taken in turns."""
    chosen = _in_turns(found.examples(most), most)
    told = tuple(_example(found, one, shown) for one in chosen)
    shown.noted(
        sorted({one for example in told for one in (example.golden_id, *example.before, *example.after)})
    )
    return told


def _in_turns(found: Sequence[foreseen.Example], most: int) -> list[foreseen.Example]:
    """One of each kind, then the next of each; a customer once."""
    kinds = list(dict.fromkeys(one.kind for one in found))
    in_turns = chain.from_iterable(
        zip_longest(*([one for one in found if one.kind == kind] for kind in kinds))
    )
    once = {one.golden_id: one for one in reversed([one for one in in_turns if one is not None])}
    return list(reversed(once.values()))[:most]


def _example(found: Foreseen, one: foreseen.Example, shown: Shown) -> Example:
    parts = found.parts(one.golden_id)
    own = {one.golden_id}
    before = tuple(dict.fromkeys(str(part["before"]) for part in parts)) or tuple(own)
    after = tuple(dict.fromkeys(str(part["after"]) for part in parts)) or tuple(own)
    moved = found.records(one.golden_id, 1_000)
    return Example(
        one.kind,
        one.golden_id,
        before,
        after,
        tuple(MovedRecord(str(row["record"]), row["before"], row["after"]) for row in moved[:_RECORDS]),
        max(0, len(moved) - _RECORDS),
        tuple(_values(found, one.golden_id, shown)),
        tuple(
            Answer(str(row["purpose"]), str(row["channel"]), "lost" if row["was"] else "gained")
            for row in found.consents_of(one.golden_id)
        ),
    )


def _values(found: Foreseen, golden_id: str, shown: Shown) -> Iterator[ValueChange]:
    changes = found.values_of(golden_id)
    if not changes:
        return
    names = [str(row["attribute"]) for row in changes]
    old, new = (shown.opened(row) for row in found.both(golden_id, names))
    for row in changes:
        name = str(row["attribute"])
        in_clear = name in shown.clear
        yield ValueChange(
            name,
            str(row["change"]),
            str(row["before"]),
            str(row["after"]),
            *(_told(side.get(name), in_clear=in_clear) for side in (old, new)),
        )


def _told(value: object, *, in_clear: bool) -> str:
    if value is None:
        return ""
    return str(value) if in_clear else shape(str(value))
