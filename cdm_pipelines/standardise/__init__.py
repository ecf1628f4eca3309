"""One canonical spelling per value: one module per semantic type. Pure functions over columns."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from cdm_pipelines.contracts.canonical import Entity
    from cdm_pipelines.contracts.model import SourceContract

__all__ = ["standardise"]


def standardise(
    valid: "pa.Table",
    contract: "SourceContract",
    extract_date: str,
    *,
    timezone: str = "Europe/Amsterdam",
) -> "dict[Entity, pa.Table]":
    """Standardise valid rows into the canonical entities that their contract feeds; see `frame.standardise`."""
    from cdm_pipelines.standardise import frame  # noqa: PLC0415 - its libraries take a third of a second to load

    return frame.standardise(valid, contract, extract_date, timezone=timezone)
