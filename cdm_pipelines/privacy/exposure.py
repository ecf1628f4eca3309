"""Who and what was in reach of whoever got hold of data: customers and source records, by privacy category.

Belongs here: what names somebody in rows, counting by category, and what the law asks then. Does not belong here:
reading tables and files (steps.rights.exposure).

Whatever cannot be told apart counts in full: after a breach one person too many is told rather than one too few.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.store.places import record_ids

GOLDEN, RECORD, PARTY, EMAIL, PHONE = "golden", "record", "party", "email", "phone"
"""What a reference names somebody by: a golden id, a source record, a number of a party of the source, an address, a
phone."""
REFERENCES = pa.schema(
    [
        ("row", pa.int64()),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("entity", pa.string()),
        ("value", pa.string()),
    ]
)
CLEAR, MASKED = "clear", "masked"
Held = tuple[str, str]
"""A privacy category, and how it is read: ``clear`` or ``masked``."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SIDES = ("", "left_", "right_", "other_")
_HIGH_RISK = {
    "user.financial": "bank accounts or cards",
    "user.government_id": "government ids",
    "user.authorization": "passwords or other credentials",
    "user.health_and_medical": "health",
    "user.biometric": "biometrics",
    "user.genetic": "genes",
    "user.criminal_history": "criminal history",
    "user.childrens": "children",
    "user.demographic.ethnic_origin": "ethnic origin",
    "user.demographic.race_ethnicity": "ethnic origin",
    "user.demographic.political_opinion": "political opinion",
    "user.demographic.religious_belief": "religious belief",
    "user.demographic.sexual_orientation": "sexual orientation",
}
DEADLINE = (
    "A breach is reported to the supervisory authority without delay, and within 72 hours after it became known, "
    "unless a risk to the persons is unlikely (GDPR article 33); where the risk is high, the persons are told too, "
    "without delay (article 34)."
)


def named_in(table: pa.Table, contract: SourceContract | None = None) -> pa.Table:
    """Whatever names somebody in rows: ``REFERENCES``, each with the position of its row.

    Args:
        table: Rows of a file.
        contract: By which they were delivered, where they are as delivered.
    """
    parts = [REFERENCES.empty_table()]
    if contract is not None:
        own = (contract.source, contract.entity)
        parts += [_references(RECORD, ids, *own) for ids in record_ids(table, contract)]
        fed = {path.rpartition(".")[2]: column.name for column, path in contract.mapped()}
        names = [
            fed.get(name, "") if fed.get(name) in table.column_names else ""
            for name in ("party_id", "party_email", "party_phone")
        ]
        parts += _loosely(table, names, contract.source)
    else:
        parts += _by_golden_id(table)
        parts += _by_key(table)
        parts += _loosely(
            table,
            [
                name if name in table.column_names else ""
                for name in ("party_id", "party_email", "party_phone")
            ],
            _text(table, "source"),
        )
    found = pa.concat_tables(parts)
    return found.filter(pc.and_(pc.is_valid(found["value"]), pc.not_equal(found["value"], "")))


def golden_ids_in(text: str) -> list[str]:
    """Whatever looks like a golden id in a text, sorted."""
    return sorted(set(_UUID.findall(text.lower())))


def _by_golden_id(table: pa.Table) -> Iterator[pa.Table]:
    for name in table.column_names:
        if name in ("golden_id", "related_id", "alias_of"):
            yield _references(GOLDEN, _text(table, name))


def _by_key(table: pa.Table) -> Iterator[pa.Table]:
    """Keys of source records, spelled in three parts or as linkage does."""
    for side in _SIDES:
        source = f"{side}source"
        ids = [name for name in (f"{side}record_id", f"{side}id") if name in table.column_names]
        if source not in table.column_names or not ids:
            continue
        if f"{side}entity" in table.column_names:
            yield _references(
                RECORD, _text(table, ids[0]), _text(table, source), _text(table, f"{side}entity")
            )
        else:
            both = _text(table, source)
            entity = pc.replace_substring_regex(both, "^[^/]*/?", "")
            yield _references(
                RECORD, _text(table, ids[0]), pc.replace_substring_regex(both, "/.*$", ""), entity
            )


def _loosely(table: pa.Table, names: Sequence[str], source: object) -> Iterator[pa.Table]:
    """What names a party besides a key: its number with the source, its address, its phone."""
    for kind, name in zip((PARTY, EMAIL, PHONE), names, strict=True):
        if name:
            values = pc.utf8_trim_whitespace(_text(table, name))
            yield _references(
                kind,
                pc.utf8_lower(values) if kind == EMAIL else values,
                source if kind == PARTY else "",
            )


def _text(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    if pa.types.is_binary(table.schema.field(name).type):  # ids as their sixteen bytes
        ids = (None if one is None else str(UUID(bytes=one)) for one in table[name].to_pylist())
        return pa.array(ids, pa.string())
    column = table[name].cast(pa.string())
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _references(kind: str, values: pa.Array, source: object = "", entity: object = "") -> pa.Table:
    number = len(values)
    columns = [
        one if isinstance(one, pa.Array | pa.ChunkedArray) else pa.repeat(pa.scalar(one, pa.string()), number)
        for one in (kind, source, entity, values)
    ]
    return pa.table([pa.array(np.arange(number, dtype=np.int64)), *columns], schema=REFERENCES)


@dataclass(frozen=True)
class Count:
    """What was in reach of one category.

    Attributes:
        category: Key of the taxonomy.
        read: ``clear`` or ``masked``.
        customers: Golden customers of whom there is a value.
        records: Source records that nobody's customer is, of which there is one.
    """

    category: str
    read: str
    customers: int
    records: int


class Reach:
    """Which customers and source records were in reach, by category.

    Args:
        customers: Golden ids, as text, of everybody there is.

    Attributes:
        customers: The same.
        held: By category and how it is read, whether each customer was in reach.
        nobodys: By the same, source records that nobody's customer is.
    """

    def __init__(self, customers: pa.Array) -> None:
        self.customers = customers
        self.held: dict[Held, np.ndarray] = {}
        self.nobodys: dict[Held, set[str]] = {}

    def add(self, held: Held, customers: np.ndarray, records: Iterable[str] = ()) -> None:
        """Count a category as read of some customers, by their positions, and of records of nobody."""
        self._flags(held)[customers] = True
        self.nobodys[held].update(records)

    def everybody(self, categories: Iterable[str], read: str = CLEAR) -> None:
        """Count categories as read of every customer there is."""
        for category in categories:
            self._flags((category, read))[:] = True

    def _flags(self, held: Held) -> np.ndarray:
        self.nobodys.setdefault(held, set())
        return self.held.setdefault(held, np.zeros(len(self.customers), dtype=bool))

    def join(self, other: "Reach") -> None:
        """Take in what another reach has, of the same customers."""
        for held, flags in other.held.items():
            self.add(held, np.flatnonzero(flags), other.nobodys[held])

    @property
    def counts(self) -> list[Count]:
        """By category, sorted; those of whom nobody has a value are left out."""
        found = [
            Count(category, read, int(flags.sum()), len(self.nobodys[category, read]))
            for (category, read), flags in sorted(self.held.items())
        ]
        return [one for one in found if one.customers or one.records]

    @property
    def golden_ids(self) -> list[str]:
        """Everybody who was in reach, sorted."""
        flags = np.zeros(len(self.customers), dtype=bool)
        for one in self.held.values():
            flags |= one
        return sorted(self.customers.filter(pa.array(flags)).to_pylist())

    @property
    def records(self) -> int:
        """How many source records that nobody's customer is."""
        return len(set().union(*self.nobodys.values()))


def high_risk(counts: Iterable[Count]) -> list[str]:
    """What makes the risk high, in words: values in clear of which somebody was in reach."""
    told = [
        words
        for key, words in _HIGH_RISK.items()
        for one in counts
        if one.read == CLEAR and (one.category == key or one.category.startswith(f"{key}."))
    ]
    return list(dict.fromkeys(told))


def by_held(columns: Mapping[str, Held]) -> dict[Held, list[str]]:
    """Columns by what they hold and how it is read; those of nothing personal are left out."""
    found: dict[Held, list[str]] = {}
    for name, held in columns.items():
        if held[0].partition(".")[0] == "user":
            found.setdefault(held, []).append(name)
    return found
