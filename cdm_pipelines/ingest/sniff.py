"""How a file that nobody has described is written: format, encoding, delimiter, where its header is.

Belongs here: what the bytes and the shape of lines tell, with what they leave open. Does not belong here: what columns
hold (quality.profile) or mean (quality.semantics).

Nothing that is a guess is told as certain: each finding that could be otherwise is a doubt.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cdm_pipelines.contracts import Dialect, Format
from cdm_pipelines.ingest.errors import Refusal, Refuser
from cdm_pipelines.ingest.landing import check_place
from cdm_pipelines.ingest.sniff_json import has_lines_of_objects, records_at
from cdm_pipelines.ingest.sniff_table import Grid, delimiter_of, filled, header_of, separator_line, totals_of
from cdm_pipelines.ingest.text import Scan, is_wide, likely_encoding
from cdm_pipelines.ingest.unpack import Packed

SAMPLE_BYTES = 1 << 18
_TAIL_BYTES = 1 << 16
_WHOLE_BYTES = 1 << 23
_SHEET_ROWS = 200


@dataclass(frozen=True, slots=True)
class Sniffed:
    """How a file is written.

    Attributes:
        format: Its format.
        dialect: As a contract would say it.
        bom: Whether it begins with a byte-order mark.
        findings: What is unusual about it, in words for people.
        doubts: What could be otherwise, in words for people.
    """

    format: Format
    dialect: Dialect
    bom: bool = False
    findings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def words(self) -> dict[str, Any]:
        """The properties of ``dialect`` in a contract, those left out that are as usual."""
        usual, own = Dialect(), self.dialect
        found: dict[str, Any] = {}
        if self.format == Format.CSV:
            found["delimiter"] = own.delimiter
        if self.format in (Format.CSV, Format.JSONL, Format.JSON):
            found["encoding"] = own.encoding
        told: tuple[tuple[str, Any, Any], ...] = (
            ("header", own.header, usual.header),
            ("skipRows", own.skip_rows, usual.skip_rows),
            ("totals", list(own.totals), []),
            ("sheet", own.sheet, None),
            ("recordsAt", own.records_at, None),
        )
        found |= {name: value for name, value, default in told if value != default}
        return found


def sniff(path: Path, sheet: str | None = None) -> Sniffed:
    """Look at a file.

    Args:
        path: The file.
        sheet: Of a workbook; the one with the largest table when left out.

    Raises:
        ExtractError: It cannot be read, is empty, or is no file; or is no workbook with that sheet.
    """
    refuser = Refuser("file", path.stem, path.name)
    check_place(path, None, refuser)
    with path.open("rb") as stream:
        signature = stream.read(8)
    if _is_workbook(path, signature):
        return _workbook(path, sheet, refuser)
    if sheet is not None:
        refuser.refuse(Refusal.UNREADABLE, "is no workbook and has no sheets", "Leave out --sheet.")
    if signature.startswith(b"PAR1"):
        return Sniffed(Format.PARQUET, Dialect())
    start = next(Packed(path, refuser).pieces(SAMPLE_BYTES), b"")
    if not start:
        refuser.refuse(Refusal.EMPTY, "is empty (0 bytes)", "Choose a file with a header and some rows.")
    encoding, doubts = _encoding(path, start, refuser)
    text = start.decode(encoding, errors="replace").removeprefix("\ufeff")
    bom = start.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
    found = _json(path, text, len(start) < SAMPLE_BYTES) or _delimited(
        text, _tail(path, encoding, start, refuser)
    )
    dialect = replace(found.dialect, encoding=encoding)
    return replace(found, dialect=dialect, bom=bom, doubts=(*doubts, *found.doubts))


def _is_workbook(path: Path, signature: bytes) -> bool:
    if signature.startswith(b"\xd0\xcf\x11\xe0"):
        return True
    if not signature.startswith(b"PK\x03\x04"):
        return False
    import zipfile  # noqa: PLC0415 - only for archives

    try:
        with zipfile.ZipFile(path) as archive:
            return any(name in ("[Content_Types].xml", "content.xml") for name in archive.namelist())
    except zipfile.BadZipFile:
        return path.suffix.lower() != ".zip"


def _encoding(path: Path, start: bytes, refuser: Refuser) -> tuple[str, list[str]]:
    """The encoding, by the votes of all lines as far as `_WHOLE_BYTES` go, and what the lines leave open."""
    if is_wide(start) or start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return likely_encoding(start), []
    scan = Scan("utf-8")
    size = 0
    for piece in Packed(path, refuser).pieces(1 << 20):
        scan.add(piece)
        size += len(piece)
        if size > _WHOLE_BYTES:
            break
    else:
        scan.finish()
    if not scan.undecodable:
        return "utf-8", []
    if scan.utf8_lines > scan.undecodable:
        other = likely_encoding(scan.sample)
        count = f"{scan.undecodable:,} of {scan.lines:,} lines are not utf-8 and will be quarantined"
        return "utf-8", [f"{count}; they look like {other}: otherEncoding: {other} reads them so"]
    mixed = [f"{scan.utf8_lines:,} lines are utf-8 and will be read so"] if scan.utf8_lines else []
    encoding = likely_encoding(scan.sample)
    return encoding, [*mixed] if encoding == "cp1252" else [f"the encoding is a guess: {encoding}", *mixed]


def _tail(path: Path, encoding: str, start: bytes, refuser: Refuser) -> str | None:
    """The end of the text, from the beginning of a line; None where only reading it all would tell."""
    if len(start) < SAMPLE_BYTES:
        return start.decode(encoding, errors="replace").removeprefix("\ufeff")
    end = b""
    size = 0
    for piece in Packed(path, refuser).pieces(1 << 20):
        end = (end + piece)[-_TAIL_BYTES:]
        size += len(piece)
        if size > 16 * _WHOLE_BYTES:
            return None
    if encoding.startswith(("utf-16", "utf-32")):
        return None
    return end.decode(encoding, errors="replace").partition("\n")[2]


def _json(path: Path, text: str, whole: bool) -> Sniffed | None:
    head = text.lstrip()[:1]
    named = ".jsonl" in [suffix.lower() for suffix in path.suffixes]
    if head not in ("{", "[") and not named:
        return None
    if head != "[" and has_lines_of_objects(text, whole=whole):
        return Sniffed(Format.JSONL, Dialect())
    place = records_at(text)
    if place is None:
        return Sniffed(Format.JSONL, Dialect()) if head == "{" or named else None
    found = [f"the records are in the array at {place!r}"] if place else ["the file is one JSON array"]
    return Sniffed(Format.JSON, Dialect(records_at=place or None), findings=tuple(found))


def _delimited(text: str, tail: str | None) -> Sniffed:
    findings, doubts = [], []
    told, rest = separator_line(text)
    if told:
        findings.append(f"the first line names the delimiter: sep={told}")
    delimiter, sure = (told, True) if told else delimiter_of(rest)
    if not sure:
        doubts.append(f"the delimiter {delimiter!r} is a guess: lines do not agree on their number of cells")
    grid = Grid.of_text(rest, delimiter)
    dialect, more, unsure = _table(grid, Grid.of_text(tail, delimiter) if tail else None)
    return Sniffed(
        Format.CSV,
        replace(dialect, delimiter=delimiter),
        findings=(*findings, *more),
        doubts=(*doubts, *unsure),
    )


def _table(grid: Grid, end: Grid | None) -> tuple[Dialect, list[str], list[str]]:
    """Header, lines above it and lines that sum up, of a table of any format."""
    findings: list[str] = []
    doubts: list[str] = []
    skip, header, sure = header_of(grid)
    if skip:
        findings.append(f"lines above the header that are skipped: {skip:,}")
    if not header:
        where = "this file seems to have no header"
        (findings if sure else doubts).append(f"{where}: columns are named by place, give them names")
    elif not sure:
        doubts.append("whether the first line is a header is not certain; header: false if it is a record")
    totals, marked = totals_of(end or grid)
    if marked:
        findings.append(f"lines at the end that sum up the others and will be quarantined: {marked:,}")
    if totals:
        doubts.append(f"lines at the end that seem to be no records, see totals: {len(totals):,}")
    twice = [name for name, count in Counter(grid.names(skip)).items() if count > 1] if header else []
    if twice:
        findings.append(
            f"names that stand in the header more than once and are numbered by place: {len(twice):,}"
        )
    return Dialect(skip_rows=skip, header=header, totals=tuple(totals)), findings, doubts


def _workbook(path: Path, sheet: str | None, refuser: Refuser) -> Sniffed:
    """The sheet that was asked for, or the one with the largest table, and where its header is."""
    from cdm_pipelines.ingest.scalars import sheet_text  # noqa: PLC0415 - only for workbooks
    from cdm_pipelines.ingest.unpack import check_archive  # noqa: PLC0415 - only for workbooks
    from cdm_pipelines.ingest.workbook import open_workbook, sheet_rows  # noqa: PLC0415 - only for workbooks

    check_archive(path, None, refuser)
    names = open_workbook(path, refuser).sheet_names
    grids = {}
    for name in names:
        rows = [[sheet_text(cell) or "" for cell in row] for row in sheet_rows(path, name, refuser)]
        grids[name] = Grid(rows)
    if sheet is not None:
        sheet_rows(path, sheet, refuser)  # which refuses one that is not there, in words
    best = sheet or max(names, key=lambda name: (grids[name].size, -names.index(name)))
    whole = grids[best]
    dialect, findings, doubts = _table(Grid(whole.rows[:_SHEET_ROWS]), Grid(whole.rows[-_SHEET_ROWS:]))
    taken = best if len(names) > 1 else None
    if taken:
        why = "as asked" if sheet else "the largest table"
        told = f"of {len(names):,} sheets {_sheet(best, whole)} is taken, {why}"
        others = [_sheet(name, grids[name]) for name in names if name != best and grids[name].size]
        if others and not sheet:
            doubts.insert(0, f"{told}; {', '.join(others)} can be taken with --sheet")
        else:
            findings.insert(0, f"{told}; {'the others are not read' if others else 'the others are empty'}")
    return Sniffed(
        Format.EXCEL, replace(dialect, sheet=taken), findings=tuple(findings), doubts=tuple(doubts)
    )


def _sheet(name: str, grid: Grid) -> str:
    rows = sum(1 for row in grid.rows if filled(row))
    return f"{name!r} ({rows:,} rows)"


def listed(findings: Sequence[str], doubts: Sequence[str]) -> list[str]:
    """Lines of comment for a contract: what was found, and with a question mark what is not certain."""
    return [*findings, *(f"? {doubt}" for doubt in doubts)]
