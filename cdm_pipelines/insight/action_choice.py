"""Which action each customer gets next, who is left alone to compare with, and with which probability each was drawn.

Belongs here: the choice, as a pure function of the profile, of whom data may not be used, of contacts and of draws.
Does not belong here: reading and keeping (steps.activation), what came of choices (``action_uplift``).

1. An action is *barred* for a customer by the house: data restricted, no source left, no consent for its purpose and
   channel, no address, contacted too often. It is *out* by the policy's own rules, or where it costs more than it is
   expected to bring. What is left is possible.
2. Of the possible actions the one with the highest expected value is the customer's; by the order of the policy where
   no values are stated. A limited stock goes to those who bring most, by draw where no values are stated (deferred
   acceptance, Gale and Shapley 1962: nobody who is refused would have brought more than somebody who is not).
3. The control group, always the same share of customers by keyed hash, is left alone. It has a choice too, which is not
   carried out: so the customers for whom an action was chosen, told apart by chance alone, are compared.
4. A share of choices is drawn evenly among the possible actions. What stock is left over goes to these, by draw.

The propensity of every action that could have been drawn is given with the choice, of those for whom one was made.
Stock is taken as given in it: in many customers whether somebody gets a place does not depend on the draws of a few.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.insight import action_rules as rules
from cdm_pipelines.insight.action_policy import GOLDEN_ID, NONE, Action, ActionPolicy
from cdm_pipelines.insight.action_rules import Flags, Numbers
from cdm_pipelines.insight.action_words import (
    CONTACTED,
    CONTROL,
    DECEASED,
    HOUSE,
    NO_ADDRESS,
    NO_CONSENT,
    NOT_A_CUSTOMER,
    NOT_MEANT,
    NOT_WORTH_IT,
    OUT_OF_STOCK,
    RESTRICTED,
    WORTH_UNKNOWN,
)
from cdm_pipelines.privacy.off import off_for
from cdm_pipelines.store.arrow import whole

TREATED, EXPLORED, CONTROLLED = "treated", "explored", "control"
CONTACTS = pa.schema([(GOLDEN_ID, pa.string()), ("contacts", pa.int64()), ("last_on", pa.date32())])
"""How often customers were contacted by us in the window of the policy, and when last."""
Codes = npt.NDArray[np.int64]
_NOBODY = -1
_AT_ONCE = 40


@dataclass(frozen=True)
class House:
    """What the house knows of customers that no rule of a company can lift.

    Attributes:
        restricted: Golden ids whose data are restricted.
        deceased: Golden ids of who has died.
        off: Of whom data may not be used for which purpose, as ``privacy.off.OFF_SCHEMA`` has it.
        contacts: ``CONTACTS``.
        chosen_by: By action, for each enricher of other purposes that it chooses by, the keys of those purposes.
    """

    restricted: pa.Array
    deceased: pa.Array
    off: pa.Table
    contacts: pa.Table
    chosen_by: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Assessed:
    """What is possible for whom; each field of all customers, and of all actions in the order of the policy.

    Attributes:
        reasons: By action, what speaks against it: the reason with whom it applies to.
        possible: Customers x actions.
        expected: Expected values, customers x actions; not a number where none is stated.
        values: What a response is worth, the same way.
        probabilities: How probable a response is, the same way.
    """

    reasons: Sequence[Sequence[tuple[str, Flags]]]
    possible: Flags
    expected: Numbers
    values: Numbers
    probabilities: Numbers


@dataclass(frozen=True)
class Drawn:
    """The choice of every customer; actions as their position in the policy, -1 for none.

    Attributes:
        best: What the rule takes, before draws.
        action: What was chosen, for those who are left alone as well.
        control: Who is left alone.
        explored: Whose choice was drawn evenly.
        propensity: With which probability what happened did: this action, or being left alone.
        refused: Customers x actions: for whom there was no room.
        kept: By action, the share of even draws for which there was room.
    """

    best: Codes
    action: Codes
    control: Flags
    explored: Flags
    propensity: Numbers
    refused: Flags
    kept: Numbers


def assess(
    policy: ActionPolicy,
    customers: pa.Table,
    as_of: dt.date,
    house: House | None = None,
    uplift: Numbers | None = None,
) -> Assessed:
    """Find what is possible for whom, and what it is expected to bring.

    Args:
        policy: The rules.
        customers: Golden id and the columns of the policy.
        as_of: The day of the choice.
        house: What bars actions; nothing where rules alone are asked.
        uplift: Customers x actions: responses that a model says an action adds; where not a number, what is declared.

    Raises:
        ValueError: A column of probabilities holds something else.
    """
    never = [(one.reason, rules.excluded(customers, one, as_of)) for one in policy.never]
    barred = _barred(policy, customers, house) if house is not None else [[] for _ in policy.actions]
    size = (customers.num_rows, len(policy.actions))
    possible, expected = np.ones(size, np.bool_), np.full(size, np.nan)
    value, rate = np.full(size, np.nan), np.full(size, np.nan)
    reasons = []
    for at, action in enumerate(policy.actions):
        against = [*barred[at], *never]
        against += [(one.reason, rules.excluded(customers, one, as_of)) for one in action.excludes]
        if action.requires:
            against.append((NOT_MEANT, ~rules.passes(customers, action.requires, as_of)))
        if action.has_worth:
            value[:, at] = rules.values(customers, action)
            declared = rules.probabilities(customers, action)
            said = declared if uplift is None else uplift[:, at]
            rate[:, at] = np.where(np.isnan(said), declared, said)
            expected[:, at] = rate[:, at] * value[:, at] - float(action.cost or 0)
            against.append((WORTH_UNKNOWN, np.isnan(expected[:, at])))
            against.append((NOT_WORTH_IT, np.nan_to_num(expected[:, at], nan=1.0) <= 0))
        for _, flagged in against:
            possible[:, at] &= ~flagged
        reasons.append(against)
    return Assessed(reasons, possible, expected, value, rate)


def _barred(policy: ActionPolicy, customers: pa.Table, house: House) -> list[list[tuple[str, Flags]]]:
    ids = customers[GOLDEN_ID]

    def among(some: pa.Array | pa.ChunkedArray) -> Flags:
        return rules.flags(pc.is_in(ids, value_set=whole(some).cast(ids.type)))

    restricted, deceased = among(house.restricted), among(house.deceased)
    gone = ~rules.flags(pc.equal(customers["status"], "active"))
    everybody = [(RESTRICTED, restricted), (DECEASED, deceased), (NOT_A_CUSTOMER, gone)]
    if policy.contact_pressure is not None:
        often = pc.greater_equal(house.contacts["contacts"], policy.contact_pressure.most)
        everybody.append((CONTACTED, among(house.contacts[GOLDEN_ID].filter(often))))
    off = {one: among(off_for(house.off, *one)) for one in {(a.purpose, a.channel) for a in policy.actions}}

    def refused(action: Action) -> Flags:
        """Who is off for the purpose, or for all purposes of something that it chooses by."""
        found = off[action.purpose, action.channel]
        for keys in house.chosen_by.get(action.key, ()):
            found = found | np.logical_and.reduce([among(off_for(house.off, key)) for key in keys])
        return found

    return [
        [
            *everybody,
            (NO_CONSENT, refused(action) & ~restricted & ~deceased),
            (NO_ADDRESS, ~rules.reachable(customers, action)),
        ]
        for action in policy.actions
    ]


def draw(
    policy: ActionPolicy,
    found: Assessed,
    control: Numbers,
    period: Numbers,
    *,
    used: Mapping[str, int] | None = None,
    among: Flags | None = None,
) -> Drawn:
    """Choose for everybody.

    Args:
        policy: The rules.
        found: What is possible, customers in order of golden id.
        control: A draw per customer that is the same in all periods.
        period: A draw per customer and period.
        used: By action, how much of the day's stock is gone.
        among: Who has no choice yet in this period; everybody by default.
    """
    count, actions = found.possible.shape
    open_ = found.possible if among is None else found.possible & among[:, None]
    is_control = control < policy.control_share
    stock = np.array(
        [
            count if one.most_per_day is None else max(one.most_per_day - (used or {}).get(one.key, 0), 0)
            for one in policy.actions
        ]
    )
    score = found.expected if policy.by_value else np.tile(-np.arange(actions, dtype=np.float64), (count, 1))
    best, refused = _assigned(open_, score, stock, period)
    possible = open_.sum(1)
    explored = (period < policy.exploration) & (possible > 0)
    action = np.where(explored, _even(open_, period, policy.exploration), best)
    taken = np.bincount(best[(best >= 0) & ~explored & ~is_control], minlength=actions)
    fraction = _fraction(period, policy.exploration, possible)
    kept, below = np.ones(actions), np.ones(actions)
    for at in range(actions):
        asking = np.sort(fraction[explored & ~is_control & (action == at)])
        room = max(int(stock[at]) - int(taken[at]), 0)
        if len(asking) > room:
            kept[at], below[at] = room / len(asking), asking[room]
    # Those left alone would have found as much room: the same share of them keeps a choice, by the same draw.
    action = np.where(explored & (fraction >= below[np.maximum(action, 0)]), _NOBODY, action)
    share = _share(policy, open_, best, action, kept)
    propensity = np.where(is_control, policy.control_share, (1 - policy.control_share) * share)
    propensity = np.where(action >= 0, propensity, np.nan)
    chosen = action >= 0
    return Drawn(best, action, is_control & chosen, explored & chosen, propensity, refused, kept)


def _even(possible: Flags, period: Numbers, exploration: float) -> Codes:
    """One of the possible actions, each as often, by a draw that is known to be below the share of exploration."""
    number = possible.sum(1)
    place = np.floor(period / max(exploration, 1e-300) * number).clip(0, np.maximum(number - 1, 0))
    counted = possible.cumsum(1) == (place + 1)[:, None]
    return np.where(number > 0, (counted & possible).argmax(1), _NOBODY)


def _fraction(period: Numbers, exploration: float, number: Codes) -> Numbers:
    """What is left of the draw when it has chosen an action: even between 0 and 1, and independent of which."""
    scaled = period / max(exploration, 1e-300) * number
    left: Numbers = scaled - np.floor(scaled)
    return left


def _share(policy: ActionPolicy, possible: Flags, best: Codes, action: Codes, kept: Numbers) -> Numbers:
    """With which probability an action is drawn of those for whom one is, and who are not left alone."""
    number = np.maximum(possible.sum(1), 1)
    even = policy.exploration / number
    every = even * (possible @ kept) + np.where(best >= 0, 1 - policy.exploration, 0.0)
    own = even * kept[np.maximum(action, 0)] + np.where(action == best, 1 - policy.exploration, 0.0)
    share: Numbers = own / np.where(every > 0, every, np.nan)
    return share


def _assigned(possible: Flags, score: Numbers, stock: Codes, tie: Numbers) -> tuple[Codes, Flags]:
    """The best action that has room for each customer, and for whom one had none."""
    open_, refused = possible.copy(), np.zeros_like(possible)
    best = np.full(len(possible), _NOBODY)
    waiting = np.flatnonzero(open_.any(1))
    while len(waiting):
        best[waiting] = np.where(open_[waiting], score[waiting], -np.inf).argmax(1)
        turned = []
        for at in np.unique(best[waiting]):
            holders = np.flatnonzero(best == at)
            if len(holders) > stock[at]:
                order = holders[np.lexsort((holders, tie[holders], -score[holders, at]))]
                turned.append(order[stock[at] :])
                refused[turned[-1], at], open_[turned[-1], at] = True, False
        waiting = np.concatenate(turned) if turned else np.empty(0, np.int64)
        best[waiting] = _NOBODY
        waiting = waiting[open_[waiting].any(1)]
    return best, refused


@dataclass(frozen=True)
class Told:
    """What is told of a choice beside it.

    Attributes:
        excluded: Per customer, ``action: reason, reason; action: …`` of the actions that it does not get.
        counts: By action and reason, how many customers.
        barred: Per customer, the actions that the house bars, with commas between.
        propensities: Per customer, as JSON the probability of every action that could be drawn, and of ``none``.
    """

    excluded: pa.Array
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    barred: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    propensities: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))


def told(
    policy: ActionPolicy,
    found: Assessed,
    drawn: Drawn,
    *,
    holding: Flags | None = None,
    alone: Codes | None = None,
) -> Told:
    """Reasons and propensities in the words in which they are kept.

    That there was no room is told to those who get nothing: so a second run of a day says what the first one did.

    Args:
        policy: The rules.
        found: What is possible.
        drawn: The choice.
        holding: Who holds a choice of an earlier run of the period; nobody by default.
        alone: The action of those who are left alone since an earlier run, -1 for the others.
    """
    without = drawn.action < 0 if holding is None else (drawn.action < 0) & ~holding
    left_alone = np.where(drawn.control, drawn.action, _NOBODY if alone is None else alone)
    keys = [one.key for one in policy.actions]
    marks: list[tuple[str, str, Flags]] = []
    for at, against in enumerate(found.reasons):
        merged: dict[str, Flags] = {}
        for reason, flagged in against:
            merged[reason] = merged[reason] | flagged if reason in merged else flagged
        if policy.actions[at].most_per_day is not None:
            merged[OUT_OF_STOCK] = found.possible[:, at] & without
        merged[CONTROL] = left_alone == at
        marks += [(keys[at], reason, flagged) for reason, flagged in merged.items() if flagged.any()]
    counts: dict[str, dict[str, int]] = {}
    for key, reason, flagged in marks:
        counts.setdefault(key, {})[reason] = int(flagged.sum())
    combined = _combined([flagged for _, _, flagged in marks], len(drawn.best))
    excluded = _spelled(combined, lambda on: _why([marks[one][:2] for one in on]))
    house = [mark for mark in marks if mark[1] in HOUSE]
    is_barred = _combined([flagged for _, _, flagged in house], len(drawn.best))
    barred = _spelled(is_barred, lambda on: ",".join(dict.fromkeys(house[one][0] for one in on)))
    return Told(excluded, counts, barred, _propensities(policy, found, drawn))


def _why(pairs: Sequence[tuple[str, str]]) -> str:
    by_action: dict[str, list[str]] = {}
    for key, reason in pairs:
        by_action.setdefault(key, []).append(reason)
    return "; ".join(f"{key}: {', '.join(reasons)}" for key, reasons in by_action.items())


_Combined = tuple[npt.NDArray[np.bool_], Codes]


def _combined(each: Sequence[npt.NDArray[np.bool_]], count: int) -> _Combined:
    """The different rows of some flags, and which of them every customer has."""
    if not each:
        return np.zeros((1, 0), np.bool_), np.zeros(count, np.int64)
    codes = np.zeros(count, np.int64)
    for at in range(0, len(each), _AT_ONCE):  # so many at a time, so that they fit beside the codes so far
        for flagged in each[at : at + _AT_ONCE]:
            codes = codes * 2 + flagged
        codes = pd.factorize(codes)[0]
    first = np.empty(codes.max(initial=-1) + 1, np.int64)
    first[codes[::-1]] = np.arange(count)[::-1]
    return np.column_stack([flagged[first] for flagged in each]), codes


def _spelled(combined: _Combined, words: Callable[[Codes], str]) -> pa.Array:
    rows, codes = combined
    spelled = pa.array([words(np.flatnonzero(row)) for row in rows], pa.string())
    return spelled.take(pa.array(codes))


def _propensities(policy: ActionPolicy, found: Assessed, drawn: Drawn) -> pa.Array:
    flags = [found.possible[:, at] for at in range(len(policy.actions))]
    flags += [drawn.best == at for at in range(len(policy.actions))]

    def spelled(on: Codes) -> str:
        actions = len(policy.actions)
        could, best = (
            {int(one) for one in on if one < actions},
            {int(one) - actions for one in on if one >= actions},
        )
        return _json(_distribution(policy, could, next(iter(best), _NOBODY), drawn.kept))

    return _spelled(_combined(flags, len(drawn.best)), spelled)


def _distribution(policy: ActionPolicy, could: set[int], best: int, kept: Numbers) -> dict[str, float]:
    even = policy.exploration / max(len(could), 1)
    shares = {at: even * float(kept[at]) + (1 - policy.exploration) * (at == best) for at in sorted(could)}
    every, carried = sum(shares.values()), 1 - policy.control_share
    found = {policy.actions[at].key: carried * one / every for at, one in shares.items() if one > 0}
    return {**found, NONE: policy.control_share}


def _json(shares: Mapping[str, float]) -> str:
    return "{" + ", ".join(f'"{key}": {share:.10g}' for key, share in shares.items()) + "}"
