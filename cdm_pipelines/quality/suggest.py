"""A first contract for a file that nobody has described yet, one per entity that it holds.

Belongs here: putting profile and proposals together, and trying the outcome on the file itself. Does not belong here:
statistics (profile), what columns mean (semantics, mapping), entities and keys (proposals), or the text (suggested).

What is suggested is a start to edit: every part that is a guess says so. A contract that would refuse or blank what its
own file holds is changed until it does not.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import LogicalType
from cdm_pipelines.contracts.canonical import Entity, ValueType
from cdm_pipelines.contracts.odcs import parse_contract
from cdm_pipelines.contracts.sections import Report
from cdm_pipelines.ingest import Defect, read_file
from cdm_pipelines.quality.mapping import value_type
from cdm_pipelines.quality.profile import SAMPLE_ROWS, ColumnProfile, FileProfile, profile_file
from cdm_pipelines.quality.proposal import Proposal
from cdm_pipelines.quality.proposals import OF_ORGANISATIONS, OF_PERSONS, propose
from cdm_pipelines.quality.repeats import superseded_rows
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.quality.suggested import ColumnSuggestion, Suggestion
from cdm_pipelines.quality.validation import BLANKED, DEFECT, validate

__all__ = ["OF_ORGANISATIONS", "OF_PERSONS", "ColumnSuggestion", "Suggestion", "suggest", "suggest_all"]

_EXPECTED = {
    ValueType.DATE: LogicalType.DATE,
    ValueType.TIMESTAMP: LogicalType.TIMESTAMP,
    ValueType.DECIMAL: LogicalType.NUMBER,
    ValueType.BOOLEAN: LogicalType.BOOLEAN,
}
_FEW, _SOME = 0.05, 0.2
"""Shares of values that may be unfit: of a typed column; of e-mail addresses and phones, whose faults are real."""
_TRIES = 3


def suggest(path: Path | str, *, source: str = "", entity: str = "") -> Suggestion:
    """The contract of a file's main entity; see `suggest_all`.

    Raises:
        ExtractError: The file cannot be read.
    """
    return next(_suggestions(Path(path), source, entity, None))


def suggest_all(
    path: Path | str, *, source: str = "", entity: str = "", sheet: str | None = None
) -> tuple[Suggestion, ...]:
    """Profile a file and suggest a contract for each entity that it holds, the main one first.

    Args:
        path: A file of any format that can be ingested.
        source: Name of the source; made of the folder's name when empty.
        entity: Name of the main entity; made of the file's name when empty. Further ones are named after what they are.
        sheet: Of a workbook; the one with the largest table when left out.

    Raises:
        ExtractError: The file cannot be read.
    """
    return tuple(_suggestions(Path(path), source, entity, sheet))


def _suggestions(path: Path, source: str, entity: str, sheet: str | None) -> Iterator[Suggestion]:
    file = profile_file(path, sheet)
    source = _slug(source or path.resolve().parent.name, "source")
    main = _slug(entity or re.sub(r"[-_ ]*\d{4}-?\d{2}-?\d{2}.*|\..*", "", path.name), "entity")
    for proposal in propose(file):
        name = main
        if proposal.suffix:
            name = proposal.suffix if proposal.suffix != main else f"{main}_{proposal.suffix}"
        beside = main if proposal.suffix else ""
        yield _tried(_suggestion(file, proposal, source, name, beside))


def _slug(text: str, otherwise: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return slug if re.match(r"[a-z]", slug) else otherwise


def _suggestion(file: FileProfile, proposal: Proposal, source: str, entity: str, beside: str) -> Suggestion:
    columns = [_column(column, proposal) for column in file.columns]
    if proposal.numbered:
        place = next(i for i, column in enumerate(columns) if column.profile.name == proposal.key[0]) + 1
        columns.insert(place, _column(_counted(proposal.numbered), proposal))
    if beside:
        columns = [column for column in columns if column.key_position or column.paths]
    return Suggestion(
        source=source,
        entity=entity,
        file=file,
        feeds=proposal.feeds[0] if proposal.feeds else Entity.PARTY,
        columns=tuple(columns),
        doubts=proposal.doubts,
        kind=proposal.kind,
        kind_doubt=proposal.kind_doubt,
        beside=beside,
        repeated=proposal.repeated,
        numbered=proposal.numbered,
        properties=proposal.properties,
    )


def _column(profile: ColumnProfile, proposal: Proposal) -> ColumnSuggestion:
    meaning = proposal.chosen.get(profile.name)
    key = proposal.key.index(profile.name) + 1 if profile.name in proposal.key else None
    also = proposal.also.get(profile.name, ())
    if profile.name == proposal.numbered:
        also = ("order_line.line_id",)
    paths = ((meaning.target,) if meaning else ()) + also
    is_moment = meaning is not None and value_type(meaning.target) == ValueType.TIMESTAMP
    is_text = (key is not None and not is_moment) or any(
        value_type(path) in (ValueType.TEXT, ValueType.REFERENCE) for path in also
    )
    return ColumnSuggestion(
        profile=profile,
        logical_type=LogicalType.STRING if is_text else _type(profile, meaning.target if meaning else None),
        meaning=meaning,
        key_position=key,
        also=also,
        paths=paths,
    )


def _counted(name: str) -> ColumnProfile:
    empty = pa.array([], pa.string())
    return ColumnProfile(name, empty, empty, 1.0, unique=False, logical_type=LogicalType.STRING)


def _type(column: ColumnProfile, target: str | None) -> LogicalType:
    """The type that was read; text where what it means is text."""
    if target is None:
        return column.logical_type
    expected = _EXPECTED.get(value_type(target), LogicalType.STRING)
    return column.logical_type if len(column.values) and expected != LogicalType.STRING else expected


def _tried(suggestion: Suggestion) -> Suggestion:
    """The suggestion, changed until its own file passes: columns that would lose values become text or unmapped."""
    if not suggestion.file.rows:
        return suggestion
    for _ in range(_TRIES):
        contract = parse_contract(suggestion.to_yaml(alone=True), Report(suggestion.file.path.name))
        table = next(read_file(suggestion.file.path, contract, chunk_rows=SAMPLE_ROWS))
        superseded = None if suggestion.repeated else superseded_rows(table, contract)
        outcome = validate(table, contract, superseded)
        lost = pc.equal(outcome.repairs["action"], BLANKED)
        blanked = Counter(outcome.repairs.filter(lost)["column"].to_pylist())
        changed = _changed(suggestion, blanked, table.num_rows)
        if changed == suggestion or not blanked:
            unread = table.num_rows - table.column(DEFECT).null_count
            totals = pc.sum(pc.equal(table.column(DEFECT), Defect.TOTALS)).as_py() or 0  # told with the file
            rejected = outcome.quarantine.filter(
                pc.invert(pc.match_substring(outcome.quarantine["_reasons"], f'"{Rule.TOTALS}"'))
            )
            return _with_rejected(changed, rejected.num_rows, unread - totals, table.num_rows)
        suggestion = changed
    return suggestion


def _changed(suggestion: Suggestion, blanked: Mapping[str, int], rows: int) -> Suggestion:
    columns = []
    for column in suggestion.columns:
        count = blanked.get(column.profile.name, 0)
        share = count / max(rows * column.profile.filled, 1)
        if not count:
            columns.append(column)
        elif column.meaning is None:
            columns.append(replace(column, logical_type=LogicalType.STRING))
        elif share > (_SOME if column.logical_type == LogicalType.STRING else _FEW):
            remark = (
                f"{share:.0%} of the values are no {column.meaning.target.rpartition('.')[2]}: not mapped"
            )
            columns.append(
                replace(
                    column, meaning=None, paths=column.also, logical_type=LogicalType.STRING, remark=remark
                )
            )
        else:
            columns.append(
                replace(column, remark=f"{count:,} values of the sample are not fit and would be blanked")
            )
    return replace(suggestion, columns=tuple(columns))


def _with_rejected(suggestion: Suggestion, rejected: int, unread: int, rows: int) -> Suggestion:
    told = []
    if unread:
        told.append(
            f"{unread:,} of {rows:,} rows cannot be read as they are (other numbers of cells, stray quotes)"
        )
    if rejected > unread:
        told.append(f"{rejected - unread:,} of {rows:,} rows would be put in quarantine: is the key right?")
    return replace(suggestion, doubts=(*suggestion.doubts, *told))
