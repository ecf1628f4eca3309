"""Which rows and cells are fit: every row is accepted or put in quarantine, with all its reasons.

Belongs here: the verdict on rows, blanked cells, reconciliation. Does not belong here: the checks themselves (schema),
which rows a later one replaces (repeats), what spreadsheets leave (damage), or reading files (ingest).

Work is done on the distinct values of a column. What is recorded about a value is its shape, never the value
(R6); the quarantine itself keeps the row as it was delivered.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import ORIGIN_COLUMNS, Column, LogicalType, SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.quality.damage import totals_lines
from cdm_pipelines.quality.repeats import indices, is_nothing, names_party, present
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.quality.schema import pandera_schema
from cdm_pipelines.quality.shapes import shapes
from cdm_pipelines.quality.values import Flags, as_flags, is_marked
from cdm_pipelines.store.keys import plain_ids

DEFECT, REASONS = "_defect", "_reasons"
BLANKED, REWRITTEN = "blanked", "rewritten"
_CONTACTS = ("party.email", "party.phone", "party.mobile")
_NUMBERS = ("party.vat_number", "party.coc_number", "party.iban")
Positions = npt.NDArray[np.int64]
REPAIRS_SCHEMA = pa.schema(
    [
        ("_file", pa.string()),
        ("_row", pa.int64()),
        ("_sha256", pa.string()),
        *((name, pa.string()) for name in ("column", "rule", "shape", "action")),
    ]
)
"""Columns of ``repairs/<source>/<entity>/<date>``: a row per blanked or rewritten cell."""


@dataclass(frozen=True)
class Validated:
    """What became of some raw rows.

    Attributes:
        valid: Accepted rows: the raw columns, bad optional cells null, null spellings null.
        quarantine: Rejected rows as delivered, with ``_reasons``: a JSON list of column, rule, shape and fix.
        repairs: One row per blanked or rewritten cell of an accepted row: origin, column, rule, shape, action.
    """

    valid: pa.Table
    quarantine: pa.Table
    repairs: pa.Table


@dataclass(frozen=True)
class _Fault:
    """Rows that break one rule in one column; ``shapes`` is per row, null where there is no value to show."""

    rule: Rule
    rows: Positions
    column: Column | None = None
    shapes: pa.Array | None = None
    action: str = BLANKED


@dataclass
class _Verdict:
    """What was found so far about a table of ``size`` rows."""

    size: int
    essential: list[_Fault] = field(default_factory=list)
    optional: list[_Fault] = field(default_factory=list)


def quarantine_schema(raw: pa.Schema) -> pa.Schema:
    """Columns of ``quarantine/<source>/<entity>/<date>``: the raw ones, as delivered, and the reasons."""
    return valid_schema(raw).append(pa.field(REASONS, pa.string()))


def valid_schema(raw: pa.Schema) -> pa.Schema:
    """Columns of ``valid/<source>/<entity>/<date>``: the raw ones."""
    return pa.schema([field for field in raw if field.name != DEFECT])


def validate(
    table: pa.Table,
    contract: SourceContract,
    superseded: npt.ArrayLike | None = None,
    conflicting: npt.ArrayLike | None = None,
) -> Validated:
    """Judge raw rows by their contract.

    A row is rejected when it could not be read as it should, when a later row has its key, when it is a total under
    the list, when it names nobody, or when a key or required column has no value or a bad one. A bad value in another
    column is blanked and recorded.

    Args:
        table: Raw rows: declared and other columns as text, ``_file``, ``_row``, ``_sha256`` and, if there is one,
            ``_defect``.
        contract: By which to judge.
        superseded: Whether a later row of the day has the same key, for each row; see `repeats`.
        conflicting: Whether that row says something else; only of superseded rows.

    Returns:
        Tables whose row counts of ``valid`` and ``quarantine`` add up to that of ``table``.
    """
    verdict = _Verdict(table.num_rows)
    readable = _judge_rows(table, superseded, conflicting, verdict)
    clean = table.drop_columns([DEFECT]) if DEFECT in table.column_names else table
    raw_columns = clean
    schema = pandera_schema(contract)
    for column in contract.columns:
        if column.name in clean.column_names:
            position = clean.column_names.index(column.name)
            cells = _plain(clean.column(position), column, verdict)
            cells = _judge_column(cells, column, schema.columns[column.name], readable, verdict)
            clean = clean.set_column(position, column.name, cells)
    _judge_somebody(clean, contract, readable, verdict)
    rejected = np.zeros(table.num_rows, dtype=bool)
    for fault in verdict.essential:
        rejected[fault.rows] = True
    reasons = _reasons([*verdict.essential, *verdict.optional], rejected)
    return Validated(
        valid=clean.filter(pa.array(~rejected)),
        quarantine=raw_columns.filter(pa.array(rejected)).append_column(REASONS, reasons),
        repairs=_repairs(table, verdict.optional, rejected),
    )


def fit_cells(cells: pa.ChunkedArray, contract: SourceContract, name: str) -> pa.ChunkedArray:
    """A column, null where `validate` finds no value or a bad one."""
    column, verdict = contract.column(name), _Verdict(len(cells))
    checks = pandera_schema(contract).columns[name]
    return _judge_column(_plain(cells, column, verdict), column, checks, np.ones(len(cells), bool), verdict)


def reconcile(read: int, accepted: int, quarantined: int) -> str | None:
    """The sentence that says which rows are not accounted for (R3); None when all are."""
    missing = read - accepted - quarantined
    if missing == 0:
        return None
    return (
        f"{read:,} rows read, but {accepted:,} accepted and {quarantined:,} quarantined: "
        f"{abs(missing):,} {'lost' if missing > 0 else 'made up'}"
    )


def _judge_rows(
    table: pa.Table, superseded: npt.ArrayLike | None, conflicting: npt.ArrayLike | None, verdict: _Verdict
) -> Flags:
    """Faults of rows as a whole; returns which rows have cells that can be judged."""
    readable = np.ones(table.num_rows, dtype=bool)
    if DEFECT in table.column_names:
        defects = table.column(DEFECT)
        for text in sorted(pc.drop_null(pc.unique(defects)).to_pylist()):
            here = as_flags(pc.equal(defects, text))
            verdict.essential.append(_Fault(Rule(text), np.flatnonzero(here)))
            readable &= ~here
    none = np.zeros(table.num_rows, dtype=bool)
    disagree = none if conflicting is None else np.asarray(conflicting, dtype=bool)
    replaced = none if superseded is None else np.asarray(superseded, dtype=bool) & ~disagree
    for rule, rows in ((Rule.SUPERSEDED, replaced), (Rule.CONFLICTING_KEY, disagree)):
        if rows.any():
            verdict.essential.append(_Fault(rule, np.flatnonzero(rows)))
    return readable


def _judge_somebody(clean: pa.Table, contract: SourceContract, readable: Flags, verdict: _Verdict) -> None:
    """Faults of rows that are no records: totals under a list, and parties that nothing tells from others.

    A record that its source marks as deleted or merged may have lost all that named it.
    """
    names = [column.name for column in contract.columns if names_party(column)]
    contacts = _filled(clean, _mapped(contract, _CONTACTS))
    totals = totals_lines(clean, contract, names, contacts) & readable
    if totals.any():
        verdict.essential.append(_Fault(Rule.TOTALS, np.flatnonzero(totals)))
    naming = [*names, *_mapped(contract, (*_CONTACTS, *_NUMBERS))]
    if contract.entities != (Entity.PARTY,) or not naming:
        return
    gone = _filled(clean, [contract.merged_into] if contract.merged_into else [])
    if contract.deleted and contract.deleted.column in clean.column_names:
        mark = contract.deleted
        gone |= is_marked(clean[mark.column], mark.values, contract.column(mark.column).logical_type)
    nobody = ~_filled(clean, naming) & ~gone & readable
    for fault in verdict.essential:  # of a row that is rejected anyway it says nothing new
        nobody[fault.rows] = False
    if nobody.any():
        verdict.essential.append(_Fault(Rule.NOBODY, np.flatnonzero(nobody)))


def _mapped(contract: SourceContract, paths: tuple[str, ...]) -> list[str]:
    return [column.name for column in contract.columns if set(paths) & set(column.maps_to)]


def _filled(clean: pa.Table, names: list[str]) -> Flags:
    """Which rows have a value in any of some columns."""
    filled = np.zeros(clean.num_rows, dtype=bool)
    for name in names:
        if name in clean.column_names:
            filled |= as_flags(pc.is_valid(clean[name]))
    return filled


def _plain(cells: pa.ChunkedArray, column: Column, verdict: _Verdict) -> pa.ChunkedArray:
    """Typed cells and codes without blanks around them, ids without the ``.0`` of a fraction; the latter is noted."""
    if column.logical_type is not LogicalType.STRING or column.values or column.enum:
        cells = pc.utf8_trim_whitespace(cells)  # which exports pad
    plain = plain_ids(cells, column)
    if plain is cells:
        return cells
    rows = np.flatnonzero(as_flags(pc.not_equal(plain, cells)))
    if len(rows):
        shown = shapes(cells.take(pa.array(rows)).combine_chunks())
        verdict.optional.append(_Fault(Rule.TRAILING_ZERO, rows, column, shown, REWRITTEN))
    return plain


def _judge_column(
    cells: pa.ChunkedArray, column: Column, checks: object, readable: Flags, verdict: _Verdict
) -> pa.ChunkedArray:
    """Note the faults of a column; returns it with null spellings and bad values blanked."""
    if not (column.is_essential or column.null_values or getattr(checks, "checks", [])):
        blank = pc.utf8_is_space(cells)
        return pc.if_else(blank, pa.scalar(None, pa.string()), cells) if pc.any(blank).as_py() else cells
    coded = pc.dictionary_encode(cells.combine_chunks())
    place_of, filled = indices(coded), as_flags(pc.is_valid(coded.indices))
    nothing = is_nothing(coded.dictionary, column)
    there = present(coded, nothing)
    if column.is_essential:
        rule = Rule.MISSING if column.key_position is None else Rule.MISSING_KEY
        rows = np.flatnonzero(~there & readable)
        if len(rows):
            verdict.essential.append(_Fault(rule, rows, column))
    faults = verdict.essential if column.is_essential else verdict.optional
    bad = np.zeros(len(coded.dictionary), dtype=bool)
    for rule, failed in _failures(coded.dictionary, checks, ~nothing):
        first = failed & ~bad
        bad |= failed
        rows = np.flatnonzero(first[place_of] & there & readable)
        if len(rows):
            shown = shapes(coded.dictionary.filter(pa.array(first)))
            place = np.cumsum(first) - 1
            faults.append(_Fault(rule, rows, column, shown.take(pa.array(place[place_of[rows]]))))
    kept = there & ~bad[place_of] if len(bad) else there
    if kept.all() or (kept == filled).all():
        return cells
    return pc.if_else(pa.array(kept), cells, pa.scalar(None, pa.string()))


def _failures(values: pa.Array, checks: object, wanted: Flags) -> Iterator[tuple[Rule, Flags]]:
    """The column's Pandera checks on distinct values; yields which of them fail each rule."""
    column_checks = getattr(checks, "checks", [])
    if not column_checks or not wanted.any():
        return
    series = pd.Series(values.to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get))
    for check in column_checks:
        failed = ~check(series).check_output.to_numpy().astype(bool) & wanted
        if failed.any():
            yield Rule(check.name), failed


def _reasons(faults: list[_Fault], rejected: Flags) -> pa.Array:
    """One JSON list per rejected row, put together from fragments that are spelt once per rule and shape."""
    place = np.cumsum(rejected) - 1
    count = int(rejected.sum())
    parts = []
    for fault in faults:
        here = rejected[fault.rows]
        spelt, codes = _fragments(fault)
        index = np.full(count, -1, dtype=np.int64)
        index[place[fault.rows[here]]] = codes[here]
        parts.append(spelt.take(pa.array(index, mask=index < 0)))
    if not parts:
        return pa.nulls(count, pa.string())
    joined = pc.binary_join_element_wise(*parts, ",", null_handling="skip")
    return pc.binary_join_element_wise("[", joined, "]", "")


def _fragments(fault: _Fault) -> tuple[pa.Array, Positions]:
    """The distinct JSON objects of a fault, and which of them each of its rows has."""
    if fault.shapes is None:
        return pa.array([_fragment(fault, None)]), np.zeros(len(fault.rows), dtype=np.int64)
    coded = pc.dictionary_encode(fault.shapes)
    return pa.array([_fragment(fault, text) for text in coded.dictionary.to_pylist()]), indices(coded)


def _fragment(fault: _Fault, shown: str | None) -> str:
    reason = {
        "column": fault.column.name if fault.column else None,
        "rule": str(fault.rule),
        "shape": shown,
        "fix": fault.rule.fix(fault.column),
    }
    return json.dumps(reason, ensure_ascii=False)


def _repairs(table: pa.Table, faults: list[_Fault], rejected: Flags) -> pa.Table:
    pieces = [REPAIRS_SCHEMA.empty_table()]
    for fault in faults:
        here = ~rejected[fault.rows]
        origin = table.select(list(ORIGIN_COLUMNS)).take(pa.array(fault.rows[here]))
        count = origin.num_rows
        texts = {
            "column": fault.column.name if fault.column else "",
            "rule": str(fault.rule),
            "action": fault.action,
        }
        columns = {name: pa.repeat(pa.scalar(text), count) for name, text in texts.items()}
        columns["shape"] = (fault.shapes or pa.nulls(len(here), pa.string())).filter(pa.array(here))
        pieces.append(
            pa.table(
                [*origin.columns, *(columns[n] for n in REPAIRS_SCHEMA.names[3:])], schema=REPAIRS_SCHEMA
            )
        )
    return pa.concat_tables(pieces).combine_chunks()
