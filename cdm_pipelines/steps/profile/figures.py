"""The figures of the profile: its models and every enricher's table.

Belongs here: what is told of a result, and under which name. Does not belong here: computing (enrichment).
"""

from collections.abc import Mapping
from dataclasses import asdict, replace

from cdm_pipelines.enrichment.attachment import Attached
from cdm_pipelines.enrichment.declaration import Enricher
from cdm_pipelines.enrichment.groups import GROUPS
from cdm_pipelines.enrichment.policy import EnrichmentPolicy
from cdm_pipelines.figures import ROWS, Bars, Check, Figures, Grid, Outcome
from cdm_pipelines.hub.differences import Change
from cdm_pipelines.steps.profile.drift import DRIFT
from cdm_pipelines.steps.profile.enrich import Enriched
from cdm_pipelines.steps.profile.interactions import Updated
from cdm_pipelines.steps.profile.models import Fitted, names


def profile_outcomes(
    policy: EnrichmentPolicy, fitted: Fitted, done: Mapping[str, Enriched], drifted: Mapping[str, Check]
) -> list[Outcome]:
    """What came of ``profile/model`` and of every enricher that is on."""
    found = [_models(policy, fitted)]
    for name, one in policy.chosen.items():
        outcome = _enricher(name, one.enricher, fitted, done.get(name))
        moved = {DRIFT: drifted[name]} if name in drifted else {}
        found.append(replace(outcome, checks={**outcome.checks, **moved}))
    return found


def interactions_outcome(counted: Updated, attached: Attached | None) -> Outcome:
    """What came of ``profile/interactions``; what is attached is known where it was worked out in this run."""
    rows = [{"source": name, **asdict(tally)} for name, tally in counted.by_source.items()]
    figures: Figures = {
        ROWS: counted.tally.counted,
        "days counted": counted.counted,
        "sources": Grid(rows, ("source",)),
    }
    tally = counted.tally
    lost = tally.delivered - tally.counted - tally.repeated - tally.withdrawn
    checks = {
        "nothing_lost": Check(
            not lost, f"{lost:,} interactions are not accounted for" if lost else "in order"
        )
    }
    if attached is not None:
        by = {f"by {way}": number for way, number in attached.by.items()}
        anonymous = {f"anonymous: {reason}": number for reason, number in attached.anonymous.items()}
        figures = {
            **figures,
            "whose": Bars({**by, **anonymous}, ("attached, or why not", "interactions"), scale=True),
            "tokens identified": attached.tokens,
            "shared devices": attached.shared_devices,
        }
        missing = tally.counted - attached.attached - sum(attached.anonymous.values())
        if missing:
            text = f"{missing:,} interactions are neither attached nor anonymous"
            checks = {"nothing_lost": Check(passed=False, text=text)}
    return Outcome("profile/interactions", figures, checks)


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
    text = "; ".join(f"{name}: {problem}" for name, problem in fitted.problems.items())
    check = Check(not fitted.problems, text or "in order", "WARN")
    return Outcome("profile/model", {"models": Grid(rows, ("enricher",))}, {"computed": check})


def _enricher(name: str, enricher: Enricher, fitted: Fitted, one: Enriched | None) -> Outcome:
    """What came of an enricher: how much was done, its table, and the scale or model that scores."""
    if one is None:
        return Outcome(f"profile/{name}", {ROWS: 0}, {"computed": Check(True, "no data yet")})
    check = Check(not one.problem, one.problem or "in order", "WARN")
    model = fitted.models.get(name)
    scale = enricher.explain_fit(model.model) if enricher.explain_fit and model else {}
    rows = {ROWS: one.rows} if one.worked is None else {}
    figures: Figures = {
        **rows,
        **one.counts,
        **{what.replace("_", " "): of for what, of in one.figures.items()},
        **{f"model: {what.replace('_', ' ')}": of for what, of in scale.items()},
    }
    return Outcome(f"profile/{name}", figures, {"computed": check}, made=not one.problem)


def published_profile(
    changes: Mapping[str, Change], customers: int, groups: Mapping[str, int]
) -> list[Outcome]:
    """What came of the views when the customers were published.

    Args:
        changes: Per table of the profile that was staged.
        customers: Rows of the wide view.
        groups: Rows of the views of groups of customers that may be others than before, by name of the view.
    """
    table = [{"table": name, "rows": one.rows, **one.counts} for name, one in changes.items()]
    wide = Outcome("profile/customer", {ROWS: customers, "tables": Grid(table, ("table",))})
    return [wide, *(Outcome(f"profile/{one.name}s", _counted(groups.get(one.name))) for one in GROUPS)]


def _counted(rows: int | None) -> Figures:
    return {} if rows is None else {ROWS: rows}
