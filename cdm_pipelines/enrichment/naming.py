"""Which rows of interactions are a person's, whatever the layer.

Belongs here: what names a person in an interaction, and finding that in counted, standardised and delivered rows. Does
not belong here: which places there are (``places`` of the rooms), whose an interaction is for the profile
(``attachment``).

A row names a person as the interaction did: by a number of the source, an order, an address, a phone, or by a device
alone. An address, phone or device is a person's when nobody else has it; rows of one that several share are nobody's.
Rows as delivered are read as a run reads them, so that a rejected one is found as well, however it spells an address.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from weakref import ref

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.enrichment.interactions import EVIDENCE, WHO
from cdm_pipelines.enrichment.tokens import canonical, eras_from_json
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keys import RECORD_KEY, having
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Stores
from cdm_pipelines.store.removal import Match, Test, paths_of

DAYS = f"{layout.INTERACTIONS}/{{source}}/{{entity}}/{{date}}.parquet"
_BATCH = 100_000
_DEVICE = ("source", "token")
_NAMES = ("source", *WHO)
NumbersOf = Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class Named:
    """What names some persons: their numbers with the source, and their orders, addresses and phones."""

    numbers: pa.Table
    orders: pa.Table
    emails: pa.Array
    phones: pa.Array

    def says(self, rows: pa.Table) -> pa.ChunkedArray:
        """Whether rows name one of the persons."""
        return pc.or_(
            pc.or_(
                having(rows, self.numbers, ("source", "record_id"), ("source", "party_id")),
                having(rows, self.orders, ("source", "order_id")),
            ),
            pc.or_(
                pc.is_in(rows["party_email"], value_set=self.emails, skip_nulls=True),
                pc.is_in(rows["party_phone"], value_set=self.phones, skip_nulls=True),
            ),
        )

    @classmethod
    def of(cls, lake: Lake, persons: Persons, numbers_of: NumbersOf) -> "Named":
        """By what is known of their records.

        Args:
            lake: The lake.
            persons: Who is asked about.
            numbers_of: Sources and those whose numbers their interactions use beside their own.
        """
        parties, others = _records(lake, Entity.PARTY, persons, ["email", "phone", "mobile"])
        orders, _ = _records(lake, Entity.ORDER, persons, ["order_id"])
        return cls(
            _as_named(parties, "record_id", numbers_of),
            _as_named(orders, "order_id", numbers_of),
            _alone(parties, others, "email"),
            _alone(parties, others, "phone", "mobile"),
        )


@dataclass(frozen=True)
class Theirs:
    """Which rows are some persons': those that name them, and those that name nobody and are of their devices."""

    named: Named
    devices: pa.Table

    def any(self, rows: pa.Table) -> pa.ChunkedArray:
        """Whether rows are theirs."""
        return pc.or_(self.named.says(rows), self.on_devices(rows))

    def on_devices(self, rows: pa.Table) -> pa.ChunkedArray:
        """Whether rows name nobody and are of their devices."""
        return pc.and_(_silent(rows), having(rows, self.devices, _DEVICE))


class InteractionRows:
    """Which rows are a person's in the layers of the sources that deliver interactions."""

    def __init__(self, contracts: Sequence[SourceContract], country: str | None = None) -> None:
        """Know the sources.

        Args:
            contracts: All that there are.
            country: Of phone numbers, where a contract says none.
        """
        self._contracts = [one for one in contracts if Entity.INTERACTION in one.entities]
        self._country = country
        self._turn = Lock()
        self._last: tuple[Callable[[], Persons | None], str, Theirs] | None = None

    def standard(self, contract: SourceContract) -> Match | None:
        """The test for standardised interactions of a source entity; None where it delivers none."""
        return self._match(contract, lambda table: _names(table, contract.source))

    def delivered(self, contract: SourceContract) -> Match | None:
        """The test for its rows as delivered, accepted or rejected."""
        return self._match(contract, lambda table: _read(table, contract, self._country))

    def of(self, stores: Stores, persons: Persons) -> Theirs:
        """What is theirs, worked out once for all places of a request: what shows it leaves them one by one."""
        lake = stores.lake
        with self._turn:
            if self._last is not None and self._last[0]() is persons and self._last[1] == lake.url:
                return self._last[2]
            named = Named.of(lake, persons, self._numbers_of(lake))
            found = Theirs(named, _devices(lambda: self._evidence(lake), named))
            self._last = ref(persons), lake.url, found
            return found

    def _numbers_of(self, lake: Lake) -> NumbersOf:
        """By the rules that hold on any day; before there are any, as contracts have it."""
        if not lake.exists(layout.INTERACTION_RULES):
            return [(one.source, (one.refers_to,)) for one in self._contracts if one.refers_to]
        eras = eras_from_json(json.loads(lake.read_json(layout.INTERACTION_RULES)).get("eras", []))
        return [pair for era in eras for pair in era.rules.numbers_of.items()]

    def _match(self, contract: SourceContract, read: Callable[[pa.Table], pa.Table]) -> Match | None:
        if contract not in self._contracts:
            return None

        def match(stores: Stores, path: str, persons: Persons) -> Test:
            del path
            theirs = self.of(stores, persons)
            return lambda table: theirs.any(read(table))

        return match

    def _evidence(self, lake: Lake) -> Iterator[pa.Table]:
        """All interactions, with what they name; those that are counted and standardised twice."""
        for path in paths_of(lake, DAYS):
            yield from lake.read_batches(path, _BATCH, list(_NAMES))
        for contract in self._contracts:
            for date in layout.standard_days(lake, contract, Entity.INTERACTION):
                path = layout.standard_path(contract, date, Entity.INTERACTION)
                there = set(lake.schema(path).names)
                for table in lake.read_batches(path, _BATCH, [name for name in WHO if name in there]):
                    yield _names(table, contract.source)


def _names(table: pa.Table, source: str) -> pa.Table:
    """What standardised rows name; columns that are not there are empty."""
    values = {
        name: whole(table[name]) if name in table.column_names else pa.nulls(table.num_rows, pa.string())
        for name in WHO
    }
    values["token"] = canonical(values["token"])
    return pa.table({"source": pa.repeat(pa.scalar(source, pa.string()), table.num_rows), **values})


def _read(table: pa.Table, contract: SourceContract, country: str | None) -> pa.Table:
    """What rows as delivered name, as a run reads it."""
    from cdm_pipelines.standardise.transaction import read  # noqa: PLC0415 - libraries take a third of a second to load

    contract = replace(contract, default_country=contract.default_country or country)
    return _names(pa.table(read(table, contract, Entity.INTERACTION, WHO)), contract.source)


def _as_named(records: pa.Table, number: str, numbers_of: NumbersOf) -> pa.Table:
    """Numbers by the sources that name them: their own, and those that use theirs."""
    found = [records.select(["source", number])]
    for said_by, sources in numbers_of:
        rows = records.filter(pc.is_in(records["source"], value_set=pa.array(sources, pa.string())))
        saying = pa.repeat(pa.scalar(said_by, pa.string()), rows.num_rows)
        found.append(pa.table({"source": saying, number: rows[number]}))
    return pa.concat_tables(found)


def _alone(parties: pa.Table, others: pa.Table, *columns: str) -> pa.Array:
    """Values of some columns that nobody else has: a mailbox of a household is not one person's."""
    own, shared = (
        pa.chunked_array([chunk for name in columns for chunk in table[name].chunks], pa.string())
        for table in (parties, others)
    )
    alone = own.unique().drop_null()
    others_too = pc.is_in(alone, value_set=shared.combine_chunks(), skip_nulls=True)
    return alone.filter(pc.invert(others_too))


def _records(lake: Lake, entity: Entity, persons: Persons, columns: list[str]) -> tuple[pa.Table, pa.Table]:
    """Current records of persons, and those of everybody else."""
    table = tables.records(lake, entity)
    if not table.exists:
        nobody = pa.table({name: pa.array([], pa.string()) for name in (*RECORD_KEY, *columns)})
        return nobody, nobody
    state = table.read([*RECORD_KEY, *columns])
    theirs = having(state, persons.records, RECORD_KEY)
    return state.filter(theirs), state.filter(pc.invert(theirs))


def _devices(evidence: Callable[[], Iterator[pa.Table]], named: Named) -> pa.Table:
    """Devices with which the persons were identified, and nobody else: ``source`` and ``token``."""
    empty = pa.table({name: pa.array([], pa.string()) for name in _DEVICE})
    theirs = [rows.filter(named.says(rows)).select(_DEVICE) for rows in evidence()]
    own = pa.concat_tables([empty, *theirs]).group_by(list(_DEVICE)).aggregate([])
    own = own.filter(pc.is_valid(own["token"]))
    if not own.num_rows:
        return own
    others = [empty]
    for rows in evidence():
        on_own = rows.filter(having(rows, own, _DEVICE))
        others.append(on_own.filter(pc.invert(pc.or_(named.says(on_own), _silent(on_own)))).select(_DEVICE))
    return own.filter(pc.invert(having(own, pa.concat_tables(others), _DEVICE)))


def _silent(rows: pa.Table) -> pa.ChunkedArray:
    """Whether rows name nobody."""
    return pc.is_null(pc.coalesce(*(rows[name] for name in EVIDENCE)))
