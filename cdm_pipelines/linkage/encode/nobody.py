"""What weighs nothing in linking: values that failed a rule, values that too many share, and a nameless record's.

Belongs here: blanking such cells of a table before it is encoded, and finding values that stand for nobody in the data.
Does not belong here: lists of such values (standardise.placeholders), or which records that links anew (steps).

A contact detail that persons with several unlike names give is a switchboard, a family's, or a placeholder. Unlike are
two names of which both the surname, by sound, and the first letters of the given name differ: one person's spelling
errors and a family's shared surname make neither. What is counted is how many unlike names a value has at least; the
test looks at nothing but the holders of a value, so that it comes out the same however the records arrived.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.encode.clean import clean, core, phonetic
from cdm_pipelines.linkage.policy.comparisons import (
    Comparison,
    EmailComparison,
    GivenNameComparison,
    IdentifierComparison,
    PhoneComparison,
    SurnameComparison,
    TextComparison,
)
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.store.arrow import whole

Flags = npt.NDArray[np.bool_]
_TEXT = pa.string()
_GIVEN_LETTERS = 3
_CONTACTS = (EmailComparison, PhoneComparison)
_NAMES = (GivenNameComparison, SurnameComparison, TextComparison)


@dataclass(frozen=True)
class Roles:
    """What columns of a table are for, by a policy's comparisons.

    Attributes:
        given: Columns of given names, the more telling first.
        names: Columns of surnames, or of whole names where there are none.
        contacts: Columns of contact details, in groups whose values are of one kind (phone and mobile).
        unique: Columns of numbers that one party alone has; never the id and the source.
        all: Every column that is linked by.
    """

    given: tuple[str, ...]
    names: tuple[str, ...]
    contacts: tuple[tuple[str, ...], ...]
    unique: frozenset[str]
    all: tuple[str, ...]

    @classmethod
    def of(cls, policy: LinkagePolicy) -> "Roles":
        """The columns, as the table calls them."""
        called = {name: spec.names for name, spec in policy.columns.items()}
        made = list(policy.comparisons.values())

        def of_kinds(kinds: type[Any] | tuple[type[Any], ...]) -> tuple[str, ...]:
            return tuple(
                of for one in made if isinstance(one, kinds) for name in one.reads for of in called[name]
            )

        given = of_kinds(GivenNameComparison)
        initials = tuple(
            of
            for one in made
            if isinstance(one, GivenNameComparison) and one.initials
            for of in called[one.initials]
        )
        surnames = of_kinds(SurnameComparison)
        contacts = (_group(one, called) for one in made if isinstance(one, _CONTACTS) or _is_account(one))
        return cls(
            (*given, *initials),
            surnames or of_kinds(TextComparison),
            tuple(contacts),
            frozenset(of_kinds(IdentifierComparison)) | {policy.id, policy.source or policy.id},
            tuple(dict.fromkeys(of for names in called.values() for of in names)),
        )

    @property
    def of_names(self) -> tuple[str, ...]:
        """Columns of which one must hold something for a record to have a name; initials alone are none."""
        return tuple(dict.fromkeys((*self.given[:1], *self.names)))


def _is_account(comparison: Comparison) -> bool:
    """Whether a number may be shared, as a household's bank account: one that may not is judged by its own rules."""
    return isinstance(comparison, IdentifierComparison) and comparison.shared


def _group(comparison: Comparison, called: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(of for name in comparison.reads for of in called[name])


def without_invalid(table: pa.Table, invalid: pa.Array, columns: Sequence[str]) -> pa.Table:
    """The table, each cell null that its row names as invalid.

    Args:
        table: Columns as text.
        invalid: Per row names of columns with commas between; null where none is.
        columns: Which of them to look at; those that the table lacks are skipped.
    """
    if invalid.null_count == len(invalid):
        return table
    coded = invalid.dictionary_encode()
    named = [set(text.split(",")) for text in coded.dictionary.to_pylist()]
    codes = pc.fill_null(coded.indices, len(named)).to_numpy(zero_copy_only=False)
    for name in columns:
        says = np.array([*(name in names for names in named), False], dtype=bool)
        if says.any() and name in table.column_names:
            table = _blanked(table, name, says[codes])
    return table


def without_nameless(table: pa.Table, roles: Roles) -> pa.Table:
    """The table, records without any name keeping their unique numbers alone: an address or a mailbox is nobody's."""
    names = [name for name in roles.of_names if name in table.column_names]
    if not names:
        return table
    nameless = np.logical_and.reduce([_is_null(table, name) for name in names])
    if not nameless.any():
        return table
    for name in roles.all:
        if name not in roles.unique and name in table.column_names:
            table = _blanked(table, name, nameless)
    return table


@dataclass(frozen=True)
class Shared:
    """Values that too many unlike names share: for each group of columns those that they hold."""

    columns: tuple[tuple[str, ...], ...] = ()
    values: tuple[pa.Array, ...] = ()

    def __len__(self) -> int:
        return sum(len(values) for values in self.values)

    def texts(self) -> list[tuple[str, str]]:
        """Column and value of each, in order."""
        pairs = zip(self.columns, self.values, strict=True)
        return sorted((group[0], value) for group, values in pairs for value in values.to_pylist())

    def among(self, keep: set[tuple[str, str]]) -> "Shared":
        """Those of some columns and values."""
        kept = (
            pa.array([value for value in values.to_pylist() if (group[0], value) in keep], _TEXT)
            for group, values in zip(self.columns, self.values, strict=True)
        )
        return Shared(self.columns, tuple(kept))

    def held_by(self, table: pa.Table) -> Flags:
        """Which rows hold one of the values."""
        held = np.zeros(table.num_rows, dtype=bool)
        for name, values in self._by_column(table):
            held |= _is_in(table, name, values)
        return held

    def taken_out(self, table: pa.Table) -> pa.Table:
        """The table, null where one of the values stands."""
        for name, values in self._by_column(table):
            table = _blanked(table, name, _is_in(table, name, values))
        return table

    def _by_column(self, table: pa.Table) -> list[tuple[str, pa.Array]]:
        return [
            (name, values)
            for group, values in zip(self.columns, self.values, strict=True)
            for name in group
            if len(values) and name in table.column_names
        ]


def shared_by_many(table: pa.Table, roles: Roles, unlike_names: int) -> Shared:
    """Contact details that persons with at least so many unlike names give, in one source or over all.

    Args:
        table: Columns as text, invalid values blanked.
        roles: What the columns are for.
        unlike_names: How many are too many; 0 for never.
    """
    names = [name for name in roles.names if name in table.column_names]
    if not unlike_names or not names:
        return Shared()
    found = []
    for group in roles.contacts:
        columns = [name for name in group if name in table.column_names]
        found.append(_too_many(table, columns, names, roles, unlike_names))
    return Shared(roles.contacts, tuple(found))


def _too_many(
    table: pa.Table, columns: list[str], names: list[str], roles: Roles, unlike_names: int
) -> pa.Array:
    """Values of one kind with too many unlike names."""
    values = pa.concat_arrays([pa.array([], _TEXT), *(_column(table, name) for name in columns)])
    counts = pc.value_counts(values)
    often = pc.and_(pc.greater_equal(counts.field(1), unlike_names), pc.is_valid(counts.field(0)))
    frequent = counts.field(0).filter(often)
    if not len(frequent):
        return pa.array([], _TEXT)
    pieces = []
    for name in columns:
        rows = np.flatnonzero(_is_in(table, name, frequent))
        pieces.append(_holders(table.take(pa.array(rows)), name, names, roles))
    holders = pa.concat_tables(pieces)
    # Few values have many names however they are spelled; sounds are worked out for those alone.
    for spelled in (lambda surnames: surnames, _sounds):
        holders = holders.filter(
            pc.is_in(holders["value"], value_set=_with_many(holders, spelled, unlike_names))
        )
    return pc.unique(holders["value"].combine_chunks()).sort()


def _holders(rows: pa.Table, value: str, names: list[str], roles: Roles) -> pa.Table:
    """Value, surname and first letters of the given name of records that have a name."""
    surname = pc.coalesce(*(_column(rows, name) for name in names))
    given = [_column(rows, name) for name in roles.given if name in rows.column_names]
    # Where no given name tells two persons apart, surnames have to: each counts as a given name of its own.
    first = pc.utf8_slice_codeunits(pc.utf8_lower(pc.coalesce(*given)), 0, _GIVEN_LETTERS) if given else None
    made = {
        "value": _column(rows, value),
        "surname": surname,
        "given": pa.nulls(len(surname), _TEXT) if first is None else first,
    }
    return pa.table(made).filter(pc.is_valid(surname))


def _with_many(holders: pa.Table, spelled: Callable[[pa.Array], pa.Array], unlike_names: int) -> pa.Array:
    """Values whose holders have so many surnames, as they are spelled, and so many given names."""
    surname = whole(holders["surname"]).dictionary_encode()
    sound = spelled(surname.dictionary).take(surname.indices)
    columns = {
        "value": whole(holders["value"]),
        "sound": sound,
        "given": pc.coalesce(whole(holders["given"]), sound),
    }
    coded = {name: column.dictionary_encode() for name, column in columns.items()}
    values = coded["value"].dictionary
    value = coded["value"].indices.to_numpy().astype(np.int64)
    many = np.ones(len(values), dtype=bool)
    for name in ("sound", "given"):
        size = len(coded[name].dictionary)
        there = pc.is_valid(coded[name].indices).to_numpy(zero_copy_only=False)
        pairs = value[there] * size + coded[name].indices.drop_null().to_numpy()
        many &= np.bincount(pd.unique(pairs) // max(size, 1), minlength=len(values)) >= unlike_names
    return values.filter(pa.array(many))


def _sounds(surnames: pa.Array) -> pa.Array:
    texts = clean(surnames, "surname").to_pylist()
    return pa.array([phonetic(core(text).split(" ")[0]) if text else None for text in texts], _TEXT)


def _column(table: pa.Table, name: str) -> pa.Array:
    column = whole(table[name])
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return column.cast(_TEXT)


def _is_in(table: pa.Table, name: str, values: pa.Array) -> Flags:
    found = pc.is_in(table[name], value_set=values, skip_nulls=True)
    flags: Flags = found.to_numpy()
    return flags.astype(bool)


def _is_null(table: pa.Table, name: str) -> Flags:
    flags: Flags = pc.is_null(table[name]).to_numpy()
    return flags.astype(bool)


def _blanked(table: pa.Table, name: str, rows: Flags) -> pa.Table:
    if not rows.any():
        return table
    column = pc.if_else(pa.array(~rows), table[name], pa.scalar(None, table[name].type))
    return table.set_column(table.column_names.index(name), name, column)
