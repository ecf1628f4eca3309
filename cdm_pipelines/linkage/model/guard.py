"""A fit that knows more is no worse: which dependences a model follows, and which comparisons teach it.

Belongs here: comparing fits with each other, without labels. Does not belong here: a fit (em), measuring dependence
(dependence).

Two things can be asked of a fit without knowing who is who:

- What matches look like in one column does not change because another column is looked at. Where it does, pairs pass
  for matches that agree by something that the model does not know of: people of one country, of one family.
- The matches among a blocking rule's pairs can be counted twice: by all comparisons under the one prior, and by those
  alone that the rule leaves free. Where the first count is far above the second, what the rule holds was taken for
  evidence that it is not (``Fitted.off``).

Comparisons that depend on no other teach. Of those that do, the most telling come first, until three teach, without
which a mixture of two classes is not identified (Hall and Zhou 2003); each further one teaches if it leaves the fit as
it was. One that may not teach is weighed all the same: its m is what the matches that the others tell show of it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from cdm_pipelines.linkage.encode.positions import Flags
from cdm_pipelines.linkage.model.dependence import Dependences, Forest
from cdm_pipelines.linkage.model.em import Fitted, Floats
from cdm_pipelines.linkage.model.u_probabilities import UProbabilities

FitWith = Callable[[Forest, Flags], Fitted]
_ENOUGH = 3  # comparisons that tell two classes apart
_MOVED = 0.1  # share of the matches that may change level in another comparison when one more teaches
_MOVED_FROM_START = 0.25  # the same where no pairs have told yet what matches look like
_MOST = 0.5
_CLOSER = 0.9  # dependences that may be those of families are followed where counts are apart by less than this share
_WORSE, _SLIGHT = 1.1, 0.02  # by what factor, and by how much more, counts may be apart when one more teaches


@dataclass(frozen=True)
class Guarded:
    """The fit that was chosen.

    Attributes:
        fitted: Its parameters.
        forest: What it follows.
        silent: Why a comparison did not teach, by its number.
    """

    fitted: Fitted
    forest: Forest
    silent: dict[int, str]


def guarded(
    fit: FitWith, dependences: Dependences, chances: Sequence[UProbabilities], start: Sequence[Floats]
) -> Guarded:
    """Choose what a model follows and who teaches it.

    Args:
        fit: Fits with a forest and with comparisons that teach.
        dependences: What was measured.
        chances: u-probabilities by comparison.
        start: Where m starts.
    """
    order = _by_what_they_tell(dependences.concerned, chances, start)
    best = _taught(fit, dependences.forests[0], dependences.concerned, order)
    for forest in dependences.forests[1:]:
        other = _taught(fit, forest, dependences.concerned, order)
        silent = best.silent.keys() | other.silent.keys()
        off = [_off(fit, one, silent) for one in (best, other)]
        if off[1] < _CLOSER * off[0]:
            best = other
    return best


def _off(fit: FitWith, one: Guarded, silent: Collection[int]) -> float:
    """How far counts of the matches are apart where these do not teach, so that fits are compared on equal terms."""
    if one.silent.keys() == silent:
        return one.fitted.off
    return fit(one.forest, ~np.isin(np.arange(len(one.forest)), list(silent))).off


def _by_what_they_tell(
    concerned: Flags, chances: Sequence[UProbabilities], start: Sequence[Floats]
) -> list[int]:
    """Comparisons that depend on others, those first whose agreement surprises most, and most often can be made."""
    told = [
        one.comparable * -float(np.log2(one.levels[int(m.argmax())]))
        for one, m in zip(chances, start, strict=True)
    ]
    return sorted(np.flatnonzero(concerned).tolist(), key=lambda c: (-told[c], c))


def _taught(fit: FitWith, forest: Forest, concerned: Flags, order: list[int]) -> Guarded:
    teaches = ~concerned
    first = order[: max(_ENOUGH - int(teaches.sum()), 0)]
    teaches[first] = True
    fitted, silent = fit(forest, teaches), {}
    for c in order[len(first) :]:
        more = teaches.copy()
        more[c] = True
        found = fit(forest, more)
        why = _spoilt(fitted, found, teaches)
        if why is None:
            fitted, teaches = found, more
        else:
            silent[c] = why
    return Guarded(fitted, forest, silent)


def _unlikely(fitted: Fitted, teaches: Flags) -> bool:
    """Whether most matches would differ in something that teaches what a match is."""
    return any(fitted.m[k][0] > _MOST for k in np.flatnonzero(teaches) if fitted.taught[k])


def _spoilt(before: Fitted, after: Fitted, teaches: Flags) -> str | None:
    """Why the fit after one more teaches is not to be trusted; None where it is."""
    if _unlikely(before, teaches) and not _unlikely(after, teaches) and after.off < before.off:
        return None  # it was the former that was spoilt
    for k in np.flatnonzero(teaches):
        moved = 0.5 * float(np.abs(after.m[k] - before.m[k]).sum())
        if moved > (_MOVED if before.taught[k] else _MOVED_FROM_START):
            return f"with it {moved:.0%} of the matches would be of another level elsewhere"
    if after.off > _WORSE * before.off + _SLIGHT:
        return f"with it two counts of the matches would be apart by {after.off:.0%}, without it by {before.off:.0%}"
    return None
