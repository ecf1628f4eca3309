"""What linkage is told about decided records.

Belongs here: effective decisions as pairs and groups, and the merges of sources that they overrule. Does not belong
here: which decisions have effect (``effective``), or how linkage keeps to them (linkage).

In all frames ``source`` is ``source/entity``, as in linkage.
"""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.identity.decisions import Kind, Record
from cdm_pipelines.identity.effective import Effective, effective

PAIR = ("left_source", "left_id", "right_source", "right_id")
GROUP = ("source", "record_id", "group")

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Constraints:
    """Decided records.

    Attributes:
        same: Pairs of one party: ``left_source, left_id, right_source, right_id``.
        different: Pairs of two parties, alike.
        confirmed: Records of confirmed customers: ``source, record_id, group``; those of one group stay together,
            those of different groups apart.
        fingerprint: Changes whenever any of these does.
        decided: The decisions that they come from.
    """

    same: pd.DataFrame
    different: pd.DataFrame
    confirmed: pd.DataFrame
    fingerprint: str
    decided: Effective

    @property
    def confirmed_pairs(self) -> pd.DataFrame:
        """Confirmed groups as pairs: each record with the next of its group, in the columns of ``same``."""
        ordered = self.confirmed.sort_values(list(GROUP[2:] + GROUP[:2]), kind="stable")
        members, group = ordered[["source", "record_id"]], ordered["group"].to_numpy()
        follows = group[1:] == group[:-1]
        left, right = members[:-1][follows], members[1:][follows]
        return pd.DataFrame(np.hstack([left, right]), columns=list(PAIR), dtype=str)

    @property
    def labels(self) -> pd.DataFrame:
        """The pairs ``same`` and ``different`` with ``match``, true or false: what a fit can learn from."""
        kinds = (self.same, True), (self.different, False)
        return pd.concat([pairs.assign(match=match) for pairs, match in kinds], ignore_index=True)

    @property
    def counts(self) -> dict[str, int]:
        """Pairs decided to be the same and different, and records of confirmed customers."""
        return {name: len(getattr(self, name)) for name in ("same", "different", "confirmed")}

    def allowed(self, merges: pd.DataFrame) -> pd.DataFrame:
        """Pairs that a source merged, without those that contradict a decision: a steward knows better.

        Only parties in which something contradicts are worked through pair by pair, in order of the pairs' keys.
        """
        if not any(self.counts.values()) or not len(merges):
            return merges
        suspect = self._suspect(merges)
        if not suspect.any():
            return merges
        bonds = effective(self.decided.decisions).bonds
        ordered = merges[suspect].sort_values(list(PAIR), kind="stable")
        refused = [
            index
            for number, (index, left, one, right, other) in enumerate(
                ordered[list(PAIR)].itertuples(name=None), start=1
            )
            if bonds.join(-number, [_record(left, one), _record(right, other)]) is not None
        ]
        return merges.drop(index=refused)

    def _suspect(self, merges: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Which pairs are of a party where something contradicts."""
        sides = [frame[[f"{side}_source", f"{side}_id"]] for frame in (merges, self.same, self.different)
                 for side in ("left", "right")]  # fmt: skip
        members = self.confirmed[["source", "record_id"]]
        every = pd.concat([side.set_axis(["source", "record_id"], axis=1) for side in (*sides, members)])
        code = every.groupby(["source", "record_id"], sort=False).ngroup().to_numpy()
        ends = np.cumsum([len(side) for side in sides])
        a, b, c, d, e, f, group = np.split(code, ends)
        number = self.confirmed["group"].to_numpy()
        first = pd.Series(group).groupby(number).transform("first").to_numpy() if len(group) else group
        left, right = np.concatenate([a, c, group]), np.concatenate([b, d, first])
        size = int(code.max()) + 1
        from scipy.sparse import coo_matrix  # noqa: PLC0415 - loads where it is needed
        from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

        party = connected_components(coo_matrix((np.ones(len(left)), (left, right)), (size, size)), False)[1]
        wrong = np.zeros(size, np.bool_)
        wrong[party[e][party[e] == party[f]]] = True
        held = pd.Series(number).groupby(party[group]).nunique()
        wrong[held.index[held > 1]] = True
        found: npt.NDArray[np.bool_] = wrong[party[a]]
        return found


def constraints_of(decided: Effective) -> Constraints:
    """The pairs and groups of effective decisions."""
    same = [(d.left[0], d.right[0]) for d in decided.of(Kind.SAME)]
    different = [(a, b) for d in decided.of(Kind.DIFFERENT) for a in d.left for b in d.right]
    members = sorted({record for d in decided.of(Kind.CONFIRM) for record in d.joins})
    confirmed = pd.DataFrame(
        [(*_named(record), decided.bonds.confirmation(record)) for record in members], columns=list(GROUP)
    ).astype({"source": str, "record_id": str, "group": np.int64})
    frames = _pairs(same), _pairs(different), confirmed
    texts = [frame.to_csv(index=False, lineterminator="\n") for frame in frames]
    return Constraints(*frames, sha256("\n".join(texts).encode()).hexdigest()[:16], decided)


def _pairs(pairs: list[tuple[Record, Record]]) -> pd.DataFrame:
    rows = sorted({(*_named(min(pair)), *_named(max(pair))) for pair in pairs})
    return pd.DataFrame(rows, columns=list(PAIR), dtype=str)


def _named(record: Record) -> tuple[str, str]:
    return f"{record.source}/{record.entity}", record.record_id


def _record(source: str, record_id: str) -> Record:
    system, entity = source.split("/", 1)
    return Record(system, entity, record_id)


NOTHING_DECIDED = constraints_of(effective(()))
