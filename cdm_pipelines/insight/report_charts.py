"""Pictures of figures as SVG text: against targets, over months, beside each other, as a radar, as a map.

Belongs here: drawing; each picture carries its colours itself, since it stands in a report that works offline and in
Dagster's metadata as well. Does not belong here: what is drawn, or the pages of the console (console.charts), whose
colours are those of its style sheet.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

from cdm_pipelines.figures import Picture
from cdm_pipelines.insight.kpis import KpiFound
from cdm_pipelines.insight.report_words import Language, Unit, written

INK, QUIET, RULE = "#1f2933", "#52606d", "#d5dbe1"
GOOD, BAD, PLAIN = "#1b7a5a", "#b3401f", "#35608f"
WIDE = 440
_ROW, _LEFT, _RIGHT = 44, 12, 120
_NOT_YET = {
    Language.ENGLISH: "not measurable yet",
    Language.DUTCH: "nog niet meetbaar",
}


def targets(rows: Sequence[Mapping[str, object]], told: str, language: Language, currency: str) -> str:
    """A bar per figure with its target as a line across, each on a scale of its own.

    Args:
        rows: ``title``, ``value``, ``target``, ``met`` and ``unit`` of each.
        told: What is drawn, for those who do not see it.
        language: In which it is written.
        currency: Of amounts.
    """
    room, shapes = WIDE - _LEFT - _RIGHT, []
    for at, row in enumerate(rows):
        y, value, target, unit = at * _ROW, row["value"], row["target"], Unit(str(row["unit"]))
        shapes.append(_words(_LEFT, y + 14, str(row["title"])))
        shapes.append(f'<rect x="{_LEFT}" y="{y + 20}" width="{room}" height="14" fill="#eef1f4"/>')
        if not isinstance(value, int | float):
            shapes.append(_words(_LEFT + room + 8, y + 32, _NOT_YET[language], colour=QUIET, size=11))
            continue
        goal = float(target) if isinstance(target, int | float) else None
        most = _most(value, goal, unit)
        colour = {True: GOOD, False: BAD, None: PLAIN}[row["met"]]  # type: ignore[index]
        scaled = goal is not None or unit in (
            Unit.SHARE,
            Unit.SCORE,
        )  # without either a bar would say nothing
        long = round(room * min(max(value, 0) / most, 1), 1) if scaled else 0
        shapes.append(f'<rect x="{_LEFT}" y="{y + 20}" width="{long}" height="14" fill="{colour}"/>')
        if goal is not None:
            x = round(_LEFT + room * min(max(goal, 0) / most, 1), 1)
            shapes.append(f'<path d="M{x} {y + 16}V{y + 38}" stroke="{INK}" stroke-width="2.5"/>')
        mark = {True: " ✓", False: " ✗", None: ""}[row["met"]]  # type: ignore[index]
        shapes.append(_words(_LEFT + room + 8, y + 32, written(value, unit, language, currency) + mark))
    return drawing(shapes, WIDE, len(rows) * _ROW + 4, told)


def _most(value: float, target: float | None, unit: Unit) -> float:
    if unit == Unit.SHARE and max(value, target or 0) > 0.5:
        return 1.0
    if unit == Unit.SCORE and max(value, target or 0) <= 5:
        return 5.0
    return max(value, target or 0.0, 0.0) * 1.25 or 1.0


def targets_of(found: Sequence[KpiFound], told: str, language: Language, currency: str) -> str:
    """Key figures against their targets; see ``targets``."""
    rows = [
        {
            "title": one.kpi.title.read(language),
            "value": one.value,
            "target": one.kpi.target,
            "met": one.met,
            "unit": one.kpi.unit,
        }
        for one in found
    ]
    return targets(rows, told, language, currency)


def targets_picture(found: Sequence[KpiFound], language: Language, currency: str) -> Picture:
    """Key figures against their targets, for Dagster."""
    return Picture(
        targets_of(found, "Key figures against their targets", language, currency),
        "Key figures against their targets, as in the table",
    )


def line(
    points: Sequence[tuple[str, float | None]],
    told: str,
    *,
    unit: Unit,
    language: Language,
    currency: str = "",
    target: float | None = None,
    least: float = 0.0,
) -> str:
    """A line over months or days; those without a figure leave a gap.

    Args:
        points: Month or day and figure, oldest first.
        told: What is drawn, for those who do not see it.
        unit: Of the figures.
        language: In which they are written.
        currency: Of amounts.
        target: Drawn as a broken line.
        least: Where the scale begins.
    """
    left, top, tall, long = 84, 14, 120, WIDE - 84 - 16
    values = [value for _, value in points if value is not None]
    most = least + (max([*values, target or least], default=least) - least) * 1.1 or least + 1.0
    step = long / max(len(points) - 1, 1)

    def at(place: int, value: float) -> tuple[float, float]:
        return round(left + place * step, 1), round(top + tall * (1 - (value - least) / (most - least)), 1)

    shapes = [f'<path d="M{left} {top}V{top + tall}H{left + long}" fill="none" stroke="{RULE}"/>']
    shapes.append(
        _words(left - 8, top + tall + 4, written(least, unit, language, currency), anchor="end", size=11)
    )
    if target is not None:
        y = at(0, target)[1]
        shapes.append(
            f'<path d="M{left} {y}H{left + long}" stroke="{INK}" stroke-dasharray="5 4" stroke-width="1.5"/>'
        )
        shapes.append(
            _words(left - 8, y + 4, written(target, unit, language, currency), anchor="end", size=11)
        )
    known = [(place, month, value) for place, (month, value) in enumerate(points) if value is not None]
    for _, run in groupby(enumerate(known), key=lambda one: one[1][0] - one[0]):
        dots = [at(place, value) for _, (place, _, value) in run]
        path = " ".join(f"{'L' if number else 'M'}{x} {y}" for number, (x, y) in enumerate(dots))
        shapes.append(f'<path d="{path}" fill="none" stroke="{PLAIN}" stroke-width="2"/>')
    for place, month, value in known:
        x, y = at(place, value)
        words = escape(f"{month}: {written(value, unit, language, currency)}")
        shapes.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{PLAIN}"><title>{words}</title></circle>')
    if known:
        place, _, value = known[-1]
        x, y = at(place, value)
        anchor = "end" if place else "start"
        shapes.append(_words(x, max(y - 9, 11), written(value, unit, language, currency), anchor=anchor))
    if points:
        shapes.append(_words(left, top + tall + 18, points[0][0], size=11))
    if len(points) > 1:
        shapes.append(_words(left + long, top + tall + 18, points[-1][0], anchor="end", size=11))
    return drawing(shapes, WIDE, top + tall + 26, told)


def bars(
    counts: Sequence[tuple[str, float]], told: str, *, unit: Unit, language: Language, currency: str = ""
) -> str:
    """A bar per name, in the order in which they are given, all on one scale."""
    most = max((value for _, value in counts), default=0.0) or 1.0
    room, shapes = WIDE - _LEFT - _RIGHT, []
    for at, (name, value) in enumerate(counts):
        y, long = at * 38, round(max(room * value / most, 2 if value else 0), 1)
        shapes.append(_words(_LEFT, y + 13, _short(name, 60)))
        shapes.append(f'<rect x="{_LEFT}" y="{y + 18}" width="{long}" height="13" fill="{PLAIN}"/>')
        shapes.append(_words(_LEFT + long + 8, y + 29, written(value, unit, language, currency)))
    return drawing(shapes, WIDE, len(counts) * 38 + 2, told)


def radar(axes: Sequence[tuple[str, float]], most: int, told: str) -> str:
    """Levels of several dimensions around a centre.

    Args:
        axes: Name and level of each.
        most: The highest level.
        told: What is drawn, for those who do not see it.
    """
    middle_x, middle_y, long = WIDE / 2, 158.0, 112.0

    def at(place: int, level: float) -> tuple[float, float]:
        angle = 2 * math.pi * place / len(axes) - math.pi / 2
        reach = long * level / most
        return round(middle_x + reach * math.cos(angle), 1), round(middle_y + reach * math.sin(angle), 1)

    def ring(levels: Sequence[float]) -> str:
        return " ".join(f"{x},{y}" for x, y in (at(place, level) for place, level in enumerate(levels)))

    shapes = [
        f'<polygon points="{ring([level] * len(axes))}" fill="none" stroke="{RULE}"/>'
        for level in range(1, most + 1)
    ]
    for place in range(len(axes)):
        x, y = at(place, most)
        shapes.append(f'<path d="M{middle_x} {middle_y}L{x} {y}" stroke="{RULE}"/>')
    shapes.append(
        f'<polygon points="{ring([level for _, level in axes])}" fill="{PLAIN}" fill-opacity=".25" '
        f'stroke="{PLAIN}" stroke-width="2.5"/>'
    )
    for place, (name, level) in enumerate(axes):
        dot_x, dot_y = at(place, level)
        shapes.append(f'<circle cx="{dot_x}" cy="{dot_y}" r="4" fill="{PLAIN}"/>')
        x, y = at(place, most + 0.45)
        anchor = "middle" if abs(x - middle_x) < 20 else "start" if x > middle_x else "end"
        shapes.append(_words(x, y + 5, f"{name} {level:.0f}", anchor=anchor))
    return drawing(shapes, WIDE, 290, told)


def graph(
    nodes: Sequence[tuple[str, str, str, bool]], edges: Sequence[tuple[str, str, str, float]], told: str
) -> str:
    """Touch points in a ring, and arrows from one to the next.

    Args:
        nodes: Key, name, what stands below the name, and whether it delivers anything: one that does not is broken.
        edges: From, to, words, and how thick from 0 to 1.
        told: What is drawn, for those who do not see it.
    """
    wide, tall = 116.0, 44.0
    high = 190 if len(nodes) <= 3 else 300 + 44 * max(0, len(nodes) - 6)
    middle = (WIDE / 2, high / 2)
    reach = (WIDE / 2 - wide / 2 - 6, high / 2 - tall / 2 - 4)
    place = {}
    for number, (key, *_) in enumerate(nodes):
        angle = 2 * math.pi * number / max(len(nodes), 1) - math.pi / 2
        place[key] = (middle[0] + reach[0] * math.cos(angle), middle[1] + reach[1] * math.sin(angle))
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8Z" fill="{PLAIN}"/></marker></defs>'
    )
    shapes = [tip]
    for one, other, words, share in edges:
        if one == other or one not in place or other not in place:
            continue
        shapes.append(_arrow(place[one], place[other], (wide, tall), words, share))
    for key, name, below, delivers in nodes:
        x, y = place[key]
        stroke, dashes = (PLAIN, "") if delivers else (BAD, ' stroke-dasharray="5 4"')
        shapes.append(
            f'<rect x="{x - wide / 2:.1f}" y="{y - tall / 2:.1f}" width="{wide}" height="{tall}" rx="7" fill="#fff" '
            f'stroke="{stroke}" stroke-width="1.8"{dashes}/>'
        )
        shapes.append(_words(x, y - 2, _short(name, 17), anchor="middle", size=12))
        shapes.append(_words(x, y + 14, below, anchor="middle", size=11, colour=QUIET))
    return drawing(shapes, WIDE, high, told)


def _arrow(
    one: tuple[float, float], other: tuple[float, float], box: tuple[float, float], words: str, share: float
) -> str:
    """A bent arrow between the edges of two boxes, so that there and back do not lie on each other."""
    run, rise = other[0] - one[0], other[1] - one[1]
    long = math.hypot(run, rise) or 1.0
    bend = (-rise / long * 16, run / long * 16)
    start, end = _edge(one, (run, rise), box), _edge(other, (-run, -rise), box)
    start, end = (
        (start[0] + bend[0] / 3, start[1] + bend[1] / 3),
        (end[0] + bend[0] / 3, end[1] + bend[1] / 3),
    )
    over = ((start[0] + end[0]) / 2 + bend[0], (start[1] + end[1]) / 2 + bend[1])
    return (
        f'<path d="M{start[0]:.1f} {start[1]:.1f}Q{over[0]:.1f} {over[1]:.1f} {end[0]:.1f} {end[1]:.1f}" fill="none" '
        f'stroke="{PLAIN}" stroke-width="{1 + 3 * share:.1f}" marker-end="url(#tip)">'
        f"<title>{escape(words)}</title></path>"
    )


def _edge(
    at: tuple[float, float], towards: tuple[float, float], box: tuple[float, float]
) -> tuple[float, float]:
    """Where a line from the middle of a box leaves it."""
    run, rise = towards
    scale = min(box[0] / 2 / abs(run) if run else math.inf, box[1] / 2 / abs(rise) if rise else math.inf)
    scale = scale if math.isfinite(scale) else 0.0
    return at[0] + run * scale, at[1] + rise * scale


def drawing(shapes: Sequence[str], wide: float, tall: float, told: str) -> str:
    """The whole picture; ``told`` is read to those who do not see it."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall:.0f}" viewBox="0 0 {wide} {tall:.0f}" '
        f'role="img" aria-label="{escape(told)}" font-family="sans-serif">'
    )
    return "\n".join([head, f'<rect width="{wide}" height="{tall:.0f}" fill="#fff"/>', *shapes, "</svg>"])


def _words(x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, colour: str = INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">'
        f"{escape(text)}</text>"
    )


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
