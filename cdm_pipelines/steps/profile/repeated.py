"""Which interactions of a day a later one delivers again.

Belongs here: the ids that days deliver, compared with each other, of all days or of those that may have changed. Does
not belong here: counting days, and which of them have changed (``interactions``).

A new day is compared with all others, and those not among themselves: their ids are looked through once, and only what
they share with the new day is kept.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.enrichment.subjects import run
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layout import interaction_ids_path

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Shared:
    """Ids of some days that other days deliver too.

    Attributes:
        dates: All days, in order.
        asked: The days whose ids were compared with those of all.
        rows: ``day`` (its number), ``id``, and the ``last`` day that delivers it, sorted.
    """

    dates: Sequence[str]
    asked: Collection[str]
    rows: pa.Table

    @property
    def days(self) -> set[str]:
        """The days that have any, the others among them."""
        return {self.dates[number] for number in pc.unique(self.rows["day"]).to_pylist()}

    def repeated(self) -> dict[str, pa.Array]:
        """Of each day that was asked for the ids that a later one delivers again, sorted."""
        rows = self.rows.filter(pc.less(self.rows["day"], self.rows["last"]))
        numbers, found = rows["day"].to_numpy(), {}
        for number, date in enumerate(self.dates):
            if date in self.asked:
                first, last = np.searchsorted(numbers, [number, number + 1])
                found[date] = rows["id"].slice(first, last - first).combine_chunks()
        return found


def shared(
    lake: Lake,
    db: "duckdb.DuckDBPyConnection",
    contract: SourceContract,
    dates: Sequence[str],
    asked: Collection[str],
) -> Shared:
    """The ids of the days that are asked for which other days deliver too.

    Args:
        lake: With the ids of all days.
        db: To work with.
        contract: Of the source entity.
        dates: All days, in order.
        asked: Some of them.
    """
    # Numbers of days: words take ten times as long.
    run(db, "CREATE OR REPLACE TEMP TABLE ids (day INTEGER, id UBIGINT)")
    paths = {number: interaction_ids_path(contract, date) for number, date in enumerate(dates)}
    of_asked = {number: path for number, path in paths.items() if dates[number] in asked}
    _read(lake, db, of_asked, _ALL)
    others = {number: path for number, path in paths.items() if number not in of_asked}
    if of_asked and others:
        run(db, "CREATE OR REPLACE TEMP TABLE asked_id AS SELECT DISTINCT id FROM ids")
        _read(lake, db, others, _AMONG)
        run(db, "DROP TABLE asked_id")
    found = db.sql(_SHARED).to_arrow_table()
    run(db, "DROP TABLE ids")
    return Shared(dates, asked, found)


def _read(lake: Lake, db: "duckdb.DuckDBPyConnection", paths: Mapping[int, str], insert: str) -> None:
    """Put the ids of some days, by number, into table ``ids``."""
    here = {number: path for number, one in paths.items() if (path := lake.here(one)) is not None}
    if here:  # in one query: one for each of many small files takes five times as long
        values = {"days": list(here), "paths": list(here.values())}
        db.execute(insert.format(rows=_HERE), values).fetchall()
    for number, path in paths.items():
        if number not in here:
            db.register("of_day", lake.read(path))
            db.execute(insert.format(rows="SELECT $day AS day, id FROM of_day"), {"day": number}).fetchall()
            db.unregister("of_day")


_ALL = "INSERT INTO ids {rows}"
_AMONG = "INSERT INTO ids SELECT day, id FROM ({rows}) SEMI JOIN asked_id USING (id)"
_HERE = "SELECT $days[file_index::INTEGER + 1] AS day, id FROM read_parquet($paths)"
_SHARED = """
WITH again AS (SELECT id, max(day) AS last FROM ids GROUP BY id HAVING count(*) > 1)
SELECT ids.day, id, last FROM ids JOIN again USING (id) ORDER BY ALL
"""
