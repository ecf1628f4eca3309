"""The figures of the profile: its models and every enricher's table.

Belongs here: what is told of a result, and under which name. Does not belong here: computing (enrichment).
"""

from collections.abc import Mapping

from cdm_pipelines.enrichment.policy import EnrichmentPolicy
from cdm_pipelines.figures import ROWS, Check, Figures, Grid, Outcome
from cdm_pipelines.hub.profile import ProfileChange
from cdm_pipelines.steps.profile.enrich import Enriched
from cdm_pipelines.steps.profile.models import Fitted, names


def profile_outcomes(policy: EnrichmentPolicy, fitted: Fitted, done: Mapping[str, Enriched]) -> list[Outcome]:
    """What came of ``profile/model`` and of every enricher that is on."""
    return [_models(policy, fitted), *(_enricher(name, done.get(name)) for name in policy.chosen)]


def _models(policy: EnrichmentPolicy, fitted: Fitted) -> Outcome:
    rows = [
        {
            "enricher": name,
            "as of": fitted.models[name].as_of.isoformat(),
            "version": fitted.models[name].number,
            "fingerprint": fitted.models[name].fingerprint,
            "fitted now": fitted.anew.get(name, ""),
        }
        for name in names(fitted.models)
        if name in policy.chosen
    ]
    figures: dict[str, Figures] = {}
    for name, chosen in policy.chosen.items():
        if name in fitted.anew and chosen.enricher.explain_fit is not None:
            figures[name] = chosen.enricher.explain_fit(fitted.models[name].model)
    shown = {f"{name}: {figure}": value for name, own in figures.items() for figure, value in own.items()}
    text = "; ".join(f"{name}: {problem}" for name, problem in fitted.problems.items())
    check = Check(not fitted.problems, text or "in order", "WARN")
    return Outcome("profile/model", {"models": Grid(rows, ("enricher",)), **shown}, {"computed": check})


def _enricher(name: str, one: Enriched | None) -> Outcome:
    if one is None:
        return Outcome(f"profile/{name}", {ROWS: 0}, {"computed": Check(True, "no data yet")})
    check = Check(not one.problem, one.problem or "in order", "WARN")
    figures: Figures = {**one.counts, **one.figures}
    return Outcome(f"profile/{name}", figures, {"computed": check}, made=not one.problem)


def published_profile(changes: Mapping[str, ProfileChange], rows: int) -> Outcome:
    """What came of the wide view when the customers were published."""
    table = [{"table": name, "rows": one.rows, **one.counts} for name, one in changes.items()]
    return Outcome("profile/customer", {ROWS: rows, "tables": Grid(table, ("table",))})
