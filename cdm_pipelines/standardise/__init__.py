"""One canonical spelling per value: one module per semantic type. Pure functions over columns."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from cdm_pipelines.contracts.model import SourceContract
    from cdm_pipelines.standardise.frame import Standardised
    from cdm_pipelines.standardise.placeholders import Placeholders
    from cdm_pipelines.standardise.source_words import SourceWords

__all__ = ["standardise"]


def standardise(
    valid: "pa.Table",
    contract: "SourceContract",
    extract_date: str,
    *,
    timezone: str = "Europe/Amsterdam",
    nobody: "Placeholders | None" = None,
    words: "SourceWords | None" = None,
) -> "Standardised":
    """Standardise valid rows into the canonical entities that their contract feeds; see `frame.standardise`."""
    from cdm_pipelines.standardise import frame, placeholders, source_words  # noqa: PLC0415 - libraries take a third of a second to load

    nobody = nobody or placeholders.NO_PLACEHOLDERS
    words = words or source_words.shipped()
    return frame.standardise(valid, contract, extract_date, timezone=timezone, nobody=nobody, words=words)
