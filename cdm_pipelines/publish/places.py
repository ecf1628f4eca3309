"""The places of this room: what other systems are told, and what the owners of sources should correct.

Belongs here: declarations. Does not belong here: telling them.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.publish.corrections import CORRECTIONS_SCHEMA, cells
from cdm_pipelines.publish.policy import FeedPolicy, FileSink
from cdm_pipelines.store import layout
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS, UNCLASSIFIED
from cdm_pipelines.store.keys import having
from cdm_pipelines.store.places import whom
from cdm_pipelines.store.register import ByOwner, Keeps, Kind, Persons, Place, Retention, Root, Stores, Whom
from cdm_pipelines.store.removal import Match, Test, csv_rows, lines_of_ids

_VALUES = {"current_value", "golden_value"}
_KEYS = {"record_id", "golden_id"}


def places(contracts: Sequence[SourceContract], policy: FeedPolicy) -> Iterator[Place]:
    """The places of every source that delivers parties, and of every sink."""
    feeding = [contract for contract in contracts if Entity.PARTY in contract.entities]
    for source in sorted({contract.source for contract in feeding}):
        own = [contract for contract in feeding if contract.source == source]
        pattern = layout.source_corrections_path(source)
        search, erasure = csv_rows(pattern, _of_source(source))
        yield Place(
            name=f"publish/source_corrections/{source}",
            kind=Kind.LAKE_TABLE,
            root=Root.LAKE,
            pattern=pattern,
            description="Cells that disagree with the golden customer, for the owner of the source.",
            whom=tuple(sorted({one for contract in own for one in whom(contract)})),
            columns={
                name: UNCLASSIFIED if name in _VALUES else IDENTIFIER if name in _KEYS else OPERATIONS
                for name in CORRECTIONS_SCHEMA.names
            },
            categories_of_content=tuple(
                sorted({cell.column.privacy or UNCLASSIFIED for one in own for cell in cells(one)})
            ),
            key=("entity", "record_id", "column"),
            kept=Retention(Keeps.REPLACED, "by each publication"),
            search=search,
            erasure=erasure,
        )
    yield from _sinks(policy)


def _of_source(source: str) -> Match:
    """Rows of a source's records, and of golden customers."""
    named = ("entity", "record_id")

    def match(stores: Stores, path: str, persons: Persons) -> Test | None:
        del stores, path
        keys = persons.records.filter(pc.equal(persons.records["source"], source)).select(named)
        ids = pa.array(sorted(str(one) for one in persons.golden_ids), pa.string())

        def test(table: pa.Table) -> pa.ChunkedArray:
            return pc.or_(having(table, keys, named), pc.is_in(table["golden_id"], value_set=ids))

        return test

    return match


def _sinks(policy: FeedPolicy) -> Iterator[Place]:
    """Events hold golden ids and fingerprints of values, no values."""
    told = "Events of customers: golden ids, and fingerprints of values made with the hub's secret."
    for name, sink in policy.sinks.items():
        if isinstance(sink, FileSink) and not sink.url:
            pattern = f"publish/feed/{name}/{{positions}}.jsonl"
            search, erasure = lines_of_ids(pattern)
            yield Place(
                name=f"publish/feed/{name}",
                kind=Kind.FOLDER,
                root=Root.LAKE,
                pattern=pattern,
                description=told,
                whom=(Whom.CUSTOMERS, Whom.CONTACTS),
                categories_of_content=(IDENTIFIER,),
                kept=Retention(
                    Keeps.BY_OWNER,
                    "the sink's consumers, when they have read them; at most as policies/retention.yaml says",
                ),
                search=search,
                erasure=erasure,
            )
        else:
            yield Place(
                name=f"publish/feed/{name}",
                kind=Kind.FOLDER,
                root=Root.OUTSIDE,
                pattern=f"change feed/{name}/**",
                description=told,
                whom=(Whom.CUSTOMERS, Whom.CONTACTS),
                categories_of_content=(IDENTIFIER,),
                kept=Retention(Keeps.BY_OWNER, "the system that is told"),
                erasure=ByOwner("the system that is told erases on the event customer.retired"),
            )
