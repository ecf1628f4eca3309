"""The pictures: bars of seconds, lines of growth, dots of calibration.

Belongs here: SVG, from plain numbers. Does not belong here: which numbers.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from benchmarks.document import COLOURS

Points = Sequence[tuple[float, float]]


def picture(width: float, height: float, shapes: Iterable[str]) -> str:
    """A whole SVG file."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" '
        'font-size="12" fill="#222">'
    )
    return "\n".join(
        [head, f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>', *shapes, "</svg>\n"]
    )


def text(x: float, y: float, words: str, anchor: str = "start", *, bold: bool = False) -> str:
    """Words at a place."""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'


def bars(groups: Mapping[str, Sequence[tuple[str, str, float]]]) -> str:
    """A group of bars a data set, each group to its own scale.

    Args:
        groups: By title: name, system (for the colour) and seconds of each bar.
    """
    systems = list(dict.fromkeys(system for group in groups.values() for _, system, _ in group))
    shapes, y = [], 24.0
    for title, group in groups.items():
        shapes.append(text(20, y, title, bold=True))
        longest = max((value for _, _, value in group), default=1.0) or 1.0
        for name, system, value in group:
            y += 22
            width = 440 * value / longest
            colour = COLOURS[systems.index(system) % len(COLOURS)]
            shapes.append(text(240, y, name, "end"))
            shapes.append(f'<rect x="250" y="{y - 13:.1f}" width="{width:.1f}" height="17" fill="{colour}"/>')
            shapes.append(text(258 + width, y, f"{value:.1f} s"))
        y += 34
    return picture(820, y, shapes)


def growth(lines: Mapping[str, Points], title: str, unit: str) -> list[str]:
    """A panel of lines over numbers of records, both axes logarithmic; 400 wide, 330 high."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points if y > 0]
    left, right = math.log10(min(xs)), math.log10(max(xs))
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    high = max(high, low + 1)

    def at(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - left) / (right - left or 1.0)
        up = (math.log10(max(y, 10.0**low)) - low) / (high - low)
        return 60 + 210 * across, 250 - 210 * up

    shapes = [text(60, 24, title, bold=True)]
    for power in range(low, high + 1):
        _, y = at(min(xs), 10.0**power)
        shapes.append(f'<path d="M60 {y:.1f}H270" stroke="#ddd"/>')
        shapes.append(text(54, y + 4, f"{10.0**power:,.10g} {unit}", "end"))
    shapes += [text(at(x, 1)[0], 268, _short(x), "middle") for x in sorted(set(xs))]
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [at(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        shapes.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        shapes.append(f'<rect x="282" y="{36 + 20 * number}" width="10" height="10" fill="{colour}"/>')
        shapes.append(text(297, 45 + 20 * number, name))
    return shapes


def beside(panels: Sequence[list[str]]) -> str:
    """Panels side by side."""
    moved = [
        shape
        for number, panel in enumerate(panels)
        for shape in (f'<g transform="translate({420 * number},0)">', *panel, "</g>")
    ]
    return picture(420 * len(panels), 290, moved)


def calibration(dots: Sequence[tuple[float, float, str, str]], band: float) -> str:
    """Expected against true precision: the diagonal, a band around it, and a dot a cell.

    Args:
        dots: Expected and true precision, a name that is shown on pointing, and what gives the colour.
        band: Half its width.
    """
    least = min((min(x, y) for x, y, _, _ in dots), default=1.0)
    low = max(0.0, math.floor((least - 0.01) * 20) / 20)
    kinds = list(dict.fromkeys(kind for *_, kind in dots))

    def at(x: float, y: float) -> tuple[float, float]:
        return 70 + 400 * (x - low) / (1 - low), 430 - 400 * (y - low) / (1 - low)

    def limit(off: float) -> str:
        above, below = max(off, 0.0), max(-off, 0.0)
        start, end = (low + below, low + above), (1 - above, 1 - below)
        (x1, y1), (x2, y2) = at(*start), at(*end)
        dash = ' stroke-dasharray="4 4"' if off else ""
        return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#999"{dash}/>'

    shapes = ['<rect x="70" y="30" width="400" height="400" fill="none" stroke="#ccc"/>']
    shapes += [limit(0.0), limit(band), limit(-band)]
    for step in range(6):
        value = low + (1 - low) * step / 5
        shapes.append(text(at(value, low)[0], 448, f"{value:.2f}", "middle"))
        shapes.append(text(62, at(low, value)[1] + 4, f"{value:.2f}", "end"))
    shapes.append(text(270, 470, "expected precision", "middle"))
    shapes.append(text(70, 20, "true precision"))
    for x, y, name, kind in dots:
        cx, cy = at(x, y)
        colour = COLOURS[kinds.index(kind) % len(COLOURS)]
        shapes.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="4" fill="{colour}" fill-opacity="0.7">'
            f"<title>{escape(name)}</title></circle>"
        )
    for number, kind in enumerate(kinds):
        colour = COLOURS[number % len(COLOURS)]
        shapes.append(f'<circle cx="496" cy="{46 + 20 * number}" r="5" fill="{colour}"/>')
        shapes.append(text(508, 50 + 20 * number, kind))
    return picture(660, 485, shapes)


def _short(number: float) -> str:
    return f"{number / 1e6:.10g} M" if number >= 1e6 else f"{number / 1e3:.10g} k"
