"""The shape of a table in rows of text: its delimiter, its header, lines above it and lines that sum up.

Belongs here: what the shape of lines tells. Does not belong here: bytes and formats (sniff) or reading (delimited).
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.ingest.no_records import USUAL

_SINGLE = (",", ";", "\t", "|")
_RARE = ("~", "^", "\x01", "\x1f", "\u00a6", "\u00a7", "\u00ac", "#", ":")
_RUN = re.compile(r"[^\w\s\"'.,@\-/()]{2,4}|,,|;;|--|::|\|\|")
_SEPARATOR = re.compile(r'\A"?sep=([^\r\n]{1,8}?)"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_LINES = 200
_PREAMBLE = 30
_NUMBER = re.compile(r"[-+]?[\d.,]*\d[%]?")
_MOMENT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.\w+")
_CODE = re.compile(r"(?=.*\d)[\w\-+() ./]+")


_COLUMN_WORDS = re.compile(
    r"id|key|uuid|code|number|nummer|nr|no|name|naam|nom|nombre|vorname|nachname|voornaam|achternaam|surname|"
    r"(?:first|last|given|family|full|company)[ _-]?name|e-?mail(?:[ _-]?adres+e?)?|phone|telefoon|telefon|telephone|"
    r"address|adres|adresse|street|straat|city|town|plaats|ville|ort|stad|postcode|postal[ _-]?code|zip|plz|country|"
    r"land|pays|date|datum|type|status|klant(?:nummer|nr)?|customer(?:[ _-]?(?:id|number|no))?|kunde(?:nnummer)?|"
    r"client|debiteur|account|order",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Grid:
    """Rows of cells; ``lines`` has for each the number of the line on which it begins, from 0."""

    rows: Sequence[list[str]]
    lines: Sequence[int] | None = None

    @classmethod
    def of_text(cls, text: str, delimiter: str) -> "Grid":
        """The rows of delimited text; the last one is left out when it may be cut off."""
        rows, lines, before = [], [], 0
        reader = csv.reader(io.StringIO(_single(text, delimiter), newline=""), delimiter=_sign(delimiter))
        try:
            for row in reader:
                rows.append(row)
                lines.append(before)
                before = reader.line_num
        except csv.Error:
            pass  # a cell longer than is believed: the rows before it tell enough
        if not text.endswith(("\n", "\r")) and len(rows) > 2 and len(rows[-1]) < len(rows[-2]):
            rows, lines = rows[:-1], lines[:-1]
        return cls(rows, lines)

    @property
    def usual(self) -> int:
        """The number of filled cells that most rows have, or more."""
        counts = Counter(count for row in self.rows if (count := filled(row)))
        return counts.most_common(1)[0][0] if counts else 0

    @property
    def size(self) -> int:
        """Number of filled cells."""
        return sum(filled(row) for row in self.rows)

    def names(self, skip: int) -> list[str]:
        """The cells of the first row that is not blank and begins at line ``skip`` or later."""
        numbers = self.lines or range(len(self.rows))
        for row, line in zip(self.rows, numbers, strict=True):
            if line >= skip and filled(row):
                return [cell.strip() for cell in row if cell.strip()]
        return []


def filled(row: Sequence[str]) -> int:
    """How many cells hold something."""
    return sum(bool(cell.strip()) for cell in row)


def separator_line(text: str) -> tuple[str, str]:
    """The delimiter that the first line tells spreadsheets, empty where it tells none, and the text after it."""
    found = _SEPARATOR.match(text)
    return (found[1].replace("\\t", "\t"), text[found.end() :]) if found else ("", text)


def delimiter_of(text: str) -> tuple[str, bool]:
    """The delimiter that gives most lines the same number of cells, and whether the lines agree.

    Of those that do equally well the one that makes most cells; but a delimiter of several signs comes before each of
    its signs where these stand nowhere else.
    """
    sample = "\n".join(text.splitlines()[:_LINES])
    scores = {one: _agreement(text, one) for one in _SINGLE}
    best = max(_SINGLE, key=lambda one: scores[one])
    longer = {run for run in _RUN.findall(sample[:4000]) if set(scores[best]) and sample.count(run) > 1}
    for run in sorted(longer, key=len):
        for end in range(len(run), 1, -1):
            part = run[:end]
            score = _agreement(text, part)
            if score[0] >= 0.9 and score[1] > 1 and (score > scores[best] or _only_in(part, best, sample)):
                if best in scores and len(best) > 1 and part in best:
                    continue
                scores[part], best = score, part
    if scores[best][1] < 2:
        for one in _RARE:
            score = _agreement(text, one)
            if score[0] >= 0.9 and score > scores[best]:
                scores[one], best = score, one
    return best, scores[best][0] >= 0.8 or scores[best][1] < 2


def _only_in(longer: str, sign: str, sample: str) -> bool:
    """Whether a sign stands in the sample within the longer delimiter only."""
    return sign in longer and sample.count(sign) == sample.count(longer) * longer.count(sign)


def _agreement(text: str, delimiter: str) -> tuple[float, int]:
    """The share of lines with as many cells as most, and how many cells those are."""
    reader = csv.reader(io.StringIO(_single(text, delimiter), newline=""), delimiter=_sign(delimiter))
    rows: list[list[str]] = []
    try:
        rows.extend(row for _, row in zip(range(_LINES), reader, strict=False))
    except csv.Error:
        return 0.0, 0
    rows = [row for row in rows if row]
    if len(rows) < _LINES and len(rows) > 2:
        rows = rows[:-1]
    counts = Counter(len(row) for row in rows)
    if not counts:
        return 0.0, 0
    width, often = max(counts.items(), key=lambda item: (item[1], item[0]))
    if width < 2:
        return 0.0, 0
    return round(often / len(rows), 2), width


def header_of(grid: Grid) -> tuple[int, bool, bool]:
    """Lines to skip, whether the row after them is a header, and whether that is certain.

    Lines above a table fill few of its cells. A header differs from what stands under it: where a column holds numbers,
    dates or addresses, its name does not; and some of its names are those of columns everywhere.
    """
    usual = grid.usual
    enough = max(2, 0.6 * usual) if usual > 1 else 1
    numbers = grid.lines or range(len(grid.rows))
    place, skip = 0, 0
    for row, line in list(zip(grid.rows, numbers, strict=True))[:_PREAMBLE]:
        if filled(row) >= enough:
            skip = line if any(filled(above) for above in grid.rows[:place]) else 0
            break
        place += 1
    else:
        place = 0
    if place >= len(grid.rows):
        return 0, True, True
    return (skip, *_is_header(grid.rows[place], grid.rows[place + 1 : place + 1 + _LINES]))


def _is_header(first: Sequence[str], body: Sequence[list[str]]) -> tuple[bool, bool]:
    names = [cell.strip() for cell in first]
    if not body:
        return True, True
    votes_for = votes_against = 0
    for place, name in enumerate(names):
        values = [row[place].strip() for row in body if place < len(row) and row[place].strip()]
        if not values:
            continue
        kind = _kind_of(values)
        if _COLUMN_WORDS.fullmatch(name) and name not in values:
            votes_for += 3  # a word that names columns everywhere
            continue
        if not name:
            votes_against += bool(kind)
        elif kind is not None:
            fits = _kind(name) == kind
            votes_against += fits
            votes_for += not fits
        elif name in values and len(values) > 2:
            votes_against += 1
    looks_like_value = sum(_kind(name) in ("number", "moment", "email") for name in names if name)
    if votes_against > votes_for and looks_like_value:
        return False, (votes_against >= 2 and votes_for == 0) or votes_against >= 3 * max(1, votes_for)
    return True, votes_for > 0 or not looks_like_value


def _kind(cell: str) -> str:
    for kind, expression in (
        ("moment", _MOMENT),
        ("number", _NUMBER),
        ("email", _EMAIL),
        ("code", _CODE),
    ):
        if expression.fullmatch(cell):
            return kind
    return "text"


def _kind_of(values: Sequence[str]) -> str | None:
    """The kind of nearly all values; None when it is text, or mixed."""
    kind, often = Counter(_kind(value) for value in values).most_common(1)[0]
    return kind if kind != "text" and often >= 0.9 * len(values) else None


def totals_of(grid: Grid) -> tuple[list[str], int]:
    """Expressions for the lines at the end that seem to be no records, and how many the usual words tell already.

    A line at the end is none when it fills at most half of the usual number of cells, and its first filled cell is no
    value of its column; that is said only where no other of the last lines is so, and no line before them.
    """
    usual = grid.usual
    rows = [row for row in grid.rows if filled(row)]
    last: list[list[str]] = []
    for row in reversed(rows):
        if usual < 3 or 2 * filled(row) > usual:
            break
        last.append(row)
    if not last or len(last) > 5 or len(rows) < 3 * len(last):
        return [], 0
    body = rows[: -len(last)]
    texts = [next(cell.strip() for cell in row if cell.strip()) for row in reversed(last)]
    known = pc.match_substring_regex(pa.array(texts), USUAL).to_pylist()
    kind = _kind_of([row[0].strip() for row in body if row and row[0].strip()] or [""])
    others = [
        text for text, is_known in zip(texts, known, strict=True) if not is_known and _kind(text) != kind
    ]
    found = dict.fromkeys(map(_expression, others))
    records = [cell for row in body for cell in row[:1] if cell.strip()]
    return [one for one in found if not any(re.fullmatch(one, text.strip()) for text in records)], sum(known)


def _expression(text: str) -> str:
    """An expression for a line that begins with this text: digits may be others on another day."""
    return re.sub(r"\d[\d.,: \-/]*", ".*", re.sub(r"([\\.^$*+?()\[\]{}|])", r"\\\1", text))


def _single(text: str, delimiter: str) -> str:
    return text if len(delimiter) == 1 else text.replace(delimiter, "\x1f")


def _sign(delimiter: str) -> str:
    return delimiter if len(delimiter) == 1 else "\x1f"
