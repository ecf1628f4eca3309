"""The places of this room: extracts as delivered, the rows read from them, and copies while they are read.

Belongs here: declarations. Does not belong here: reading.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import Format, SourceContract
from cdm_pipelines.ingest.errors import ExtractError
from cdm_pipelines.ingest.landing import find_files, landing_dates
from cdm_pipelines.ingest.removal import Extract, put_back
from cdm_pipelines.store import layout
from cdm_pipelines.store.categories import OPERATIONS, UNCLASSIFIED
from cdm_pipelines.store.places import ORIGIN, contract_columns, delivered_rows, whom
from cdm_pipelines.store.register import (
    ByOwner,
    Found,
    Keeps,
    Kept,
    Kind,
    Persons,
    Place,
    Retention,
    Root,
    Rows,
    Search,
    Stores,
    Whom,
)
from cdm_pipelines.store.removal import (
    Besides,
    Reading,
    Test,
    any_of,
    nobody_else,
    parquet_rows,
    rows_where,
)

_BATCH = 100_000
REMOVABLE = (Format.CSV, Format.JSONL, Format.PARQUET)
"""Formats of which single records can be taken out; of others the whole file is taken away by its owner."""
AS_DELIVERED = Retention(
    Keeps.AS_SOURCE, "until the day is delivered anew or taken away, or as policies/pruning.yaml says"
)

TEMPORARY = Place(
    name="temporary/extracts",
    kind=Kind.FOLDER,
    root=Root.TEMPORARY,
    pattern="cdm-{name}/**",
    description="Copies of extracts from elsewhere and answers to queries while they are read, what linking "
    "puts aside of its pairs or sends to a Spark cluster of this machine; the embedded server's socket where its "
    "folder cannot hold one.",
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
    search, erasure = parquet_rows(pattern, any_of(delivered_rows(contract), besides(contract)), _files_now)
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

    def remove(stores: Stores, persons: Persons) -> int:
        return sum(_removed(contract, besides, stores, persons, file) for file in _files(contract, stores))

    joined = bool(contract.joined)
    return Place(
        name=f"landing/{contract.name}",
        kind=Kind.FOLDER,
        root=Root.LANDING,
        pattern=contract.location,
        description=f"Extracts as delivered ({contract.format}).",
        whom=whom(contract),
        categories_of_content=tuple(sorted({*contract_columns(contract).values()})),
        kept=Retention(
            Keeps.BY_OWNER,
            "the source's owner, or whoever keeps the landing; at most as policies/retention.yaml says",
        ),
        search=Search("file and row, by the raw table", find),
        erasure=ByOwner("the source erases the record and delivers the day anew, or the file is taken away")
        if joined or contract.format not in REMOVABLE
        else Rows(remove, "files written anew without their rows"),
    )


def _files(contract: SourceContract, stores: Stores) -> Iterator[tuple[str, str, int]]:
    """Day, path and size of every extract that lies in landing."""
    if stores.landing is not None:
        for date in landing_dates(stores.landing.url, contract):
            for file in find_files(stores.landing.url, contract, date):
                yield date, file.path, file.size


def _removed(
    contract: SourceContract, besides: Besides, stores: Stores, persons: Persons, file: tuple[str, str, int]
) -> int:
    """Take rows out of one extract; returns how many, none where it has to stay as it is.

    What was read from it is in its raw table, so a file is only opened that is another one, or that holds some.
    """
    landing, (date, path, size) = stores.landing, file
    raw, match = layout.raw_path(contract, date), any_of(delivered_rows(contract), besides(contract))
    test = match(stores, raw, persons)
    if landing is None or test is None:
        return 0
    noted = layout.files_of(stores.lake.notes(raw)) if stores.lake.exists(raw) else {}
    known = path in noted and noted[path][0] == size
    found = _rows_of(stores, raw, path, test) if known else None
    if found is not None and not found.num_rows:
        return 0
    with landing.open(path) as source:
        extract = Extract(contract, path, source.read())
    anew = None
    if found is not None and set(found["_sha256"].to_pylist()) == {extract.sha256}:
        anew = extract.without_known(found, _first_row(stores, raw, path))
    else:
        try:
            rows = extract.rows()
        except ExtractError:
            return 0
        found = rows.filter(test(rows))
    numbers = set(found["_row"].to_pylist())
    if anew is None and numbers:
        anew = extract.without(numbers)
    if anew is None:
        return 0
    put_back(landing, path, anew)
    if known:
        stores.emptied.update(
            {
                now.path: (now.size, now.modified)
                for now in find_files(landing.url, contract, date)
                if now.path == path
            }
        )
    return len(numbers)


def _files_now(stores: Stores, raw: str) -> dict[str, str]:
    """What a raw table notes of its files once persons were taken out of both: so its day is not ingested again."""
    noted = layout.files_of(stores.lake.notes(raw))
    return layout.of_files(
        noted | {path: stores.emptied[path] for path in noted.keys() & stores.emptied.keys()}
    )


def _rows_of(stores: Stores, raw: str, path: str, test: Test) -> pa.Table:
    """The rows of persons that a raw table has of a file."""
    schema = stores.lake.schema(raw)

    def theirs(table: pa.Table) -> pa.Array | pa.ChunkedArray:
        return pc.and_(test(table), pc.equal(table["_file"], path))

    own = Reading(theirs, test.reads | {"_file"}) if isinstance(test, Reading) else theirs
    found = rows_where(stores.lake, raw, own)
    return pa.concat_tables([schema.empty_table(), *(one.cast(schema) for one in found)])


def _first_row(stores: Stores, raw: str, path: str) -> int:
    """Number of the first row that a raw table has of a file."""
    least = [
        pc.min(table.filter(pc.equal(table["_file"], path))["_row"]).as_py()
        for table in stores.lake.read_batches(raw, _BATCH, ["_file", "_row"])
    ]
    return min((one for one in least if one is not None), default=1)
