"""Survivorship: one golden value per attribute, and the provenance of each choice."""

from typing import TYPE_CHECKING

from cdm_pipelines.golden.policy import PolicyError, SurvivorshipPolicy, load_policy
from cdm_pipelines.loading import loaded_later

if TYPE_CHECKING:
    from cdm_pipelines.golden.survivorship import CUSTOMER_SCHEMA, PROVENANCE_SCHEMA, Golden, survive

__all__ = [
    "CUSTOMER_SCHEMA",
    "PROVENANCE_SCHEMA",
    "Golden",
    "PolicyError",
    "SurvivorshipPolicy",
    "load_policy",
    "survive",
]

_OF_VALUES = ("CUSTOMER_SCHEMA", "PROVENANCE_SCHEMA", "Golden", "survive")

__getattr__ = loaded_later(
    __name__, dict.fromkeys(_OF_VALUES, "survivorship")
)  # policies alone must import fast
