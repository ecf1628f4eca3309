"""One standardised partition, as this room sees it.

Belongs here: where a partition lies and how it was delivered. Does not belong here: the lake or the
contracts, which the caller turns into these few fields.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Read = Callable[[str, list[str]], pa.Table]
"""Reads some columns of the table at a path, as ``Lake.read`` does."""


@dataclass(frozen=True)
class Partition:
    """One day of one source entity, standardised into one canonical entity.

    Attributes:
        source: Source system.
        entity: Entity of the source.
        date: Extract date, YYYY-MM-DD.
        path: Path of the standard table.
        delivery: Whether a day holds every record or only the changed ones.
        held_back: Ids of records that the day delivered but that were quarantined. They are not absent, so a
            snapshot does not make them inactive: a spelling error in a row must not end a customer.
    """

    source: str
    entity: str
    date: str
    path: str
    delivery: Literal["snapshot", "delta"]
    held_back: pa.Array | None = None

    @property
    def name(self) -> str:
        """Source and entity, as in asset keys."""
        return f"{self.source}/{self.entity}"
