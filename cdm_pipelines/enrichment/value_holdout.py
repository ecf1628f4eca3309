"""A purchase model held against what came after: expected and actual purchases, as figures and as a chart.

Belongs here: comparing and drawing. Does not belong here: where to cut the window (``lifetime_value``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cdm_pipelines.enrichment.value_models import Floats, correlation
from cdm_pipelines.figures import Picture

_LAST = 7
"""Customers with so many repeat purchases or more are one bin, as in the paper."""
_WIDTH, _HEIGHT, _FLOOR, _TALL = 640, 300, 250, 190
_ACTUAL, _EXPECTED = "#4c78a8", "#f58518"


def compared(x: Floats, actual: Floats, expected: Floats, counts: Floats) -> dict[str, Any]:
    """Expected against actual purchases of the hold-out.

    Args:
        x: Repeat purchases before it, one element per distinct history.
        actual: Purchases in it.
        expected: What the model said.
        counts: Customers.

    Returns:
        Totals, the correlation over customers, and per frequency the customers and the means.
    """
    bins = np.minimum(x, _LAST)
    rows = []
    for one in range(_LAST + 1):
        weight = np.where(bins == one, counts, 0.0)
        if customers := weight.sum():
            rows.append(
                {
                    "frequency": f"{one}+" if one == _LAST else str(one),
                    "customers": int(customers),
                    "actual": float((weight * actual).sum() / customers),
                    "expected": float((weight * expected).sum() / customers),
                }
            )
    return {
        "customers": int(counts.sum()),
        "actual": float((counts * actual).sum()),
        "expected": float((counts * expected).sum()),
        "correlation": correlation(actual, expected, counts),
        "by_frequency": rows,
    }


def chart(holdout: Mapping[str, Any]) -> Picture:
    """Mean purchases in the hold-out per frequency, actual beside expected."""
    rows: Sequence[Mapping[str, Any]] = holdout["by_frequency"]
    most = max((max(row["actual"], row["expected"]) for row in rows), default=0.0) or 1.0
    wide = (_WIDTH - 60) / max(len(rows), 1)
    shapes, points = [], {}
    for number, row in enumerate(rows):
        left = 40 + number * wide
        for side, (name, colour) in enumerate((("actual", _ACTUAL), ("expected", _EXPECTED))):
            points[f"{row['frequency']} {name}"] = row[name]
            tall = _TALL * row[name] / most
            at = left + side * wide * 0.4
            shapes.append(
                f'<rect x="{at:.1f}" y="{_FLOOR - tall:.1f}" width="{wide * 0.38:.1f}" height="{tall:.1f}" '
                f'fill="{colour}"><title>{row["frequency"]} repeat purchases, {name}: {row[name]:.3f} '
                f"({row['customers']:,} customers)</title></rect>"
            )
            middle = f'x="{at + wide * 0.19:.1f}" y="{_FLOOR - tall - 4:.1f}"'
            shapes.append(f'<text {middle} text-anchor="middle" font-size="10">{row[name]:.2f}</text>')
        shapes.append(
            f'<text x="{left + wide * 0.39:.1f}" y="{_FLOOR + 16}" text-anchor="middle">{row["frequency"]}</text>'
        )
    told = (
        f"Hold-out of {holdout['days']} days, {holdout['customers']:,} customers: {holdout['actual']:,.0f} purchases, "
        f"{holdout['expected']:,.0f} expected. Mean per frequency, actual and expected: "
        + "; ".join(f"{row['frequency']}: {row['actual']:.2f} and {row['expected']:.2f}" for row in rows)
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12" fill="#222" role="img">'
    )
    legend = "".join(
        f'<rect x="{x}" y="34" width="10" height="10" fill="{colour}"/><text x="{x + 15}" y="43">{name}</text>'
        for x, name, colour in ((40, "actual", _ACTUAL), (110, "expected", _EXPECTED))
    )
    title = f"Purchases per customer in the hold-out of {holdout['days']} days"
    body = [
        head,
        f"<title>{told}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="16" y="22" font-size="14" font-weight="bold">{title}</text>',
        legend,
        *shapes,
        f'<line x1="36" y1="{_FLOOR}" x2="{_WIDTH - 16}" y2="{_FLOOR}" stroke="#bbb"/>',
        f'<text x="{_WIDTH / 2}" y="{_FLOOR + 36}" text-anchor="middle">repeat purchases before it</text>',
        "</svg>\n",
    ]
    return Picture("\n".join(body), told, points)
