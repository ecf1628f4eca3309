"""The record of processing of a deployment, written as files.

Belongs here: reading contracts, policies and declarations, writing the files. Does not belong here: what the record
says (privacy.processing), what it looks like (privacy.processing_forms).
"""

from pathlib import Path

from sqlalchemy.dialects import postgresql

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.enrichment.catalogue import enrichers
from cdm_pipelines.hub import schema
from cdm_pipelines.hub.published import published
from cdm_pipelines.privacy.governance import GovernancePolicy
from cdm_pipelines.privacy.policy import RightsPolicy
from cdm_pipelines.privacy.processing import Processing, Told
from cdm_pipelines.privacy.processing import processing as record_of
from cdm_pipelines.privacy.processing_forms import FORMS
from cdm_pipelines.privacy.purposes import POLICY as PURPOSES
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.privacy.access import governed
from cdm_pipelines.steps.profile.enrich import policy_of, tables_of
from cdm_pipelines.store.files import make_folder, write_whole


def told_of(settings: Settings) -> Told:
    """What a deployment declares; no database is asked.

    Raises:
        PurposesError, PrivacyPolicyError, EnrichmentPolicyError, EnricherError: A policy or
            declaration cannot be used.
    """
    contracts, governance = all_contracts(), GovernancePolicy.load(settings.policies)
    on = {table.name for table in tables_of(policy_of(settings))}
    return Told(
        contracts,
        Purposes.load(settings.policies / PURPOSES),
        governance,
        governed(settings).policy,
        all_places(settings, contracts).places,
        {name: one for name, one in enrichers(settings.policies).items() if name in on},
        _columns(),
        RightsPolicy.load(settings.policies).holds,
    )


def write_processing(settings: Settings, folder: Path) -> tuple[Processing, list[Path]]:
    """Write the record into a folder, whose other files are left alone; returns it and its files.

    Raises:
        PurposesError, PrivacyPolicyError, EnrichmentPolicyError, EnricherError: A policy or
            declaration cannot be used.
    """
    record = record_of(told_of(settings))
    made = {name: form(record) for name, form in FORMS.items()}
    make_folder(folder)
    for name, content in made.items():
        write_whole(folder / name, content)
    return record, [folder / name for name in made]


def _columns() -> dict[str, dict[str, str]]:
    """PostgreSQL's types of the tables of the hub."""
    published()  # brings the tables of canonical entities into the metadata
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return {
        name: {column.name: column.type.compile(dialect).lower() for column in table.columns}
        for name, table in schema.metadata.tables.items()
    }
