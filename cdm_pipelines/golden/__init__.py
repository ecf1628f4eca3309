"""Survivorship: one golden value per attribute, and the provenance of each choice."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cdm_pipelines.golden.policy import PolicyError, SurvivorshipPolicy, load_policy

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


def __getattr__(name: str) -> Any:
    """Load what chooses values when it is first asked for: policies alone must import fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.survivorship"), name)
