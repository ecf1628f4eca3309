"""The cells that a source delivered of a record: file, row, column, value.

Belongs here: reading them from the raw days. Does not belong here: who may see them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.store import layout
from cdm_pipelines.store.categories import UNCLASSIFIED
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.places import key_columns, record_ids

Row = Mapping[str, Any]


def delivered_cells(
    lake: Lake, contracts: Sequence[SourceContract], records: Iterable[Row]
) -> Iterator[dict[str, Any]]:
    """Cells of the newest delivery of each record, as far as its day is still there.

    Args:
        lake: The lake.
        contracts: Of the sources.
        records: Current records, with ``source``, ``entity``, ``record_id`` and ``extract_date``.

    Yields:
        Rows of ``source``, ``date``, ``file``, ``row``, ``column``, ``value``, ``meaning`` and ``category``, the
        privacy category of the column.
    """
    days: defaultdict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in records:
        days[row["source"], row["entity"]][str(row["extract_date"])].add(str(row["record_id"]))
    for contract in contracts:
        for date, ids in sorted(days.get((contract.source, contract.entity), {}).items()):
            path = layout.raw_path(contract, date)
            if not lake.exists(path):
                continue
            for table in _raw_rows(lake, contract, path, ids):
                for row in table.to_pylist():
                    yield from _cells(contract, date, row)


def _raw_rows(lake: Lake, contract: SourceContract, path: str, ids: set[str]) -> Iterator[pa.Table]:
    wanted = pa.array(sorted(ids), pa.string())
    there = set(lake.schema(path).names)
    names = [name for name in key_columns(contract) if name in there]

    def theirs(rows: pa.Table) -> pa.Array:
        found = pa.repeat(pa.scalar(False), rows.num_rows)
        for own in record_ids(rows, contract):
            found = pc.or_(found, pc.is_in(own, value_set=wanted, skip_nulls=True))
        return found

    yield from lake.read_where(path, names, theirs)


def _cells(contract: SourceContract, date: str, row: Row) -> Iterator[dict[str, Any]]:
    known = {column.name: column for column in contract.columns}
    for name, value in row.items():
        if value is not None and not name.startswith("_"):
            meaning = known[name].description if name in known else ""
            category = (known[name].privacy if name in known else None) or UNCLASSIFIED
            yield {
                "source": contract.name,
                "date": date,
                "file": row["_file"],
                "row": row["_row"],
                "column": name,
                "value": value,
                "meaning": meaning,
                "category": category,
            }
