"""The step from golden customers to their profile: enrichers computed and staged with the next version.

Belongs here: what has to be computed anew, of whom, and staging it. Does not belong here: computing (enrichment),
fitting (``models``), or publishing (steps.customers.publication).

A table is computed for everybody when anything but its customers changed: its parameters, its code, its scale or model.
Otherwise it is computed for the customers that the next version touches, to the same outcome; where it reads
interactions, for those as well whose interactions may be others by what else changed: days, records, devices.
"""

import datetime as dt
import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import Enum

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.profile import WITHHELD, GroupView, ProfileTable
from cdm_pipelines.enrichment.catalogue import enrichers
from cdm_pipelines.enrichment.declaration import AS_OF, MODEL
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.groups import group_views
from cdm_pipelines.enrichment.policy import POLICY, Chosen, EnrichmentPolicy, load_policy
from cdm_pipelines.enrichment.tokens import POLICY as INTERACTIONS
from cdm_pipelines.enrichment.tokens import InteractionPolicy
from cdm_pipelines.enrichment.work import GOLDEN_ID, Rows, Work
from cdm_pipelines.faults import describe
from cdm_pipelines.figures import Figures
from cdm_pipelines.hub import profile, staging
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.hub.profile_models import ProfileModel
from cdm_pipelines.parallel import Beside
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile import neighbours
from cdm_pipelines.steps.profile.code import code_of
from cdm_pipelines.steps.profile.models import CLOCK
from cdm_pipelines.steps.profile.neighbours import Near
from cdm_pipelines.steps.profile.pictures import keep, kept
from cdm_pipelines.steps.profile.reading import Company, working
from cdm_pipelines.steps.profile.touches import keep_rules
from cdm_pipelines.steps.profile.withholding import Withholding
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake


@dataclass(frozen=True)
class Enriched:
    """What came of one enricher.

    Attributes:
        rows: That were staged.
        worked: Customers that were worked on; None for everybody, 0 where it was up to date.
        seconds: That it took.
        parts: The same told apart: inputs that it was the first to read, computing, pictures, what customers have in
            common, staging.
        figures: Of everybody, as they were worked on last.
        problem: Why it could not be computed, in words: its former version stays.
        withheld: Customers of whom there is no row, since the purpose is off for them.
    """

    rows: int = 0
    worked: int | None = 0
    seconds: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    figures: Figures = field(default_factory=dict)
    problem: str = ""
    withheld: int = 0

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
        withheld: Figures = {"customers withheld": self.withheld} if self.withheld else {}
        return {"rows staged": self.rows, "seconds": round(self.seconds, 3), **worked, **withheld}


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
    """The tables of the enrichers that are switched on, and the one that says whom they leave out."""
    return [*(profile_table(one.enricher) for one in policy.chosen.values()), WITHHELD]


def groups_of(policy: EnrichmentPolicy) -> tuple[GroupView, ...]:
    """The views with a row per group of customers that those give."""
    return group_views({name: one.enricher for name, one in policy.chosen.items()})


def enrich(
    connection: Connection,
    company: Company,
    models: Mapping[str, ProfileModel],
    *,
    rebuild: bool = False,
    off: pa.Table | None = None,
) -> dict[str, Enriched]:
    """Compute and stage what is out of date of the profile; what is staged already is left as it is.

    Args:
        connection: Of a migrated hub, in a transaction.
        company: Lake, settings and policy.
        models: The scales and models that score, by enricher, with the day that the profile holds for.
        rebuild: Whether to compute everything for everybody whatever changed.
        off: ``OFF_SCHEMA``: customers of whom nothing is worked out for a purpose; as staged consent has it when left
            out.

    Returns:
        By enricher, those that are on. Empty before there is any data.

    Raises:
        PurposesError: The purposes cannot be used, or contracts or enrichers do not keep to them.
    """
    if CLOCK not in models:
        return {}
    staging.lock(connection)
    coming, as_of = NextVersion.of(connection), models[CLOCK].as_of
    eras, attached = company.eras, company.attached_from(coming)
    published = profile.states(connection, tables_of(company.policy))
    waiting = profile.waiting(connection)
    left_out = Withholding.between(connection, coming, company, off)
    touched = left_out.with_changed(coming, None if rebuild else coming.touched())
    night = _Night(company, coming, left_out, as_of, published)
    plans: dict[_Whom, list[_Due]] = {whom: [] for whom in _Whom}
    for name, chosen in company.policy.chosen.items():
        plan = _Plan(chosen, models.get(name), as_of, company.fingerprint)
        if chosen.enricher.fit is not None and plan.model is None:
            night.done[name] = Enriched(problem="Its scale or model could not be fitted.")
            continue
        wanted = plan.made_from(coming.fingerprint, attached.now, left_out.now(name))
        if not rebuild and wanted == waiting.get(name, published.get(name)):
            night.done[name] = Enriched(figures=kept(company.lake, name), withheld=len(left_out.ids(name)))
            continue
        known = touched is not None and published.get(name) == plan.made_from(
            coming.published, attached.before, left_out.before(name)
        )
        plans[plan.whom if known else _Whom.EVERYBODY].append((plan, wanted))
    night.work_on(plans, touched)
    current = None if rebuild else waiting.get(WITHHELD.name, published.get(WITHHELD.name))
    left_out.stage(connection, current, as_of)
    keep_rules(company.lake, eras)
    return {name: night.done[name] for name in company.policy.chosen}


class _Whom(Enum):
    """For whom a table is computed."""

    EVERYBODY = "everybody"
    TOUCHED = "customers that the next version touches"
    NEIGHBOURS = "and those whom they reach"
    CONCERNED = "and those whose interactions may be others"


@dataclass(frozen=True)
class _Plan:
    chosen: Chosen
    model: ProfileModel | None
    as_of: dt.date
    policy: str

    @property
    def name(self) -> str:
        return self.chosen.enricher.name

    @property
    def reads_touches(self) -> bool:
        return "touches" in self.chosen.enricher.inputs

    @property
    def whom(self) -> _Whom:
        """For whom it is computed where nothing changed but customers and interactions."""
        if self.chosen.enricher.neighbours is not None:
            return _Whom.NEIGHBOURS
        return _Whom.CONCERNED if self.reads_touches else _Whom.TOUCHED

    def made_from(self, customers: str, attached: str, withheld: str) -> dict[str, str]:
        """Versions of all that the table is made from, given those of customers, interactions, and who is left out."""
        return {
            "customers": customers,
            "policy": self.policy,
            "parameters": self.chosen.fingerprint,
            "code": code_of(self.chosen.enricher),
            "model": self.model.fingerprint if self.model else "",
            "as_of": self.as_of.isoformat(),
            "touches": attached if self.reads_touches else "",
            **({"withheld": withheld} if withheld else {}),
        }


_Due = tuple[_Plan, Mapping[str, str]]
"""A table that is out of date, and what it is to be made from."""
_TOGETHER = 1.5  # times the customers that are touched


@dataclass(frozen=True)
class _Night:
    """The enrichers of one run, computed and staged one after the other.

    Attributes:
        company: Lake, settings and policy.
        coming: The next version.
        left_out: Who is left out of which table.
        as_of: The day that the profile holds for.
        published: What the published tables were made from.
        beside: Staging of everybody, while the next table is computed; it has the connection until it is waited for.
        done: What came of each.
    """

    company: Company
    coming: NextVersion
    left_out: Withholding
    as_of: dt.date
    published: Mapping[str, Mapping[str, str]]
    beside: Beside = field(default_factory=Beside)
    done: dict[str, Enriched] = field(default_factory=dict)

    def work_on(self, plans: Mapping[_Whom, list[_Due]], touched: pa.Array | None) -> None:
        """Compute and stage what is out of date: of the customers that are touched first, of everybody last."""
        everybody = plans[_Whom.EVERYBODY]
        if touched is not None:
            everybody = [*everybody, *self._some(plans, touched)]
        if everybody:
            with self._working(None) as work, self.beside:
                for due in everybody:
                    self._compute(due, self._apart(work), None)

    def _some(self, plans: Mapping[_Whom, list[_Due]], touched: pa.Array) -> list[_Due]:
        """Work on the customers that are touched, and on those whom that concerns; returns what is for everybody.

        To read what is some customers' goes through all there is. So it is read once for both, unless those whose
        interactions may be others are many more: computing would then take longer.
        """
        due = plans[_Whom.CONCERNED]
        concerned = self.company.concerned(self.coming, touched) if due else touched
        if concerned is not None and len(concerned) <= _TOGETHER * len(touched):
            return self._touched(plans, touched, concerned, due)
        left = self._touched(plans, touched, touched, [])
        if concerned is None:
            return [*due, *left]
        with self._working(concerned) as work:
            for one in due:
                self._compute(one, work, concerned)
        return left

    def _touched(
        self, plans: Mapping[_Whom, list[_Due]], touched: pa.Array, ids: pa.Array, besides: list[_Due]
    ) -> list[_Due]:
        """Work on the customers that are touched, and on whom they reach; returns what is left for everybody.

        Args:
            plans: What is out of date.
            touched: Customers that the next version touches.
            ids: Of whom inputs are read, the touched ones among them.
            besides: What is to be computed for all of those.
        """
        left, reached = list[_Due](), list[tuple[_Due, Near]]()
        if not any((plans[_Whom.TOUCHED], plans[_Whom.NEIGHBOURS], besides)):
            return left
        with self._working(ids) as work:
            for due in plans[_Whom.TOUCHED]:
                self._compute(due, work, touched)
            for due in plans[_Whom.NEIGHBOURS]:
                found = self._near(due[0], work, touched)
                if found is None:
                    left.append(due)
                else:
                    reached.append((due, found))
            for due in besides:
                self._compute(due, work, ids)
        if reached:
            needed = pc.unique(pa.concat_arrays([one.needed for _, one in reached]))
            with self._working(needed) as work:
                for due, one in reached:
                    self._compute(due, work, one.concerned, one.links)
        return left

    def _apart(self, work: Work) -> Work:
        """The same work, which waits for what is staged beside it before it reads from the hub."""

        def waits(read: Callable[[], Rows]) -> Callable[[], Rows]:
            def reading() -> Rows:
                self.beside.wait()
                return read()

            return reading

        return replace(work, late={name: (base, waits(read)) for name, (base, read) in work.late.items()})

    def _working(self, ids: pa.Array | None) -> AbstractContextManager[Work]:
        return working(self.company, self.coming, self.as_of, ids)

    def _near(self, plan: _Plan, work: Work, touched: pa.Array) -> Near | None:
        """Whom the next version reaches; None where that is not known, or everybody is as well."""
        neighbourhood = plan.chosen.enricher.neighbours
        former = neighbours.kept(self.company.lake, plan.name, self.published[plan.name])
        if neighbourhood is None or former is None:
            return None
        with self.company.timed("neighbours"):
            return neighbours.near(
                neighbourhood,
                work.of(plan.chosen.parameters),
                former,
                touched,
                self.left_out.changed,
                most=self.coming.few,
                threads=self.company.settings.threads,
            )

    def _compute(self, due: _Due, work: Work, ids: pa.Array | None, links: pa.Table | None = None) -> None:
        """Compute an enricher and stage what it gave less what is withheld; what goes wrong is told, not raised.

        Args:
            due: Which, and what it is made from.
            work: On the customers that it needs to know of.
            ids: Golden ids of the customers whose rows are staged; None for everybody.
            links: What customers have in common in the next version, where that is worked out already.
        """
        plan, wanted = due
        enricher, clock, inputs_took = plan.chosen.enricher, [time.monotonic()], sum(work.spent.values())
        own = work.of(plan.chosen.parameters, plan.model.model if plan.model else None)
        withheld = self.left_out.ids(plan.name)
        worked = None if ids is None else len(ids)
        try:
            rows = enricher.shaped(enricher.compute(own))
            if len(withheld):
                rows = rows.filter(pc.invert(pc.is_in(rows[GOLDEN_ID], value_set=withheld)))
            clock.append(time.monotonic())
            figures = dict(enricher.picture(rows, own)) if enricher.picture and ids is None else None
            clock.append(time.monotonic())
            if enricher.neighbours is not None and links is None:
                links = enricher.neighbours.links(own)
        except (DamagedError, HubError):
            raise  # of what it reads, which concerns all of them
        except Exception as error:
            if self.beside.failed:
                raise  # of the table before it
            self.done[plan.name] = Enriched(worked=worked, problem=describe(error))
            return
        if links is not None:
            neighbours.keep(self.company.lake, plan.name, wanted, links, self.published.get(plan.name))
        clock.append(time.monotonic())
        if ids is not None:
            rows = rows.filter(pc.is_in(rows[GOLDEN_ID], value_set=ids))
        model = pa.scalar(plan.model.fingerprint if plan.model else None, pa.string())
        rows = rows.append_column(AS_OF, pa.repeat(pa.scalar(plan.as_of), rows.num_rows))
        rows = rows.append_column(MODEL, pa.repeat(model, rows.num_rows))
        lake = self.company.lake
        told = kept(lake, plan.name) if figures is None else keep(lake, plan.name, plan.as_of, figures)
        inputs = sum(work.spent.values()) - inputs_took
        computing, *others = (after - before for before, after in itertools.pairwise(clock))
        names = ("inputs", "computing", "pictures", "neighbours")
        parts = dict(zip(names, (inputs, computing - inputs, *others), strict=True))

        def stage() -> None:
            begun = time.monotonic()
            profile.stage(self.coming.connection, profile_table(enricher), rows, wanted, ids)
            took = {**parts, "staging": time.monotonic() - begun}
            self.done[plan.name] = Enriched(
                rows.num_rows, worked, sum(took.values()), took, told, withheld=len(withheld)
            )

        if ids is None:
            self.beside.do(stage)
        else:
            stage()
