"""An open platform for a process that runs jobs: settings, migrated hub, Dagster instance, definitions.

Belongs here: opening and closing them in the right order. Does not belong here: what is run.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
from sqlalchemy import Engine

from cdm_pipelines.components.launch import fail_orphans
from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.environment import dagster_environment
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.arrivals import Decision
from cdm_pipelines.steps.days.landing import due, read_in_part
from cdm_pipelines.steps.privacy.migrated import bring_up

INGEST = "ingest_"


@dataclass(frozen=True)
class Session:
    """What a run needs."""

    settings: Settings
    engine: Engine
    instance: dg.DagsterInstance
    definitions: dg.Definitions

    @property
    def ingest_jobs(self) -> dict[str, str]:
        """Name of the job of each source, by source."""
        names = sorted(job.name for job in self.definitions.resolve_all_job_defs())
        return {name.removeprefix(INGEST): name for name in names if name.startswith(INGEST)}

    def days_of(self, job: str) -> tuple[str, str]:
        """The first day that a source's job can run, and the last, which is today where the source is."""
        partitions = self.definitions.resolve_job_def(job).partitions_def
        return (
            ("", "")
            if partitions is None
            else (str(partitions.get_first_partition_key()), str(partitions.get_last_partition_key()))
        )

    def due(self, source: str) -> tuple[Decision, list[str]]:
        """The days of a source that lie in landing and are not ingested, as :func:`steps.days.landing.due`."""
        declared = self.definitions.resolve_job_def(self.ingest_jobs[source]).metadata
        contracts = [contract for contract in all_contracts() if contract.source == source]
        return due(self.settings, contracts, str(declared["marker"].value), declared["required"].value)  # type: ignore[arg-type]

    def read_in_part(self, source: str) -> dict[str, list[str]]:
        """Days of a source that an earlier contract read less of, as :func:`steps.days.landing.read_in_part`."""
        return read_in_part(self.settings, [one for one in all_contracts() if one.source == source])

    @property
    def is_published(self) -> bool:
        """Whether all that was ingested is in the published customers."""
        from cdm_pipelines.steps.customers.affected import are_published  # noqa: PLC0415 - rooms load in a run
        from cdm_pipelines.store.lake import Lake  # noqa: PLC0415 - the same

        with self.engine.connect() as connection:
            return are_published(connection, Lake(self.settings.lake_url), all_contracts())


@contextmanager
def open_platform(settings: Settings) -> Iterator[Engine]:
    """Open the hub, bring its schema up to date and give this process and its children Dagster's environment.

    The embedded server, if it is used, stops when nobody uses it any more.
    """
    with open_hub(settings) as engine:
        bring_up(engine, settings)
        os.environ.update(dagster_environment(settings))
        yield engine


@contextmanager
def open_instance(settings: Settings) -> Iterator[tuple[Engine, dg.DagsterInstance]]:
    """Open the platform with its Dagster instance alone, for what needs no definitions."""
    with open_platform(settings) as engine, dg.DagsterInstance.get() as instance:
        yield engine, instance


@contextmanager
def open_session(settings: Settings) -> Iterator[Session]:
    """Open the platform with its Dagster instance and definitions."""
    with open_instance(settings) as (engine, instance):
        fail_orphans(instance)
        yield Session(settings, engine, instance, load_definitions())
