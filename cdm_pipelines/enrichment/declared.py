"""An enricher's declaration as store and hub have to know it.

Belongs here: the conversion. Does not belong here: what is declared (``declaration``).
"""

from cdm_pipelines.contracts.profile import ProfileAge, ProfileColumn, ProfileTable
from cdm_pipelines.enrichment.declaration import CURRENCY, Enricher, Output


def profile_table(enricher: Enricher) -> ProfileTable:
    """The table of an enricher."""
    return ProfileTable(
        enricher.name,
        f"{enricher.description} Purpose: {enricher.purpose}",
        tuple(_column(output) for output in enricher.outputs),
        enricher.key,
        tuple(ProfileAge(age.name, age.of, age.description) for age in enricher.ages),
        enricher.table,
    )


def _column(output: Output) -> ProfileColumn:
    named = "the reporting currency" if output.unit == CURRENCY else output.unit
    unit = f" Unit: {named}." if named else ""
    return ProfileColumn(
        output.name,
        output.type,
        f"{output.description}{unit}",
        output.privacy,
        output.tells_from,
        output.tells,
    )
