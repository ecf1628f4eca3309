"""The platform resource: settings, lake and hub, opened when a run needs them and never at import.

Belongs here: what every asset may reach, and the configuration that several have. Does not belong here: what they do
with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import dagster as dg
from pydantic import Field
from sqlalchemy import Engine

from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.store.gate import pass_through
from cdm_pipelines.store.lake import Lake


class RebuildConfig(dg.Config):
    """Configuration of a step that works on what has changed."""

    rebuild: bool = Field(default=False, description="Work through everything, changed or not.")


class Platform(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings of this deployment, its lake and its hub."""

    @cached_property
    def settings(self) -> Settings:
        """The settings, read from the environment once per process."""
        return load_settings()

    @property
    def lake(self) -> Lake:
        """The lake that holds Parquet files per asset and partition; asked for while a person is erased, it waits.

        Raises:
            GateError: An erasure was cut short.
        """
        pass_through(self.settings.home)
        return Lake(self.settings.lake_url)

    @contextmanager
    def hub(self) -> Iterator[Engine]:
        """The hub's PostgreSQL; the embedded server is started when no database is configured."""
        from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415 - the driver loads only in a run

        with open_hub(self.settings) as engine:
            yield engine
