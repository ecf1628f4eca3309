"""The figures of what concerns customers' privacy.

Belongs here: what is told of consent, and under which name. Does not belong here: working it out (privacy.consent).
"""

from collections.abc import Mapping

from cdm_pipelines.figures import ROWS, Bars, Check, Figures, Outcome
from cdm_pipelines.privacy.consent import EXPIRED, OF_NOBODY
from cdm_pipelines.steps.consent.staging import StagedConsent

_IMPOSSIBLE = ("before birth", "in the future")
_UNREAD = ("unknown state", "no purpose")


def consent_outcome(done: StagedConsent, counts: Mapping[str, Mapping[str, int]]) -> Outcome:
    """What came of ``privacy/consent``.

    Args:
        done: What was staged.
        counts: Of the next version, as ``hub.consent.counts`` gives them.
    """
    standing = counts["standing"]
    worked: Figures = {} if done.worked is None else {"customers worked on": done.worked}
    figures: Figures = {
        ROWS: sum(counts["states"].values()),
        "statements": done.delivered,
        **worked,
        "what became of them": Bars(standing, ("standing", "statements")),
        "said": Bars(counts["said"], ("purpose and state", "statements")),
        "allowed": Bars(counts["allowed"], ("purpose, channel, allowed", "customers")),
        "of nobody": standing.get(OF_NOBODY, 0),
        "contradictory": counts["contradictory"].get("contradictory", 0),
        "expired": counts["states"].get(EXPIRED, 0),
    }
    accounted = sum(standing.values())
    lost = done.delivered - accounted
    impossible = sum(standing.get(one, 0) for one in _IMPOSSIBLE)
    unread = sum(standing.get(one, 0) for one in _UNREAD)
    unknown = sorted(set(counts["purposes"]) - set(done.purposes))
    words = [f"{unread:,} statements without a state or purpose that is known"] if unread else []
    if unknown:
        number = sum(counts["purposes"][one] for one in unknown)
        words.append(f"{number:,} statements about {len(unknown)} purposes that are not known")
    fix = "Nothing is allowed by them: name words in policies/consent_words.yaml or in the contract (states)."
    checks = {
        "nothing_lost": Check(
            not lost,
            f"{lost:,} of {done.delivered:,} statements are not accounted for"
            if lost
            else f"{accounted:,} statements: "
            + ", ".join(f"{number:,} {name}" for name, number in standing.items()),
        ),
        "known_words": Check(not words, f"{'; '.join(words)}. {fix}" if words else "in order", "WARN"),
        "possible_times": Check(
            not impossible,
            f"{impossible:,} statements were given before birth or in the future, and do not count: check the clock of "
            "the source and dateFormats in the contract"
            if impossible
            else "in order",
            "WARN",
        ),
    }
    return Outcome("privacy/consent", figures, checks)
