"""Raw, valid, quarantine and standard of one source entity: four assets, one unit of work per day.

Belongs here: the loop over days. Does not belong here: what the assets promise (source_specs), the work on a day
(steps.days.source_day), or its figures (steps.days.figures).

The four layers of a day are made together: they are cheap, must agree with each other, and in a backfill of many
days a refused file must not keep the other days from being ingested.
"""

from collections.abc import Iterator

import dagster as dg

from cdm_pipelines.components.launch import accepted_checks
from cdm_pipelines.components.measuring import check_results, measuring
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.source_specs import asset_key, asset_specs, check_specs
from cdm_pipelines.components.transient import transient_retry_policy
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.steps.days.figures import day_checks, day_outcomes
from cdm_pipelines.steps.days.source_day import DayAbsentError, DayRefusedError, process_day
from cdm_pipelines.steps.days.tally import DayResult


def source_assets(
    contract: SourceContract,
    *,
    owner: str,
    partitions: dg.PartitionsDefinition[str],
    freshness: dg.FreshnessPolicy,
) -> dg.AssetsDefinition:
    """The four assets of one source entity."""

    @dg.multi_asset(
        name=f"{contract.source}__{contract.entity}",
        specs=asset_specs(contract, owner, freshness),
        check_specs=check_specs(contract),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=transient_retry_policy(),
        pool="lake",
    )
    def _assets(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.AssetMaterialization | dg.AssetCheckResult]:
        results: list[DayResult] = []
        refused: list[str] = []
        with measuring(context, platform) as run:
            for date in context.partition_keys:
                result = _day(context, platform, contract, date, refused)
                if result is not None:
                    results.append(result)
                    yield from run.days(
                        day_outcomes(platform.lake, contract, result),
                        context.assets_def.code_versions_by_key,
                    )
            for layer, checks in day_checks(results).items():
                yield from check_results(asset_key(layer, contract), checks)
        if refused:
            raise dg.Failure(description="\n".join(refused), allow_retries=False)

    return _assets


def _day(
    context: dg.AssetExecutionContext,
    platform: Platform,
    contract: SourceContract,
    date: str,
    refused: list[str],
) -> DayResult | None:
    """Work on one day of several or of one; a day that cannot be used is told, and does not stop the others."""
    several = len(context.partition_keys) > 1
    try:
        accept = accepted_checks(context.run.tags)
        result = process_day(platform.settings, platform.lake, contract, date, accept=accept)
    except DayAbsentError as absent:
        if several:
            context.log.info("%s: no file, nothing to do", date)
        else:
            refused.append(str(absent))
        return None
    except DayRefusedError as problem:
        context.log.warning("%s: %s", date, problem)
        refused.append(f"{date}: {problem}")
        return None
    context.log.info("%s: %s", date, result.sentence)
    return result
