"""Survivorship: one golden value per attribute, and the provenance of each choice."""

from cdm_pipelines.golden.policy import PolicyError, SurvivorshipPolicy, load_policy
from cdm_pipelines.golden.survivorship import (
    CUSTOMER_SCHEMA,
    PROVENANCE_SCHEMA,
    Golden,
    survive,
)

__all__ = [
    "CUSTOMER_SCHEMA",
    "PROVENANCE_SCHEMA",
    "Golden",
    "PolicyError",
    "SurvivorshipPolicy",
    "load_policy",
    "survive",
]
