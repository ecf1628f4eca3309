"""Specs of the assets ``profile/*``, which follow from the enrichers' declarations and today's policy.

Belongs here: their keys, what they depend on, what is said of them and of their columns. Does not belong here: the
steps that make them (defs.customers).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import dagster as dg

from cdm_pipelines.components.metadata import hub_schema, lineage
from cdm_pipelines.components.registry import (
    CONSENT,
    OWNER,
    STAGED,
    automation,
    contracts_feeding,
    source_lineage,
)
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.profile import WITHHELD
from cdm_pipelines.enrichment.catalogue import built_in, enrichers
from cdm_pipelines.enrichment.declaration import Enricher, EnricherError
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.groups import columns_with, group_views
from cdm_pipelines.enrichment.inputs import INPUTS
from cdm_pipelines.enrichment.interactions import DAY_SCHEMA, FOLLOWS_FROM
from cdm_pipelines.enrichment.policy import POLICY, EnrichmentPolicyError, load_policy
from cdm_pipelines.enrichment.work import GOLDEN_ID
from cdm_pipelines.hub.profile import table_of
from cdm_pipelines.hub.profile_views import wide_columns
from cdm_pipelines.hub.schema import comment_of, customer
from cdm_pipelines.settings import load_settings

MODEL = dg.AssetKey(["profile", "model"])
INTERACTIONS = dg.AssetKey(["profile", "interactions"])


@cache
def profile_specs() -> tuple[dg.AssetSpec, ...]:
    """The models of the profile, then each enricher that is switched on when the process begins."""
    return tuple(_specs())


@cache
def view_specs() -> tuple[dg.AssetSpec, ...]:
    """The views of the profile, which the publication makes: of each customer, then of each group of customers."""
    return tuple(_views())


def drift_specs() -> list[dg.AssetCheckSpec]:
    """A check of each enricher that is switched on and says how it is seen that its model holds no more."""
    return [
        dg.AssetCheckSpec(
            "drift",
            asset=_key(one.name),
            description="Customers are still like those that the model was fitted to; in every run, of everybody.",
        )
        for one in _switched_on()
        if one.drift is not None
    ]


def _switched_on() -> list[Enricher]:
    """The enrichers of today's policy; those of the project where it cannot be used, which the run then tells."""
    policies = load_settings().policies
    try:
        known = enrichers(policies)
        return [one.enricher for one in load_policy(policies / POLICY, known).chosen.values()]
    except (EnrichmentPolicyError, EnricherError):
        return list(built_in().values())


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["profile", name])


def _deps(enricher: Enricher) -> list[dg.AssetKey]:
    made_of = {asset for name in enricher.inputs for asset in INPUTS[name].made_of}
    before = {dg.AssetKey(asset.split("/")) for asset in made_of}
    return sorted({STAGED, CONSENT, *before, *([MODEL] if enricher.fit else [])})


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
        metadata={"dagster/column_schema": _day_schema(), "dagster/column_lineage": lineage(_day_lineage())},
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
            _key(enricher.name),
            deps=_deps(enricher),
            description=f"{enricher.description}\n\nPurpose: {_sentence(enricher.purpose)}\n\n"
            f"Stale when: {_sentence(enricher.stale_when)}",
            group_name="profile",
            owners=[OWNER],
            kinds={"duckdb", "postgres"},
            tags={"layer": "profile", "privacy": "personal"},
            automation_condition=automation(),
            metadata={
                "dagster/table_name": str(table),
                "dagster/column_schema": hub_schema(table),
                "dagster/column_lineage": lineage(_enricher_lineage(enricher)),
                "purpose": enricher.purpose,
            },
        )


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].removesuffix('.')}."


Origins = dict[str, list[tuple[list[str], str]]]
"""Columns of assets that each column follows from."""


def _day_schema() -> dg.TableSchema:
    return dg.TableSchema(
        columns=[dg.TableColumn(name=field.name, type=str(field.type)) for field in DAY_SCHEMA]
    )


def _day_lineage() -> Origins:
    fed = source_lineage(contracts_feeding(Entity.INTERACTION), [Entity.INTERACTION])
    return {name: fed[of] for name, of in FOLLOWS_FROM.items() if of in fed}


def _enricher_lineage(enricher: Enricher) -> Origins:
    whose: Origins = {GOLDEN_ID: [(list(STAGED.path), GOLDEN_ID)]}
    return whose | {
        one.name: [(asset.split("/"), column) for asset, column in enricher.origins(one)]
        for one in enricher.outputs
    }


def _views() -> Iterator[dg.AssetSpec]:
    on = {one.name: one for one in _switched_on()}
    wide = [one for one in on.values() if not one.key]
    said = [
        *hub_schema(customer).columns,
        *(
            dg.TableColumn(name=one.name, description=one.comment)
            for one in wide_columns([*map(profile_table, wide), WITHHELD])
        ),
    ]
    origins: Origins = {one.name: [(list(STAGED.path), one.name)] for one in customer.columns}
    for enricher in wide:
        given = {one.name: one.name for one in enricher.outputs} | {one.name: one.of for one in enricher.ages}
        origins |= {
            f"{enricher.name}_{name}": [(list(_key(enricher.name).path), of)] for name, of in given.items()
        }
    yield _view(
        "customer",
        "One row per golden customer with all that the profile says, published with the customers.",
        [STAGED, *(_key(name) for name in on)],
        {
            "dagster/table_name": "profile.customer",
            "dagster/column_schema": dg.TableSchema(columns=said),
            "dagster/column_lineage": lineage(origins),
        },
    )
    for view in group_views(on):
        columns = columns_with(view, on)
        yield _view(
            f"{view.name}s",
            view.description,
            sorted({_key(name) for one in columns for name in one.tables}),
            {
                "dagster/table_name": f"profile.{view.name}",
                "dagster/column_schema": dg.TableSchema(
                    columns=[
                        dg.TableColumn(
                            name=one.name,
                            type=one.type,
                            description=comment_of(one.description, one.privacy),
                        )
                        for one in columns
                    ]
                ),
                "dagster/column_lineage": lineage({one.name: _of_enrichers(one.of) for one in columns}),
            },
        )


def _of_enrichers(columns: Iterable[str]) -> list[tuple[list[str], str]]:
    named = (one.partition(".") for one in columns)
    return [(list(_key(name).path), column) for name, _, column in named]


def _view(
    name: str, description: str, deps: Sequence[dg.AssetKey], metadata: Mapping[str, Any]
) -> dg.AssetSpec:
    return dg.AssetSpec(
        _key(name),
        deps=deps,
        description=description,
        group_name="profile",
        owners=[OWNER],
        kinds={"postgres", "view"},
        tags={"layer": "profile", "privacy": "personal"},
        automation_condition=automation(),
        metadata=metadata,
    )
