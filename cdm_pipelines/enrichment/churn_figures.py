"""Figures of churn: calibration, stability, what a new model changed, and their pictures.

Belongs here: what is told of a model and of a computed table. Does not belong here: fitting and scoring
(``churn_model``), or windows of time (``churn``).
"""

from collections.abc import Mapping, Sequence
from html import escape
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdm_pipelines.enrichment.churn_logistic import Floats
from cdm_pipelines.enrichment.churn_model import Columns, Model

BINS = 10
LIMIT = 0.25
"""Population stability index from which on a distribution has moved. For normal scores it is the square of the shift
in standard deviations, so .25 is half a standard deviation: the customer at the median has become one of the upper
third. To it comes what chance alone gives one table in a thousand."""
_SURE = 0.95


def calibration(probability: Floats, left: NDArray[np.bool_], bins: int = BINS) -> list[dict[str, Any]]:
    """Expected against observed by tenth of the score, with Wilson's interval (1927).

    All intervals hold together with 95 %: each is wide enough for 1 - .05 / bins (Bonferroni), for of ten intervals
    of 95 % some model that is right leaves one in two cases out of five. Equal scores are in one tenth.

    Args:
        probability: Scores, (n,).
        left: What came of them, (n,).
        bins: How many parts, of equal numbers but for equal scores.
    """
    z = NormalDist().inv_cdf(1 - (1 - _SURE) / (2 * bins))
    edges = np.unique(np.quantile(probability, np.arange(1, bins) / bins))
    part = np.searchsorted(edges, probability, side="left")
    rows: list[dict[str, Any]] = []
    for number in np.unique(part):
        here = part == number
        n, observed = int(here.sum()), float(left[here].mean())
        middle = (observed + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * float(np.sqrt(observed * (1 - observed) / n + z * z / (4 * n * n)))
        expected = float(probability[here].mean())
        low, high = max(0.0, middle - half), min(1.0, middle + half)
        told = {"expected": expected, "observed": observed, "low": low, "high": high}
        rows.append(
            {
                "tenth": len(rows) + 1,
                "customers": n,
                **{name: round(value, 6) for name, value in told.items()},
            }
            | {"within": bool(low <= expected <= high)}
        )
    return rows


def reference(probability: Floats, columns: Columns, model: Model) -> dict[str, Any]:
    """How scores and features are distributed in training, kept to be compared with later."""
    found = {"score": _distribution(probability)}
    return found | {term["name"]: _distribution(columns[term["name"]], term) for term in model["terms"]}


def stability(
    before: Mapping[str, Any], probability: Floats, columns: Columns | None = None
) -> list[dict[str, Any]]:
    """Population stability index of the scores and of every feature that is given, and its limit.

    Sum over the tenths of training, and a part for missing values, of (share now - share then) ln(share now / share
    then), of counts to which a half is added (so that an empty part has a logarithm).
    """
    from scipy.stats import chi2  # noqa: PLC0415 - loads only in a run

    rows = []
    for name, then in before.items():
        column = probability if name == "score" else (columns or {}).get(name)
        if column is None or not len(column):
            continue
        former = np.asarray(then["counts"], dtype=np.float64)
        now = _counts(column, then).astype(np.float64)
        chance = float(chi2.ppf(0.999, len(now) - 1)) * (1 / former.sum() + 1 / now.sum())
        p, q = ((part + 0.5) / (part + 0.5).sum() for part in (now, former))
        index = round(float(((p - q) * np.log(p / q)).sum()), 6)
        limit = round(float(LIMIT + chance), 6)
        rows.append({"what": name, "index": index, "limit": limit, "moved": bool(index > limit)})
    return rows


def _distribution(column: NDArray[Any], term: Mapping[str, Any] | None = None) -> dict[str, Any]:
    if term and "kinds" in term:
        told: dict[str, Any] = {"kinds": sorted(term["kinds"])}
    else:
        known = column[~np.isnan(column)]
        cuts = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.array([])
        told = {"edges": [float(f"{cut:.10g}") for cut in cuts]}
    return told | {"counts": _counts(column, told).tolist()}


def _counts(column: NDArray[Any], told: Mapping[str, Any]) -> NDArray[np.intp]:
    """Values per part: between the cuts, or of a kind and of others; the last part is for missing ones."""
    if "kinds" in told:
        by_kind = [int((column == kind).sum()) for kind in told["kinds"]]
        absent = sum(value is None for value in column)
        return np.array([*by_kind, len(column) - sum(by_kind) - absent, absent])
    edges, absent = np.asarray(told["edges"], dtype=np.float64), np.isnan(column)
    part = np.searchsorted(edges, column[~absent], side="left")
    return np.append(np.bincount(part, minlength=len(edges) + 1), absent.sum())


def strengths(model: Model) -> dict[str, float]:
    """How far apart the ends of every feature's curve are, in log-odds."""
    return {
        term["name"]: round(max(values) - min(values), 4)
        for term in model["terms"]
        if (values := _values(term))
    }


def moved(former: Model, latter: Model) -> list[dict[str, Any]]:
    """Of every feature, strength in both models and the farthest that its curve moved, in log-odds."""
    before, after = ({term["name"]: term for term in model["terms"]} for model in (former, latter))
    known = [strengths(model) for model in (former, latter)]
    return [
        {
            "feature": name,
            "before": known[0].get(name, 0.0),
            "after": known[1].get(name, 0.0),
            "moved": round(_apart(before.get(name), after.get(name)), 4),
        }
        for name in dict.fromkeys([*before, *after])
    ]


def _apart(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> float:
    if one is None or other is None or ("kinds" in one) != ("kinds" in other):
        return max(abs(value) for value in _values(one or other or {}))
    if "kinds" in one:
        kinds = {*one["kinds"], *other["kinds"]}
        both = [(one["kinds"].get(k, one["other"]), other["kinds"].get(k, other["other"])) for k in kinds]
    else:
        at = sorted({*one["knots"], *other["knots"]})
        curves = [np.interp(at, term["knots"], term["values"]).tolist() for term in (one, other)]
        both = list(zip(*curves, strict=True))
    return max(abs(float(a) - float(b)) for a, b in both)


def _values(term: Mapping[str, Any]) -> list[float]:
    return list(term.get("values") or term.get("kinds", {}).values())


_SIDE, _LEFT, _TOP = 300, 48, 34
_FONT = 'font-family="sans-serif" font-size="12" fill="#222"'


def calibration_picture(rows: Sequence[Mapping[str, Any]], title: str) -> str:
    """Observed share with its interval over the expected one; on the diagonal a score means what it says."""

    def x(value: float) -> float:
        return round(_LEFT + _SIDE * value, 1)

    def y(value: float) -> float:
        return round(_TOP + _SIDE * (1 - value), 1)

    shapes = [f'<path d="M{x(0)} {y(0)}L{x(1)} {y(1)}" stroke="#999" stroke-dasharray="4 3"/>']
    for at in (0, 0.25, 0.5, 0.75, 1):
        shapes += [
            f'<path d="M{x(0)} {y(at)}H{x(1)}M{x(at)} {y(0)}V{y(1)}" stroke="#e5e5e5"/>',
            f'<text x="{_LEFT - 6}" y="{y(at) + 4}" text-anchor="end">{at:.0%}</text>',
            f'<text x="{x(at)}" y="{y(0) + 18}" text-anchor="middle">{at:.0%}</text>',
        ]
    for row in rows:
        colour = "#2a7f62" if row["within"] else "#c8553d"
        at = x(row["expected"])
        shapes += [
            f'<path d="M{at} {y(row["low"])}V{y(row["high"])}" stroke="{colour}" stroke-width="2"/>',
            (
                f'<circle cx="{at}" cy="{y(row["observed"])}" r="4" fill="{colour}">'
                f"<title>{row['customers']} customers: {row['expected']:.1%} expected, {row['observed']:.1%} left"
                "</title></circle>"
            ),
        ]
    return _drawn(shapes, title, "expected", _SIDE + _LEFT + 24, _TOP + _SIDE + 44)


def histogram_picture(counts: Sequence[int], title: str) -> str:
    """How many customers have which probability, in equal steps from 0 to 1."""
    width, most = 520 / max(len(counts), 1), max(*counts, 1)
    shapes = []
    for number, count in enumerate(counts):
        height = round(160 * count / most, 1)
        at = round(_LEFT + number * width, 1)
        shapes.append(
            f'<rect x="{at}" y="{_TOP + 160 - height}" width="{round(width - 2, 1)}" height="{height}" '
            f'fill="#4c78a8"><title>{number / len(counts):.0%} to {(number + 1) / len(counts):.0%}: {count}'
            "</title></rect>"
        )
    for at in (0, 0.25, 0.5, 0.75, 1):
        x = round(_LEFT + 520 * at, 1)
        shapes.append(f'<text x="{x}" y="{_TOP + 178}" text-anchor="middle">{at:.0%}</text>')
    return _drawn(shapes, title, "probability", 600, _TOP + 204)


def _drawn(shapes: Sequence[str], title: str, below: str, width: int, height: int) -> str:
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                f'viewBox="0 0 {width} {height}" {_FONT}>'
            ),
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            f'<text x="16" y="20" font-weight="bold">{escape(title)}</text>',
            *shapes,
            f'<text x="{width / 2:.0f}" y="{height - 8}" text-anchor="middle" fill="#666">{escape(below)}</text>',
            "</svg>\n",
        ]
    )
