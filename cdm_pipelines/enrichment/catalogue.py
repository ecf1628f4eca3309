"""Which enrichers there are: those of the project, and a company's own beside its policies.

Belongs here: the list. Does not belong here: which of them are switched on (``policy``).
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from cdm_pipelines.enrichment.declaration import Enricher

_MODULES: tuple[str, ...] = ("lifetime_value",)
"""Modules of this room that declare an ``ENRICHER``, in the order of the profile."""


@cache
def built_in() -> Mapping[str, Enricher]:
    """The enrichers of the project by name."""
    found = (import_module(f"{__package__}.{name}").ENRICHER for name in _MODULES)
    return {one.name: one for one in found}
