"""The places of this room: extracts as delivered, the rows read from them, and copies while they are read.

Belongs here: declarations. Does not belong here: reading.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.store import layout
from cdm_pipelines.store.places import ORIGIN, contract_columns, delivered_rows, whom
from cdm_pipelines.store.register import (
    OPERATIONS,
    UNCLASSIFIED,
    ByOwner,
    Found,
    Keeps,
    Kept,
    Kind,
    Persons,
    Place,
    Retention,
    Root,
    Search,
    Stores,
    Whom,
)
from cdm_pipelines.store.removal import Besides, any_of, nobody_else, parquet_rows

AS_DELIVERED = Retention(
    Keeps.AS_SOURCE, "until the day is delivered anew or taken away, or as policies/pruning.yaml says"
)

TEMPORARY = Place(
    name="temporary/extracts",
    kind=Kind.FOLDER,
    root=Root.TEMPORARY,
    pattern="cdm-{name}/**",
    description="Copies of extracts from elsewhere and answers to queries while they are read, and what linking "
    "puts aside of its pairs; the embedded server's socket where its folder cannot hold one.",
    whom=(Whom.CUSTOMERS, Whom.CONTACTS),
    categories_of_content=(UNCLASSIFIED,),
    kept=Retention(Keeps.WHILE_RUNNING, "removed when the file is read"),
    erasure=Kept("gone with the process that made it"),
)


def places(contracts: Sequence[SourceContract], besides: Besides = nobody_else) -> Iterator[Place]:
    """The places of every source entity.

    Args:
        contracts: All that there are.
        besides: Which rows are a person's besides those of the person's records.
    """
    yield TEMPORARY
    for contract in contracts:
        if contract.location:
            yield _landing(contract, besides)
            for number, joined in enumerate(contract.joined, start=1):
                other = replace(contract, location=joined.location)
                yield replace(_landing(other, besides), name=f"landing/{contract.name}/joined-{number}")
        yield _raw(contract, besides)


def _raw(contract: SourceContract, besides: Besides) -> Place:
    pattern = layout.raw_path(contract, "{date}")
    search, erasure = parquet_rows(pattern, any_of(delivered_rows(contract), besides(contract)))
    return Place(
        name=f"raw/{contract.name}",
        kind=Kind.LAKE_TABLE,
        root=Root.LAKE,
        pattern=pattern,
        description="Rows as delivered, with file, row number and checksum.",
        whom=whom(contract),
        columns=contract_columns(contract) | ORIGIN | {"_defect": OPERATIONS},
        others=UNCLASSIFIED,  # columns that the source added without telling
        key=("_sha256", "_row"),
        kept=AS_DELIVERED,
        search=search,
        erasure=erasure,
    )


def _landing(contract: SourceContract, besides: Besides) -> Place:
    raw = _raw(contract, besides).search

    def find(stores: Stores, persons: Persons) -> Iterator[Found]:
        """File and row of what the raw tables hold of them: a file is read once, into its raw table."""
        for found in raw.find(stores, persons) if raw else ():
            rows = [{name: row[name] for name in ORIGIN} for row in found.rows]
            yield Found(f"landing of {found.where}", rows)

    return Place(
        name=f"landing/{contract.name}",
        kind=Kind.FOLDER,
        root=Root.LANDING,
        pattern=contract.location,
        description=f"Extracts as delivered ({contract.format}).",
        whom=whom(contract),
        categories_of_content=tuple(sorted({*contract_columns(contract).values()})),
        kept=Retention(Keeps.BY_OWNER, "the source's owner, or whoever keeps the landing"),
        search=Search("file and row, by the raw table", find),
        erasure=ByOwner("the source erases the record and delivers the day anew, or the file is taken away"),
    )
