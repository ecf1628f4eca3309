"""The assets ``profile/*``: scales and models fitted when due, then every enricher's table staged with the customers.

Belongs here: what these assets are called and depend on, following from the enrichers' declarations. Does not belong
here: fitting, computing, or figures.

They are computed between staging and publication, so that customers and profiles are published in one transaction.
"""

import dagster as dg
from pydantic import Field

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.platform import Platform, RebuildConfig
from cdm_pipelines.components.profile_specs import INTERACTIONS, drift_specs, profile_specs
from cdm_pipelines.components.transient import transient_retry_policy

COMPUTED = "computed"


class ProfileConfig(RebuildConfig):
    """Configuration of the profile."""

    refit: bool = Field(default=False, description="Fit the scales and models anew.")


@dg.multi_asset(
    name="profile",
    specs=profile_specs(),
    check_specs=[
        dg.AssetCheckSpec(
            COMPUTED,
            asset=spec.key,
            description="It was computed; where not, its former version stays in service.",
        )
        for spec in profile_specs()
        if spec.key != INTERACTIONS
    ]
    + drift_specs()
    + [
        dg.AssetCheckSpec(
            "nothing_lost",
            asset=INTERACTIONS,
            blocking=True,
            description="Interactions delivered are counted, repeated or withdrawn; each counted one is attached or "
            "anonymous.",
        )
    ],
    retry_policy=transient_retry_policy(),
    pool="hub",
)
def profile(context: dg.AssetExecutionContext, config: ProfileConfig, platform: Platform) -> Results:
    """Fit what is due, compute every enricher for whom something changed, and stage it with the customers."""
    from cdm_pipelines.steps.profile.drift import drifts  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.profile.enrich import company_of, enrich  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.profile.figures import interactions_outcome, profile_outcomes  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.profile.models import fit_models  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        company = company_of(platform.lake, platform.settings)
        with company.keeping(), platform.hub() as engine:
            with engine.begin() as connection:
                fitted = fit_models(connection, company, refit=config.refit)
            for name, why in fitted.anew.items():
                context.log.info("%s: fitted anew (%s)", name, why)
            with engine.begin() as connection:
                done = enrich(connection, company, fitted.models, rebuild=config.rebuild)
            with engine.connect() as connection:
                drifted = drifts(connection, company)
        for name, one in done.items():
            context.log.info("%s: %s", name, one.sentence)
        outcomes = [
            interactions_outcome(company.counted(), company.last_attached),
            *profile_outcomes(company.policy, fitted, done, drifted),
        ]
        known = {key.to_user_string() for key in context.selected_asset_keys}  # when this process began
        yield from run.results([one for one in outcomes if one.asset in known])
