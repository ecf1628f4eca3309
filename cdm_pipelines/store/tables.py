"""Tables of the lake that a run changes in part: current records, matches and clusters.

Belongs here: their paths with their keys. Nothing else in the project reads or writes them otherwise.
"""

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.store import layout
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered


def records(lake: Lake, entity: Entity) -> Layered:
    """Current state of all records of a canonical entity."""
    return Layered(lake, layout.records_path(entity), RECORD_KEY)


def matches(lake: Lake) -> Layered:
    """Scored pairs from the review threshold on; ``source`` is source/entity."""
    return Layered(lake, layout.MATCHES, ("left_source", "left_id", "right_source", "right_id"))


def clusters(lake: Lake) -> Layered:
    """The cluster of every record; ``source`` is source/entity."""
    return Layered(lake, layout.CLUSTERS, ("source", "record_id"))
