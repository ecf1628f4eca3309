"""The scorecard of a day of a source entity, from what became of its rows.

Belongs here: counting over frames: quarantined rows with their reasons, repaired cells, standardised records. Does not
belong here: reading them (steps.insight), or judging rows again: what was found when the day came in is counted.

A cell that was blanked was delivered and was not fit. A value that is only marked (a mailbox that several share) is
right in itself, and no fault.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, Input, targets
from cdm_pipelines.insight.scorecard import About, Score
from cdm_pipelines.quality.rules import Rule

LAST = 100
"""Records of the Friday-afternoon figure (Redman, "Assess whether you have a data quality problem", HBR 2016)."""
CHECKED_BY_DIGIT = frozenset({"party.vat_number", "party.iban"})
"""Attributes whose numbers carry a digit by which they are held against themselves."""
_BLANKED, _MARKED = "blanked", "marked"
_ORIGIN = ("_file", "_row")
_MAIN = ("surname", "street")
"""What a column that yields several attributes is foremost."""
_FLAGS = "invalid_attributes"


@dataclass(frozen=True)
class Delivered:
    """What became of a day.

    Attributes:
        read: Rows delivered.
        quarantine: ``_file``, ``_row`` and ``_reasons`` of the rejected rows.
        repairs: ``_file``, ``_row``, ``column``, ``rule`` and ``action`` of changed cells.
        standard: Standardised records by canonical entity; the first is the one that a row is foremost.
        unmapped: Values of columns that no attribute is fed from, of those in ``repairs``: how many there still are.
    """

    read: int
    quarantine: pa.Table
    repairs: pa.Table
    standard: Mapping[str, pa.Table]
    unmapped: Mapping[str, int]


@dataclass(frozen=True)
class Expected:
    """Of which attributes a missing value is a fault; what a row must have, its contract says.

    Attributes:
        of_kind: Names of party attributes by kind of party, with ``|`` between those of which one is enough.
        besides: Further attributes, such as party.title.
    """

    of_kind: Mapping[str, Collection[str]]
    besides: Collection[str] = ()


def day_scores(about: About, contract: SourceContract, day: Delivered, expected: Expected) -> list[Score]:
    """All figures of a day."""
    superseded, keyless, unfit = _rejected(day.quarantine)
    blanked = _cells(day.repairs, _BLANKED)
    found = [
        *about.score("", "accepted", day.read - superseded - unfit, day.read - superseded),
        *about.score("record_id", "with_key", day.read - keyless, day.read),
        *about.score("record_id", "not_repeated", day.read - superseded, day.read),
        *_filled(about, contract, day, expected),
        *_values(about, contract, day, blanked),
    ]
    for column, cells in sorted(blanked.items()):
        if not contract.column(column).maps_to:
            there = day.unmapped.get(column, 0)
            found += about.score(column, "fit", there, there + cells)
    return found + _friday(about, day, unfit)


def _rejected(quarantine: pa.Table) -> tuple[int, int, int]:
    """Rows that a later one replaced, rows without a key, and all that were rejected but for the first."""
    superseded = keyless = 0
    for row in pc.value_counts(quarantine["_reasons"]).to_pylist():
        rules = _rules(row["values"])
        superseded += row["counts"] if rules == {Rule.SUPERSEDED} else 0
        keyless += row["counts"] if Rule.MISSING_KEY in rules else 0
    return superseded, keyless, quarantine.num_rows - superseded


def _rules(reasons: str | None) -> set[str]:
    return {reason["rule"] for reason in json.loads(reasons or "[]")}


def _cells(repairs: pa.Table, action: str) -> Counter[str]:
    columns = repairs.filter(pc.equal(repairs["action"], action))["column"]
    return Counter({row["values"]: row["counts"] for row in pc.value_counts(columns).to_pylist()})


def _filled(about: About, contract: SourceContract, day: Delivered, expected: Expected) -> Iterator[Score]:
    """Of each attribute that is expected, and that the source feeds: how many records have it."""
    fed = _attributes(contract)
    without = _missing(day.quarantine)
    needed: dict[str, int] = {}
    for column, path in contract.mapped():
        if column.required and not isinstance(targets()[path], Input):
            needed[path] = without[column.name]
    for entity, table in day.standard.items():
        here = [name for name in fed.get(entity, ()) if name in table.column_names]
        of_kind: set[str] = set()
        if entity == Entity.PARTY and "party_kind" in table.column_names:
            for label, members, kinds in _alternatives(expected.of_kind, here):
                of_kinds = pc.is_in(table["party_kind"], value_set=pa.array(kinds))
                theirs = table.select(members).filter(of_kinds)
                filled = pc.coalesce(*(theirs[name] for name in members))
                of_kind |= set(members)
                yield from about.score(
                    f"{entity}.{label}", "filled", theirs.num_rows - filled.null_count, theirs.num_rows
                )
        for name in here:
            path = f"{entity}.{name}"
            if name not in of_kind and (path in needed or path in expected.besides):
                kept = table.num_rows - table[name].null_count
                yield from about.score(path, "filled", kept, table.num_rows + needed.get(path, 0))


def _alternatives(
    of_kind: Mapping[str, Collection[str]], here: Collection[str]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each expectation, those of its attributes that there are, and the kinds of party of whom it is expected."""
    for label in dict.fromkeys(one for labels in of_kind.values() for one in labels):
        if members := [name for name in label.split("|") if name in here]:
            yield label, members, [kind for kind, labels in of_kind.items() if label in labels]


def _missing(quarantine: pa.Table) -> Counter[str]:
    """Rejected rows without a value in a column that every row must have."""
    found: Counter[str] = Counter()
    for row in pc.value_counts(quarantine["_reasons"]).to_pylist():
        reasons = json.loads(row["values"] or "[]")
        columns = {one["column"] for one in reasons if one["rule"] in {Rule.MISSING, Rule.MISSING_KEY}}
        found.update(dict.fromkeys(columns, row["counts"]))
    return found


def _values(
    about: About, contract: SourceContract, day: Delivered, blanked: Mapping[str, int]
) -> Iterator[Score]:
    """Of each attribute that the source feeds: how many of the values delivered are fit."""
    columns, cells, marks = _attributes(contract), Counter[str](), Counter[str]()
    for column, path in contract.mapped():
        cells[_first(path)] += blanked.get(column.name, 0)
    marked = _cells(day.repairs, _MARKED)
    for column, path in contract.mapped():
        marks[_first(path)] += marked.get(column.name, 0)
    for entity, table in day.standard.items():
        flagged = flags(table)
        for name in columns.get(entity, ()):
            if name not in table.column_names:
                continue
            path, kept = f"{entity}.{name}", table.num_rows - table[name].null_count
            unfit = max(flagged[name] - marks[path], 0)
            measure = "check_digit" if path in CHECKED_BY_DIGIT else "fit"
            yield from about.score(path, measure, kept - unfit, kept + cells[path])


def _attributes(contract: SourceContract) -> dict[str, list[str]]:
    """Names of the attributes that columns feed, by canonical entity."""
    found: dict[str, list[str]] = {}
    for _, path in contract.mapped():
        target = targets()[path]
        names = target.yields if isinstance(target, Input) else (target.name,)
        ours = found.setdefault(str(target.entity), [])
        ours += [name for name in names if name not in ours]
    return found


def _first(path: str) -> str:
    """The attribute under which a cell of a column counts: of a name the surname, of an address line the street."""
    target = targets()[path]
    if not isinstance(target, Input):
        return path
    name = next((one for one in target.yields if one in _MAIN), target.yields[0])
    return f"{target.entity}.{name}"


def flags(table: pa.Table) -> Counter[str]:
    """Values that failed a check and were kept, by attribute."""
    found: Counter[str] = Counter()
    if _FLAGS in table.column_names:
        for row in pc.value_counts(table[_FLAGS].combine_chunks().drop_null()).to_pylist():
            found.update(dict.fromkeys(filter(None, row["values"].split(",")), row["counts"]))
    return found


def _friday(about: About, day: Delivered, unfit: int) -> list[Score]:
    """Records without any fault, of all and of the last hundred; only of the entity that a row is foremost."""
    head = next(iter(day.standard.values()), None)
    if head is None or not set(_ORIGIN) <= set(head.column_names):
        return []
    faulty = _faulty_rows(day, head)
    dated = head.select([*_ORIGIN, "modified_at"])
    known = dated.filter(pc.is_valid(dated["modified_at"]))
    dated = known if known.num_rows >= min(LAST, dated.num_rows) else dated
    newest = [("modified_at", "descending"), ("_file", "descending"), ("_row", "descending")]
    last = dated.take(pc.select_k_unstable(dated, min(LAST, dated.num_rows), newest))
    return [
        *about.score("", "all", head.num_rows - _within(head, faulty), head.num_rows + unfit),
        *about.score("", "last_100", last.num_rows - _within(last, faulty), last.num_rows),
    ]


def _faulty_rows(day: Delivered, head: pa.Table) -> set[tuple[str, int]]:
    """File and row of what has a blanked cell, or a kept value that failed a check and is not only marked."""
    faulty = set(_rows(day.repairs.filter(pc.equal(day.repairs["action"], _BLANKED))))
    if _FLAGS in head.column_names:
        marked = _rows(day.repairs.filter(pc.equal(day.repairs["action"], _MARKED)))
        flagged = head.filter(pc.is_valid(head[_FLAGS])).select([*_ORIGIN, _FLAGS]).to_pylist()
        for row in flagged:
            key = row["_file"], row["_row"]
            if len(row[_FLAGS].split(",")) > marked[key]:
                faulty.add(key)
    return faulty


def _within(records: pa.Table, faulty: set[tuple[str, int]]) -> int:
    """How many of some records are among the faulty ones; only rows of such a number are looked at one by one."""
    numbers = pa.array(sorted({row for _, row in faulty}), records.schema.field("_row").type)
    near = records.filter(pc.is_in(records["_row"], value_set=numbers))
    return sum(count for key, count in _rows(near).items() if key in faulty)


def _rows(repairs: pa.Table) -> Counter[tuple[str, int]]:
    return Counter(zip(repairs["_file"].to_pylist(), repairs["_row"].to_pylist(), strict=True))
