"""Traces of persons in any text: which values to look for, and finding them.

Belongs here: which values are telling enough to be looked for, and searching columns of text for thousands of them at
once. Does not belong here: which texts there are (``steps.rights.rescan``).

A value is looked for as a whole: between signs that are neither letters nor digits, whatever the case.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.privacy.finding import Finder, Places, Signs
from cdm_pipelines.store.arrow import whole

_SHORTEST, _FEWEST_DIGITS = 6, 8
_DAY = r"\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4}|(?:19|20)\d{6}"
_DATE = re.compile(rf"[\d\s:./TZ+-]*(?:{_DAY})[\d\s:./TZ+-]*|(?:{_DAY})")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_PART = 4
"""Signs of ASCII by which a value is found that has others: fewer would be found everywhere."""
_SIGMA = ("\u03c2".encode(), "\u03c3".encode())
"""The final sigma, and the sigma that stands for it too: a letter with two small forms."""
_PIECE, _AROUND = 1 << 22, 1 << 12
_CUT = b"0"
"""Stands where a piece was cut, so that nothing that was cut is taken for a whole value: the next piece has it."""
_NUMBER = re.compile(r"-?[1-9]\d*")
"""A value that columns of whole numbers may hold."""
_ONE_TEXT = np.zeros(1, np.int64)
_LOWER_TO_ASCII = ("\u212a".encode(), "\u0130".encode())
"""Signs beyond ASCII whose small letter is one of it: the Kelvin sign, and I with a dot."""
_PARTED = re.compile(r"(?<=\S)[,;|\t]+(?=\S)")
_STRAY = " \t\r\n,;:.'\"()[]{}<>|/\\\\"
"""What may hang on either end of a value and is no part of it: beside it another file has a separator."""
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
    return not as_looked_for(value).isalpha() or category.startswith("user.name")


def telling(values: Iterable[str | None]) -> set[str]:
    """Values that can be looked for: long enough, no dates and amounts, and no numbers of a few digits."""
    return {one for value in values if value and _is_telling(one := as_looked_for(value))}


def as_looked_for(value: str) -> str:
    """What is looked for of a value: without what hangs on its ends, and of a long one the beginning.

    Where a sign parts it that parts cells elsewhere, it is the longest part: two cells of somebody else may lie so.
    """
    longest = max(_PARTED.split(value.strip(_STRAY)), key=len)
    return longest[:_LONGEST].strip(_STRAY)


def _is_telling(value: str) -> bool:
    if len(value) < _SHORTEST or _DATE.fullmatch(value):
        return False
    if any(sign.isalpha() for sign in value):
        return True
    digits = sum(sign.isdigit() for sign in value)
    return digits >= _FEWEST_DIGITS and not re.fullmatch(r"[-+]?\d+[.,]\d{1,4}", value)


def _in_json(value: str) -> set[str]:
    """How a value stands in JSON where that is otherwise: with its signs, in ASCII alone, as the database copies it.

    Codes of ASCII tell large letters from small ones, and what is copied has its backslashes doubled.
    """
    if value.isascii() and not any(sign in value for sign in '"\\\t\n\r'):
        return set()
    in_ascii = {json.dumps(one) for one in (value, value.title(), value.upper())}
    spelled = {one.lower()[1:-1] for one in (json.dumps(value, ensure_ascii=False), *in_ascii)}
    return {*spelled, *(one.replace("\\", "\\\\") for one in spelled)} - {value}


class Traces:
    """Values that are looked for, all at once."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = tuple(sorted({value.lower() for value in values}, key=lambda one: (-len(one), one)))
        ascii_: dict[bytes, list[str]] = {}
        partly: dict[bytes, list[str]] = {}
        others: dict[bytes, list[str]] = {}
        for value in self.values:
            part = max(_BEYOND_ASCII.split(value), key=len)
            if value.isascii() and any(map(str.isalnum, value)):
                ascii_.setdefault(value.encode(), []).append(value)
            elif len(part) >= _PART:
                partly.setdefault(part.encode(), []).append(value)
            elif any(map(str.isalnum, value)):
                others.setdefault(value.encode().replace(*_SIGMA), []).append(value)
            for spelled in _in_json(value):
                (ascii_ if spelled.isascii() else others).setdefault(
                    spelled.encode().replace(*_SIGMA), []
                ).append(value)
        self._plain, self._others = Finder(ascii_, partly), Finder(others)
        whole_numbers = {value: int(value) for value in self.values if _NUMBER.fullmatch(value)}
        self._numbers = {number: value for value, number in whole_numbers.items()}
        for value, number in whole_numbers.items():
            self._numbers.setdefault(-number, value)  # what a sign stands before is whole

    def __bool__(self) -> bool:
        return bool(self.values)

    def without(self, values: Collection[str]) -> "Traces":
        """Those that are left when some values need not be looked for any more."""
        return Traces(value for value in self.values if value not in values) if values else self

    def rows(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Whether each text holds any of the values."""
        found = np.zeros(len(texts), dtype=bool)
        for _, held in self._in_texts(texts):
            found[held] = True
        return pa.array(found)

    def in_text(self, text: str) -> set[str]:
        """The values that one text holds, those within others too."""
        return self.in_bytes(text.encode("utf-8", "replace"))

    def within(self, column: pa.Array | pa.ChunkedArray) -> set[str]:
        """The values that any of some texts or whole numbers holds."""
        if pa.types.is_integer(column.type):
            return self._in_numbers(column)
        return {value for value, _ in self._in_texts(column)}

    def in_bytes(self, content: Signs) -> set[str]:
        """The values that a text in UTF-8 holds, given as its bytes."""
        if _is_ascii(content):
            return {value for value, _ in self._plain.found(content, _ONE_TEXT)}
        content = bytes(content)
        for sign in _LOWER_TO_ASCII:
            content = content.replace(sign, sign.decode().lower().encode())
        found = {value for value, _ in self._plain.found(content, _ONE_TEXT)}
        for begin in range(0, len(content), _PIECE) if self._others else ():
            first, last = begin - _AROUND, begin + _PIECE + _AROUND
            piece = b"%b%b%b" % (
                _CUT * (first > 0),
                content[max(first, 0) : last],
                _CUT * (last < len(content)),
            )
            small = piece.decode("utf-8", "replace").lower().encode().replace(*_SIGMA)
            found |= {value for value, _ in self._others.found(small, _ONE_TEXT)}
        return found

    def _in_numbers(self, column: pa.Array | pa.ChunkedArray) -> set[str]:
        """The values that whole numbers are, written in digits."""
        bounds = np.iinfo(column.type.to_pandas_dtype())
        known = [number for number in self._numbers if bounds.min <= number <= bounds.max]
        if not known:
            return set()
        held = column.filter(pc.is_in(column, value_set=pa.array(known, column.type)))
        return {self._numbers[number] for number in held.unique().to_pylist()}

    def _in_texts(self, texts: pa.Array | pa.ChunkedArray) -> Iterator[tuple[str, Places]]:
        """Values that some texts hold, with the numbers of those."""
        texts = whole(texts) if isinstance(texts, pa.ChunkedArray) else texts
        if not self.values or not len(texts) or texts.null_count == len(texts):
            return
        signs, starts = buffer_of(texts)
        ascii_ = _is_ascii(signs)
        if not ascii_ and any(sign in bytes(signs) for sign in _LOWER_TO_ASCII):
            for sign in _LOWER_TO_ASCII:
                texts = pc.replace_substring(texts, sign.decode(), sign.decode().lower())
            signs, starts = buffer_of(texts)
        yield from self._plain.found(signs, starts)
        if self._others and not ascii_:
            small_signs, starts = buffer_of(pc.utf8_lower(texts))
            yield from self._others.found(bytes(small_signs).replace(*_SIGMA), starts)


def _is_ascii(signs: Signs) -> bool:
    numbers = np.frombuffer(signs, np.int8)
    return not len(numbers) or int(numbers.min()) >= 0


def buffer_of(texts: pa.Array) -> tuple[Signs, Places]:
    """All signs of some texts, one behind the other, and where each text begins; null takes no room."""
    _, offsets, content = texts.buffers()
    if offsets is None or content is None:
        return b"", np.zeros(len(texts), np.int64)
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    starts = np.frombuffer(memoryview(offsets), kind)[texts.offset : texts.offset + len(texts) + 1]
    starts = starts.astype(np.int64)
    return memoryview(content)[starts[0] : starts[-1]], starts[:-1] - starts[0]


def texts_of(table: pa.Table, *, unused: bool = False) -> Iterator[tuple[str, pa.Array]]:
    """Columns of a table as text or whole numbers, nested ones too, each of their values by itself.

    Args:
        table: The table.
        unused: Whether with values that no row has, and of which there is a code all the same.
    """
    for name in table.column_names:
        for texts in _texts(whole(table[name]), unused=unused):
            yield name, texts


def _texts(column: pa.Array, *, unused: bool) -> Iterator[pa.Array]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        codes = cast("pa.DictionaryArray", column)
        values = codes.dictionary if unused else codes.dictionary.take(pc.unique(codes.indices).drop_null())
        yield from _texts(values, unused=unused)  # each is looked at once
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind):
        yield column
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        yield pa.array([None if one is None else str(one) for one in column.to_pylist()], pa.string())
    elif pa.types.is_struct(kind):
        for at in range(kind.num_fields):
            yield from _texts(cast("pa.StructArray", column).field(at), unused=unused)
    elif pa.types.is_nested(kind):
        yield from _texts(column.flatten(), unused=unused)
