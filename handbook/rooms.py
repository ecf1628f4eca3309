"""The picture of the rooms: boxes in rows and arrows between them, from what modules really import.

Belongs here: reading imports, and drawing. Does not belong here: which imports are allowed: that is
tests/unit/test_layering.py, from which the order of rooms and wings is read.
"""

import ast
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cdm_pipelines"
ORDER = ROOT / "tests" / "unit" / "test_layering.py"
Graph = Mapping[str, frozenset[str]]

_WIDE, _HIGH, _ACROSS, _DOWN = 118, 34, 30, 46
_MARGIN = 24


def declared() -> dict[str, Any]:
    """The constants of the layering test: ``OPEN_TO_ALL``, ``ROOMS``, ``ON_TOP``, ``WINGS``."""
    found = {}
    for node in ast.parse(ORDER.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def imports(package: Path, start: str = "cdm_pipelines") -> Graph:
    """Which parts of a package import which others: its modules and folders, one level deep.

    Args:
        package: The folder.
        start: Its dotted name.
    """
    graph: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        part = path.relative_to(package).with_suffix("").parts[0]
        if part == "__init__":
            continue
        used = graph.setdefault(part, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            used |= {
                name.removeprefix(f"{start}.").split(".")[0] for name in names if name.startswith(f"{start}.")
            }
    return {part: frozenset(used & graph.keys() - {part}) for part, used in graph.items()}


def house() -> str:
    """All rooms; an arrow leads from a room to one that it imports, less those that other arrows imply."""
    order = declared()
    return picture(imports(PACKAGE), [*order["OPEN_TO_ALL"], *order["ROOMS"], *order["ON_TOP"]])


def wings(room: str) -> str:
    """The wings of a room, in the same way."""
    return picture(imports(PACKAGE / room, f"cdm_pipelines.{room}"), declared()["WINGS"][room])


def picture(graph: Graph, order: Sequence[str]) -> str:
    """An SVG of a graph: what imports nothing is at the bottom.

    Args:
        graph: What each part imports.
        order: The parts from the bottom up. Arrows against it are drawn in red.
    """
    place = {name: at for at, name in enumerate([*order, *sorted(graph.keys() - set(order))])}
    ahead = {name: {one for one in graph[name] if place[one] < place[name]} for name in graph}
    against = [(name, one) for name in graph for one in graph[name] if place[one] > place[name]]
    arrows = [(name, one) for name in ahead for one in ahead[name] if not _implied(ahead, name, one)]
    rows = _rows(ahead, place, arrows)
    across = max(len(row) for row in rows)
    width = 2 * _MARGIN + across * _WIDE + (across - 1) * _ACROSS
    height = 2 * _MARGIN + len(rows) * _HIGH + (len(rows) - 1) * _DOWN
    middle = {}
    for number, row in enumerate(reversed(rows)):
        left = (width - len(row) * _WIDE - (len(row) - 1) * _ACROSS) / 2
        for at, name in enumerate(row):
            middle[name] = (left + at * (_WIDE + _ACROSS) + _WIDE / 2, _MARGIN + number * (_HIGH + _DOWN))
    lines = [_arrow(middle[a], middle[b], "#7a8aa0", "tip") for a, b in sorted(arrows, key=str)]
    lines += [_arrow(middle[a], middle[b], "#c62828", "wrong") for a, b in sorted(against)]
    boxes = [
        f'<rect x="{x - _WIDE / 2:.0f}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="5" fill="#eef2f8" '
        'stroke="#3f51b5"/>'
        f'<text x="{x:.0f}" y="{y + 22}" text-anchor="middle">{escape(name)}</text>'
        for name, (x, y) in sorted(middle.items())
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        'font-family="sans-serif" font-size="13" fill="#222">'
    )
    tips = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for name, colour in (("tip", "#7a8aa0"), ("wrong", "#c62828"))
    )
    ground = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    return "\n".join([head, f"<defs>{tips}</defs>", ground, *lines, *boxes, "</svg>"]) + "\n"


def _implied(ahead: Mapping[str, set[str]], name: str, one: str) -> bool:
    """Whether ``name`` reaches ``one`` through another part too."""
    waiting, seen = list(ahead[name] - {one}), set()
    while waiting:
        here = waiting.pop()
        if here == one:
            return True
        if here not in seen:
            seen.add(here)
            waiting += ahead[here]
    return False


def _rows(
    ahead: Mapping[str, set[str]], place: Mapping[str, int], arrows: Sequence[tuple[str, str]]
) -> list[list[str]]:
    """Parts by the length of their longest way down; within a row near to those they lead to."""
    rank: dict[str, int] = {}
    for name in sorted(ahead, key=lambda name: place[name]):
        rank[name] = 1 + max((rank[one] for one in ahead[name]), default=-1)
    rows = [
        [name for name in sorted(rank, key=lambda name: place[name]) if rank[name] == at]
        for at in set(rank.values())
    ]
    for below, row in pairwise(rows):
        at = {name: (number + 0.5) / len(below) for number, name in enumerate(below)}
        near = {
            name: [at[one] for start, one in arrows if start == name and one in at] or [0.5] for name in row
        }
        row.sort(key=lambda name: (sum(near[name]) / len(near[name]), place[name]))
    return rows


def _arrow(start: tuple[float, float], end: tuple[float, float], colour: str, tip: str) -> str:
    """A curve from the lower edge of a box to the upper edge of another one, or back up."""
    down = end[1] > start[1]
    (x1, y1), (x2, y2) = (
        (start[0], start[1] + (_HIGH if down else 0)),
        (end[0], end[1] + (0 if down else _HIGH)),
    )
    bend = (y2 - y1) / 2
    return (
        f'<path d="M{x1:.0f} {y1}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2}" fill="none" '
        f'stroke="{colour}" marker-end="url(#{tip})"/>'
    )
