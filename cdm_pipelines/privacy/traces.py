"""Traces of persons in any text: which values to look for, and finding them.

Belongs here: which values are telling enough to be looked for, and searching columns of text for thousands of them at
once. Does not belong here: which texts there are (``steps.rights.rescan``).

A value is looked for as a whole: between signs that are neither letters nor digits, whatever the case.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

_SHORTEST, _FEWEST_DIGITS = 6, 8
_DAY = r"\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4}|(?:19|20)\d{6}"
_DATE = re.compile(rf"[\d\s:./TZ+-]*(?:{_DAY})[\d\s:./TZ+-]*|(?:{_DAY})")
_WORD = re.compile(r"[0-9a-z]+")
_AT_ONCE = 400  # RE2 keeps its automaton small enough to run in one pass over the text
_OF_MANY = (
    *("user.behavior", "user.job_title", "user.demographic", "user.privacy_preferences"),
    *(f"user.contact.address.{part}" for part in ("city", "state", "country")),
)
"""Categories whose values are of many, though one customer may be the last to have one: figures tell of them too."""
_LONGEST = 200  # a text that long is found by its beginning


def names_somebody(value: str, category: str) -> bool:
    """Whether a value of a category can name somebody: single words do only as names, others are of any text."""
    if category.startswith(_OF_MANY):
        return False
    return not value.strip().isalpha() or category.startswith("user.name")


def telling(values: Iterable[str | None]) -> set[str]:
    """Values that can be looked for: long enough, no dates and amounts, and no numbers of a few digits."""
    return {
        one for value in values if value and (one := value.strip()[:_LONGEST].strip()) and _is_telling(one)
    }


def _is_telling(value: str) -> bool:
    if len(value) < _SHORTEST or _DATE.fullmatch(value):
        return False
    if any(sign.isalpha() for sign in value):
        return True
    digits = sum(sign.isdigit() for sign in value)
    return digits >= _FEWEST_DIGITS and not re.fullmatch(r"[-+]?\d+[.,]\d{1,4}", value)


class Traces:
    """Values that are looked for, all at once."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = tuple(sorted({value.lower() for value in values}, key=lambda one: (-len(one), one)))
        parts = [self.values[at : at + _AT_ONCE] for at in range(0, len(self.values), _AT_ONCE)]
        self._patterns = [_pattern(part) for part in parts]
        self._by_word: dict[str, list[tuple[int, str]]] = {}
        for value in self.values:
            first = _WORD.search(value)
            if first is not None:
                self._by_word.setdefault(first[0], []).append((first.start(), value))

    def __bool__(self) -> bool:
        return bool(self.values)

    def rows(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Whether each text holds any of the values."""
        found = pa.repeat(pa.scalar(False), len(texts))
        texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        for pattern in self._patterns:
            hits = pc.match_substring_regex(texts, pattern, ignore_case=True)
            found = pc.or_(found, pc.fill_null(hits, False))
        return found

    def in_text(self, text: str) -> set[str]:
        """The values that one text holds, those within others too."""
        small, found = text.lower(), set()
        for word in _WORD.finditer(small):
            for before, value in self._by_word.get(word[0], ()):
                start, end = word.start() - before, word.start() - before + len(value)
                if small[max(start, 0) : end] == value and _ends(small, start, end):
                    found.add(value)
        return found

    def within(self, texts: pa.Array | pa.ChunkedArray) -> set[str]:
        """The values that any of some texts holds."""
        some = pc.unique(texts.filter(self.rows(texts)))
        return {value for text in some.to_pylist() for value in self.in_text(text)}


def _pattern(values: Sequence[str]) -> str:
    return f"(?s)(?:^|[^0-9A-Za-z])(?:{'|'.join(map(re.escape, values))})(?:$|[^0-9A-Za-z])"


def _ends(text: str, start: int, end: int) -> bool:
    """Whether a part of a text has no letter or digit on either side."""
    return not any(
        sign.isascii() and sign.isalnum() for sign in (text[start - 1 : start], text[end : end + 1]) if sign
    )


def texts_of(table: pa.Table, names: Iterable[str] | None = None) -> Iterator[tuple[str, pa.Array]]:
    """Columns of a table as text, nested ones too; numbers and flags say nothing."""
    for name in table.column_names if names is None else names:
        column = table[name].combine_chunks()
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            yield name, column.cast(pa.string())
        elif pa.types.is_nested(kind) or pa.types.is_binary(kind):
            yield (
                name,
                pa.array([None if one is None else str(one) for one in column.to_pylist()], pa.string()),
            )
        elif pa.types.is_integer(kind):
            yield name, column.cast(pa.string())
