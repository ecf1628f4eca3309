"""The source component: one folder with this component and one contract per entity becomes a source.

Belongs here: how a source's contracts turn into assets, a job, a schedule and a landing sensor. Does not belong
here: what happens to a row (steps and the rooms).
"""

import zoneinfo
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import dagster as dg
from pydantic import field_validator

from cdm_pipelines.components.landing import landing_sensor, source_schedule
from cdm_pipelines.components.source_assets import source_assets
from cdm_pipelines.contracts import SourceContract, load_contracts


class CustomerSource(dg.Component, dg.Model, dg.Resolvable):
    """A system that delivers extracts of customers, orders or payments.

    The folder of ``defs.yaml`` holds one contract (``<entity>.odcs.yaml``, Open Data Contract Standard) per entity.

    Attributes:
        owner: Who answers for the source: an e-mail address or ``team:name``.
        start_date: First day that can be ingested, YYYY-MM-DD.
        schedule: Cron expression of the moment by which a day's extracts should be there; they are ingested then.
        timezone: Time zone of the schedule, and of what "today" is.
        required: Entities without which a day is not complete; all of them when empty.
        marker: Name of a file that the source writes last, with ``{date}`` in it; none when empty.
    """

    owner: str
    start_date: str
    schedule: str = "0 6 * * *"
    timezone: str = "Europe/Amsterdam"
    required: Sequence[str] = ()
    marker: str = ""

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in zoneinfo.available_timezones():
            raise ValueError(f"timezone: {value!r} is not a time zone; use a name such as Europe/Amsterdam")
        return value

    def contracts(self, folder: Path) -> tuple[SourceContract, ...]:
        """The contracts of the source, by entity name."""
        return load_contracts(folder)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Assets per entity, and the job, schedule and sensor of the source."""
        contracts = self.contracts(context.path)
        source = contracts[0].source
        required = self.required or [contract.entity for contract in contracts]
        partitions = dg.DailyPartitionsDefinition(
            start_date=self.start_date, timezone=self.timezone, end_offset=1
        )
        freshness = dg.FreshnessPolicy.cron(
            deadline_cron=self.schedule, lower_bound_delta=timedelta(days=1), timezone=self.timezone
        )
        assets = [
            source_assets(contract, owner=self.owner, partitions=partitions, freshness=freshness)
            for contract in contracts
        ]
        job = dg.define_asset_job(
            f"ingest_{source}",
            selection=dg.AssetSelection.assets(*assets),
            partitions_def=partitions,
            description=f"Ingest, validate and standardise one or more days of {source}.",
            tags={"source": source},
            metadata={"required": dg.MetadataValue.json(list(required)), "marker": self.marker},
        )
        return dg.Definitions(
            assets=assets,
            jobs=[job],
            schedules=[source_schedule(contracts, job, self.schedule, self.timezone)],
            sensors=[landing_sensor(contracts, job, required, self.marker)],
        )
