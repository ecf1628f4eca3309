"""What links some records, as linkage weighs it: for a person who looks at a few of them.

Belongs here: a few records of the lake as they are linked, the best pair between two groups, the weakest link that
holds a group together, agreement patterns. Does not belong here: taking a score apart (linkage.explain), whose records
they are (stewardship), who may see them (console).

Scores do not depend on other records, so those of a few are the published ones.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.linkage.explain.clusters import Graph, graph
from cdm_pipelines.linkage.explain.pair import Subject, Waterfall, waterfall
from cdm_pipelines.linkage.model.fellegi_sunter import probability
from cdm_pipelines.privacy.given import Withheld
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.linking.inputs import few_records, not_compared
from cdm_pipelines.steps.linking.state import shared_digests
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.secret import Secret


@dataclass(frozen=True)
class Linking:
    """By what records of a kind are linked; read once for many questions.

    Attributes:
        kind: Of party.
        policy: How.
        model: What agreement weighs.
        withheld: What is not compared.
        shared: Digests of values that weigh nothing.
        secret: By which they are keyed.
    """

    kind: PartyKind
    policy: LinkagePolicy
    model: LinkageModel
    withheld: Withheld
    shared: Collection[str]
    secret: Secret

    @classmethod
    def of(
        cls, lake: Lake, settings: Settings, models: Mapping[str, tuple[LinkagePolicy, LinkageModel]]
    ) -> dict[str, "Linking"]:
        """By kind of party, of those that have a model."""
        secret = Secret.of(settings.home)
        return {
            name: cls(
                PartyKind(name),
                policy,
                model,
                not_compared(settings, policy),
                shared_digests(lake, name),
                secret,
            )
            for name, (policy, model) in models.items()
        }

    def over(self, rows: pa.Table) -> "Compared":
        """Some rows of ``records/party``, as they are linked."""
        given = few_records(
            rows, self.kind, self.policy, withheld=self.withheld, shared=self.shared, secret=self.secret
        )
        return Compared(Subject(encode(given, self.policy, 1), self.policy, self.model))


@dataclass(frozen=True)
class Pair:
    """Two records, and how probable it is that they are one party."""

    left: Record
    right: Record
    probability: float


@dataclass(frozen=True)
class Compared:
    """A few records with what scores them."""

    subject: Subject

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {self.subject.name(at): at for at in range(len(self.subject.records))}

    def _places(self, records: Sequence[Record]) -> np.ndarray:
        known = (self._place.get(_name(record)) for record in records)
        return np.array([at for at in known if at is not None], dtype=np.int32)

    def _record(self, place: int) -> Record:
        source, _, record_id = self.subject.name(place).partition("|")
        system, _, entity = source.partition("/")
        return Record(system, entity, record_id)

    def best(self, one: Sequence[Record], other: Sequence[Record]) -> Pair | None:
        """The most probable pair between two groups of records; None where one of them has none of the kind."""
        left, right = self._places(one), self._places(other)
        if not len(left) or not len(right):
            return None
        a, b = (side.ravel() for side in np.meshgrid(left, right, indexing="ij"))
        odds = self.subject.evidence.odds(a, b, self.subject.comparer.packed(a, b))
        best = int(np.argmax(odds))
        return Pair(
            self._record(int(a[best])),
            self._record(int(b[best])),
            float(probability(odds[best : best + 1])[0]),
        )

    def weakest(self, records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
        """A group taken apart at the weakest of the links that are needed to hold it together; a side may be empty.

        Where no chain of links holds it together, the first record and what is linked with it are one side.
        """
        places = self._places(records)
        if len(places) < 2:
            return [self._record(int(at)) for at in places], []
        found = graph(self.subject, [places])
        side = _side(found)
        one = [self._record(at) for at in found.nodes if at in side]
        return one, [self._record(at) for at in found.nodes if at not in side]

    def waterfall(self, pair: Pair) -> Waterfall:
        """The score of a pair taken apart, with values as they were compared."""
        left, right = (self._place[_name(record)] for record in (pair.left, pair.right))
        return waterfall(self.subject, left, right, show=str)

    def patterns(self, pairs: Sequence[tuple[Record, Record]]) -> list[int | None]:
        """The agreement pattern of each pair; None where one of the two is not among the records."""
        places = [(self._place.get(_name(left)), self._place.get(_name(right))) for left, right in pairs]
        known = [(left, right) for left, right in places if left is not None and right is not None]
        ends = np.array(known, dtype=np.int32).reshape(-1, 2)
        packed = iter(self.subject.comparer.packed(ends[:, 0], ends[:, 1]).tolist())
        return [None if left is None or right is None else int(next(packed)) for left, right in places]


def _name(record: Record) -> str:
    return f"{record.source}/{record.entity}|{record.record_id}"


def _side(found: Graph) -> set[int]:
    """The nodes on the first one's side when the weakest link of the strongest tree is cut."""
    around: dict[int, set[int]] = {node: set() for node in found.nodes}
    of = {node: node for node in found.nodes}

    def root(node: int) -> int:
        while of[node] != node:
            node = of[node]
        return node

    last: tuple[int, int] | None = None
    trees = len(found.nodes)
    for link in found.links:  # the strongest first
        one, other = root(link.left), root(link.right)
        if one != other:
            of[one], last, trees = other, (link.left, link.right), trees - 1
            around[link.left].add(link.right)
            around[link.right].add(link.left)
    if trees == 1 and last is not None:  # all hang together: the link that was needed last is the weakest
        around[last[0]].discard(last[1])
        around[last[1]].discard(last[0])
    side, rest = set[int](), [found.nodes[0]]
    while rest:
        node = rest.pop()
        if node not in side:
            side.add(node)
            rest += around[node] - side
    return side
