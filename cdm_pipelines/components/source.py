"""The source component: one folder with this component and one contract per entity becomes a source.

Belongs here: how a source's contracts turn into assets, a job, a schedule and a landing sensor. Does not belong
here: what happens to a row (steps and the rooms).
"""

from datetime import timedelta
from pathlib import Path

import dagster as dg

from cdm_pipelines.components.landing import landing_sensor, source_schedule
from cdm_pipelines.components.source_assets import source_assets
from cdm_pipelines.contracts import SourceContract, load_contracts
from cdm_pipelines.contracts.source_declaration import SourceDeclaration


class CustomerSource(dg.Component, SourceDeclaration, dg.Resolvable):
    """A system that delivers extracts, as its declaration and the contracts beside it say."""

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
