"""Which enrichers there are: those of the project, and a company's own beside its policies.

Belongs here: the list. Does not belong here: which of them are switched on (``policy``).
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from cdm_pipelines.contracts.profile import WITHHELD
from cdm_pipelines.enrichment.declaration import Enricher, EnricherError
from cdm_pipelines.enrichment.own import own_enrichers

_MODULES: tuple[str, ...] = (
    "rfm",
    "lifetime_value",
    "churn",
    "household",
    "organisation",
    "location",
    "preference",
    "engagement",
    "service",
    "payment",
    "lifecycle",
    "lifecycle_step",
    "basket",
    "quality",
)
"""Modules of this room that declare an ``ENRICHER``, in the order of the profile."""

_IN_USE = frozenset(
    {
        *("customer", "interactions", "model", "figures", WITHHELD.name),
        *("households", "household_member", "organisations", "organisation_member"),
    }
)
"""Assets, tables and views of the profile that are not an enricher's name."""


@cache
def built_in() -> Mapping[str, Enricher]:
    """The enrichers of the project by name."""
    found = (import_module(f"{__package__}.{name}").ENRICHER for name in _MODULES)
    return {one.name: one for one in found}


def enrichers(policies: Path) -> Mapping[str, Enricher]:
    """All enrichers that there are: those of the project, then a company's own.

    Args:
        policies: The folder of policies; a company's own are in its folder ``enrichers``.

    Raises:
        EnricherError: One of a company's own cannot be used.
    """
    own = own_enrichers(policies / "enrichers")
    for what, names in (("an enricher of the project", built_in().keys()), ("a name in use", _IN_USE)):
        if taken := sorted(names & own.keys()):
            raise EnricherError(f"{policies / 'enrichers'}: {taken[0]} is {what}. Give yours another name.")
    return {**built_in(), **own}
