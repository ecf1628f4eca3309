"""Pairs that someone has decided, and pairs that a policy keeps apart whatever they score.

Belongs here: from decided pairs to positions, the conflict between decisions, contradictions, agreement that says too
little alone. Does not belong here: who decides and how long it lasts (identity).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.linkage.cluster.components import components
from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.encode.positions import MEMBER, SIDES, Flags, Pair, Positions, places, positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.policy.spec import LinkagePolicy

Confirmed = npt.NDArray[np.int64]
Names = tuple[str, ...]
Outweighed = tuple[Names, ...]


@dataclass(frozen=True)
class Decided:
    """What was decided about records.

    Attributes:
        same: Pairs that are the same party: ``left_source, left_id, right_source, right_id``.
        different: Pairs that are not.
        confirmed: Records of confirmed parties: ``source, record_id, group``.
    """

    same: pd.DataFrame | None = None
    different: pd.DataFrame | None = None
    confirmed: pd.DataFrame | None = None


@dataclass(frozen=True)
class PlacedDecisions:
    """What was decided about some records, in their positions.

    Attributes:
        same: Pairs that are the same party, those of confirmed parties among them.
        different: Pairs that are not.
        groups: The confirmed party of each record, -1 for none; None where nothing is confirmed.
    """

    same: Pair
    different: Pair
    groups: Confirmed | None

    @classmethod
    def of(cls, records: Records, decided: Decided) -> Self:
        """Of these records; decisions about others are left out of account.

        Raises:
            LinkageError: A column is missing, or decisions contradict each other.
        """
        groups = confirmed_groups(records, decided.confirmed)
        return cls(*resolve(records, decided.same, decided.different, groups), groups)


def resolve(
    records: Records,
    same: pd.DataFrame | None,
    different: pd.DataFrame | None,
    confirmed: Confirmed | None = None,
) -> tuple[Pair, Pair]:
    """Positions of the decided pairs whose records are all there.

    Raises:
        LinkageError: A column is missing, or records are both the same (perhaps through others) and different.
    """
    together, apart = positions(records, same, "same")[:2], positions(records, different, "different")[:2]
    if confirmed is not None:
        members = np.flatnonzero(confirmed >= 0)
        members = members[np.argsort(confirmed[members], kind="stable")].astype(np.int32)
        follows = confirmed[members[1:]] == confirmed[members[:-1]]
        left, right = together
        together = np.append(left, members[:-1][follows]), np.append(right, members[1:][follows])
        _check_confirmed(records, together, confirmed)
    if len(apart[0]):
        _check(records, together, apart)
    return together, apart


def confirmed_groups(records: Records, confirmed: pd.DataFrame | None) -> Confirmed | None:
    """The confirmed group of each record, -1 for none; None where nothing is confirmed.

    Raises:
        LinkageError: A column is missing.
    """
    if confirmed is None or confirmed.empty:
        return None
    at = places(records, confirmed, MEMBER, "confirmed")
    if "group" not in confirmed.columns:
        raise LinkageError(f"confirmed: there is no column 'group'; give {', '.join(MEMBER)}, group")
    groups = np.full(len(records), -1, dtype=np.int64)
    groups[at[at >= 0]] = pd.factorize(confirmed["group"])[0][at >= 0]
    return groups


def confirmed_apart(groups: Confirmed | None, left: Positions, right: Positions) -> Flags:
    """Pairs of records of two different confirmed groups."""
    if groups is None:
        return np.zeros(len(left), dtype=bool)
    a, b = groups[left], groups[right]
    return np.asarray((a != b) & (a >= 0) & (b >= 0))


def contradictions(policy: LinkagePolicy, levels: Levels, outweighed: Outweighed) -> dict[Names, Flags]:
    """For each of the policy's contradictions the pairs where all its comparisons are made and disagree.

    Those that the model found to be usual among matches (``outweighed``) are none: they weigh what their levels weigh.
    """
    names = list(policy.comparisons)
    return {
        group: np.logical_and.reduce([levels[:, names.index(name)] == 0 for name in group])
        for group in policy.clustering.contradictions
        if group not in outweighed
    }


def votes(policy: LinkagePolicy, levels: Levels, outweighed: Outweighed) -> npt.NDArray[np.int8]:
    """1 for pairs that one of the policy's contradictions speaks against, -1 where all that can be compared agree."""
    names = list(policy.comparisons)
    found = np.zeros(len(levels), dtype=np.int8)
    against = contradictions(policy, levels, outweighed)
    for group in against:
        found[(levels[:, [names.index(name) for name in group]] >= 0).all(axis=1)] = -1
    for contradicting in against.values():
        found[contradicting] = 1
    return found


def alone(policy: LinkagePolicy, levels: Levels, *, names_suffice: bool) -> Flags:
    """Pairs that agree on nothing beyond comparisons that say too little alone; none where the model lets them."""
    if names_suffice:
        return np.zeros(len(levels), dtype=bool)
    others = [
        number for number, name in enumerate(policy.comparisons) if name not in policy.thresholds.not_alone
    ]
    if not others:
        return np.zeros(len(levels), dtype=bool)
    return np.asarray((levels[:, others] <= 0).all(axis=1))


def decision_places(records: Records, before: Decided, now: Decided) -> npt.NDArray[np.int64]:
    """Positions of records in decisions that were made, or taken back, between two linkages, in order."""
    concerned: list[Positions] = [np.zeros(0, np.int32)]
    for name in ("same", "different", "confirmed"):
        former, latter = (_by_content(getattr(decided, name)) for decided in (before, now))
        for some, others in ((former, latter), (latter, former)):
            changed = some[~some.index.isin(others.index)]
            for columns in (MEMBER,) if name == "confirmed" else SIDES:
                if len(changed):
                    found = places(records, changed, columns, name)
                    concerned.append(found[found >= 0])
    return np.unique(np.concatenate(concerned)).astype(np.int64)


def _by_content(decided: pd.DataFrame | None) -> pd.DataFrame:
    """A frame with its rows as labels."""
    if decided is None or decided.empty:
        return pd.DataFrame(index=pd.Index([], dtype=object))
    texts = decided.astype(str)
    return texts.set_index(pd.Index(texts[sorted(texts.columns)].agg("\x1f".join, axis=1)))


def _check_confirmed(records: Records, together: Pair, confirmed: Confirmed) -> None:
    members = np.flatnonzero(confirmed >= 0)
    party = components(len(records), *together)[members]
    _, first, where = np.unique(party, return_index=True, return_inverse=True)
    wrong = np.flatnonzero(confirmed[members] != confirmed[members[first[where]]])
    if len(wrong):
        names = (records.ids[int(members[k])].as_py() for k in (first[where[wrong[0]]], wrong[0]))
        left, right = names
        raise LinkageError(
            f"records of two confirmed groups are decided to be the same, the first are {left!r} and {right!r}; take "
            "one of the decisions back"
        )


def _check(records: Records, together: Pair, apart: Pair) -> None:
    group = components(len(records), *together)
    wrong = np.flatnonzero(group[apart[0]] == group[apart[1]])
    if len(wrong):
        left, right = (records.ids[int(side[wrong[0]])].as_py() for side in apart)
        raise LinkageError(
            f"{len(wrong)} pairs are decided to be both the same and different, the first is {left!r} and {right!r}; "
            "take one of the decisions back"
        )
