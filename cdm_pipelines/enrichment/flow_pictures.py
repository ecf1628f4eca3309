"""How customers move, in pictures: transitions between stages, retention of cohorts; as SVG text.

Belongs here: drawing. Does not belong here: what is drawn (``lifecycle``, ``lifecycle_step``).
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from cdm_pipelines.figures import Picture

_WIDTH, _TOP = 860, 44
_COLOURS = ("#9c9c9c", "#4c78a8", "#54a24b", "#2a7f62", "#f58518", "#c8553d", "#b279a2")
_TALL, _GAP = 300, 8


def sankey(flows: Mapping[tuple[str, str], int], order: Sequence[str]) -> Picture:
    """Transitions as bands between two columns, from the stage on the left to that on the right.

    Args:
        flows: How many went from one to another; their points are named ``from -> to``.
        order: All stages, from the top.
    """
    found = {
        pair: flows[pair] for pair in sorted(flows, key=lambda p: (order.index(p[0]), order.index(p[1])))
    }
    points = {f"{old} -> {new}": float(count) for (old, new), count in found.items()}
    told = "Transitions between stages: " + (
        ", ".join(f"{name} {count:,.0f}" for name, count in points.items()) or "none"
    )
    unit = _TALL / (sum(found.values()) or 1)
    left = _column(found, order, 0, unit)
    right = _column(found, order, 1, unit)
    shapes, at_left, at_right = [], dict(left), dict(right)
    for (old, new), count in found.items():
        thick, y, v = count * unit, at_left[old], at_right[new]
        at_left[old] += thick
        at_right[new] += thick
        shapes.append(
            f'<path d="M190 {y:.1f}C430 {y:.1f} 430 {v:.1f} 670 {v:.1f}V{v + thick:.1f}C430 {v + thick:.1f} '
            f'430 {y + thick:.1f} 190 {y + thick:.1f}Z" fill="{_COLOURS[order.index(old) % len(_COLOURS)]}" '
            f'fill-opacity=".45"><title>{escape(old)} to {escape(new)}: {count:,}</title></path>'
        )
    shapes += _ends({one: (top, at_left[one]) for one, top in left.items()}, order, unit, 180, "end")
    shapes += _ends({one: (top, at_right[one]) for one, top in right.items()}, order, unit, 670, "start")
    bottom = max([*at_left.values(), *at_right.values(), float(_TOP)])
    return Picture(_svg("Transitions between stages", shapes, round(bottom) + 16), told, points)


def _column(
    flows: Mapping[tuple[str, str], int], order: Sequence[str], side: int, unit: float
) -> dict[str, float]:
    """Where the block of each stage begins, on the left (0) or the right (1)."""
    tops, y = {}, float(_TOP)
    for stage in order:
        if total := sum(count for pair, count in flows.items() if pair[side] == stage):
            tops[stage] = y
            y += max(total * unit, 12) + _GAP
    return tops


def _ends(
    spans: Mapping[str, tuple[float, float]],
    order: Sequence[str],
    unit: float,
    x: int,
    anchor: str,
) -> list[str]:
    shapes = []
    for stage, (top, end) in spans.items():
        tall = end - top
        colour = _COLOURS[order.index(stage) % len(_COLOURS)]
        words = f"{stage.replace('_', ' ')} {round(tall / unit):,}"
        text = x - 8 if anchor == "end" else x + 18
        shapes.append(f'<rect x="{x}" y="{top:.1f}" width="10" height="{max(tall, 1):.1f}" fill="{colour}"/>')
        shapes.append(
            f'<text x="{text}" y="{top + tall / 2 + 4:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
        )
    return shapes


def heat_map(rows: Sequence[Mapping[str, Any]]) -> Picture:
    """Shares of a cohort that bought in each later quarter; darker is more.

    Args:
        rows: ``cohort``, ``later`` (quarters since) and ``customers``; those of ``later`` 0 are the whole cohort.
    """
    cohorts = sorted({row["cohort"] for row in rows})
    count = {(row["cohort"], row["later"]): row["customers"] for row in rows}
    shapes = [
        f'<text x="{166 + 54 * later}" y="{_TOP + 4}" text-anchor="middle">{"new" if not later else f"+{later}"}</text>'
        for later in range(max((row["later"] for row in rows), default=0) + 1)
    ]
    points: dict[str, float] = {}
    for at, cohort in enumerate(cohorts):
        y, whole = _TOP + 14 + 24 * at, count[cohort, 0]
        shapes.append(f'<text x="16" y="{y + 16}">{escape(cohort)}</text>')
        for later in sorted(later for one, later in count if one == cohort):
            share, x = count[cohort, later] / whole, 140 + 54 * later
            label = f"{whole:,}" if not later else f"{share:.0%}"
            points |= {f"{cohort} +{later}": share} if later else {f"{cohort} new": float(whole)}
            shapes.append(
                f'<rect x="{x}" y="{y}" width="52" height="22" fill="#2a7f62" fill-opacity="{share:.2f}"/>'
                f'<text x="{x + 26}" y="{y + 16}" text-anchor="middle" fill="{"#fff" if share > 0.85 else "#222"}">'
                f"{label}</text>"
            )
    told = "Share of each quarter's new customers that bought in later quarters"
    first = [share for name, share in points.items() if name.endswith(" +1")]
    told += f"; in the next one {min(first):.0%} to {max(first):.0%}" if first else ""
    return Picture(_svg(told.split(";")[0], shapes, _TOP + 30 + 24 * len(cohorts)), told, points)


def _svg(title: str, shapes: Sequence[str], height: int) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#222">'
    )
    back = f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
    name = f'<text x="16" y="24" font-size="14" font-weight="bold">{escape(title)}</text>'
    return "\n".join([head, back, name, *shapes, "</svg>\n"])
