"""The assets ``records/*``: the current state of every source record.

Belongs here: what these assets are called and depend on. Does not belong here: how the state is found, or figures.
"""

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.metadata import canonical_schema, lineage
from cdm_pipelines.components.platform import Platform, RebuildConfig
from cdm_pipelines.components.registry import (
    OWNER,
    automation,
    contracts_feeding,
    family_column,
    source_lineage,
)
from cdm_pipelines.components.transient import transient_retry_policy
from cdm_pipelines.contracts.canonical import Entity, EntityDeclaration, OfParty, attributes
from cdm_pipelines.contracts.entity import families


def _asset(family: Sequence[EntityDeclaration]) -> dg.AssetsDefinition:
    name, entities = str(family[0].entity), tuple(one.entity for one in family)
    contracts = contracts_feeding(*entities)
    after = [["records", str(Entity.PARTY)]] if isinstance(family[0].whose, OfParty) else []

    @dg.asset(
        key=["records", name],
        deps=[["standard", contract.source, contract.entity] for contract in contracts] + after,
        description=_description(family),
        group_name="records",
        owners=[OWNER],
        kinds={"arrow"},
        tags={"layer": "records", "privacy": "personal"},
        automation_condition=automation(),
        retry_policy=transient_retry_policy(),
        pool="lake",
        op_tags={"layer": "records"},
        metadata={
            "dagster/column_schema": canonical_schema(
                [
                    replace(one, name=family_column(entity, one.name, entities))
                    for entity in entities
                    for one in attributes(entity)
                ]
            ),
            "dagster/column_lineage": lineage(source_lineage(contracts, entities)),
        },
    )
    def _records(context: dg.AssetExecutionContext, config: RebuildConfig, platform: Platform) -> Results:
        from cdm_pipelines.steps.days.figures import records_outcome  # noqa: PLC0415 - heavy rooms load in a run
        from cdm_pipelines.steps.days.records import build_records  # noqa: PLC0415 - the same

        with measuring(context, platform) as run:
            built = build_records(platform.lake, contracts, entities, rebuild=config.rebuild)
            context.log.info("%s records from %s days", f"{built.rows:,}", built.partitions)
            yield from run.results([records_outcome(platform.lake, name, entities, built)])

    return _records


def _description(family: Sequence[EntityDeclaration]) -> str:
    *others, last = (one.words for one in family)
    what = f"{', '.join(others)} and {last}" if others else last
    party = ", with the party that it names" if isinstance(family[0].whose, OfParty) else ""
    return f"Latest version of every {what} that a source ever delivered{party}; inactive ones are kept."


def records_assets() -> list[dg.AssetsDefinition]:
    """One asset for each family of canonical entities."""
    return [_asset(family) for family in families()]


RECORDS = records_assets()
