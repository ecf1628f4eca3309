"""Standardised rows as the standard layer holds them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.records import records_schema

Row = dict[str, Any]


def standard(rows: Sequence[Row], date: str, entity: Entity = Entity.PARTY) -> pa.Table:
    """A standard table of one day; columns that a row does not name are null."""
    derived = {"active", "first_seen", "last_seen"}
    names = [name for name in records_schema(entity).names if name not in derived]
    columns: dict[str, pa.Array] = {
        name: pa.array([row.get(name) for row in rows], pa.string()) for name in [*names, "_file"]
    }
    columns["extract_date"] = pa.array([date] * len(rows), pa.string())
    columns["_row"] = pa.array([row.get("_row", at + 2) for at, row in enumerate(rows)], pa.int64())
    columns["is_deleted"] = pa.array([row.get("is_deleted") for row in rows], pa.bool_())
    return pa.table(columns)
