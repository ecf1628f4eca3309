"""What is told of a churn model, of two of them, and of a computed table.

Belongs here: figures for the metadata of assets and for comparing fits. Does not belong here: how they are worked out
and drawn (``churn_figures``), or what they are figures of (``churn``).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.enrichment import churn_features, churn_figures
from cdm_pipelines.enrichment.churn_logistic import Floats
from cdm_pipelines.enrichment.drift import Drift, warning
from cdm_pipelines.enrichment.work import Work
from cdm_pipelines.figures import Bars, Check, Figure, Figures, Grid, Picture, Words

MODEL = "model"
BANDS = ("low", "medium", "high")


def explain_fit(fitted: Mapping[str, Any]) -> Figures:
    """How a fit was judged, beside recency alone, and what its model is made of."""
    if fitted["method"] != MODEL:
        return {"method": str(fitted["method"])}
    judged, alone = fitted["judged"], fitted["recency_alone"]
    told = ", ".join(
        f"{row['tenth']}: {row['expected']:.1%} expected, {row['observed']:.1%} left"
        f"{'' if row['within'] else ' (outside its interval)'}"
        for row in fitted["calibration"]
    )
    compared = [
        {"by": by, "among": among, **{name: fitted[key][name] for name in _SHOWN if name in fitted[key]}}
        for key, by, among in _JUDGED
        if fitted[key]
    ]
    return {
        "method": MODEL,
        "horizon_days": fitted["horizon_days"],
        "lost_after_days": fitted["lost_after_days"],
        "window": Words(", ".join(f"{name} {day}" for name, day in fitted["window"].items())),
        "shape": fitted["model"]["shape"],
        "auc": judged["auc"],
        "brier": judged["brier"],
        "auc_of_recency_alone": alone["auc"],
        "brier_of_recency_alone": alone["brier"],
        "trained": fitted["model"]["trained_on"],
        "out_of_fold": fitted["model"]["out_of_fold"],
        "judged_on_the_later_window": Grid(compared, ("by", "among")),
        "tenths_within_their_interval": sum(bool(row["within"]) for row in fitted["calibration"]),
        "calibration": Picture(
            churn_figures.calibration_picture(fitted["calibration"], "Who left, by tenth of the score"), told
        ),
        "calibration_by_tenth": Grid(fitted["calibration"], ("tenth",)),
        "strength": churn_figures.strengths(fitted["model"]),
    }


_SHOWN = ("auc", "brier", "brier_of_the_share", "log_loss", "customers", "left", "expected")
_JUDGED = (
    ("judged", "model", "all"),
    ("recency_alone", "recency alone", "all"),
    ("judged_active", "model", "bought within the horizon before"),
    ("recency_alone_active", "recency alone", "bought within the horizon before"),
)


def picture(table: pa.Table, work: Work) -> Figures:
    """How scores lie, and whether scores and features still lie as in training; nothing is fitted anew for that."""
    scored = table.filter(pc.is_valid(table["probability"]))
    methods = {
        str(one["values"]).partition(":")[0]: one["counts"]  # why a model was refused is said of the model
        for one in pc.value_counts(table["method"]).to_pylist()
    }
    found: dict[str, Figure] = {"method": Bars(methods, ("method", "customers"))}
    if not len(scored) or not work.fitted or work.fitted["method"] != MODEL:
        return found
    probability = scored["probability"].to_numpy()
    steps = np.histogram(probability, bins=20, range=(0, 1))[0].tolist()
    counted = {band: pc.sum(pc.equal(scored["risk"], band)).as_py() for band in BANDS}
    drift = churn_figures.stability(work.fitted["reference"], probability, _columns_left(work, len(scored)))
    score_moved = next(row for row in drift if row["what"] == "score")
    told = ", ".join(f"{count} {band}" for band, count in counted.items())
    return found | {
        "risk": Bars(counted, ("risk", "customers"), scale=True),
        "probability": Picture(churn_figures.histogram_picture(steps, "Probability of leaving"), told),
        "expected_to_leave": round(float(probability.sum()), 1),
        "first_reason": Bars(_counts(scored["reason_1"]), ("strongest reason", "customers")),
        "drift_of_scores": score_moved["index"],
        "drift_limit": score_moved["limit"],
        "drifted": score_moved["moved"],
        "drift": Grid(drift, ("what",)),
    }


def _judge(model: Mapping[str, Any], rows: pa.Table, fitted: date, newest: date) -> Check:
    """Whether the scores of everybody lie as they did in training."""
    probability = pc.drop_null(rows["probability"].combine_chunks()).to_numpy()
    if model.get("method") != MODEL or not len(probability):
        return warning(False, "no model scores anybody")
    [score] = churn_figures.stability({"score": model["reference"]["score"]}, probability)
    told = (
        f"on {newest} the scores of {len(probability):,} customers have a population stability index of "
        f"{score['index']:.3f} against those of the fit of {fitted}; above {score['limit']:.3f} they have moved"
    )
    more = ": fit anew, or find out what has changed" if score["moved"] else ""
    return warning(score["moved"], told + more, index=score["index"], limit=score["limit"])


DRIFT = Drift(pa.schema([("probability", pa.float64())]), _judge)


def _columns_left(work: Work, rows: int) -> dict[str, Floats] | None:
    """Features of the customers of the table, where the computation has just left them; then they go."""
    left = work.sql("SELECT table_name FROM duckdb_tables() WHERE table_name = 'churn_features'")
    if not len(left):
        return None
    table = work.sql("SELECT * FROM churn_features")
    work.db.execute("DROP TABLE churn_features")
    return churn_features.columns_of(table) if len(table) == rows else None


def _counts(words: pa.ChunkedArray) -> dict[str, int]:
    return {str(one["values"]): one["counts"] for one in pc.value_counts(pc.drop_null(words)).to_pylist()}


def compared(former: Mapping[str, Any], latter: Mapping[str, Any]) -> Figures:
    """Two fits side by side: what they were judged by, their windows, and how far every curve moved."""
    sides = (("former", former), ("latter", latter))
    found: dict[str, Figure] = {f"method_{name}": str(fit["method"]) for name, fit in sides}
    if any(fit["method"] != MODEL for _, fit in sides):
        return found
    figures = {
        "auc": [fit["judged"]["auc"] for _, fit in sides],
        "brier": [fit["judged"]["brier"] for _, fit in sides],
        "horizon_days": [fit["horizon_days"] for _, fit in sides],
        "customers trained on": [fit["model"]["trained_on"]["customers"] for _, fit in sides],
        "base": [fit["model"]["base"] for _, fit in sides],
    }
    rows = [{"figure": name, "former": one, "latter": two} for name, (one, two) in figures.items()]
    windows = {
        f"window_{name}": Words(", ".join(f"{what} {day}" for what, day in fit["window"].items()))
        for name, fit in sides
    }
    curves = churn_figures.moved(former["model"], latter["model"])
    return found | windows | {"judged": Grid(rows, ("figure",)), "curves": Grid(curves, ("feature",))}
