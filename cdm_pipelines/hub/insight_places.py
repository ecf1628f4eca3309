"""The places of figures of quality, of volumes, and of what they are worth.

Belongs here: declarations, beside the tables (``schema_insight``). Does not belong here: other tables of the hub
(``places``).
"""

from collections.abc import Iterator

from cdm_pipelines.hub.schema_insight import quality, volume, worth
from cdm_pipelines.hub.table_places import place_of
from cdm_pipelines.store.register import Keeps, Kept, Place, Retention

_KEPT = Retention(Keeps.BY_OWNER, "for as many days as policies/pruning.yaml says under insight")
_OF_NOBODY = Kept("counts, shares and amounts; says nothing of a person")


def places() -> Iterator[Place]:
    """Quality, volumes, worth."""
    for table in (quality, volume, worth):
        yield place_of(table, _KEPT, _OF_NOBODY)
