"""What is in the files of source corrections, for a page of it.

Belongs here: counting and reading them. Does not belong here: finding and writing them (``source_corrections``).
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from sqlalchemy import Connection

from cdm_pipelines.hub import measurements
from cdm_pipelines.publish.corrections import CORRECTIONS_SCHEMA
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

_ASSET = "publish/source_corrections"
_CELLS = "cells"


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Cells to correct by source, then by ``entity.column``, as last written; most first."""
    made = measurements.series(connection, _ASSET, "", 1)
    figures: Mapping[tuple[str, str], float | str] = made[-1][1] if made else {}
    found: dict[str, dict[str, int]] = {}
    for (name, part), value in sorted(figures.items(), key=lambda one: (str(one[1]), one[0])):
        source, _, column = part.partition(" ")
        if name == _CELLS and isinstance(value, float) and column:
            found.setdefault(source, {})[column] = int(value)
    return {
        source: dict(sorted(of.items(), key=lambda one: (-one[1], one[0])))
        for source, of in sorted(found.items())
    }


def told(lake: Lake, source: str, column: str = "", start: int = 0, limit: int = 50) -> pa.Table:
    """Some rows of the file of a source, ``CORRECTIONS_SCHEMA``; none where there is no file.

    Args:
        lake: Where the file is.
        source: The source.
        column: Only this ``entity.column``.
        start: How many to pass over.
        limit: How many at most.
    """
    path = layout.source_corrections_path(source)
    if path not in lake.paths(layout.SOURCE_CORRECTIONS, ".csv"):
        return CORRECTIONS_SCHEMA.empty_table()
    types = pa_csv.ConvertOptions(
        column_types=dict(zip(CORRECTIONS_SCHEMA.names, CORRECTIONS_SCHEMA.types, strict=True))
    )
    many = pa_csv.ParseOptions(newlines_in_values=True)
    found, entity, name = [], *column.partition(".")[::2]
    with (
        lake.open(path) as file,
        pa_csv.open_csv(file, parse_options=many, convert_options=types) as batches,
    ):
        passed = 0
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            if column:
                rows = rows.filter(pc.and_(pc.equal(rows["entity"], entity), pc.equal(rows["column"], name)))
            found.append(rows.slice(max(start - passed, 0), limit))
            passed += rows.num_rows
            if passed >= start + limit:
                break
    return pa.concat_tables([CORRECTIONS_SCHEMA.empty_table(), *found]).slice(0, limit)
