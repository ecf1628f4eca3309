"""Pictures of scorecards, what faults cost, and the business case, as SVG text.

Belongs here: drawing. Does not belong here: what is drawn.
"""

from collections.abc import Mapping, Sequence
from html import escape

from cdm_pipelines.figures import Picture

_WIDTH, _LEFT, _RIGHT, _TOP, _TALL = 860, 70, 690, 50, 240
_COLOURS = ("#4c78a8", "#54a24b", "#f58518", "#c8553d", "#b279a2", "#2a7f62", "#9c9c9c")


def lines(title: str, days: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> Picture:
    """Shares over days, a line each.

    Args:
        title: Of the picture.
        days: From left to right.
        series: A share per day by name; None where there is none.
    """
    known = [one for line in series.values() for one in line if one is not None]
    low = min(known, default=0.0)
    low = max(0.0, low - (1 - low) * 0.1 - 0.005)
    points: dict[str, float] = {}
    shapes = _frame(days, low)
    for at, (name, line) in enumerate(series.items()):
        colour = _COLOURS[at % len(_COLOURS)]
        places = [
            (_x(day, len(days)), _TOP + _TALL * (1 - (share - low) / (1 - low or 1)))
            for day, share in enumerate(line)
            if share is not None
        ]
        if not places:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        last = next(share for share in reversed(line) if share is not None)
        points[name] = round(last, 6)
        shapes.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        shapes.append(
            f'<text x="{_RIGHT + 20}" y="{_TOP + 16 + 20 * at}" fill="{colour}">{escape(name)} {last:.2%}</text>'
        )
    told = f"{title}: " + (
        ", ".join(f"{name} {share:.2%}" for name, share in points.items()) or "nothing yet"
    )
    return Picture(svg(title, shapes, _TOP + _TALL + 40), told, points)


def _x(at: int, number: int) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (at / (number - 1) if number > 1 else 0.5)


def _frame(days: Sequence[str], low: float) -> list[str]:
    shapes = [f'<path d="M{_LEFT} {_TOP}V{_TOP + _TALL}H{_RIGHT}" fill="none" stroke="#999"/>']
    for share in (1.0, (1 + low) / 2, low):
        y = _TOP + _TALL * (1 - (share - low) / (1 - low or 1))
        shapes.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.1%}</text>')
        shapes.append(f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="#eee"/>')
    step = max(1, len(days) // 8)
    shapes += [
        f'<text x="{_x(at, len(days)):.1f}" y="{_TOP + _TALL + 18}" text-anchor="middle">{escape(days[at])}</text>'
        for at in range(0, len(days), step)
    ]
    return shapes


def svg(title: str, shapes: Sequence[str], height: int) -> str:
    """A whole picture."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#222" role="img" '
        f'aria-label="{escape(title, quote=True)}">'
    )
    back = f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
    name = f'<text x="16" y="24" font-size="14" font-weight="bold">{escape(title)}</text>'
    return "\n".join([head, back, name, *shapes, "</svg>\n"])
