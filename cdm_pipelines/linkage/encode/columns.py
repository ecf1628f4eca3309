"""Dictionary-encoded columns: small codes into sorted distinct values.

Belongs here: a column, what can be made of one or several, and what is known of its distinct values. Does not belong
here: reading a table (records), or comparing values (compare).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.encode.hashes import Hashes, hashed

Codes = npt.NDArray[np.int32]
FEW = 256
"""Values up to which plain Python is quicker than setting up compiled code: one record and its candidates."""
_NULL = np.array([-1], dtype=np.int32)


@dataclass(frozen=True)
class Column:
    """One column: for each record one or more codes into sorted distinct values; -1 is null.

    Attributes:
        codes: Shape (records, width); width is 1 but for columns compared together and keys of several values.
        values: Distinct values, sorted.
    """

    codes: Codes
    values: pa.Array

    @cached_property
    def flat(self) -> Codes:
        """The codes of a column of width 1, shape (records,)."""
        return np.ascontiguousarray(self.codes[:, 0])

    @cached_property
    def texts(self) -> npt.NDArray[np.object_]:
        """The distinct values as Python strings."""
        texts = np.empty(len(self.values), dtype=object)
        texts[:] = self.values.to_pylist()
        return texts

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """In how many records each value occurs; a record that has one in two of its columns has it once."""
        codes = self.codes
        if codes.shape[1] > 1:
            codes = np.sort(codes, axis=1)
            codes[:, 1:][codes[:, 1:] == codes[:, :-1]] = -1
        present = codes[codes >= 0]
        return np.bincount(present, minlength=len(self.values)).astype(np.int64)

    @cached_property
    def hashes(self) -> Hashes:
        """A hash of each value, never 0, that is the same in every table."""
        return hashed(self.values)

    @property
    def size(self) -> int:
        """Number of distinct values."""
        return len(self.values)

    @cached_property
    def letters(self) -> "Letters":
        """Which bytes each value is made of."""
        return Letters.of(self.values)


@dataclass(frozen=True)
class Letters:
    """What makes two texts too different to be alike, known without comparing them.

    Attributes:
        bytes: The set of a text's bytes as bits, folded into 64.
        length: Number of bytes.
        first: The first byte, 0 for an empty text.
        widest: The most bytes that one character can have: 1 where all texts are ASCII, else 4.
    """

    bytes: npt.NDArray[np.uint64]
    length: npt.NDArray[np.int32]
    first: npt.NDArray[np.uint8]
    widest: int

    @classmethod
    def of(cls, values: pa.Array) -> "Letters":
        """Of texts, null nowhere."""
        values = values.cast(pa.string())
        _, places, content = values.buffers()
        ends = np.frombuffer(
            memoryview(places or b""), dtype=np.int32, count=len(values) + 1, offset=4 * values.offset
        )
        length = np.diff(ends).astype(np.int32)
        start = ends[:-1] - ends[0]
        text = np.frombuffer(memoryview(content or b""), dtype=np.uint8)[ends[0] : ends[-1]]
        bits = np.left_shift(np.uint64(1), (text & 63).astype(np.uint64))
        # An empty text at the end begins behind the last byte.
        text, bits = np.append(text, np.uint8(0)), np.append(bits, np.uint64(0))
        sets = np.bitwise_or.reduceat(bits, start) if len(start) else np.zeros(0, dtype=np.uint64)
        empty = length == 0
        sets[empty] = 0
        return cls(sets, length, np.where(empty, 0, text[start]), 4 if (text > 127).any() else 1)


def mapped(column: Column, new: list[str | None] | pa.Array) -> Column:
    """A column of width 1 with each distinct value replaced by another, or by null."""
    codes, values = sorted_codes(new if isinstance(new, pa.Array) else pa.array(new, pa.string()))
    return Column(look_up(codes, column.codes), values)


def union(columns: list[Column]) -> Column:
    """Columns side by side in one dictionary."""
    codes, values = sorted_codes(pa.concat_arrays([column.values for column in columns]))
    starts = np.cumsum([0, *(column.size for column in columns)])
    pieces = [
        look_up(codes[start : start + column.size], column.codes)
        for start, column in zip(starts, columns, strict=False)
    ]
    return Column(np.concatenate(pieces, axis=1), values)


def joined(columns: list[Column], required: int) -> Column:
    """Texts of several columns with spaces between; null where column number ``required`` is."""
    if len(columns) == 1:
        return columns[0]
    if len(columns[0].codes) <= FEW:
        return _few_joined(columns, required)
    packed = np.zeros(len(columns[0].codes), dtype=np.int64)
    for column in columns:
        packed = packed * (column.size + 1) + column.flat + 1
    inverse, distinct = numbered(packed)
    pieces: list[pa.Array] = []
    rest = distinct
    for column in reversed(columns):
        rest, code = np.divmod(rest, column.size + 1)
        pieces.insert(0, column.values.take(pa.array(code - 1, mask=code == 0)))
    # "skip" loses a row whose pieces are all null (pyarrow 26), so nulls are written as nothing and trimmed.
    text = pc.binary_join_element_wise(*pieces, " ", null_handling="replace", null_replacement="")
    text = pc.utf8_trim_whitespace(text)
    text = pc.if_else(pc.is_valid(pieces[required]), text, pa.scalar(None, pa.string()))
    codes, values = sorted_codes(text)
    return Column(codes[inverse].reshape(-1, 1), values)


def _few_joined(columns: list[Column], required: int) -> Column:
    """``joined`` of few records."""
    texts = [
        [*column.values.to_pylist(), ""] for column in columns
    ]  # of null, whose code is -1, the last one
    rows = zip(*(column.flat.tolist() for column in columns), strict=True)
    whole = [
        None if row[required] < 0 else " ".join(known[code] for known, code in zip(texts, row, strict=True))
        for row in rows
    ]
    codes, values = sorted_codes(pc.utf8_trim_whitespace(pa.array(whole, pa.string())))
    return Column(codes.reshape(-1, 1), values)


def numbered(values: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """For each integer the number of its distinct value, and those in the order in which they come."""
    if len(values) > FEW:
        return pd.factorize(values)
    known: dict[int, int] = {}
    found = [known.setdefault(one, len(known)) for one in values.tolist()]
    return np.array(found, np.intp), np.array(list(known), np.int64)


def look_up(table: Codes, codes: Codes) -> Codes:
    """``table[codes]`` with null staying null."""
    return np.concatenate((table, _NULL))[codes].astype(np.int32, copy=False)


def sorted_codes(values: pa.Array) -> tuple[Codes, pa.Array]:
    """Codes into sorted distinct values; -1 for null."""
    if len(values) <= FEW:
        return few_codes(values.to_pylist(), values.type)
    encoded = values.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return look_up(rank, codes), encoded.dictionary.take(pa.array(order))


def few_codes(texts: list[str | None], kind: pa.DataType) -> tuple[Codes, pa.Array]:
    """``sorted_codes`` of few texts."""
    known = sorted(
        {text for text in texts if text is not None}
    )  # code points are in the order of their bytes
    number: dict[str | None, int] = {text: at for at, text in enumerate(known)}
    few = np.array([number.get(text, -1) for text in texts], np.int32)
    return few, pa.array(known, kind)
