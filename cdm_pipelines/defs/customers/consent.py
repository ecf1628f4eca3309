"""The asset ``privacy/consent``: what customers allow, staged with them.

Belongs here: what it is called and depends on. Does not belong here: the rules, or figures.

It is worked out between staging and publication, so that a withdrawal of the day is in force in the day's publication.
"""

import dagster as dg

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.metadata import hub_schema, lineage
from cdm_pipelines.components.platform import Platform, RebuildConfig
from cdm_pipelines.components.registry import CONSENT, OWNER, STAGED, automation
from cdm_pipelines.components.transient import transient_retry_policy
from cdm_pipelines.hub.schema_privacy import consent as table

_LEDGER = ["records", "consent"]
_FOLLOWS = {
    "purpose": "purpose",
    "channel": "channel",
    "state": "state",
    "since": "stated_at",
    "expires": "expires_at",
}


@dg.multi_asset(
    name="consent",
    specs=[
        dg.AssetSpec(
            CONSENT,
            deps=[STAGED, _LEDGER],
            description="What each customer allows, by purpose and channel, with the statement that decides and why; "
            "and the ledger of all statements.",
            group_name="privacy",
            owners=[OWNER],
            kinds={"duckdb", "postgres"},
            tags={"layer": "privacy", "privacy": "personal"},
            automation_condition=automation(),
            metadata={
                "dagster/table_name": str(table),
                "dagster/column_schema": hub_schema(table),
                "dagster/column_lineage": lineage(
                    {"golden_id": [(list(STAGED.path), "golden_id")]}
                    | {name: [(_LEDGER, of)] for name, of in _FOLLOWS.items()}
                ),
            },
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "nothing_lost",
            asset=CONSENT,
            blocking=True,
            description="Every statement delivered is in force, superseded, of nobody, or does not count and says why.",
        ),
        dg.AssetCheckSpec(
            "known_words", asset=CONSENT, description="States and purposes of all statements are known."
        ),
        dg.AssetCheckSpec(
            "possible_times", asset=CONSENT, description="Nothing was given before birth or in the future."
        ),
    ],
    retry_policy=transient_retry_policy(),
    pool="hub",
)
def consent(context: dg.AssetExecutionContext, config: RebuildConfig, platform: Platform) -> Results:
    """Work out what customers allow, where something changed, and stage it with them."""
    from cdm_pipelines.hub.consent import counts  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.consent.figures import consent_outcome  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.consent.staging import stage_consent  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        with platform.hub() as engine, engine.begin() as connection:
            done = stage_consent(connection, platform.lake, platform.settings, rebuild=config.rebuild)
            counted = counts(connection)
        context.log.info("%s", done.sentence)
        yield from run.results([consent_outcome(done, counted)])
