"""Charts as SVG: lines over days, bars, and which columns feed which.

Belongs here: pure functions from figures to a drawing; every colour is a class of console.css, since pages may have no
style of their own. Does not belong here: what is drawn. A page gives the same figures as a table beside each drawing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from cdm_pipelines.insight.report_words import Language, number

_WIDTH, _HEIGHT = 360, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 10, 24
_ROW, _BAR_LEFT = 22, 150
_TEXT = Markup('<text x="{}" y="{}">{}</text>')
_END = Markup('<text class="end" x="{}" y="{}">{}</text>')
_DOT = Markup('<circle class="dot" cx="{}" cy="{}" r="3"><title>{}: {}</title></circle>')
_BAR = _END + Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"/>') + _TEXT


def percent(value: float, language: Language = Language.ENGLISH) -> str:
    """A share in words: ``2.5%``, ``2,5%``."""
    return f"{number(100 * value, language, 1 if value < 0.1 else 0)}%"


def count(value: float, language: Language = Language.ENGLISH) -> str:
    """A number in words, short: ``1.2k``, ``1,2k``."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            short = f"{value / size:.1f}".removesuffix(".0")
            return number(float(short), language, 1 if "." in short else 0) + sign
    return f"{value:.0f}"


def line(
    points: Sequence[tuple[str, float | None]],
    told: str,
    *,
    share: bool = False,
    language: Language = Language.ENGLISH,
) -> Markup:
    """A line over days, from nought.

    Args:
        points: Day and figure, oldest first; None where there was none.
        told: What is drawn, for those who do not see it.
        share: Whether figures are shares, written as percentages.
        language: In which figures are written.
    """
    said = partial(percent if share else count, language=language)
    most = max((value for _, value in points if value is not None), default=0.0) or 1.0
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(points) - 1, 1)

    def at(place: int, value: float) -> tuple[float, float]:
        tall = _HEIGHT - _TOP - _BOTTOM
        return round(_LEFT + place * step, 1), round(_TOP + tall * (1 - value / most), 1)

    dots = [(*at(place, value), day, value) for place, (day, value) in enumerate(points) if value is not None]
    path = " ".join(f"{'L' if place else 'M'}{x} {y}" for place, (x, y, *_) in enumerate(dots))
    parts = [
        Markup('<line class="axis" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(_LEFT, y, _WIDTH - _RIGHT, y)
        for y in (_TOP, _HEIGHT - _BOTTOM)
    ]
    parts.append(_END.format(_LEFT - 6, _TOP + 4, said(most)))
    parts.append(Markup('<text class="end" x="{}" y="{}">0</text>').format(_LEFT - 6, _HEIGHT - _BOTTOM + 4))
    parts.append(Markup('<path class="line" d="{}"/>').format(path))
    for x, y, day, value in dots:
        parts.append(_DOT.format(x, y, day, said(value)))
    if points:
        parts.append(_TEXT.format(_LEFT, _HEIGHT - 6, points[0][0]))
    if len(points) > 1:
        parts.append(_END.format(_WIDTH - _RIGHT, _HEIGHT - 6, points[-1][0]))
    return _drawing(_WIDTH, _HEIGHT, told, parts)


def bars(counts: Mapping[str, float], told: str, language: Language = Language.ENGLISH) -> Markup:
    """A bar per name, in the order in which they are given.

    Args:
        counts: What is counted, by name.
        told: What is drawn, for those who do not see it.
        language: In which figures are written.
    """
    most = max(counts.values(), default=0.0) or 1.0
    room = _WIDTH - _BAR_LEFT - 50
    parts = []
    for place, (name, value) in enumerate(counts.items()):
        y = place * _ROW
        wide = round(max(room * value / most, 1 if value else 0), 1)
        parts.append(
            _BAR.format(
                *(_BAR_LEFT - 8, y + 15, _short(name, 22)),
                *(_BAR_LEFT, y + 4, wide, _ROW - 8),
                *(_BAR_LEFT + wide + 6, y + 15, count(value, language)),
            )
        )
    return _drawing(_WIDTH, max(len(counts), 1) * _ROW, told, parts, kind="chart bars")


def spark(values: Sequence[float], told: str) -> Markup:
    """A line without words, for a cell of a table."""
    most = max(values, default=0.0) or 1.0
    step = 96 / max(len(values) - 1, 1)
    dots = [
        f"{round(2 + place * step, 1)},{round(22 - 20 * one / most, 1)}" for place, one in enumerate(values)
    ]
    drawn = Markup('<polyline class="line" points="{}"/>').format(" ".join(dots))
    return _drawing(100, 24, told, [drawn], kind="spark")


@dataclass(frozen=True)
class Box:
    """One box of a drawing of lineage.

    Attributes:
        key: By which edges name it.
        name: What stands in it; of one without a name a line goes through.
        of: What stands below that: table or entity.
        href: Where it leads; empty where it leads nowhere.
    """

    key: str
    name: str
    of: str
    href: str


_BOX_WIDE, _BOX_TALL, _ACROSS, _DOWN = 190, 44, 60, 12


def lineage(layers: Sequence[Sequence[Box]], edges: Sequence[tuple[str, str]], told: str) -> Markup:
    """Which columns lead to which, from left to right.

    Args:
        layers: Boxes from left to right, each layer from top to bottom.
        edges: Keys of boxes, from and to; an edge of a box that there is not is left out.
        told: What is drawn, for those who do not see it.
    """
    tallest = max((len(layer) for layer in layers), default=1) or 1
    height = tallest * (_BOX_TALL + _DOWN)
    place: dict[str, tuple[float, float]] = {}
    for column, layer in enumerate(layers):
        top = (height - len(layer) * (_BOX_TALL + _DOWN)) / 2
        for row, box in enumerate(layer):
            place[box.key] = (column * (_BOX_WIDE + _ACROSS), top + row * (_BOX_TALL + _DOWN) + _DOWN / 2)
    parts = [_edge(place[one], place[other]) for one, other in edges if one in place and other in place]
    for layer in layers:
        for box in layer:
            if not box.name:
                x, y = place[box.key]
                parts.append(_THROUGH.format(x, y + _BOX_TALL / 2, x + _BOX_WIDE))
                continue
            drawn = _BOX.format(*_box(box, *place[box.key]))
            parts.append(_LINK.format(box.href, drawn) if box.href else drawn)
    wide = len(layers) * (_BOX_WIDE + _ACROSS) - _ACROSS
    return _drawing(max(wide, 1), height, told, parts, kind="chart lineage", role="group")


_BOX = Markup(
    '<g><title>{}</title><rect class="box" x="{}" y="{}" width="{}" height="{}" rx="6"/>'
    '<text x="{}" y="{}">{}</text><text class="small" x="{}" y="{}">{}</text></g>'
)
_THROUGH = Markup('<path class="edge" d="M{} {} H{}"/>')
_LINK = Markup('<a href="{}">{}</a>')


def _box(box: Box, x: float, y: float) -> tuple[object, ...]:
    words = (x + 10, y + 18, _short(box.name, 24), x + 10, y + 35, _short(box.of, 28))
    return (f"{box.of}: {box.name}", x, y, _BOX_WIDE, _BOX_TALL, *words)


def _edge(one: tuple[float, float], other: tuple[float, float]) -> Markup:
    x, y, to_x, to_y = one[0] + _BOX_WIDE, one[1] + _BOX_TALL / 2, other[0], other[1] + _BOX_TALL / 2
    middle = (x + to_x) / 2
    return Markup('<path class="edge" d="M{} {} C{} {} {} {} {} {}"/>').format(
        x, y, middle, y, middle, to_y, to_x, to_y
    )


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _drawing(
    wide: float, tall: float, told: str, parts: Sequence[Markup], *, kind: str = "chart", role: str = "img"
) -> Markup:
    opened = Markup('<svg class="{}" viewBox="0 0 {} {}" role="{}" aria-label="{}">')
    return opened.format(kind, wide, tall, role, told) + Markup("").join(parts) + Markup("</svg>")
