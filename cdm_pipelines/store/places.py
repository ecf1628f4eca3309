"""What the declarations of several rooms have in common: tables with the columns of a contract, and who is in them.

Belongs here: categories of contract and canonical columns, rows of delivered form, the lake's unfinished files. Does
not belong here: what only one room has.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, KeptAs, attributes, declaration, targets
from cdm_pipelines.store import beside, layout
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS, UNCLASSIFIED
from cdm_pipelines.store.keys import compared, having, record_id
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import (
    Follows,
    Keeps,
    Kept,
    Kind,
    Persons,
    Place,
    Retention,
    Root,
    Stores,
    Whom,
)
from cdm_pipelines.store.removal import Match, Reading, Test

_EMPLOYER, _FUNCTION = "party.employer_id", "party.job_title"

ORIGIN = {"_file": OPERATIONS, "_row": OPERATIONS, "_sha256": OPERATIONS}
"""Columns that tell where a row comes from."""
RECORD = {"source": OPERATIONS, "entity": OPERATIONS, "record_id": IDENTIFIER}
"""Columns of the key of a source record."""

UNFINISHED = Place(
    name="lake/unfinished",
    kind=Kind.FOLDER,
    root=Root.LAKE,
    pattern="**.tmp-{name}",
    description="Files that a killed process left half-written.",
    whom=(Whom.CUSTOMERS, Whom.CONTACTS),
    categories_of_content=(UNCLASSIFIED,),
    kept=Retention(Keeps.REPLACED, "swept a day after they were left, by the next run of customers"),
    erasure=Kept("nothing reads them, and they are swept a day after they were left"),
)

BESIDE = Place(
    name="home/plan",
    kind=Kind.FOLDER,
    root=Root.HOME,
    pattern=f"{beside.FOLDER}/**",
    description="What a plan works on: links to files of the lake, policies, matches and clusters "
    "under them; of another company that is assessed its extracts and records.",
    whom=(Whom.CUSTOMERS, Whom.CONTACTS),
    categories_of_content=(UNCLASSIFIED,),
    kept=Retention(
        Keeps.WHILE_RUNNING,
        "removed when the plan ends; where it was killed by the next plan, `cdm prune` or erasure",
    ),
    erasure=Kept("goes when the plan has ended, and an erasure sweeps what a killed one left"),
)

PACKED = Place(
    name="lake/packs",
    kind=Kind.FOLDER,
    root=Root.LAKE,
    pattern="{layer}/{source}/{entity}/{month}.zip",
    description="The tables of a layer's past month, byte for byte as they were; each is searched and erased in its "
    "own place.",
    whom=(Whom.CUSTOMERS, Whom.CONTACTS),
    categories_of_content=(UNCLASSIFIED,),
    kept=Retention(Keeps.AS_SOURCE, "as its tables are"),
    erasure=Follows(
        "`raw/…`, `valid/…`, `quarantine/…`, `repairs/…` and `standard/…`", "packs are written anew"
    ),
)


def canonical_columns(entity: Entity) -> dict[str, str]:
    """Category of each attribute of a canonical entity."""
    return {attribute.name: attribute.privacy for attribute in attributes(entity)}


def contract_columns(contract: SourceContract) -> dict[str, str]:
    """Category of each column of a contract; what the contract does not classify counts as personal."""
    return {column.name: column.privacy or UNCLASSIFIED for column in contract.columns}


def whom(contract: SourceContract) -> tuple[Whom, ...]:
    """Whose data a source entity holds."""
    mapped = {path for _, path in contract.mapped()}
    return (Whom.CUSTOMERS, Whom.CONTACTS) if mapped & {_EMPLOYER, _FUNCTION} else (Whom.CUSTOMERS,)


def delivered_rows(contract: SourceContract) -> Match:
    """Rows of a day that are still as delivered: by file and row of the records in ``standard``, and by their own key.

    A row whose key is missing or damaged is nobody's that can be named: no search finds it.
    """

    def match(stores: Stores, path: str, persons: Persons) -> Test | None:
        ids = persons.of_source(contract.source, contract.entity)
        if not ids:
            return None
        wanted = pa.array(ids, pa.string())
        places = _places(stores.lake, contract, PurePosixPath(path).stem, wanted)

        def test(table: pa.Table) -> pa.Array:
            found = pa.repeat(pa.scalar(False), table.num_rows)
            if places.num_rows and set(places.column_names) <= set(table.column_names):
                found = pc.or_(found, having(table, places, places.column_names))
            for own in record_ids(table, contract):
                found = pc.or_(found, pc.is_in(own, value_set=wanted))
            return found

        return Reading(test, frozenset([*places.column_names, *key_columns(contract)]))

    return match


def record_ids(table: pa.Table, contract: SourceContract) -> Iterator[pa.Array]:
    """Ids of the records that each row of delivered form would be, by its own key; null where a part is missing."""
    for columns in _keys(contract):
        if set(columns) <= set(table.column_names):
            yield _key(table, contract, columns)


def key_columns(contract: SourceContract) -> list[str]:
    """The source columns that :func:`record_ids` reads, each once."""
    return list(dict.fromkeys(name for columns in _keys(contract) for name in columns))


def _places(lake: Lake, contract: SourceContract, date: str, ids: pa.Array) -> pa.Table:
    """File and row of the standardised records of some ids on a day."""
    schema = pa.schema([("_file", pa.string()), ("_row", pa.int64())])
    pieces = [schema.empty_table()]
    for entity in contract.entities:
        path = layout.standard_path(contract, date, entity)
        if lake.exists(path):
            theirs = lake.read_where(
                path, ["record_id"], lambda rows: pc.is_in(rows["record_id"], value_set=ids), schema.names
            )
            pieces += [rows.select(schema.names).cast(schema) for rows in theirs]
    return pa.concat_tables(pieces).combine_chunks()


def _keys(contract: SourceContract) -> list[tuple[str, ...]]:
    """For each canonical entity that a contract feeds the source columns of its key."""
    found = []
    for entity in contract.entities:
        if entity is Entity.PARTY:
            found.append(contract.key)
            continue
        fed = {path: column.name for column, path in reversed(contract.mapped())}
        names = [fed.get(attribute.path) for attribute in attributes(entity) if attribute.key]
        known = tuple(name for name in names if name is not None)
        if known and len(known) == len(names):
            found.append(known)
        elif not known and declaration(entity).kept is not KeptAs.STATE:
            found.append(contract.key)
    return found


def _key(table: pa.Table, contract: SourceContract, columns: tuple[str, ...]) -> pa.Array:
    """The key of each row as a record id, null where a part is missing."""
    return record_id(
        [compared(whole(table[name]).cast(pa.string()), contract.column(name)) for name in columns]
    )


def target_category(name: str) -> str:
    """Category of a canonical attribute or input of a party, by its name; what is neither is not classified."""
    target = targets().get(f"{Entity.PARTY}.{name}")
    return UNCLASSIFIED if target is None else target.privacy


def original_columns(contract: SourceContract, entity: Entity) -> dict[str, str]:
    """Category of the columns with what was delivered for each target."""
    fed = (targets()[path] for _, path in contract.mapped())
    return {f"{target.name}_original": target.privacy for target in fed if target.entity is entity}
