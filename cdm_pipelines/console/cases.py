"""A case for a steward: two customers, or one that may be two, side by side, with what a decision would make of them.

Belongs here: putting together what the role sees of a case. Does not belong here: which case is next (``desk``),
deciding (``writes``), how it looks (pages).

Both kinds of case have two sides and what they are together. Of two customers the sides are published, and what they
would be together is worked out; of one customer it is published, and what its parts would be is worked out.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pyarrow as pa

from cdm_pipelines.console import reads
from cdm_pipelines.console.case_orders import of_customers, of_parts
from cdm_pipelines.console.errors import UnknownError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.reads import Row
from cdm_pipelines.console.shown import seen_values
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.golden.policy import golden_groups
from cdm_pipelines.identity.decisions import Decision, Record
from cdm_pipelines.linkage.explain.pair import Step
from cdm_pipelines.privacy.views import CUSTOMER
from cdm_pipelines.steps.customers.outlook import outlook, set_of
from cdm_pipelines.steps.customers.publication import Rules
from cdm_pipelines.steps.linking.evidence import Compared, Linking, Pair
from cdm_pipelines.steps.stewardship.kinds import Doubt
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY

PAIR, ONE, CONFLICT = "pair", "customer", "conflict"
"""Kinds of case."""
_ATTRIBUTES = tuple(name for names in golden_groups().values() for name in names if name != "employer_id")
_PAIRS = frozenset({Doubt.PAIR, Doubt.CONFIRMED})
_DETAILS = ("first_seen", "last_seen")


@dataclass(frozen=True)
class Key:
    """What a case is about, as the queue names its items.

    Attributes:
        text: Of the item.
        kind: ``PAIR``, ``ONE`` or ``CONFLICT``.
        ids: The customers; of a conflict those that the queue tells, see :meth:`about`.
    """

    text: str
    kind: str
    ids: tuple[UUID, ...]

    @classmethod
    def parse(cls, text: str) -> "Key":
        """From ``doubt/left/right``, ``customer/id`` or ``conflict/number``.

        Raises:
            UnknownError: It is none of these.
        """
        head, _, rest = text.partition("/")
        try:
            if head == CONFLICT:
                return cls(f"{CONFLICT}/{int(rest)}", CONFLICT, ())
            ids = tuple(UUID(one) for one in rest.split("/"))
        except ValueError:
            ids = ()
        known = head in _PAIRS or head == ONE
        if not known or len(ids) != (1 if head == ONE else 2) or len(set(ids)) != len(ids):
            raise UnknownError("There is no such case.")
        return cls(f"{head}/{'/'.join(map(str, ids))}", ONE if head == ONE else PAIR, ids)

    def about(self, *ids: UUID | None) -> "Key":
        """The same case, known to be about some customers."""
        return replace(self, ids=tuple(dict.fromkeys(one for one in ids if one is not None)))

    @classmethod
    def of(cls, *ids: UUID) -> "Key":
        """That of one customer, or of two."""
        named = "/".join(sorted(map(str, ids)))
        return cls.parse(f"{ONE if len(ids) == 1 else PAIR}/{named}")


@dataclass(frozen=True)
class Side:
    """One side of a case.

    Attributes:
        golden_id: Its customer; None of a part of one.
        records: Source records, as far as the role sees them.
        orders: How many it has; None where that is not known.
        amounts: What they come to, by currency; None where the role does not see it.
    """

    golden_id: UUID | None
    records: Sequence[Record]
    orders: int | None = None
    amounts: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Line:
    """An attribute: its value on either side and together, and of each source record."""

    name: str
    sides: Sequence[Any]
    together: Any
    of_records: Sequence[Any]

    @property
    def differs(self) -> bool:
        """Whether the sides say different things."""
        known = {str(one) for one in self.sides if one is not None}
        return len(known) > 1


@dataclass(frozen=True)
class Case:
    """All that is shown of a case.

    Attributes:
        key: What it is about.
        sides: Two, or one where a customer cannot be divided.
        together: The customer that they are, or would be.
        lines: Attributes that somebody has a value of.
        details: The same of figures of source records.
        steps: The waterfall of the best link between the sides; empty where none can be told.
        link: The two records that it is about.
        threshold: The probability from which two records match.
    """

    key: Key
    sides: Sequence[Side] = ()
    together: Side | None = None
    lines: Sequence[Line] = ()
    details: Sequence[Line] = ()
    steps: Sequence[Step] = ()
    link: Pair | None = None
    threshold: float = 0.0

    @property
    def is_pair(self) -> bool:
        """Whether it asks whether two customers are one."""
        return self.key.kind == PAIR

    @property
    def of_two(self) -> bool:
        """Whether its sides are customers, and not parts of one."""
        return self.together is not None and self.together.golden_id is None

    @property
    def apart(self) -> Sequence[Record]:
        """The records that leave a customer if it is divided: the smaller side."""
        whole = self.key.kind == ONE and len(self.sides) == 2
        return min((one.records for one in self.sides), key=len) if whole else ()


@dataclass
class _Made:
    """A case that is being put together."""

    eyes: Eyes
    house: House
    log: Sequence[Decision]
    apart: Sequence[Record] = ()

    def pair(self, key: Key) -> Case:
        ids = [reads.current(self.eyes.connection, one) for one in key.ids]
        if ids[0] == ids[1]:
            return self.one(Key.of(ids[0]))
        rows = [reads.customer(self.eyes, one) for one in ids]
        records = [self._records(one) for one in ids]
        known = self._rows([*records[0], *records[1]])
        merged = self._outlook(known, {"": [*records[0], *records[1]]}).get("", {})
        counts = [of_customers(self.eyes, [one]) for one in ids]
        both = of_customers(self.eyes, ids)
        sides = [Side(one, own, *count) for one, own, count in zip(ids, records, counts, strict=True)]
        steps, link, threshold = self.evidence(known, *records)
        lines, details = self._lines(
            known, sides, [self._clear(row) for row in rows], self._seen([merged])[0]
        )
        together = Side(None, [*records[0], *records[1]], *both)
        return Case(key, sides, together, lines, details, steps, link, threshold)

    def one(self, key: Key) -> Case:
        now = reads.current(self.eyes.connection, key.ids[0])
        row = reads.customer(self.eyes, now)
        records = self._records(now)
        known = self._rows(records)
        divided = {str(number): part for number, part in enumerate(self._parts(known, records)) if part}
        if len(divided) < 2:
            divided = {"0": records}
        counts = of_parts(self.eyes, self.house.lake, now, list(divided.values()))
        sides = [Side(None, part, *count) for part, count in zip(divided.values(), counts, strict=True)]
        values = self._outlook(known, divided)
        told = self._seen([values.get(name, {}) for name in divided])
        steps, link, threshold = (
            self.evidence(known, *divided.values()) if len(sides) == 2 else ((), None, 0.0)
        )
        lines, details = self._lines(known, sides, told, self._clear(row))
        together = Side(now, records, *of_customers(self.eyes, [now]))
        return Case(key, sides, together, lines, details, steps, link, threshold)

    def _parts(self, known: pa.Table, records: Sequence[Record]) -> Sequence[Sequence[Record]]:
        """The two parts that a customer would be: as somebody proposed it, else cut at its weakest link."""
        if self.apart:
            return [one for one in records if one not in self.apart], [
                one for one in records if one in self.apart
            ]
        compared = self._compared(known)
        return compared.weakest(records) if compared is not None else (records, [])

    def _clear(self, row: Row) -> Row:
        return self.house.in_clear(row)

    def _records(self, golden_id: UUID) -> list[Record]:
        """The source records of a customer; none where the role does not see which."""
        if not {*RECORD_KEY} <= self.eyes.sight.clear(reads.RECORDS):
            return []
        _, rows = reads.of_customer(self.eyes, reads.RECORDS, golden_id, order=RECORD_KEY, limit=reads.ALL)
        return [Record(*(str(row[name]) for name in RECORD_KEY)) for row in rows]

    def _rows(self, records: Sequence[Record]) -> pa.Table:
        parties = tables.records(self.house.lake, Entity.PARTY)
        keys = pa.table(
            [pa.array([r[at] for r in records], pa.string()) for at in range(3)], names=list(RECORD_KEY)
        )
        return parties.rows(keys)

    def _outlook(self, known: pa.Table, divided: Mapping[str, Sequence[Record]]) -> Mapping[str, Row]:
        """What golden values would be."""
        if not known.num_rows:
            return {}
        rules = self.house.kept("rules", lambda: Rules.load(self.house.settings))
        named = [record for part in divided.values() for record in part]
        parties = tables.records(self.house.lake, Entity.PARTY)
        given = set_of(self.log, named, parties, dt.datetime.now(dt.UTC).date())
        return {name: dict(row) for name, row in outlook(known, divided, rules, given).items()}

    def _compared(self, known: pa.Table) -> Compared | None:
        """The records as linkage compares them; None where they are of two kinds, or of one that has no model."""
        kinds = set(known["party_kind"].to_pylist())
        settings, lake, models = self.house.settings, self.house.lake, self.house.models()
        linkings = self.house.kept("linkings", lambda: Linking.of(lake, settings, models.by_kind))
        linking = linkings.get(kinds.pop()) if len(kinds) == 1 else None
        return None if linking is None else linking.over(known)

    def evidence(
        self, known: pa.Table, one: Sequence[Record], other: Sequence[Record]
    ) -> tuple[Sequence[Step], Pair | None, float]:
        """The best link between two groups of records taken apart, and from which probability on it is a match."""
        compared = self._compared(known)
        link = None if compared is None else compared.best(one, other)
        if compared is None or link is None:
            return (), None, 0.0
        clear = self.eyes.sight.clear(CUSTOMER)
        policy = compared.subject.policy
        steps = []
        for step in compared.waterfall(link).steps:
            spec = policy.comparisons.get(step.name)
            read = () if spec is None else (*spec.reads, *spec.reads_optionally)
            shown = all(name in clear for column in read for name in policy.columns[column].names)
            values = (step.left, step.right) if shown else ("", "")
            steps.append(Step(step.name, step.meaning, *values, step.bits, step.term, step.total))
        return steps, link, compared.subject.model.match

    def _seen(self, rows: Sequence[Row]) -> list[Row]:
        return seen_values(self.eyes, rows, _ATTRIBUTES, self.house.in_clear)

    def _lines(
        self, known: pa.Table, sides: Sequence[Side], of_sides: Sequence[Row], together: Row
    ) -> tuple[list[Line], list[Line]]:
        by_key = {Record(*(str(row[name]) for name in RECORD_KEY)): row for row in known.to_pylist()}
        order = [record for side in sides for record in side.records]
        raw = [by_key.get(record, {}) for record in order]
        told = self._seen(raw)
        lines = [
            Line(
                name,
                [row.get(name) for row in of_sides],
                together.get(name),
                [row.get(name) for row in told],
            )
            for name in _ATTRIBUTES
        ]
        details = [Line(name, [], None, [row.get(name) for row in raw]) for name in _DETAILS]
        return [
            one for one in lines if any(_known(v) for v in (*one.sides, one.together, *one.of_records))
        ], details


def _known(value: object) -> bool:
    return value is not None and value != ""


def link_of(
    eyes: Eyes, house: House, record: Record, others: Sequence[Record]
) -> tuple[Sequence[Step], Pair | None, float]:
    """The best link between a record and others, as the role sees it, and from which probability on it is a match."""
    wanted = [record, *others]
    keys = pa.table({name: [getattr(one, name) for one in wanted] for name in RECORD_KEY})
    known = tables.records(house.lake, Entity.PARTY).rows(keys)
    return _Made(eyes, house, ()).evidence(known, [record], others)


def case(eyes: Eyes, house: House, key: Key, log: Sequence[Decision], apart: Sequence[Record] = ()) -> Case:
    """A case as the role sees it.

    Args:
        eyes: Of who decides.
        house: What all requests share.
        key: What it is about.
        log: All decisions.
        apart: Records that somebody proposed to take from a customer, in the place of its weakest link.

    Raises:
        UnknownError, ForbiddenError: It is about somebody whom the role does not see.
    """
    made = _Made(eyes, house, log, apart)
    match key.kind:
        case "pair":
            return made.pair(key)
        case "customer":
            return made.one(key)
        case _ if key.ids:
            found = made.pair(Key.of(*key.ids)) if len(key.ids) > 1 else made.one(Key.of(*key.ids))
            return replace(found, key=key)
        case _:
            return Case(key)
