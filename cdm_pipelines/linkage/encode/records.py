"""Records as integer codes: each column dictionary-encoded once, in an order that row order cannot change.

Belongs here: from a table of any columns to ``Records``. Does not belong here: which codes make a block (blocking) or
an agreement (compare).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.encode.clean import (
    DATE_ORDERS,
    clean,
    derive,
    few_cleaned,
    rare_tokens,
    side_by_side,
    word_counts,
)
from cdm_pipelines.linkage.encode.columns import (
    FEW,
    Codes,
    Column,
    few_codes,
    look_up,
    mapped,
    sorted_codes,
    union,
)
from cdm_pipelines.linkage.encode.dates import year_first
from cdm_pipelines.linkage.encode.hashes import Hashes, of_records
from cdm_pipelines.linkage.errors import LinkageError, nearest
from cdm_pipelines.linkage.policy.spec import Column as ColumnSpec
from cdm_pipelines.linkage.policy.spec import Derived, LinkagePolicy
from cdm_pipelines.linkage.progress import Progress, silent
from cdm_pipelines.parallel import in_order
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keys import composite

ONLY_SOURCE = "records"
_TOO_LARGE = 2.0**63  # for an integer of 64 bits


@dataclass
class Records:
    """The records to link, sorted by source and id; everything downstream counts in their positions.

    Attributes:
        sources: Distinct sources, sorted.
        source: Code of each record's source.
        ids: Record ids as text.
        columns: The policy's columns by name.
        derived: The policy's derived keys by name.
        words: By derived key of rare words, in how many records each occurs; counted here where not given.
    """

    sources: list[str]
    source: Codes
    ids: pa.Array
    columns: dict[str, Column]
    derived: dict[str, Derived] = field(default_factory=dict)
    words: dict[str, Mapping[int, int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def names(self, at: npt.NDArray[np.integer[Any]] | None = None) -> tuple[pa.Array, pa.Array]:
        """Source and id of the records at some positions, or of all."""
        source, ids = (
            (self.source, self.ids) if at is None else (self.source[at], self.ids.take(pa.array(at)))
        )
        return pa.array(self.sources, pa.string()).take(pa.array(source)), ids

    def places(self, sources: pa.Array, ids: pa.Array) -> npt.NDArray[np.int64]:
        """Positions of the records with these sources and ids; -1 for those that are not there."""
        # A table of the few is made, not one of the many.
        near = np.flatnonzero(pc.is_in(self.ids, value_set=ids).to_numpy(zero_copy_only=False))
        known = composite(*self.names(near))
        at = pc.index_in(composite(sources, ids), known).fill_null(-1)
        found: npt.NDArray[np.int64] = np.append(near, -1)[at.to_numpy(zero_copy_only=False)]
        return found

    @cached_property
    def _made(self) -> dict[Any, Column]:
        return {}

    @cached_property
    def _hashes(self) -> dict[str, Hashes]:
        return {}

    def key(self, name: str) -> Column:
        """A column or a derived key."""
        if name in self.columns:
            return self.columns[name]
        if name not in self._made:
            self._made[name] = self._derive(name)
        return self._made[name]

    def hashes(self, name: str) -> Hashes:
        """The same as hashes of its texts, shape (records, width); 0 is null."""
        found = self._hashes.get(name)
        if found is None:
            column = self.key(name)
            found = of_records(column.hashes, column.codes)
            if len(self) <= FEW:  # of many they would be as much memory as all else
                self._hashes[name] = found
        return found

    def together(self, names: tuple[str, ...]) -> Column:
        """Several columns in one dictionary, so that their codes can be compared with each other."""
        if len(names) == 1:
            return self.columns[names[0]]
        if names not in self._made:
            self._made[names] = union([self.columns[name] for name in names])
        return self._made[names]

    def base_columns(self, name: str) -> tuple[str, ...]:
        """The columns behind a blocking key."""
        return (name,) if name in self.columns else self.derived[name].of

    def _derive(self, name: str) -> Column:
        derived = self.derived[name]
        columns = [self.columns[of] for of in derived.of]
        if derived.take == "rare_tokens":
            if name not in self.words:
                self.words[name] = word_counts([(c.texts.tolist(), c.counts.tolist()) for c in columns])
            keep = derived.length or 2
            made: list[Column] = []
            for column in columns:
                tokens = rare_tokens(column.texts.tolist(), self.words[name], keep)
                made.extend(
                    mapped(column, [t[k] if k < len(t) else None for t in tokens]) for k in range(keep)
                )
        else:
            made = [mapped(c, derive(c.values, derived.take, derived.length)) for c in columns]
        return made[0] if len(made) == 1 else union(made)


def encode(
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    threads: int | None = None,
    progress: Progress = silent,
    words: Mapping[str, Mapping[int, int]] | None = None,
) -> Records:
    """Encode what a policy reads of a table; ``progress`` is told the share of the columns.

    ``words`` gives counts of words that were made before, of more records than these.

    Raises:
        LinkageError: A column is missing or named twice, an id is missing or occurs twice in a source.
    """
    progress("encode", 0.0)
    ids, sources, positions = _ordered_ids(table, policy)
    codes = sorted_codes(sources)
    made = in_order(
        lambda spec: _encode_column(read_column(table, spec, policy.source), spec.clean, positions),
        policy.columns.values(),
        threads,
    )
    columns: dict[str, Column] = {}
    for number, (name, column) in enumerate(zip(policy.columns, made, strict=True), start=1):
        columns[name] = column
        progress("encode", number / len(policy.columns))
    return Records(codes[1].to_pylist(), codes[0], ids, columns, dict(policy.derived), dict(words or {}))


def encode_rows(
    tables: Sequence[pa.Table | pd.DataFrame],
    columns: Mapping[str, ColumnSpec],
    derived: Mapping[str, Derived] | None = None,
    words: Mapping[str, Mapping[int, int]] | None = None,
    source: str | None = None,
) -> Records:
    """Encode rows of one table after another, in the order in which they stand and as often as they come.

    Nothing is asked of ids and sources, so that two tables may be compared row by row, with a record in several pairs.
    ``source`` is the column that tells which form the dates of a row have, where that differs by source.
    """
    rows = sum(len(table) for table in tables)
    in_place = np.arange(rows)
    made = {
        name: _encode_column(
            pa.concat_arrays([read_column(table, one, source) for table in tables]), one.clean, in_place
        )
        for name, one in columns.items()
    }
    ids = pa.array(in_place).cast(pa.string())
    return Records([ONLY_SOURCE], np.zeros(rows, np.int32), ids, made, dict(derived or {}), dict(words or {}))


def linked_columns(table: pa.Table | pd.DataFrame, policy: LinkagePolicy) -> pa.Table:
    """What a policy reads of a table, as text under the same names, in order of source and id.

    Raises:
        LinkageError: As ``encode``.
    """
    ids, sources, positions = _ordered_ids(table, policy)
    columns = {policy.id: ids} | ({policy.source: sources} if policy.source else {})
    in_order_already = _in_order_already(positions)
    for name in dict.fromkeys(name for spec in policy.columns.values() for name in spec.names):
        if name not in columns:
            text = _text(table, name)
            columns[name] = text if in_order_already else text.take(pa.array(positions))
    return pa.table(columns)


def ordered_records(ordered: pa.Table, policy: LinkagePolicy) -> Records:
    """Sources and ids of a table of ``linked_columns``, without columns."""
    ids = whole(ordered[policy.id])
    sources = (
        whole(ordered[policy.source]) if policy.source else pa.array([ONLY_SOURCE] * len(ids), pa.string())
    )
    codes, names = sorted_codes(sources)
    return Records(names.to_pylist(), codes, ids, {})


def _ordered_ids(
    table: pa.Table | pd.DataFrame, policy: LinkagePolicy
) -> tuple[pa.Array, pa.Array, npt.NDArray[np.int64]]:
    """Ids and sources in order of source and id, and the rows in that order."""
    _check_columns(table, policy)
    ids = _text(table, policy.id)
    if ids.null_count:
        raise LinkageError(
            f"id column {policy.id!r}: {ids.null_count} records have no id; give every record one"
        )
    sources = (
        _text(table, policy.source) if policy.source else pa.array([ONLY_SOURCE] * len(ids), pa.string())
    )
    if sources.null_count:
        raise LinkageError(f"source column {policy.source!r}: {sources.null_count} records have no source")
    order = np.arange(len(ids))
    if not _is_ordered(ids, sources):
        keys = [("s", "ascending"), ("i", "ascending")]
        order = pc.sort_indices(pa.table([sources, ids], ["s", "i"]), keys).to_numpy().astype(np.int64)
        ids, sources = ids.take(pa.array(order)), sources.take(pa.array(order))
    codes, names = sorted_codes(sources)
    _check_names(names, policy)
    _check_unique(ids, codes, policy)
    return ids, sources, order


def _is_ordered(ids: pa.Array, sources: pa.Array) -> bool:
    if len(ids) < 2:
        return True
    before, after = slice(None, -1), slice(1, None)
    later = pc.greater(sources[after], sources[before])
    within = pc.and_(pc.equal(sources[after], sources[before]), pc.greater_equal(ids[after], ids[before]))
    return bool(pc.all(pc.or_(later, within)).as_py())


def _encode_column(values: pa.Array, how: Any, order: npt.NDArray[Any]) -> Column:
    if len(values) <= FEW:
        few, known = few_codes(few_cleaned(values.to_pylist(), how), pa.string())
        return Column((few if _in_order_already(order) else few[order]).reshape(-1, 1), known)
    encoded = values.dictionary_encode()
    of_distinct, distinct = sorted_codes(clean(encoded.dictionary, how))
    codes = look_up(of_distinct, encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False))
    return Column((codes if _in_order_already(order) else codes[order]).reshape(-1, 1), distinct)


def _in_order_already(order: npt.NDArray[Any]) -> bool:
    return bool((order == np.arange(len(order))).all())


def _check_columns(table: pa.Table | pd.DataFrame, policy: LinkagePolicy) -> None:
    names = [str(name) for name in (table.column_names if isinstance(table, pa.Table) else table.columns)]
    asked = [("id", policy.id), ("source", policy.source)]
    asked += [(f"columns.{key}", name) for key, spec in policy.columns.items() for name in spec.names]
    for key, name in asked:
        if name is not None and names.count(name) != 1:
            what = "has no column" if name not in names else "has more than one column"
            raise LinkageError(
                f"policy {policy.name}: {key}: the table {what} {name!r}{nearest(name, names)}"
            )


def _check_names(sources: pa.Array, policy: LinkagePolicy) -> None:
    """See that a source and an id with a stroke between name one record, and so one cluster."""
    found = sources.filter(pc.match_substring(sources, "|"))
    if len(found):
        raise LinkageError(
            f"source column {policy.source!r}: {len(found)} sources have a | in their name, the first is "
            f"{found[0].as_py()!r}; write another sign, for a record is named source|id"
        )


def _check_unique(ids: pa.Array, source: Codes, policy: LinkagePolicy) -> None:
    if len(ids) < 2:
        return
    same = pc.equal(ids.slice(1), ids.slice(0, len(ids) - 1)).to_numpy(zero_copy_only=False)
    repeated = np.flatnonzero(same & (source[1:] == source[:-1]))
    if len(repeated):
        raise LinkageError(
            f"id column {policy.id!r}: {len(repeated)} records repeat the id of another record of their source, "
            f"the first is {ids[int(repeated[0])].as_py()!r}; make ids unique or name the source column"
        )


def read_column(table: pa.Table | pd.DataFrame, spec: ColumnSpec, source: str | None) -> pa.Array:
    """What a column of the policy reads: one column of the table, or several as one text.

    Dates of sources that write them in another form come year first; ``source`` names the column that tells sources.
    """
    texts = [_text(table, name) for name in spec.names]
    text = texts[0] if len(texts) == 1 else side_by_side(texts, spec.clean)
    if spec.dates_in and source is not None:
        of = _text(table, source)
        for name, how in spec.dates_in.items():
            mask = pc.fill_null(pc.equal(of, name), False)
            text = pc.replace_with_mask(text, mask, year_first(text.filter(mask), DATE_ORDERS[how]))
    return text


def _text(table: pa.Table | pd.DataFrame, name: str) -> pa.Array:
    """One column as text; NaN, None and NaT are null, whole floating numbers are written without a fraction."""
    values: pa.Array | pa.ChunkedArray
    if isinstance(table, pa.Table):
        values = table.column(name)
    else:
        series = table.iloc[:, [str(label) for label in table.columns].index(name)]
        try:
            values = pa.array(series, from_pandas=True)
        except (ValueError, TypeError, OverflowError, NotImplementedError):  # mixed, or unknown to Arrow
            values = pa.array([_as_text(value) for value in series.tolist()], pa.string())
    if isinstance(values, pa.ChunkedArray):
        values = whole(values)
        if isinstance(values, pa.ChunkedArray):
            values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    if pa.types.is_string(values.type):
        return values
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):
        values = values.cast(pa.float32()) if str(values.type) == "halffloat" else values
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        if pc.all(pc.equal(pc.floor(values), values)).as_py() is not False:
            values = _whole_numbers(values)
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise LinkageError(f"column {name!r} holds {values.type}; give text, numbers or dates") from None


def _whole_numbers(values: pa.Array) -> pa.Array:
    """Floating numbers without a fraction as integers; where one is too large for that, as texts, it as it is."""
    fits = pc.less(pc.abs(values), pa.scalar(_TOO_LARGE, values.type))
    if pc.all(fits).as_py() is not False:
        return values.cast(pa.int64(), safe=False)
    small = pc.if_else(fits, values, pa.scalar(0, values.type)).cast(pa.int64(), safe=False)
    return pc.if_else(fits, small.cast(pa.string()), values.cast(pa.string()))


def _as_text(value: Any) -> str | None:
    """A value of any type; what cannot be written in UTF-8 is replaced."""
    missing = pd.api.types.is_scalar(value) and pd.isna(value)
    return None if missing else str(value).encode("utf-8", "replace").decode()
