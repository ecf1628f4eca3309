"""Extract files, in the dialect of their system.

Belongs here: quoting, delimiters, encodings, rows appended block by block. Does not belong here: the cells.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import combining, normalize

from cdm_demo.draws import Text, text
from cdm_demo.headers import Extract

Columns = Mapping[str, Text | str]
"""Cells by column name; a text stands for the same cell in every row, a column left out is empty."""


def _quoted(values: Sequence[str], extract: Extract) -> Sequence[str]:
    """Cells as they stand in the file."""
    if extract.quote_all:
        return [value.replace('"', '""') if '"' in value else value for value in values]
    special = (extract.delimiter, '"', "\n", "\r")
    joined = "\x00".join(values)
    if not any(mark in joined for mark in special):
        return values
    return [
        '"' + value.replace('"', '""') + '"' if any(mark in value for mark in special) else value
        for value in values
    ]


def lines(extract: Extract, columns: Columns, size: int) -> Text:
    """One line per record, without its line end.

    Args:
        extract: Gives the header and the dialect.
        columns: Arrays of ``size`` cells, or one text for all rows.
        size: Number of rows.
    """
    unknown = set(columns) - set(extract.columns)
    if unknown:
        raise KeyError(f"{extract.source}/{extract.entity} has no column {sorted(unknown)}")
    cells: list[Sequence[str]] = []
    for name in extract.columns:
        values = columns.get(name, "")
        cells.append(
            [*_quoted([values], extract)] * size
            if isinstance(values, str)
            else _quoted(values.tolist(), extract)
        )
    if extract.quote_all:
        joint = f'"{extract.delimiter}"'
        return text([f'"{joint.join(row)}"' for row in zip(*cells, strict=True)])
    return text([extract.delimiter.join(row) for row in zip(*cells, strict=True)])


_DEGRADED = str.maketrans({"\u0131": "i", "ł": "l", "Ł": "L"})


def _degrade(value: str) -> str:
    """What code page 1252 lacks, without its diacritics: Şahin becomes Sahin, é stays."""
    try:
        value.encode("cp1252")
    except UnicodeEncodeError:
        plain = []
        for letter in value.translate(_DEGRADED):
            try:
                letter.encode("cp1252")
                plain.append(letter)
            except UnicodeEncodeError:
                plain.append("".join(c for c in normalize("NFKD", letter) if not combining(c)) or "?")
        return "".join(plain)
    return value


class LandingFolder:
    """The landing folder of one run: writes extracts block by block and counts their rows.

    Args:
        root: Folder that holds ``<source>/<entity>/<date>.csv``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: dict[tuple[str, str, str], int] = {}

    def append(self, extract: Extract, date: str, rows: Sequence[str]) -> int:
        """Append rows to an extract, making the file with its header when there is none.

        Returns:
            The record number of the first of these rows, as a spreadsheet shows it (the header is 1).
        """
        end = extract.line_end
        content = self._encode(extract, end.join(rows) + end, first=False) if len(rows) else b""
        return self.append_bytes(extract, date, content, len(rows))

    def append_bytes(self, extract: Extract, date: str, content: bytes, rows: int) -> int:
        """Append rows that are encoded already, as ``append`` does."""
        key = (extract.source, extract.entity, date)
        path = self.root / extract.path(date)
        before = self.rows.get(key)
        if before is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            header = lines(extract, {name: name for name in extract.columns}, 1)[0] + extract.line_end
            path.write_bytes(self._encode(extract, header, first=True) if extract.form == "csv" else b"")
            before = 0
        if content:
            with path.open("ab") as file:
                file.write(content)
        self.rows[key] = before + rows
        return before + 2

    @staticmethod
    def _encode(extract: Extract, content: str, *, first: bool) -> bytes:
        if extract.encoding == "utf-8-sig":
            return content.encode("utf-8-sig" if first else "utf-8")
        if extract.encoding == "cp1252":
            try:
                return content.encode("cp1252")
            except UnicodeEncodeError:
                return "".join(_degrade(line) for line in content.splitlines(keepends=True)).encode("cp1252")
        return content.encode(extract.encoding)
