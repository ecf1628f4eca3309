"""The answer to one record: the customers that it would be linked with, and why.

Belongs here: from what linking would do with the record to customers. Does not belong here: what linking does
(linkage.incremental.lookup), what is asked of it (match).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub.homes import Home, homes
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.linkage.compare.comparers import Packed
from cdm_pipelines.linkage.explain.pair import Subject, waterfall
from cdm_pipelines.linkage.incremental.lookup import Joined, Lookup, Near
from cdm_pipelines.standardise.typed import Fault, Typed

MOST_CANDIDATES = 10


class Verdict(StrEnum):
    """What a run would do with a record, and with a customer."""

    JOINS = "joins"
    DOUBT = "in doubt"
    NEW = "new"


class Weighed(NamedTuple):
    """A step of a waterfall: the comparison, the level of agreement, and what it weighs in bits."""

    comparison: str
    level: str
    weight: float


@dataclass(frozen=True)
class Candidate:
    """A customer who may be meant.

    Attributes:
        golden_id: Current golden id.
        verdict: Joins, or in doubt.
        weight: Match weight in bits of the record that is most like the one that was given.
        probability: That the two describe the same party, by the model.
        record: That record.
        records: All records of the customer that were looked at, in order.
        waterfall: How the log2 odds of that probability come about: the prior odds, and what each step adds.
    """

    golden_id: UUID
    verdict: Verdict
    weight: float
    probability: float
    record: Record
    records: tuple[Record, ...]
    waterfall: tuple[Weighed, ...]


@dataclass(frozen=True)
class MatchAnswer:
    """Whether a record is of a customer.

    Attributes:
        verdict: What a run would do with the record.
        golden_id: The customer that it would join; of several that it would bring together, the one that stays.
        candidates: Those that it joins, then those in doubt; the likeliest first, ten at most.
        compared: With how many records it was compared.
        kind: Of party.
        faults: What is wrong with its fields.
        model: Fingerprint of the linkage model.
    """

    verdict: Verdict
    golden_id: UUID | None
    candidates: tuple[Candidate, ...]
    compared: int
    kind: PartyKind
    faults: tuple[Fault, ...]
    model: str


def answer(connection: Connection, lookup: Lookup, near: Near, typed: Typed) -> MatchAnswer:
    """What a run would do with a record.

    Args:
        connection: Of the hub.
        lookup: What was linked.
        near: What the record was compared with.
        typed: The record, as it was read.
    """
    records = _records(lookup.scorer.policy, lookup.names(near.members))
    known = homes(connection, records)
    there = np.array([home is not None for home in known], dtype=bool)
    candidates: list[Candidate] = []
    golden_id = None
    if there.any():
        joined = lookup.joined(near, near.members[~there])
        of = [(record, home) for record, home in zip(records, known, strict=True) if home is not None]
        golden_id = _joins(joined, [home for _, home in of])
        candidates = _candidates(near, joined, of)
    verdict = Verdict.JOINS if golden_id is not None else Verdict.DOUBT if candidates else Verdict.NEW
    model = lookup.scorer.model.fingerprint
    return MatchAnswer(
        verdict, golden_id, tuple(candidates), len(near.candidates), typed.kind, typed.faults, model
    )


def _records(policy: LinkagePolicy, names: pa.Table) -> list[Record]:
    entities = (name.partition("/") for name in names[policy.source or "source"].to_pylist())
    ids = names[policy.id].to_pylist()
    return [Record(source, entity, one) for (source, _, entity), one in zip(entities, ids, strict=True)]


def _joins(joined: Joined, of: Sequence[Home]) -> UUID | None:
    """The customer whose id the cluster of the record has: identity.assignment says which of several stays."""
    inside = joined.with_record
    here: dict[Home, int] = {}
    elsewhere: dict[tuple[Home, int], int] = {}
    for home, cluster, is_in in zip(of, joined.clusters, inside, strict=True):
        if is_in:
            here[home] = here.get(home, 0) + 1
        else:
            elsewhere[home, cluster] = elsewhere.get((home, cluster), 0) + 1
    if not here:
        return None
    largest: dict[Home, int] = {}
    for (home, _), count in elsewhere.items():
        largest[home] = max(largest.get(home, 0), count)
    stay = [home for home, count in here.items() if count >= largest.get(home, 0)]
    if stay:
        return min(stay, key=lambda home: home.sequence).golden_id
    return max(here, key=lambda home: (here[home], -home.sequence)).golden_id


def _candidates(near: Near, joined: Joined, of: Sequence[tuple[Record, Home]]) -> list[Candidate]:
    """The customers whom a record joins, and those whose records are alike enough for a person to look."""
    linked, inside = np.isin(joined.others, near.partners), joined.with_record
    ids = {home.golden_id for (_, home), one in zip(of, linked | inside, strict=True) if one}
    joins = {home.golden_id for (_, home), one in zip(of, inside, strict=True) if one}
    at = {one: [k for k, (_, home) in enumerate(of) if home.golden_id == one] for one in ids}
    best = _best(joined, at)
    likeliest = sorted(ids, key=lambda one: (one not in joins, -best[one].weight, str(one)))
    subject = Subject.of(joined.over.scorer)
    return [
        Candidate(
            one,
            Verdict.JOINS if one in joins else Verdict.DOUBT,
            best[one].weight,
            best[one].probability,
            of[best[one].place][0],
            tuple(of[place][0] for place in at[one]),
            _waterfall(subject, joined, best[one]),
        )
        for one in likeliest[:MOST_CANDIDATES]
    ]


class _Best(NamedTuple):
    """The record of a customer that is most like the one that was given, and the agreement pattern of the two."""

    place: int
    weight: float
    probability: float
    packed: Packed


def _best(joined: Joined, at: Mapping[UUID, Sequence[int]]) -> dict[UUID, _Best]:
    """That record of each of some customers; all are scored at once."""
    places = np.array([place for some in at.values() for place in some], dtype=np.int64)
    left, right = joined.pairs(places)
    scorer = joined.over.scorer
    packed = scorer.packed(left, right)
    scores = scorer.scores(left, right, packed)
    best, start = {}, 0
    for one, some in at.items():
        first = start + int(np.argmax(scores.weight[start : start + len(some)]))
        best[one] = _Best(
            int(places[first]),
            float(scores.weight[first]),
            float(scores.probability[first]),
            packed[first : first + 1],
        )
        start += len(some)
    return best


def _waterfall(subject: Subject, joined: Joined, best: _Best) -> tuple[Weighed, ...]:
    (left,), (right,) = joined.pairs(np.array([best.place], dtype=np.int64))
    steps = waterfall(subject, int(left), int(right), show=None, packed=best.packed).steps
    return tuple(Weighed(step.name, step.meaning, step.bits + step.term) for step in steps)
