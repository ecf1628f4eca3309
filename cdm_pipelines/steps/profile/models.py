"""Fitting scales and models of the profile, when the policy says so and never while scoring.

Belongs here: what is due, and fitting it to everybody. Does not belong here: how an enricher fits (enrichment).
"""

import datetime as dt
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from cdm_pipelines.enrichment.policy import Chosen
from cdm_pipelines.enrichment.work import Work
from cdm_pipelines.faults import describe
from cdm_pipelines.hub import profile_models
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.hub.profile_models import ProfileModel
from cdm_pipelines.steps.profile.code import code_of
from cdm_pipelines.steps.profile.reading import Company, newest_day, working
from cdm_pipelines.store.damage import DamagedError

CLOCK = "profile"
"""Under this name the hub keeps the day that the whole profile holds for."""


@dataclass(frozen=True)
class Fitted:
    """What came of fitting.

    Attributes:
        as_of: The day that the profile holds for; None before there is any data.
        models: The scales and models that score from now on, by enricher.
        anew: Enrichers of which one was fitted, with the reason.
        problems: What went wrong, by enricher: the former scale or model stays.
        seconds: That each fit took, by enricher; that of ``inputs`` is what making those took.
    """

    as_of: dt.date | None
    models: Mapping[str, ProfileModel]
    anew: Mapping[str, str]
    problems: Mapping[str, str]
    seconds: Mapping[str, float] = field(default_factory=dict)


def fit_models(connection: Connection, company: Company, *, refit: bool = False) -> Fitted:
    """Fit the scales and models that are due.

    All are fitted when ``refit_days`` have passed between the newest day of data and the day that the profile holds
    for; then it holds for the newest day. One by itself is fitted when it was never fitted, or with other parameters.

    Args:
        connection: Of a migrated hub, in a transaction.
        company: Lake, settings and policy.
        refit: Whether all are fitted whatever is due.
    """
    policy, models = company.policy, dict(profile_models.current(connection))
    newest = newest_day(company.lake, company.contracts)
    if newest is None:
        return Fitted(None, models, {}, {})
    clock = models.get(CLOCK)
    due = refit or clock is None or (newest - clock.as_of).days >= policy.refit_days
    as_of = newest if clock is None else max(newest, clock.as_of) if due else clock.as_of
    reasons = {
        name: why for name, one in policy.chosen.items() if (why := _why(one, models.get(name), all_due=due))
    }
    problems: dict[str, str] = {}
    seconds: dict[str, float] = {}
    if reasons:
        company.counted()
        fits: dict[tuple[object, str], Mapping[str, Any]] = {}  # one that two enrichers share is made once
        with working(company, NextVersion.of(connection), as_of) as work:
            for name in list(reasons):
                chosen, begun, inputs_took = policy.chosen[name], time.monotonic(), sum(work.spent.values())
                same = (chosen.enricher.fit, chosen.fingerprint)
                try:
                    model = fits[same] = fits[same] if same in fits else _fit(chosen, work)
                except (DamagedError, HubError):
                    raise  # of what it reads, which concerns all of them
                except Exception as error:
                    problems[name] = describe(error)
                    del reasons[name]
                else:
                    models[name] = profile_models.keep(connection, name, as_of, fitted_with(chosen), model)
                    seconds[name] = time.monotonic() - begun - (sum(work.spent.values()) - inputs_took)
            seconds["inputs"] = sum(work.spent.values())
    if due and (clock is None or as_of != clock.as_of):
        models[CLOCK] = profile_models.keep(connection, CLOCK, as_of, "", {})
    return Fitted(as_of, models, reasons, problems, seconds)


def _why(chosen: Chosen, model: ProfileModel | None, *, all_due: bool) -> str:
    """Why an enricher's scale or model is to be fitted; empty where it is not, or where it has none."""
    if chosen.enricher.fit is None:
        return ""
    if model is None:
        return "never fitted"
    if model.parameters != fitted_with(chosen):
        return "other parameters or code"
    return "due" if all_due else ""


def fitted_with(chosen: Chosen) -> str:
    """Changes with the parameters and the code of a fit."""
    return f"{chosen.fingerprint} {code_of(chosen.enricher)}"


def names(models: Collection[str]) -> list[str]:
    """Enrichers that have a scale or model, sorted."""
    return sorted(set(models) - {CLOCK})


def _fit(chosen: Chosen, work: Work) -> Mapping[str, Any]:
    own = work.of(chosen.parameters)
    return chosen.enricher.fit(own) if chosen.enricher.fit else {}
