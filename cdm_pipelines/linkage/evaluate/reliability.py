"""Whether probabilities are what they say: pairs by probability, beside the share of them that match.

Belongs here: that table. Does not belong here: precision and recall of clusters (measures), or choosing anything by the
truth.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

EDGES = (0.5, 0.8, 0.95, 0.99, 1.0)
_SIDES = ("left", "right")


@dataclass(frozen=True)
class Band:
    """Candidate pairs of about one probability.

    Attributes:
        low: Probability from which on.
        high: Up to which.
        pairs: How many there are.
        expected: Their mean probability; NaN of none.
        true: Share of them that match; NaN of none.
    """

    low: float
    high: float
    pairs: int
    expected: float
    true: float


def reliability(pairs: pd.DataFrame, truth: pd.DataFrame) -> tuple[Band, ...]:
    """The bands from an even chance on.

    Args:
        pairs: Columns left_source, left_id, right_source, right_id, probability.
        truth: Columns source, record_id, truth_id; pairs of records that it does not name are left out.
    """
    keys = truth[["source", "record_id"]].astype(str)
    person = pd.Series(pd.factorize(truth["truth_id"])[0], index=pd.MultiIndex.from_frame(keys))
    likely = pairs[pairs["probability"] >= EDGES[0]]
    left, right = (
        person.reindex(
            pd.MultiIndex.from_arrays(
                [likely[f"{side}_source"].astype(str), likely[f"{side}_id"].astype(str)]
            )
        ).to_numpy()
        for side in _SIDES
    )
    known = ~(np.isnan(left) | np.isnan(right))
    probability = likely["probability"].to_numpy()[known]
    same = (left == right)[known]
    band = np.minimum(np.searchsorted(EDGES, probability, side="right") - 1, len(EDGES) - 2)
    found = []
    for number, (low, high) in enumerate(itertools.pairwise(EDGES)):
        of_it = band == number
        count = int(of_it.sum())
        means = (float(one[of_it].mean()) if count else float("nan") for one in (probability, same))
        found.append(Band(low, high, count, *means))
    return tuple(found)
