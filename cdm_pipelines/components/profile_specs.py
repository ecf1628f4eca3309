"""Specs of the assets ``profile/*``, which follow from the enrichers' declarations and today's policy.

Belongs here: their keys, what they depend on, what is said of them. Does not belong here: the step that makes them
(defs.customers.profile).
"""

from collections.abc import Iterator
from functools import cache

import dagster as dg

from cdm_pipelines.components.metadata import hub_schema
from cdm_pipelines.components.registry import OWNER, STAGED, automation, contracts_feeding
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.enrichment.catalogue import built_in, enrichers
from cdm_pipelines.enrichment.declaration import Enricher, EnricherError
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.inputs import INPUTS
from cdm_pipelines.enrichment.policy import POLICY, EnrichmentPolicyError, load_policy
from cdm_pipelines.hub.profile import table_of
from cdm_pipelines.settings import load_settings

MODEL = dg.AssetKey(["profile", "model"])
INTERACTIONS = dg.AssetKey(["profile", "interactions"])


@cache
def profile_specs() -> tuple[dg.AssetSpec, ...]:
    """The models of the profile, then each enricher that is switched on when the process begins."""
    return tuple(_specs())


def _switched_on() -> list[Enricher]:
    """The enrichers of today's policy; those of the project where it cannot be used, which the run then tells."""
    policies = load_settings().policies
    try:
        known = enrichers(policies)
        return [one.enricher for one in load_policy(policies / POLICY, known).chosen.values()]
    except (EnrichmentPolicyError, EnricherError):
        return list(built_in().values())


def _key(enricher: Enricher) -> dg.AssetKey:
    return dg.AssetKey(["profile", enricher.name])


def _deps(enricher: Enricher) -> list[dg.AssetKey]:
    made_of = {asset for name in enricher.inputs for asset in INPUTS[name].made_of}
    before = {dg.AssetKey(asset.split("/")) for asset in made_of}
    return sorted({STAGED, *before, *([MODEL] if enricher.fit else [])})


def _specs() -> Iterator[dg.AssetSpec]:
    on = _switched_on()
    yield dg.AssetSpec(
        INTERACTIONS,
        deps=[
            STAGED,
            *(["standard", one.source, one.entity] for one in contracts_feeding(Entity.INTERACTION)),
        ],
        description="Visits, e-mails, calls and tickets counted by day and by whom they name; and whose they are.",
        group_name="profile",
        owners=[OWNER],
        kinds={"duckdb", "parquet"},
        tags={"layer": "profile", "privacy": "personal"},
        automation_condition=automation(),
    )
    yield dg.AssetSpec(
        MODEL,
        deps=[STAGED],
        description="Scales and models of the profile, fitted when the policy says so; former ones are kept.",
        group_name="profile",
        owners=[OWNER],
        kinds={"postgres", "json"},
        tags={"layer": "profile"},
        automation_condition=automation(),
        metadata={"dagster/table_name": "ops.profile_model"},
    )
    for enricher in on:
        table = table_of(profile_table(enricher))
        yield dg.AssetSpec(
            _key(enricher),
            deps=_deps(enricher),
            description=f"{enricher.description}\n\nPurpose: {enricher.purpose}\n\nStale when: {enricher.stale_when}",
            group_name="profile",
            owners=[OWNER],
            kinds={"duckdb", "postgres"},
            tags={"layer": "profile", "privacy": "personal"},
            automation_condition=automation(),
            metadata={
                "dagster/table_name": str(table),
                "dagster/column_schema": hub_schema(table),
                "purpose": enricher.purpose,
            },
        )
