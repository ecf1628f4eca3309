"""What the blocking rules of a suggested policy reach in the data, and rules for records that they do not reach.

Belongs here: counting blocks of a sample, rules for records with gaps, files that hold nobody twice. Does not belong
here: making pairs (linkage.blocking), or which rules a kind of column brings (suggested_policy).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.keys import together
from cdm_pipelines.linkage.encode.records import Records, encode
from cdm_pipelines.quality.profile import ColumnProfile

Flags = npt.NDArray[np.bool_]
Rule = Mapping[str, object]

_ROW, _FILE = "row in all files", "number of the file"
_TWICE = 2  # rules: one slip of the pen takes a record out of one of them
_REACHED = 0.99
_WORTH = 0.005  # of the records; a rule that reaches fewer of those left over is not worth its pairs
_SPARE: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("surname_sound", "birth_year"), ("given_letter",)),
    (("given_start", "birth_year"), ("surname_start",)),
    (("surname", "given_letter"), ("birth_year",)),
    (("surname", "city"), ("given_letter",)),
    (("given_name", "city"), ("surname_start",)),
    (("given_name", "region"), ("surname_start",)),
    (("surname", "region"), ("given_letter",)),
    (("street", "city"), ("surname_start",)),
    (("surname",), ("given_letter", "birth_year")),
    (("given_name",), ("surname_start", "birth_year")),
    (("birth_date",), ("given_letter",)),
    (("postcode",), ("given_letter",)),
    (("full_name",), ()),
    (("name_words",), ("postcode",)),
    (("rare_words",), ("city",)),
    (("name_start",), ("city",)),
)
"""Keys and what splits their large blocks, for records that lack what the policy's own rules ask for."""
_WHO, _WHEN, _WHERE = (
    ("given_name", "surname", "full_name"),
    ("birth_date", "year_of_birth"),
    ("postcode", "street", "city"),
)
_MANY = (
    100  # records of a file that nearly agree with one of another, to tell anything from their absence within
)
_NONE = 3  # what may be there where none is seen (the rule of three)
_FREE = 0.005  # duplicates, as a share of a file, that do no harm


@dataclass(frozen=True)
class Cover:
    """What blocking reaches.

    Attributes:
        rules: Rules to add.
        twice: Share of the records that are in blocks of two rules or more.
        pairs: At most so many candidate pairs in the sample.
    """

    rules: tuple[Rule, ...]
    twice: float
    pairs: int

    @property
    def told(self) -> str:
        """In words."""
        added = f"; {len(self.rules)} rules were added for records with gaps" if self.rules else ""
        return (
            f"Blocking: {self.twice:.1%} of the records are in blocks of two rules or more, with at most "
            f"{self.pairs:,} candidate pairs{added}"
        )


def sample_of(
    files: Sequence[Mapping[str, ColumnProfile]], sources: Sequence[str], policy: LinkagePolicy
) -> Records:
    """The records of the sample as the policy reads them; their source is the number of the file.

    ``sources`` are the names of the files as the policy knows them.
    """
    names = sorted({name for column in policy.columns.values() for name in column.names})
    tables = []
    for number, profiles in enumerate(files):
        rows = len(next(iter(profiles.values())).cells) if profiles else 0
        cells = {
            name: _cells(profiles[name]) if name in profiles else pa.nulls(rows, pa.string())
            for name in names
        }
        tables.append(pa.table({**cells, _FILE: pa.repeat(pa.scalar(f"{number:06d}"), rows)}))
    table = pa.concat_tables(tables)
    ids = pa.array([f"{row:09d}" for row in range(table.num_rows)], pa.string())
    known_as = {name: f"{place:06d}" for place, name in enumerate(sources)}
    columns = {
        name: column.model_copy(
            update={"dates_in": {known_as[source]: form for source, form in column.dates_in.items()}}
        )
        for name, column in policy.columns.items()
    }
    alone = policy.model_copy(update={"id": _ROW, "source": _FILE, "duplicate_free": (), "columns": columns})
    return encode(table.append_column(_ROW, ids), alone)


def cover(records: Records, policy: LinkagePolicy) -> Cover:
    """What the rules reach, with rules added until nearly every record is in blocks of two of them."""
    if not len(records):
        return Cover((), 1.0, 0)
    blocks = [
        _block(records, rule.keys, rule.refine, policy) for rule in policy.blocking if not rule.algorithm
    ]
    times = np.zeros(len(records), np.int64)
    for reached, _ in blocks:
        times += reached
    pairs = sum(made for _, made in blocks)
    there = {frozenset(rule.keys) for rule in policy.blocking}
    known = {*policy.columns, *policy.derived}
    spare = [
        (keys, tuple(sorted(set(refine) & known)))
        for keys, refine in _SPARE
        if set(keys) <= known and frozenset(keys) not in there
    ]
    found = [(_block(records, keys, refine, policy), keys, refine) for keys, refine in spare]
    rules: list[Rule] = []
    while found and (times >= _TWICE).mean() < _REACHED and len(policy.blocking) + len(rules) < 31:
        best = max(range(len(found)), key=lambda one: int((found[one][0][0] & (times < _TWICE)).sum()))
        (reached, made), keys, refine = found.pop(best)
        if (reached & (times < _TWICE)).mean() < _WORTH:
            break
        times += reached
        pairs += made
        rules.append({"keys": list(keys), **({"refine": list(refine)} if refine else {})})
    return Cover(tuple(rules), float((times >= _TWICE).mean()) if len(times) else 1.0, pairs)


def _block(
    records: Records, keys: Sequence[str], refine: Sequence[str], policy: LinkagePolicy
) -> tuple[Flags, int]:
    """Which records are in a block that is compared, and how many pairs there are at most."""
    found = together([records.hashes(key) for key in keys])
    if refine:
        large = _sizes(found) > policy.max_block_size
        finer = together([found, *(records.hashes(key) for key in refine)])
        kept = np.where(large, np.uint64(0), found)
        found = np.concatenate(
            [kept, np.where(np.repeat(large, finer.shape[1] // found.shape[1], axis=1), finer, 0)], axis=1
        )
    sizes = _sizes(found)
    sizes[sizes > policy.max_block_size] = 0
    # A block of n records makes n (n - 1) / 2 pairs, (n - 1) / 2 for each of them.
    pairs = round(float(np.maximum(sizes - 1, 0).sum()) / 2)
    reached: Flags = np.asarray((sizes > 0).any(axis=1))
    return reached, min(pairs, max(policy.max_pairs, len(records)))


def _sizes(keys: Hashes) -> npt.NDArray[np.int64]:
    """How many records share each key; 0 for none."""
    codes, distinct = pd.factorize(keys.ravel())
    counts = np.bincount(codes, minlength=len(distinct))
    sizes: npt.NDArray[np.int64] = counts[codes].reshape(keys.shape).astype(np.int64)
    sizes[keys == 0] = 0
    return sizes


def hold_nobody_twice(records: Records) -> tuple[int, ...]:
    """The numbers of the files in which, by all that the data shows, nobody is twice; none where that cannot be told.

    People who are in two files differ there by slips of the pen: some agree on all but one of name, date of birth and
    address (on all but the date father and son agree, too). Somebody who is twice in one file would as well, whether or
    not equal rows were taken out of it. Where many nearly agree across files and hardly any within one, that file is
    free of duplicates.
    """
    who = [name for name in _WHO if name in records.columns]
    others = [next((name for name in names if name in records.columns), None) for names in (_WHEN, _WHERE)]
    parts = [*who, *(name for name in others if name)]
    if len(records.sources) < 2 or len(parts) < 3 or not set(_WHEN) & set(parts):
        return ()
    exact = _agreeing(records, parts)
    within, across = _sum(records, exact[0]) / 2, np.zeros(len(records.sources))
    for left_out in (name for name in parts if name not in _WHEN):
        near = _agreeing(records, [name for name in parts if name != left_out])
        within += _sum(records, near[0] - exact[0]) / 2
        across += _sum(records, (near[1] > 0) & (exact[1] == 0))
    free = (across >= _MANY) & (within + _NONE <= _FREE * across)
    return tuple(int(number) for number in np.flatnonzero(free))


def _sum(records: Records, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """By file."""
    found: npt.NDArray[np.float64] = np.bincount(
        records.source, values.astype(float), len(records.sources)
    ).astype(float)
    return found


def _agreeing(
    records: Records, names: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """For each record the others that agree with it on all columns: in its file, and in other files."""
    keys = together([records.hashes(name) for name in names])[:, 0]
    own = keys ^ (records.source.astype(np.uint64) + np.uint64(1))
    everywhere, here = (_sizes(np.where(keys > 0, one, 0).reshape(-1, 1))[:, 0] for one in (keys, own))
    return np.maximum(here - 1, 0).astype(float), (everywhere - here).astype(float)


def _cells(column: ColumnProfile) -> pa.Array:
    """The cells, with null where a spelling of it stands."""
    if not column.null_values:
        return column.cells
    is_null = pc.is_in(column.cells, value_set=pa.array(column.null_values, pa.string()))
    return pc.if_else(is_null, pa.scalar(None, pa.string()), column.cells)
