"""Linkage in pictures: waterfall, cluster graph, weights of a model, distributions; as SVG text.

Belongs here: drawing. Does not belong here: what is drawn (pair, clusters, report).

A picture is a few shapes with a size; several stand below each other in one file. No library: these are bars, lines,
circles and words.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from cdm_pipelines.linkage.explain.clusters import Graph, Link
from cdm_pipelines.linkage.explain.pair import Waterfall
from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel, log2_odds
from cdm_pipelines.linkage.report import parameters

_WIDTH, _ROW, _TOP = 860, 24, 44
_FOR, _AGAINST, _PLAIN, _LINE = "#2a7f62", "#c8553d", "#4c78a8", "#bbb"
_RARE, _COMMON = "#8fbf9f", "#e6a493"
_GROUPS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2")
_MOST_LABELS, _MOST_LINKS = 40, 400


@dataclass(frozen=True)
class Picture:
    """Shapes and how high they stand; all pictures are equally wide."""

    height: int
    shapes: tuple[str, ...]


def svg(*pictures: Picture) -> str:
    """Pictures below each other as one SVG file."""
    height = sum(picture.height for picture in pictures)
    body, y = [], 0
    for picture in pictures:
        body += [f'<g transform="translate(0 {y})">', *picture.shapes, "</g>"]
        y += picture.height
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#222">'
    )
    return "\n".join([head, f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>', *body, "</svg>\n"])


def waterfall_chart(waterfall: Waterfall) -> Picture:
    """One row per step, from the prior odds to the posterior ones; evidence for a match goes to the right."""
    totals = [
        0.0,
        *(x for step in waterfall.steps for x in (step.before, step.before + step.bits, step.total)),
    ]
    scale = _Scale(min(totals), max(totals), 330, 770)
    bottom = _TOP + _ROW * (len(waterfall.steps) + 1)
    shapes = [_title(f"{waterfall.left} and {waterfall.right}: probability {waterfall.probability:.4f}")]
    shapes.append(_line(scale(0), _TOP - 8, scale(0), bottom))
    y = _TOP
    for step in waterfall.steps:
        shapes += [_text(16, y + 14, step.name), _text(130, y + 14, _cut(step.meaning, 32), fill="#666")]
        middle = step.before + step.bits
        if step is waterfall.steps[0]:
            shapes.append(_bar(scale, (0.0, step.total), y, _PLAIN, f"{step.total:+.2f} bits"))
        elif step.bits:
            shapes.append(_signed(scale, (step.before, middle), y, f"level {step.bits:+.2f} bits"))
            if step.term:
                tip = f"frequency of the value {step.term:+.2f} bits"
                colour = _RARE if step.term > 0 else _COMMON
                shapes.append(_bar(scale, (middle, step.total), y + 4, colour, tip, height=8))
        weight = step.total if step is waterfall.steps[0] else step.bits + step.term
        shapes.append(_text(_WIDTH - 16, y + 14, f"{round(weight, 2) + 0.0:+.2f}", anchor="end"))
        shapes.append(_line(scale(step.total), y + 16, scale(step.total), y + _ROW))
        y += _ROW
    shapes += [_text(16, y + 14, "posterior odds", weight="bold")]
    shapes.append(_bar(scale, (0.0, waterfall.odds), y, _PLAIN, f"{waterfall.odds:+.2f} bits"))
    shapes.append(_text(_WIDTH - 16, y + 14, f"{waterfall.odds:+.2f}", anchor="end", weight="bold"))
    return Picture(bottom + 16, tuple(shapes))


def graph_chart(graph: Graph, path: Sequence[Link] = (), match: float = 1.0) -> Picture:
    """Records in a circle, a colour per cluster; links from ``match`` on are solid, those below it are dashed."""
    radius = min(max(60 + 9 * len(graph.nodes), 90), 250)
    middle = (_WIDTH / 2, _TOP + radius + 20)
    groups = list(dict.fromkeys(graph.groups))
    at = {}
    for number, node in enumerate(graph.nodes):
        turn = 2 * math.pi * number / len(graph.nodes) - math.pi / 2
        at[node] = (middle[0] + radius * math.cos(turn), middle[1] + radius * math.sin(turn))
    records = f"{len(graph.nodes)} record{'s' if len(graph.nodes) > 1 else ''}"
    shapes = [_title(f"{'One cluster' if len(groups) == 1 else 'Two clusters'}, {records}")]
    labels: list[str] = []
    on_path = {(link.left, link.right) for link in path}
    for link in reversed(graph.links[:_MOST_LINKS]):
        dash = "" if link.decided or link.probability >= match else ' stroke-dasharray="4 4"'
        ink = ' stroke="#222" stroke-width="3"' if (link.left, link.right) in on_path else ' stroke="#999"'
        told = "decided" if link.decided else f"{link.probability:.4f}"
        (x, y), (u, v) = at[link.left], at[link.right]
        tip = f"<title>{told}</title>"
        shapes.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{u:.1f}" y2="{v:.1f}"{ink}{dash}>{tip}</line>')
        if len(graph.links) <= _MOST_LABELS // 4:
            # Off the middle, so that the labels of links that cross do not lie on each other.
            label = f'x="{x + 0.4 * (u - x):.1f}" y="{y + 0.4 * (v - y) + 4:.1f}"'
            halo = 'text-anchor="middle" stroke="#fff" stroke-width="4" paint-order="stroke"'
            labels.append(f"<text {label} {halo}>{told}</text>")
    shapes += labels
    for node, name, group in zip(graph.nodes, graph.names, graph.groups, strict=True):
        x, y = at[node]
        colour = _GROUPS[groups.index(group) % len(_GROUPS)]
        tip = f"<title>{escape(name)}</title>"
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{colour}">{tip}</circle>')
        if len(graph.nodes) <= _MOST_LABELS:
            side = 1 if x >= middle[0] - 1 else -1
            shapes.append(_text(x + 12 * side, y + 4, name, anchor="start" if side > 0 else "end"))
    return Picture(round(_TOP + 2 * radius + 50), tuple(shapes))


def weights_chart(model: LinkageModel, title: str = "Match weights (bits)") -> Picture:
    """What each level of each comparison weighs, before the frequency of values."""
    rows = parameters(model)
    scale = _Scale(min(0.0, *(r["weight"] for r in rows)), max(0.0, *(r["weight"] for r in rows)), 330, 770)
    shapes, y, before = [_title(title)], _TOP, ""
    shapes.append(_line(scale(0), _TOP - 8, scale(0), _TOP + 18 * len(rows)))
    for row in rows:
        if row["comparison"] != before:
            shapes += [_text(16, y + 12, row["comparison"]), _line(16, y - 2, _WIDTH - 16, y - 2)]
            before = row["comparison"]
        tip = f"m {row['m']:.3g}, u {row['u']:.3g}"
        shapes.append(_text(130, y + 12, _cut(row["meaning"], 32), fill="#666"))
        shapes.append(_signed(scale, (0.0, row["weight"]), y - 1, tip, height=13))
        shapes.append(_text(_WIDTH - 16, y + 12, f"{row['weight']:+.1f}", anchor="end"))
        y += 18
    return Picture(y + 16, tuple(shapes))


def distribution_chart(counts: Mapping[int, int], title: str, match: float | None = None) -> Picture:
    """Pairs by whole bits of log2 odds, on a logarithmic scale: few pairs are matches, and those are of interest.

    Args:
        counts: Pairs by the lower end of the bit.
        title: Above the chart.
        match: Log2 odds from which a pair is a match.
    """
    low, high = min(counts, default=0), max(counts, default=0) + 1
    if match is not None:  # a threshold that no pair reaches is shown as well
        low, high = min(low, math.floor(match)), max(high, math.ceil(match))
    across = _Scale(low, high, 60, _WIDTH - 16)
    most = math.log10(max(counts.values(), default=1) + 1)
    floor = _TOP + 160
    shapes = [_title(title), _line(60, floor, _WIDTH - 16, floor)]
    for bit, count in counts.items():
        tall = 150 * math.log10(count + 1) / most
        left, wide = across(bit), max(across(bit + 1) - across(bit) - 1, 1)
        colour = _FOR if match is not None and bit >= math.floor(match) else _PLAIN
        tip = f"<title>{bit:+d} to {bit + 1:+d} bits: {count:,} pairs</title>"
        shapes.append(
            f'<rect x="{left:.1f}" y="{floor - tall:.1f}" width="{wide:.1f}" height="{tall:.1f}" '
            f'fill="{colour}">{tip}</rect>'
        )
    step = max((high - low) // 12, 1)
    shapes += [
        _text(across(bit), floor + 16, f"{bit:+d}" if bit else "0", anchor="middle")
        for bit in range(low, high + 1, step)
    ]
    shapes += [
        _text(52, floor - 150 * math.log10(10**k + 1) / most + 4, f"{10**k:,}", anchor="end")
        for k in range(int(most) + 1)
    ]
    if match is not None:
        shapes += [_line(across(match), _TOP - 4, across(match), floor, "#222")]
        shapes += [_text(across(match) + 5, _TOP + 4, "match")]
    return Picture(floor + 36, tuple(shapes))


def expected_chart(curve: Sequence[Mapping[str, float]], match: float) -> Picture:
    """Expected precision and recall at every threshold (log2 odds), with the chosen one marked.

    Args:
        curve: ``odds`` (bits), ``precision`` and ``recall``, lowest odds first; see ``report.Histogram.curve``.
        match: The chosen threshold, in bits.
    """
    shapes = [_title("Expected precision and recall by match threshold (log2 odds)")]
    if not curve:
        return Picture(_TOP + 16, (*shapes, _text(16, _TOP + 4, "no candidate pairs")))
    odds = [row["odds"] for row in curve]
    across = _Scale(min(odds[0], match), max(odds[-1], match), 60, _WIDTH - 40)
    up = _Scale(0, 1, _TOP + 170, _TOP + 10)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        shapes.append(_line(60, up(share), _WIDTH - 40, up(share), "#eee"))
        shapes.append(_text(52, up(share) + 4, f"{share:g}", anchor="end"))
    step = max(round((odds[-1] - odds[0]) / 12), 1)
    bits = range(math.ceil(odds[0] / step) * step, math.floor(odds[-1]) + 1, step)
    shapes += [_text(across(bit), up(0) + 16, f"{bit:+d}" if bit else "0", anchor="middle") for bit in bits]
    shapes.append(_line(across(match), up(1) - 8, across(match), up(0), "#222"))
    at = next((row for row in curve if row["odds"] >= match), curve[-1])
    side, anchor = (6, "start") if across(match) < _WIDTH / 2 else (-6, "end")
    for name, colour, y in (("precision", _FOR, up(0.5)), ("recall", _PLAIN, up(0.4))):
        points = " ".join(f"{across(row['odds']):.1f},{up(row[name]):.1f}" for row in curve)
        shapes.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes.append(_text(across(match) + side, y, f"{name} {at[name]:.4f}", anchor=anchor, fill=colour))
    return Picture(_TOP + 206, tuple(shapes))


def weights_picture(model: LinkageModel) -> str:
    """``weights_chart`` as a file of its own."""
    return svg(weights_chart(model))


def odds_picture(counts: Mapping[int, int], model: LinkageModel) -> str:
    """All candidate pairs by whole bits of log2 odds, with the model's threshold."""
    return svg(_odds_chart(counts, model))


def expected_picture(curve: Sequence[Mapping[str, float]], model: LinkageModel) -> str:
    """``expected_chart`` at the model's threshold as a file of its own."""
    return svg(expected_chart(curve, log2_odds(model.match)))


def result_picture(model: LinkageModel, report: Mapping[str, Any]) -> str:
    """What a linkage has to show, in one file: weights, candidate pairs, expected precision and recall."""
    counts = {int(low): count for low, count in report["odds"].items()}
    expected = expected_chart(report["expected_curve"], log2_odds(model.match))
    return svg(weights_chart(model), _odds_chart(counts, model), expected)


def _odds_chart(counts: Mapping[int, int], model: LinkageModel) -> Picture:
    return distribution_chart(counts, "Candidate pairs by log2 odds of a match", log2_odds(model.match))


@dataclass(frozen=True)
class _Scale:
    """From bits to places across."""

    low: float
    high: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        return self.left + (value - self.low) / ((self.high - self.low) or 1.0) * (self.right - self.left)


def _signed(scale: _Scale, span: tuple[float, float], y: float, tip: str, *, height: int = 16) -> str:
    return _bar(scale, span, y, _FOR if span[1] >= span[0] else _AGAINST, tip, height=height)


def _bar(
    scale: _Scale, span: tuple[float, float], y: float, colour: str, tip: str, *, height: int = 16
) -> str:
    left, right = sorted(scale(value) for value in span)
    return (
        f'<rect x="{left:.1f}" y="{y}" width="{max(right - left, 1.0):.1f}" height="{height}" fill="{colour}">'
        f"<title>{escape(tip)}</title></rect>"
    )


def _line(x: float, y: float, u: float, v: float, colour: str = _LINE) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{u:.1f}" y2="{v:.1f}" stroke="{colour}"/>'


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", fill: str = "#222", weight: str = "normal"
) -> str:
    kept = {"text-anchor": (anchor, "start"), "fill": (fill, "#222"), "font-weight": (weight, "normal")}
    extra = "".join(f' {name}="{value}"' for name, (value, usual) in kept.items() if value != usual)
    return f'<text x="{x:.1f}" y="{y:.1f}"{extra}>{escape(text)}</text>'


def _title(text: str) -> str:
    return f'<text x="16" y="24" font-size="14" font-weight="bold">{escape(text)}</text>'


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
