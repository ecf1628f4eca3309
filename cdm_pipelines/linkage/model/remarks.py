"""What has to be said of a fit: whether it settled, and what it could not learn.

Belongs here: the two findings and their words. Does not belong here: fitting (em), or where they are shown (commands,
steps.linking.checks).
"""

from collections.abc import Mapping
from typing import Any

TAUGHT = "taught"
"""Key of a model's ``training``: expected matches that the m of each comparison was learned from, once for
each rule that teaches it."""
FILLED = "filled"
"""Key of the expected matches with a value on both sides, by comparison."""
MOVING = "moving"
"""Key of what moved most in the last step of a fit, by name, and by how much."""
LEAST = 10.0
"""Expected matches; with fewer, m is what the fit starts from more than what was seen (``em``)."""


FEW = 50.0
"""Expected matches among all candidates; fewer teach nobody anything, and there is nothing to mend."""


def too_few(training: Mapping[str, Any]) -> str:
    """That there were hardly any matches to learn from; empty where there were some, or that is not known."""
    matches = training.get("expected_matches", FEW)
    if matches >= FEW:
        return ""
    return f"with {matches:,.0f} expected matches there is little to learn from: weights are mostly supposed"


def unsettled(training: Mapping[str, Any]) -> str:
    """That a fit was stopped before it settled; empty where it settled, or that is not known."""
    if training.get("converged", True) or too_few(training):
        return ""
    moving = "".join(
        f" ({name} still moved by {change:.1g} a step)" for name, change in training.get(MOVING, {}).items()
    )
    return (
        f"the fit stopped after {training['iterations']:,} steps and had not settled{moving}: probabilities and "
        "expected figures may be off. Columns that say little are the usual reason: compare one more, or give it more "
        "steps (training: {iterations: …} in the policy)"
    )


def unlearned(training: Mapping[str, Any]) -> tuple[str, ...]:
    """Comparisons whose m was never learned; none where that is not known."""
    return tuple(name for name, matches in training.get(TAUGHT, {}).items() if matches < LEAST)


def seldom_filled(training: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of them that hardly any match has on both sides, so that nothing could teach them."""
    filled = training.get(FILLED, {})
    return tuple(name for name in unlearned(training) if filled.get(name, LEAST) < LEAST)


def untaught(training: Mapping[str, Any]) -> str:
    """That the m of comparisons could have been learned and was not; empty where that is not so, or not known."""
    seldom = seldom_filled(training)
    names = [name for name in unlearned(training) if name not in seldom]
    if not names or too_few(training):
        return ""
    return (
        f"how matches look in {', '.join(names)} was never learned, since hardly any match is among pairs whose rule "
        "leaves it free: it weighs as a fit supposes before it has seen a pair. A blocking rule that reads none of its "
        "columns would teach it"
    )


def unfilled(training: Mapping[str, Any]) -> str:
    """That hardly any match has a value of comparisons on both sides; empty where that is not so, or not known."""
    names = seldom_filled(training)
    if not names or too_few(training):
        return ""
    return (
        f"hardly any match has {', '.join(names)} on both sides: there it weighs as a fit supposes before it has seen "
        "a pair, and there is nothing to mend"
    )


def remarks(training: Mapping[str, Any]) -> tuple[str, ...]:
    """All that has to be said, in words."""
    said = (too_few, unsettled, untaught, unfilled)
    return tuple(text for one in said if (text := one(training)))
