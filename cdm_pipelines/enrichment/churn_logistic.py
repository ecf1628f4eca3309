"""Logistic regression in the way that churn uses it, and the numbers around it.

Belongs here: fitting weights, and scores by models that were not trained on what they score. Does not belong here: what
the columns are (``churn_model``).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FOLDS = 5


def logistic(design: Floats, left: NDArray[np.bool_], penalty: float = 1.0) -> tuple[Floats, float]:
    """Weights and intercept; Newton's steps, so that they are exact but for rounding."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - loads only in a run

    model = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-8, max_iter=200)
    model.fit(design, left)
    return model.coef_[0], float(model.intercept_[0])


def _folds(left: NDArray[np.bool_], seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415 - loads only in a run

    return list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(left, left))


def out_of_fold(design: Floats, left: NDArray[np.bool_], seed: int, penalty: float = 1.0) -> Floats:
    """Log-odds of every customer by a model that was not trained on it; ``design`` is (n, columns)."""
    found = np.empty(len(left))
    for train, rest in _folds(left, seed):
        weights, intercept = logistic(design[train], left[train], penalty)
        found[rest] = design[rest] @ weights + intercept
    return found


def earned(gain: Floats) -> bool:
    """Whether a gain per customer is more than its standard error."""
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def log_losses(logit: Floats, left: NDArray[np.bool_]) -> Floats:
    """Log loss of every customer."""
    return np.asarray(np.logaddexp(0.0, np.where(left, -logit, logit)))


def sigmoid(logit: Floats) -> Floats:
    """Probabilities of log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -700, 700))))


def odds(value: float) -> float:
    """Log-odds to nine decimals, as they are kept."""
    return round(float(value), 9) + 0.0


def short(value: float) -> float:
    """Ten digits: what threads and the order of rows leave in the last ones is gone."""
    return float(f"{value:.10g}")
