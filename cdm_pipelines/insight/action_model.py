"""A model of who responds to what, used only where it beats the best single action.

Belongs here: fitting, and holding the model against the best single action on held-out randomised data. Does not belong
here: reading choices (steps.activation), estimates (``action_judgement``).

Two models per action (a T-learner): one of those it was carried out for, one of those left alone; what it adds is the
difference of the two. They see what was randomised alone: choices that were drawn evenly, and the control group. Others
were chosen by what the features say, and would teach the model the rule.

The customers are halved by a hash of the golden id. On one half the models are fitted and the best single action is
found; on the other both are worth what the self-normalised estimate says, by the propensity of every choice. The model
is used where it is worth more by over one standard error of the difference. On Hillstrom's published data a good
learner gained .333 per customer, and sending everybody the one best mail .512: a model has to prove itself. One that is
worth as much as the best single action passes by chance in one of six times, and costs nothing then.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from cdm_pipelines.insight.action_judgement import Labels, difference, weights
from cdm_pipelines.insight.action_policy import NONE, Model
from cdm_pipelines.insight.action_rules import Flags, Numbers, numbers
from cdm_pipelines.insight.action_uplift import Interval
from cdm_pipelines.store.arrow import whole

_SEED = 20260601
_MOST_VALUES = 20
"""So many values of a text are told apart, the most frequent ones; the others are one."""
_LEAST_OF_EACH = 20
"""Fewer responses, or fewer of no response, and no model is fitted of an action."""


@dataclass(frozen=True)
class Coding:
    """How features become numbers: what was learned of them when the models were fitted.

    Attributes:
        texts: By text column, the values that are told apart.
        scales: By number column, mean and standard deviation.
    """

    texts: Mapping[str, Sequence[str]]
    scales: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, rows: pa.Table) -> "Coding":
        """Learned from rows of features."""
        texts, scales = {}, {}
        for name in rows.column_names:
            column = rows[name]
            if pa.types.is_string(column.type):
                counted = pc.value_counts(whole(column).drop_null()).to_pylist()
                ranked = sorted(counted, key=lambda one: (-one["counts"], one["values"]))
                texts[name] = tuple(sorted(str(one["values"]) for one in ranked[:_MOST_VALUES]))
            else:
                values = _numbers(column)
                known = values[~np.isnan(values)]
                spread = float(known.std()) if len(known) else 0.0
                scales[name] = (float(known.mean()) if len(known) else 0.0, spread or 1.0)
        return cls(texts, scales)

    def coded(self, rows: pa.Table) -> Numbers:
        """Rows as numbers: one column per value of a text; numbers scaled, with a column for what is missing."""
        columns = []
        for name, known in self.texts.items():
            text = pc.cast(rows[name], pa.string())
            columns += [_flag(pc.equal(text, value)) for value in known]
        for name, (mean, spread) in self.scales.items():
            values = _numbers(rows[name])
            missing = np.isnan(values)
            columns += [np.where(missing, 0.0, (values - mean) / spread), missing.astype(np.float64)]
        return np.column_stack(columns) if columns else np.zeros((rows.num_rows, 1))


def _numbers(column: pa.ChunkedArray) -> Numbers:
    if pa.types.is_date(column.type):
        column = pc.cast(pc.cast(column, pa.int32()), pa.float64())
    return numbers(column)


def _flag(column: Any) -> Numbers:
    found: Numbers = pc.fill_null(whole(column), False).to_numpy(zero_copy_only=False).astype(np.float64)
    return found


@dataclass(frozen=True)
class Logged:
    """Choices with their propensities, and what came of them.

    Attributes:
        features: Of each customer then.
        done: What was done, ``none`` for those left alone.
        even: Which of them were drawn without regard to the customer: evenly, or for the control group.
        responded: Who responded.
        propensity: Of what was done.
        possible: Customers x actions: what could have been drawn.
        value: What a response is worth; 1 where no values are stated.
        customer: Golden ids.
    """

    features: pa.Table
    done: Labels
    even: Flags
    responded: Flags
    propensity: Numbers
    possible: Flags
    value: Numbers
    customer: npt.NDArray[np.str_]

    def part(self, which: Flags) -> "Logged":
        """Some of them."""
        return Logged(
            self.features.filter(pa.array(which)),
            self.done[which],
            self.even[which],
            self.responded[which],
            self.propensity[which],
            self.possible[which],
            self.value[which],
            self.customer[which],
        )


@dataclass(frozen=True)
class Fitted:
    """Models of each action, and whether they are used.

    Attributes:
        used: Whether they are.
        words: Why, or why not.
        coding: Of the features.
        models: By action: with it, and left alone.
        gain: What the model is worth above the best single action, on the held-out half; None where not judged.
    """

    used: bool
    words: str
    coding: Coding | None = None
    models: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    gain: Interval | None = None

    def uplift(self, features: pa.Table, actions: Sequence[str]) -> Numbers:
        """By how much each action raises the probability of a response: customers x actions.

        Of an action without models it is not known, which is not a number.
        """
        found = np.full((features.num_rows, len(actions)), np.nan)
        if self.coding is None:
            return found
        coded = self.coding.coded(features)
        for at, action in enumerate(actions):
            if action in self.models:
                treated, alone = self.models[action]
                found[:, at] = _probability(treated, coded) - _probability(alone, coded)
        return found


def fit(chosen: Model, actions: Sequence[str], costs: Numbers, data: Logged) -> Fitted:
    """Fit models of responses, and say whether they are used.

    Args:
        chosen: Method, and how many customers it takes.
        actions: Keys, in the order of the policy.
        costs: What each action costs; 0 where responses alone are counted.
        data: Choices whose time to respond is over.
    """
    size = int(data.even.sum())
    if size < chosen.smallest:
        return Fitted(False, f"not used, because {size:,} randomised choices have had their time to respond, and "
                      f"{chosen.smallest:,} are needed")  # fmt: skip
    held_out = _half(data.customer)
    learned, judged = data.part(~held_out), data.part(held_out)
    coding = Coding.of(learned.features)
    models = _models(chosen, actions, learned, coding)
    if not models:
        return Fitted(
            False, f"not used, because no action has {_LEAST_OF_EACH} responses and as many without"
        )
    fitted = Fitted(True, "", coding, models)
    single = best_single(actions, costs, learned)
    by_model = wanted(fitted, judged, actions, costs)
    by_single = _single(single, judged, actions)
    reward = _reward(judged, actions, costs)
    parts = [weights(one, judged.done, judged.propensity) for one in (by_single, by_model)]
    if min(float(one.sum()) for one in parts) == 0:
        return Fitted(False, "not used, because no held-out choice is one that it would have made")
    gain = difference(parts[0], parts[1], reward, judged.customer, confidence=_ONE_ERROR)
    told = f"{gain.value:+.4f} per customer on {len(judged.done):,} held-out choices, give or take "
    told += f"{gain.value - gain.low:.4f}"
    alone = "leaving everybody alone" if single == NONE else f"the best single action ({single})"
    if not gain.low > 0:
        return Fitted(False, f"not used, because it does not beat {alone} by more than its standard error: {told}",
                      coding, models, gain)  # fmt: skip
    words = f"used: it beats {alone} by more than its standard error: {told}"
    if unknown := [one for one in actions if one not in models]:
        listed, go = ", ".join(unknown), "go" if len(unknown) > 1 else "goes"
        words += f"; it knows too little of {listed}, which {go} by the probability that is declared"
    return Fitted(True, words, coding, models, gain)


_ONE_ERROR = math.erf(1 / math.sqrt(2))
"""Confidence of an interval of one standard error to either side."""


def wanted(fitted: Fitted, data: Logged, actions: Sequence[str], costs: Numbers) -> Labels:
    """What the model would do: of the possible actions that it knows the one that brings most above its cost."""
    gain = fitted.uplift(data.features, actions) * data.value[:, None] - costs
    gain = np.where(data.possible & ~np.isnan(gain), gain, -np.inf)
    best = gain.argmax(1)
    found: Labels = np.where(gain.max(1) > 0, np.array(actions)[best], NONE)
    return found


def best_single(actions: Sequence[str], costs: Numbers, data: Logged) -> str:
    """The one action that brings most when everybody gets it who can; ``none`` where leaving all alone does."""
    reward = _reward(data, actions, costs)

    def worth(action: str) -> float:
        weight = weights(_single(action, data, actions), data.done, data.propensity)
        return float((weight * reward).sum() / weight.sum()) if weight.sum() else -math.inf

    return max([NONE, *actions], key=worth)


def _single(action: str, data: Logged, actions: Sequence[str]) -> Labels:
    if action == NONE:
        return np.full(len(data.done), NONE)
    found: Labels = np.where(data.possible[:, list(actions).index(action)], action, NONE)
    return found


def _reward(data: Logged, actions: Sequence[str], costs: Numbers) -> Numbers:
    cost = np.zeros(len(data.done))
    for at, action in enumerate(actions):
        cost[data.done == action] = costs[at]
    reward: Numbers = data.responded * data.value - cost
    return reward


def _half(customers: npt.NDArray[np.str_]) -> Flags:
    """Half of the customers, whatever their order and number."""
    return np.array([sha256(one.encode()).digest()[0] < 128 for one in customers.tolist()], np.bool_)


def _models(
    chosen: Model, actions: Sequence[str], data: Logged, coding: Coding
) -> Mapping[str, tuple[Any, Any]]:
    coded = coding.coded(data.features)
    found = {}
    for at, action in enumerate(actions):
        could = data.possible[:, at]
        groups = [could & data.even & (data.done == one) for one in (action, NONE)]
        counts = [np.bincount(data.responded[group].astype(int), minlength=2) for group in groups]
        if min(count.min() for count in counts) < _LEAST_OF_EACH:
            continue
        treated, alone = (_learner(chosen).fit(coded[group], data.responded[group]) for group in groups)
        found[action] = (treated, alone)
    return found


def _learner(chosen: Model) -> Any:
    if chosen.method == "logistic":
        return LogisticRegression(C=1.0, max_iter=500)
    # The histogram variant is quicker on many cores, and its sums depend on how many there are (R7).
    return GradientBoostingClassifier(
        n_estimators=50, max_depth=3, min_samples_leaf=50, learning_rate=0.1, random_state=_SEED
    )


def _probability(model: Any, coded: Numbers) -> Numbers:
    found: Numbers = model.predict_proba(coded)[:, 1]
    return found
