"""The step from golden customers to their profile: enrichers computed and staged with the next version.

Belongs here: what has to be computed anew, of whom, and staging it. Does not belong here: computing (enrichment),
fitting (``models``), or publishing (steps.customers.publication).

A table is computed for everybody when anything but its customers changed: its parameters, its code, its scale or model.
Otherwise it is computed for the customers that the next version touches, to the same outcome.
"""

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.profile import GroupView, ProfileTable
from cdm_pipelines.enrichment.catalogue import enrichers
from cdm_pipelines.enrichment.declaration import AS_OF, MODEL, Reach
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.groups import group_views
from cdm_pipelines.enrichment.policy import POLICY, Chosen, EnrichmentPolicy, load_policy
from cdm_pipelines.enrichment.tokens import POLICY as INTERACTIONS
from cdm_pipelines.enrichment.tokens import InteractionPolicy
from cdm_pipelines.enrichment.work import GOLDEN_ID, Work
from cdm_pipelines.faults import describe
from cdm_pipelines.figures import Figures
from cdm_pipelines.hub import profile, staging
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.hub.profile_models import ProfileModel
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.code import code_of
from cdm_pipelines.steps.profile.models import CLOCK
from cdm_pipelines.steps.profile.pictures import keep, kept
from cdm_pipelines.steps.profile.reading import Company, working
from cdm_pipelines.steps.profile.touches import keep_rules
from cdm_pipelines.store.lake import Lake


@dataclass(frozen=True)
class Enriched:
    """What came of one enricher.

    Attributes:
        rows: That were staged.
        worked: Customers that were worked on; None for everybody, 0 where it was up to date.
        seconds: That it took.
        figures: Of everybody, as they were worked on last.
        problem: Why it could not be computed, in words: its former version stays.
    """

    rows: int = 0
    worked: int | None = 0
    seconds: float = 0.0
    figures: Figures = field(default_factory=dict)
    problem: str = ""

    @property
    def sentence(self) -> str:
        """What was done, for the log."""
        if self.problem:
            return f"not computed: {self.problem}"
        if self.worked == 0:
            return "up to date"
        whom = "everybody" if self.worked is None else f"{self.worked:,} customers"
        return f"{self.rows:,} rows for {whom} in {self.seconds:.1f} s"

    @property
    def counts(self) -> Figures:
        """How much was done."""
        worked: Figures = {} if self.worked is None else {"customers worked on": self.worked}
        return {"rows staged": self.rows, "seconds": round(self.seconds, 3), **worked}


def company_of(lake: Lake, settings: Settings) -> Company:
    """The company as its policy of the profile says, with the enrichers of the project and those of the company.

    Raises:
        EnrichmentPolicyError, InteractionPolicyError: A policy cannot be used.
        EnricherError: An enricher of the company cannot.
    """
    interactions = InteractionPolicy.load(settings.policies / INTERACTIONS)
    return Company(lake, settings, policy_of(settings), all_contracts(), interactions)


def policy_of(settings: Settings) -> EnrichmentPolicy:
    """The policy of the profile.

    Raises:
        EnrichmentPolicyError, EnricherError: As :func:`company_of`.
    """
    return load_policy(settings.policies / POLICY, enrichers(settings.policies))


def tables_of(policy: EnrichmentPolicy) -> list[ProfileTable]:
    """The tables of the enrichers that are switched on."""
    return [profile_table(one.enricher) for one in policy.chosen.values()]


def groups_of(policy: EnrichmentPolicy) -> tuple[GroupView, ...]:
    """The views with a row per group of customers that those give."""
    return group_views({name: one.enricher for name, one in policy.chosen.items()})


def enrich(
    connection: Connection, company: Company, models: Mapping[str, ProfileModel], *, rebuild: bool = False
) -> dict[str, Enriched]:
    """Compute and stage what is out of date of the profile; what is staged already is left as it is.

    Args:
        connection: Of a migrated hub, in a transaction.
        company: Lake, settings and policy.
        models: The scales and models that score, by enricher, with the day that the profile holds for.
        rebuild: Whether to compute everything for everybody whatever changed.

    Returns:
        By enricher, those that are on. Empty before there is any data.
    """
    if CLOCK not in models:
        return {}
    staging.lock(connection)
    coming, as_of = NextVersion.of(connection), models[CLOCK].as_of
    counted, eras = company.counted(), company.eras
    touches = _digest([counted.mark, *eras]) if counted.days else ""
    published = profile.states(connection, tables_of(company.policy))
    waiting = profile.waiting(connection)
    touched = coming.touched()
    done: dict[str, Enriched] = {}
    plans: dict[bool, list[_Plan]] = {True: [], False: []}
    for name, chosen in company.policy.chosen.items():
        reads_touches = "touches" in chosen.enricher.inputs
        plan = _Plan(
            chosen, models.get(name), as_of, company.policy.fingerprint, touches if reads_touches else ""
        )
        if chosen.enricher.fit is not None and plan.model is None:
            done[name] = Enriched(problem="Its scale or model could not be fitted.")
            continue
        wanted = plan.made_from(coming.fingerprint)
        if not rebuild and wanted in (waiting.get(name), published.get(name)):
            done[name] = Enriched(figures=kept(company.lake, name))
            continue
        in_part = (
            not rebuild
            and touched is not None
            and chosen.enricher.reach is Reach.CUSTOMER
            and not plan.touches  # whose an interaction is may follow from other customers
            and published.get(name) == plan.made_from(coming.published)
        )
        plans[in_part].append(plan)
    for in_part, these in plans.items():
        if not these:
            continue
        ids = touched if in_part else None
        inputs = {name for plan in these for name in plan.chosen.enricher.inputs}
        with working(company, coming, as_of, inputs, ids) as work:
            for plan in these:
                done[plan.name] = _computed(plan, coming, work, ids, company.lake)
    keep_rules(company.lake, eras)
    return {name: done[name] for name in company.policy.chosen}


def _digest(said: object) -> str:
    return sha256(repr(said).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Plan:
    chosen: Chosen
    model: ProfileModel | None
    as_of: dt.date
    policy: str
    touches: str

    @property
    def name(self) -> str:
        return self.chosen.enricher.name

    def made_from(self, customers: str) -> dict[str, str]:
        """Versions of all that the table is made from, given that of the customers."""
        return {
            "customers": customers,
            "policy": self.policy,
            "parameters": self.chosen.fingerprint,
            "code": code_of(self.chosen.enricher),
            "model": self.model.fingerprint if self.model else "",
            "as_of": self.as_of.isoformat(),
            "touches": self.touches,
        }


def _computed(plan: _Plan, coming: NextVersion, work: Work, ids: pa.Array | None, lake: Lake) -> Enriched:
    """Compute an enricher and stage what it gave; what goes wrong is told, not raised."""
    enricher, begun = plan.chosen.enricher, time.monotonic()
    own = work.of(plan.chosen.parameters, plan.model.model if plan.model else None)
    try:
        rows = enricher.shaped(enricher.compute(own))
        figures = dict(enricher.picture(rows, own)) if enricher.picture and ids is None else None
    except Exception as error:
        return Enriched(worked=None if ids is None else len(ids), problem=describe(error))
    if ids is not None:
        rows = rows.filter(pc.is_in(rows[GOLDEN_ID], value_set=ids))
    with_model = rows.append_column(AS_OF, pa.repeat(pa.scalar(plan.as_of), rows.num_rows)).append_column(
        MODEL,
        pa.repeat(pa.scalar(plan.model.fingerprint if plan.model else None, pa.string()), rows.num_rows),
    )
    profile.stage(
        coming.connection, profile_table(enricher), with_model, plan.made_from(coming.fingerprint), ids
    )
    worked = None if ids is None else len(ids)
    told = kept(lake, plan.name) if figures is None else keep(lake, plan.name, plan.as_of, figures)
    return Enriched(rows.num_rows, worked, time.monotonic() - begun, told)
