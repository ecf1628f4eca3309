"""What has to be said of a fit: whether it settled, and what it could not learn.

Belongs here: the two findings and their words. Does not belong here: fitting (em), or where they are shown (commands,
steps.linking.checks).
"""

from collections.abc import Mapping
from typing import Any

TAUGHT = "taught"
"""Key of a model's ``training``: expected matches that the m of each comparison was learned from, once for
each rule that teaches it."""
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
    return (
        f"the fit stopped after {training['iterations']:,} steps and had not settled: probabilities and expected "
        "figures may be off. Columns that say little are the usual reason: compare one more, or give it more steps "
        "(training: {iterations: …} in the policy)"
    )


def unlearned(training: Mapping[str, Any]) -> tuple[str, ...]:
    """Comparisons whose m was never learned; none where that is not known."""
    return tuple(name for name, matches in training.get(TAUGHT, {}).items() if matches < LEAST)


def untaught(training: Mapping[str, Any]) -> str:
    """That the m of comparisons was never learned; empty where all were, or that is not known."""
    names = unlearned(training)
    if not names or too_few(training):
        return ""
    return (
        f"how matches look in {', '.join(names)} was never learned, since hardly any match is among pairs whose rule "
        "leaves it free: it weighs as a fit supposes before it has seen a pair. A blocking rule that reads none of its "
        "columns would teach it"
    )


def remarks(training: Mapping[str, Any]) -> tuple[str, ...]:
    """All that has to be said, in words."""
    return tuple(text for text in (too_few(training), unsettled(training), untaught(training)) if text)
