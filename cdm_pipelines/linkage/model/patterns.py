"""Counted agreement patterns, and what the rules that made their pairs teach.

Belongs here: the table of patterns, which comparisons a rule teaches, two counts of the matches of rules. Does not
belong here: counting (training), or fitting (em).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.encode.positions import Flags

Floats = npt.NDArray[np.float64]
Shown = dict[int, npt.NDArray[np.intp]]
"""By comparison the patterns that show how matches look in it."""
TEACH = 2
"""With fewer free comparisons a rule's own pairs teach no m: one alone fits any m with some share of matches."""


@dataclass(frozen=True)
class Table:
    """Counted agreement patterns of candidate pairs.

    Attributes:
        levels: Shape (patterns, comparisons).
        rules: Shape (patterns, rules): whether the rule makes pairs of the pattern.
        counts: Shape (patterns,).
        known: Shape (patterns,): 1 for pairs that are known to match, 0 for pairs known not to, -1 for all others;
            None where nothing is known.
    """

    levels: Levels
    rules: Flags
    counts: Floats
    known: npt.NDArray[np.int8] | None = None

    def settled(
        self, posterior: list[Floats], rows: npt.NDArray[np.intp] | slice = slice(None)
    ) -> list[Floats]:
        """Posteriors of some patterns, with what is known in the place of what is guessed."""
        if self.known is None:
            return posterior
        match, related, unrelated = posterior
        known, others = self.known[rows], np.maximum(related + unrelated, 1e-300)
        return [
            np.where(known < 0, match, known),
            *(np.where(known < 0, one, (1 - known) * one / others) for one in (related, unrelated)),
        ]


def alone_of(table: Table, tied: Flags, teachers: Flags) -> Shown:
    """Comparisons that no rule teaches by its own pairs, with the patterns whose rules leave them free."""
    made: Flags = np.asarray(table.rules.any(axis=0))
    if table.known is not None:
        made[-1] = False  # labels without a rule: too few to be all that teaches
    teaching = made & ((~tied & teachers).sum(axis=1) >= TEACH)
    return {
        int(c): np.flatnonzero(table.rules[:, ~tied[:, c]].any(axis=1))
        for c in np.flatnonzero(~(~tied[teaching]).any(axis=0))
    }


def hardly_taught(table: Table, tied: Flags, taught: Floats, *, least: float) -> Shown:
    """Comparisons whose rules teach them by hardly a match, as where a rule makes few pairs; as ``alone_of``.

    Args:
        table: Pattern counts.
        tied: Shape (rules, comparisons): the comparison reads a column of the rule.
        taught: Shape (comparisons, patterns): expected matches that teach.
        least: Matches that are more than hardly any, and pairs with a value on both sides.
    """
    filled = table.levels.T >= 0
    shown = {
        int(c): np.flatnonzero(table.rules[:, ~tied[:, c]].any(axis=1))
        for c in np.flatnonzero((taught * filled).sum(axis=1) < least)
    }
    return {c: rows for c, rows in shown.items() if table.counts[rows] @ filled[c, rows] >= least}


def _counts_by_rule(table: Table, match: Floats, rule_matches: Floats, told: Flags) -> tuple[Floats, Floats]:
    """Two counts of the matches of each rule of which any comparison tells: by all comparisons, and by those free."""
    return ((table.counts * match) @ table.rules)[told], ((table.counts @ table.rules) * rule_matches)[told]


def apart(table: Table, match: Floats, rule_matches: Floats, told: Flags) -> float:
    """How far two counts of matches by rule are apart, over rules of which any comparison tells."""
    by_all, by_rule = _counts_by_rule(table, match, rule_matches, told)
    return float(np.abs(by_all - by_rule).sum() / max(float(by_rule.sum()), 1.0))


def prior_of_rules(table: Table, match: Floats, rule_matches: Floats, told: Flags, prior: Floats) -> Floats:
    """The prior raised to where both counts of the matches agree, by a step that at most doubles it.

    With few columns most matches have a gap or an error where a rule looks, and are no candidates. A prior that counts
    candidates alone is then too low, and what is known of one column only never comes to enough.
    """
    by_all, by_rule = (float(one.sum()) for one in _counts_by_rule(table, match, rule_matches, told))
    share = min(prior[0] * min(max(by_rule / max(by_all, 1e-300), 1.0), 2.0), 0.5)
    return np.array([share, prior[1], 1 - share - prior[1]])
