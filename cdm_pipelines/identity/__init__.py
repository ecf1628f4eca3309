"""Golden ids that last: assigned once, kept on every rerun, resolved after a merge."""

from cdm_pipelines.identity.assignment import Assignment, assign
from cdm_pipelines.identity.registry import (
    CROSSWALK_SCHEMA,
    EVENT_SCHEMA,
    REGISTRY_SCHEMA,
    golden_id,
    resolve,
)
from cdm_pipelines.identity.relations import golden_employers

__all__ = [
    "CROSSWALK_SCHEMA",
    "EVENT_SCHEMA",
    "REGISTRY_SCHEMA",
    "Assignment",
    "assign",
    "golden_employers",
    "golden_id",
    "resolve",
]
