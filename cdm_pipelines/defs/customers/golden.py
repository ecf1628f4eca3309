"""The assets ``golden/*``: staged and audited in one step, then published in one transaction.

Belongs here: what these assets are called and depend on, and the checks between staging and publication. Does not
belong here: survivorship, identity, the SQL of the audit, or figures.

The checks are made where the customers are staged, and not by an asset check of its own: an automatic run, or one of
some assets only, would leave that out.
"""

import datetime as dt

import dagster as dg

from cdm_pipelines.components.launch import accepted_checks
from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.metadata import hub_schema, lineage
from cdm_pipelines.components.platform import Platform, RebuildConfig
from cdm_pipelines.components.profile_specs import view_specs
from cdm_pipelines.components.registry import CONSENT, OWNER, STAGED, automation
from cdm_pipelines.components.transient import transient_retry_policy
from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.contracts.entity import families
from cdm_pipelines.hub import schema, upkeep

PUBLISHED = {
    "customer": "One row per customer: the best value of every attribute.",
    "crosswalk": "Which golden customer every source record belongs to.",
    "provenance": "Where each golden value came from, by which rule, and which values lost.",
    "history": "Former versions of customers: what was known when, and which source said so.",
}
_TABLES = {name: "customer_history" if name == "history" else name for name in PUBLISHED}
AUDITS = {
    "reconciliation": "Every current source record is in exactly one golden customer.",
    "uniqueness": "No golden id occurs twice.",
    "referential_integrity": "Customers, crosswalk and provenance refer to each other without gaps.",
    "customer_drift": "The number of customers has not jumped (policies/checks.yaml).",
    "cluster_size": "No customer is made of implausibly many records (policies/checks.yaml).",
    "cluster_size_drift": "Customers are made of about as many records as before (policies/checks.yaml).",
    "id_churn": "Few published records have another golden id (policies/checks.yaml).",
    "merges": "Few published customers are merged (policies/checks.yaml).",
}
IN_SERVICE = {
    "reconciliation": "Customers as departments read them are made of as many source records as the crosswalk has.",
    "newest_day": "The newest day that departments read is not old (policies/checks.yaml).",
}
FRESH = dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(days=3), warn_window=dt.timedelta(hours=36))
"""Sources deliver every day: a published table that none of them moved for so long is told by the daemon."""
CHAIN = dg.AssetCheckSpec(
    "decision_chain",
    asset=STAGED,
    description="No steward decision was edited, removed or moved since it was recorded.",
)
ANSWERED = dg.AssetCheckSpec(
    "requests_answered",
    asset=STAGED,
    description="No request of a person about their data is late (`cdm privacy requests`).",
)
_GOLDEN = attributes(Entity.PARTY, golden_only=True)
_FROM_RECORDS = tuple(one.name for one in _GOLDEN)
_FROM_STAGED = {
    "dagster/column_lineage": lineage({name: [(list(STAGED.path), name)] for name in _FROM_RECORDS})
}


@dg.multi_asset(
    name="stage",
    specs=[
        dg.AssetSpec(
            STAGED,
            deps=[["link", "clusters"], *(["records", str(head.entity)] for head, *_ in families())],
            description="Golden customers as they will be published, in schema staging, where they are left only when "
            "every blocking audit has passed.",
            group_name="golden",
            owners=[OWNER],
            kinds={"postgres"},
            tags={"layer": "golden", "privacy": "personal"},
            automation_condition=automation(),
            skippable=True,
            metadata={
                "dagster/table_name": "staging.customer",
                "dagster/column_schema": hub_schema(schema.customer),
                "dagster/column_lineage": lineage(
                    {name: [(["records", "party"], name)] for name in (*_FROM_RECORDS, "employer_id")}
                ),
            },
        )
    ],
    check_specs=[
        *(
            dg.AssetCheckSpec(name, asset=STAGED, blocking=True, description=description)
            for name, description in AUDITS.items()
        ),
        CHAIN,
        ANSWERED,
    ],
    retry_policy=transient_retry_policy(),
    pool="hub",
)
def staged(context: dg.AssetExecutionContext, config: RebuildConfig, platform: Platform) -> Results:
    """Resolve identities, choose the golden values, load them into staging and audit them."""
    from cdm_pipelines.steps.customers.figures import staged_outcome  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.customers.publication import stage_customers  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.rights.requests import late  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.stewardship.decisions import verify_log  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        with platform.hub() as engine, engine.begin() as connection:
            done = stage_customers(
                connection,
                platform.lake,
                platform.settings,
                rebuild=config.rebuild,
                accept=accepted_checks(context.run.tags),
            )
            chain = verify_log(connection)
            behind = late(connection, dt.datetime.now(dt.UTC).date())
        context.log.info("%s records are %s customers", f"{done.records:,}", f"{done.customers:,}")
        yield from run.results([staged_outcome(done, chain, behind)])


@dg.multi_asset(
    name="publish",
    specs=[
        dg.AssetSpec(
            ["golden", name],
            deps=[STAGED, CONSENT],
            description=description,
            group_name="golden",
            owners=[OWNER],
            kinds={"postgres", "table"},
            tags={"layer": "golden", "privacy": "personal"},
            automation_condition=automation(),
            freshness_policy=FRESH,
            metadata={
                "dagster/table_name": f"golden.{_TABLES[name]}",
                "dagster/column_schema": hub_schema(schema.metadata.tables[f"golden.{_TABLES[name]}"]),
                **(_FROM_STAGED if name == "customer" else {}),
            },
        )
        for name, description in PUBLISHED.items()
    ]
    + list(view_specs()),
    check_specs=[
        dg.AssetCheckSpec(name, asset=["golden", "customer"], description=description)
        for name, description in IN_SERVICE.items()
    ],
    retry_policy=transient_retry_policy(),
    pool="hub",
)
def publish(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """Make staging the published version, in one transaction that touches only what differs."""
    from cdm_pipelines.hub import audit  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.quality.thresholds import Thresholds  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.customers import auditing  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.customers.figures import published_outcomes  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.customers.publication import publish_customers  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.profile.figures import published_profile  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.stewardship import review  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        with platform.hub() as engine:
            with engine.begin() as connection:
                done = publish_customers(connection, platform.lake, platform.settings, run=context.run.run_id)
                waiting = review.waiting(connection)
                service = audit.in_service(connection)
            if untidy := upkeep.tidy(engine):
                context.log.warning(untidy)
        if done.rights_left:
            context.log.warning(
                "%d rights differ from policies/roles.yaml, for an administrator to mend: cdm roles check",
                done.rights_left,
            )
        for name in PUBLISHED:
            context.log.info("golden.%s: %s", name, done.changes[name])
        limits = Thresholds.load(platform.settings.policies / "checks.yaml")
        verdicts = auditing.in_service(service, limits, dt.datetime.now(dt.UTC).date())
        customers = done.changes["customer"].rows
        known = {key.to_user_string() for key in context.selected_asset_keys}  # when this process began
        outcomes = [
            *published_outcomes(done.changes, waiting, list(PUBLISHED), verdicts),
            *published_profile(done.profile, customers, done.groups),
        ]
        yield from run.results([one for one in outcomes if one.asset in known])
