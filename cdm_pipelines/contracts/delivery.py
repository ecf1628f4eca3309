"""How the files of an entity are found and written, as a contract says it.

Belongs here: location, dialect, files that are joined, entities that share files. Does not belong here: columns
(columns) or rules that span them (odcs).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cdm_pipelines.contracts.errors import ContractError, Problem, instead
from cdm_pipelines.contracts.model import Dialect, Format, Joined, SourceContract
from cdm_pipelines.contracts.sections import Section

DIALECT = (
    "delimiter",
    "encoding",
    "otherEncoding",
    "quote",
    "leadingApostrophe",
    "skipRows",
    "header",
    "totals",
    "sheet",
    "recordsAt",
    "maxCellBytes",
    "maxUnpackedBytes",
    "rowsAt",
)
_EXTENSIONS = {
    Format.CSV: ".csv",
    Format.JSONL: ".jsonl",
    Format.JSON: ".json",
    Format.PARQUET: ".parquet",
    Format.EXCEL: ".xlsx",
}
_MOST_SIGNS = 8


def read_location(section: Section, folder: str, source_format: Format) -> str:
    """The pattern of file paths; that of the source's folder where none is given, empty for a query."""
    declared = section.text("location")
    if source_format == Format.SQL:
        if declared is not None:
            section.fault("location", "has no meaning for a query", "Remove it.")
        return ""
    location = declared or f"{folder}/{{date}}*{_EXTENSIONS[source_format]}"
    _check_location(section, location)
    return location


def read_dialect(section: Section) -> Dialect:
    """How text is written; faults are noted in the section's report."""
    part = section.part("dialect", DIALECT)
    if part is None:
        return Dialect()
    usual = Dialect()
    delimiter, quote = part.text("delimiter"), part.text("quote")
    _check_delimiter(part, delimiter)
    if quote and not (len(quote) == 1 and quote.isascii()):
        part.fault(
            "quote", f"{quote!r} is not one ASCII character", 'Write "\'", or "" when nothing is quoted.'
        )
    for name in ("encoding", "otherEncoding"):
        encoding = part.text(name)
        if encoding is not None and not _is_encoding(encoding):
            part.fault(name, f"{encoding!r} is not an encoding", "Use utf-8, utf-16, cp1252 or latin-1.")
    header = part.flag("header")
    return Dialect(
        delimiter=usual.delimiter if delimiter is None else delimiter,
        encoding=part.text("encoding") or usual.encoding,
        other_encoding=part.text("otherEncoding"),
        quote=usual.quote if quote is None else quote,
        leading_apostrophe=part.flag("leadingApostrophe") or False,
        skip_rows=part.number("skipRows") or 0,
        header=usual.header if header is None else header,
        totals=_expressions(part, "totals"),
        sheet=part.text("sheet"),
        records_at=part.text("recordsAt"),
        max_cell_bytes=part.number("maxCellBytes") or usual.max_cell_bytes,
        max_unpacked_bytes=part.number("maxUnpackedBytes"),
        rows_at=part.text("rowsAt"),
    )


def read_joined(section: Section, columns: Sequence[str]) -> tuple[Joined, ...]:
    """Other files that bring columns of the same records."""
    given = section.values.get("joined")
    if given is None:
        return ()
    found = []
    for position, entry in enumerate(given if isinstance(given, list) else [given]):
        if not isinstance(entry, dict):
            section.fault("joined", "is not a mapping", "Give it the keys location and key.")
            continue
        part = Section(
            entry,
            ("location", "key", "theirs", "dialect"),
            f"{section.at('joined')}[{position}]",
            section.report,
        )
        location, key = part.required("location", part.text), part.required("key", part.text)
        if location:
            _check_location(part, location)
        if key and key not in columns:
            part.report.unknown(part.at("key"), "column", key, columns)
        found.append(Joined(location, key, part.text("theirs") or key, read_dialect(part)))
    return tuple(found)


def delivered_with(contracts: Sequence[SourceContract], files: Mapping[str, str]) -> list[SourceContract]:
    """The contracts, those that are delivered with another entity with the files of that one.

    Args:
        contracts: As read.
        files: Contract file by ``source/entity``, for messages.

    Raises:
        ContractError: The other entity is not there, or has no files of its own.
    """
    by_name = {contract.name: contract for contract in contracts}
    return [_with_files_of(contract, by_name, files) for contract in contracts]


def _with_files_of(
    contract: SourceContract, by_name: Mapping[str, SourceContract], files: Mapping[str, str]
) -> SourceContract:
    name = contract.delivered_with
    if name is None:
        guests = [
            c for c in by_name.values() if c.source == contract.source and c.delivered_with == contract.entity
        ]
        own = set(contract.column_names)
        theirs = dict.fromkeys(n for guest in guests for n in guest.column_names if n not in own)
        return replace(contract, beside=tuple(theirs)) if theirs else contract
    host = by_name.get(f"{contract.source}/{name}")
    if host is None or host.delivered_with is not None:
        entities = [
            c.entity for c in by_name.values() if c.source == contract.source and not c.delivered_with
        ]
        what = f"{name!r} is no entity of {contract.source} with files of its own"
        where = f"schema[{contract.entity}].deliveredWith"
        raise ContractError(files[contract.name], [Problem(where, what, instead(name, entities))])
    return replace(
        contract,
        location=host.location,
        format=host.format,
        dialect=host.dialect,
        query=host.query,
        joined=host.joined,
        beside=host.column_names,
    )


def _check_location(section: Section, location: str) -> None:
    if len(re.findall(r"\{date(?::[^}]+)?\}", location)) != 1:
        section.fault(
            "location", "does not have the date in one place", "Put one {date} or {date:%Y%m%d} in it."
        )


def _check_delimiter(part: Section, delimiter: str | None) -> None:
    if delimiter is None:
        return
    fix = 'Write ";", "\\t" or "||", for instance.'
    if not 1 <= len(delimiter) <= _MOST_SIGNS:
        part.fault("delimiter", f"{delimiter!r} is not one sign to {_MOST_SIGNS}", fix)
    elif any(sign in "\r\n\0" or sign.isalnum() for sign in delimiter):
        part.fault("delimiter", f"{delimiter!r} holds a letter, a digit or a line end", fix)


def _expressions(part: Section, name: str) -> tuple[str, ...]:
    found = []
    for text in part.texts(name):
        try:
            re.compile(text)
        except re.error:
            part.fault(name, f"{text!r} is not a regular expression", 'Write "Total", or "Count: .*".')
        else:
            found.append(text)
    return tuple(found)


def _is_encoding(name: str) -> bool:
    try:
        "".encode(name)
    except LookupError:
        return False
    return True
