"""Two scales or models side by side, of whatever enricher: the numbers that changed.

Belongs here: what can be told of any JSON. Does not belong here: what an enricher tells of its own (``compared`` in its
declaration), or printing (commands).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cdm_pipelines.figures import Figure, Figures, Grid

MOST = 25
"""So many numbers are shown, those that changed most; how many did is told."""
_Leaf = bool | float | str | None


def changed_numbers(former: Mapping[str, Any], latter: Mapping[str, Any]) -> Figures:
    """Numbers that differ, the largest relative change first; and how many other values do.

    A number that is new or gone has changed wholly. Where two changed as much, they are in order of their names.
    """
    sides = dict(_leaves(former)), dict(_leaves(latter))
    rows, others = [], 0
    for name in sorted(sides[0].keys() | sides[1].keys()):
        before, after = (side.get(name) for side in sides)
        if before == after:
            continue
        if not any(_is_number(one) for one in (before, after)):
            others += 1
            continue
        rows.append(
            (_relative(before, after), {"figure": name, "former": _told(before), "latter": _told(after)})
        )
    rows.sort(key=lambda one: -one[0])
    shown = [{**row, "change": f"{change:.1%}"} for change, row in rows[:MOST]]
    found: dict[str, Figure] = {"numbers that changed": len(rows), "other values that changed": others}
    title = "changed most" if len(rows) > MOST else "changed"
    return found | ({title: Grid(shown, ("figure",))} if shown else {})


def _leaves(said: Any, name: str = "") -> Iterator[tuple[str, _Leaf]]:
    if isinstance(said, Mapping | list):
        parts = said.items() if isinstance(said, Mapping) else enumerate(said, start=1)
        for key, one in parts:
            yield from _leaves(one, f"{name}.{key}" if name else str(key))
    else:
        yield name, said


def _is_number(said: _Leaf) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool)


def _relative(before: Any, after: Any) -> float:
    """By how much of the larger one they differ."""
    if not (_is_number(before) and _is_number(after)):
        return 1.0
    return float(abs(after - before) / max(abs(before), abs(after)))


def _told(said: _Leaf) -> _Leaf:
    return "" if said is None else said
