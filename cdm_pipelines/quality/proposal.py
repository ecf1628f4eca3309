"""One entity that a file holds, as it is proposed.

Belongs here: what a proposal says. Does not belong here: how it is found (proposals, proposals_around), or the contract
that is written of it (suggest).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdm_pipelines.contracts import PartyKind
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.quality.semantics import Meaning


@dataclass(frozen=True)
class Proposal:
    """One entity that a file holds.

    Attributes:
        suffix: What its name has besides that of the file's main entity; empty for that one.
        feeds: Canonical entities that it feeds.
        key: Names of the key columns.
        chosen: Meaning by column.
        also: Further canonical paths by column.
        kind: Whether its parties are persons or organisations; None where it feeds none.
        kind_doubt: What is doubtful about that.
        numbered: Name of the column that ingest adds with the number of the line within its order; empty for none.
        repeated: Whether a record stands in several rows.
        doubts: What else is doubtful, in words.
        properties: Further properties of the entity, with their values as YAML and what is to be said of them.
    """

    feeds: tuple[Entity, ...]
    key: tuple[str, ...]
    chosen: Mapping[str, Meaning]
    suffix: str = ""
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kind: PartyKind | None = None
    kind_doubt: str = ""
    numbered: str = ""
    repeated: bool = False
    doubts: tuple[str, ...] = ()
    properties: tuple[tuple[str, str, str], ...] = ()
