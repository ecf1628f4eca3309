"""Whether customers have moved away from those that models of the profile were fitted to, told in every run.

Belongs here: bringing models and rows together. Does not belong here: what is moved (enrichment), fitting (``models``).
"""

from collections.abc import Mapping

from sqlalchemy import Connection

from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.drift import warning
from cdm_pipelines.faults import describe
from cdm_pipelines.figures import Check
from cdm_pipelines.hub import profile, profile_models
from cdm_pipelines.steps.profile.reading import Company, newest_day

DRIFT = "drift"
NONE = warning(False, "there is no model to hold anything against yet")


def drifts(connection: Connection, company: Company) -> Mapping[str, Check]:
    """By enricher that says how its model is judged, whether everybody is still like when it was fitted.

    Args:
        connection: Of a migrated hub; what is staged of the profile counts as what will be published.
        company: Lake, settings and policy.
    """
    newest = newest_day(company.lake, company.contracts)
    found = {}
    for name, chosen in company.policy.chosen.items():
        drift = chosen.enricher.drift
        if drift is None:
            continue
        found[name] = NONE
        models = profile_models.versions(connection, name) if newest else []
        if not drift.after_days:
            models = models[-1:]
        old = [one for one in models if newest and (newest - one.as_of).days >= drift.after_days]
        if old and newest:
            try:
                rows = profile.coming(connection, profile_table(chosen.enricher), drift.columns)
                found[name] = drift.judge(old[-1].model, rows, old[-1].as_of, newest)
            except Exception as error:  # it warns, and keeps nothing from being published
                connection.rollback()
                found[name] = warning(True, f"it could not be judged: {describe(error)}")
    return found
