"""The steps from clusters to published customers: stage and audit, then publish.

Belongs here: what is read and loaded, and the verdicts of the audit. Does not belong here: identity, survivorship or
SQL.

Staging and its audit are one transaction: whatever is staged has passed, so nothing else can ever be published.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, EntityDeclaration, OfParty, published_entities
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.golden import SurvivorshipPolicy, load_policy
from cdm_pipelines.golden.policy import golden_groups
from cdm_pipelines.golden.survivorship import survive_in_chunks
from cdm_pipelines.hub import audit, bulk, profile_models, profile_views, queries, said
from cdm_pipelines.hub.decisions import begin_decision
from cdm_pipelines.hub.differences import Change
from cdm_pipelines.hub.parts import Asked
from cdm_pipelines.hub.places import FORGOTTEN
from cdm_pipelines.hub.publication import note_run
from cdm_pipelines.hub.publish import promote, published_from
from cdm_pipelines.hub.staging import Staging, lock
from cdm_pipelines.identity import CROSSWALK_SCHEMA, REGISTRY_SCHEMA, Assignment, assign
from cdm_pipelines.identity.parting import as_before_joined, sources_gone
from cdm_pipelines.identity.reasons import Churn, EventReasons, Movement
from cdm_pipelines.identity.registry import CURRENT
from cdm_pipelines.privacy.checks import in_force
from cdm_pipelines.privacy.given import Given, Withheld, origin_of
from cdm_pipelines.quality.thresholds import Thresholds, Verdict, accepted
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.consent.staging import stage_consent
from cdm_pipelines.steps.customers import affected, auditing, lost_days, read_models
from cdm_pipelines.steps.customers.event_reasons import event_reasons, explained
from cdm_pipelines.steps.linking.linked_with import linked_with
from cdm_pipelines.steps.linking.model_versions import keep_copies
from cdm_pipelines.steps.privacy import access as privacy
from cdm_pipelines.steps.profile.enrich import company_of, enrich, groups_of, tables_of
from cdm_pipelines.steps.profile.former import keep_former
from cdm_pipelines.steps.stewardship import queue
from cdm_pipelines.steps.stewardship.decisions import constraints, corrections
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY, positions, record_keys
from cdm_pipelines.store.lake import Lake


@dataclass(frozen=True)
class StagedCustomers:
    """What was staged: counts, what happened to golden ids, and the verdict of each audit.

    Attributes:
        records: Current source records.
        customers: Golden customers they are.
        worked: Customers that were worked through: all, or those that a change touches.
        identity: Golden ids by what happened to them.
        churn: Published records whose golden id is another one now.
        verdicts: By audit.
    """

    records: int
    customers: int
    worked: int
    identity: Mapping[str, int]
    churn: Churn
    verdicts: Mapping[str, Verdict]

    @property
    def stopped(self) -> bool:
        """Whether an audit forbids publication, so that nothing was left staged."""
        return any(verdict.stops for verdict in self.verdicts.values())


def stage_customers(
    connection: Connection,
    lake: Lake,
    settings: Settings,
    *,
    rebuild: bool = False,
    accept: Collection[str] = (),
    contracts: Sequence[SourceContract] | None = None,
) -> StagedCustomers:
    """Give clusters their golden ids, choose the golden values, load both into staging and audit them.

    Where it is known what changed since the published version, only customers that the change touches are worked
    through, to the same outcome. What fails its audit is not left in staging.

    Args:
        connection: Of a migrated hub, in a transaction.
        lake: The lake.
        settings: Where policies are, the size of chunks, the number of threads.
        rebuild: Whether to work through all customers whatever changed.
        accept: Names of checks to which a person says yes.
        contracts: Of all sources; the deployment's own when left out.

    Raises:
        LostDaysError: The lake has lost days that customers were made from.
        PolicyError, PurposesError: As :meth:`Rules.load`.
    """
    days = lost_days.none_lost(connection, lake, contracts)
    rules = Rules.load(settings, contracts)
    made_from = made_from_now(lake, rules)
    with connection.begin_nested() as savepoint:
        published = published_from(connection)
        same_rules = published.get("survivorship") == made_from["survivorship"]
        changed = affected.since(lake, published)
        happened = event_reasons(connection, published, made_from, changed)
        work = _Work(connection, lake, settings, rules, published, made_from, happened)
        in_part = same_rules and not rebuild and changed is not None
        done = (work.part(changed) if in_part and changed is not None else None) or work.everything()
        thresholds = Thresholds.load(settings.policies / "checks.yaml")
        figures = audit.figures(connection)
        verdicts = auditing.judged(connection, done.records, figures, thresholds)
        verdicts |= auditing.moved(
            done.churn, done.events["merged"], figures, thresholds, new_model=bool(happened.new_model)
        )
        verdicts = auditing.with_a_way_on(accepted(verdicts, accept))
        identity = {"kept": _kept(figures.customers, done.events), **done.events}
        staged = StagedCustomers(done.records, figures.customers, done.worked, identity, done.churn, verdicts)
        if staged.stopped:
            savepoint.rollback()
        else:
            keep_copies(connection, lake)
            lost_days.remember(connection, days)
    return staged


@dataclass(frozen=True)
class Rules:
    """By what golden values are chosen.

    Attributes:
        policy: The rules of survivorship.
        withheld: What is given for no purpose that golden customers serve, so that it is no candidate.
    """

    policy: SurvivorshipPolicy
    withheld: Withheld

    @classmethod
    def load(cls, settings: Settings, contracts: Sequence[SourceContract] | None = None) -> Self:
        """Those in force, under the contracts given or the deployment's own.

        Raises:
            PolicyError, PurposesError: A policy cannot be used, or a contract does not keep to the purposes.
        """
        contracts = all_contracts() if contracts is None else contracts
        given = Given.of(contracts, in_force(settings.policies, contracts))
        golden = {name for names in golden_groups().values() for name in names}
        return cls(load_policy(settings.policies / "survivorship.yaml"), given.not_golden.among(golden))

    @property
    def fingerprint(self) -> str:
        """Changes whenever an outcome can."""
        return "-".join(one for one in (self.policy.fingerprint, self.withheld.fingerprint) if one)

    def candidates(self, records: pa.Table) -> pa.Table:
        """The records, with those values alone that may become golden ones."""
        return self.withheld.taken_out(records, origin_of(records)) if self.withheld else records


def made_from_now(lake: Lake, rules: Rules) -> dict[str, str]:
    """Versions of everything that customers are made from, by name."""
    return {
        **affected.versions(lake),
        **read_models.version(lake),
        **linked_with(lake),
        "survivorship": rules.fingerprint,
    }


@dataclass(frozen=True)
class _Done:
    """Number of records, what happened to ids, number of customers worked through, and churn."""

    records: int
    events: Counter[str]
    worked: int
    churn: Churn


@dataclass(frozen=True)
class _Work:
    connection: Connection
    lake: Lake
    settings: Settings
    rules: Rules
    published: Mapping[str, str]
    made_from: Mapping[str, str]
    event_reasons: EventReasons

    def everything(self) -> _Done:
        """Stage all customers."""
        parties = tables.records(self.lake, Entity.PARTY)
        records = parties.read()
        staging = Staging(self.connection)
        published = bulk.read_crosswalk(self.connection, CROSSWALK_SCHEMA)
        clusters = affected.apart(tables.clusters(self.lake).read())
        registry = bulk.read_registry(self.connection, REGISTRY_SCHEMA)
        assignment = assign(
            clusters,
            registry,
            as_before_joined(published, registry, clusters, sources_gone(published, records)),
            records.select([*RECORD_KEY, "first_seen"]),
            taken=bulk.ids_of_forgotten(self.connection, FORGOTTEN),
        )
        movement = Movement(published, assignment.crosswalk, self.event_reasons)
        staging.add("golden_id", assignment.registry)
        staging.add("event", explained(assignment.events, movement, self.lake))
        staging.add("crosswalk", assignment.crosswalk.append_column("active", records["active"]))
        candidates = self.rules.candidates(records)
        self._golden(
            staging, candidates, assignment.crosswalk, corrected=corrections(self.connection, parties)
        )
        for declared in published_entities():
            table = tables.records(self.lake, declared.entity)
            if table.exists:
                staging.add(declared.table_name, _rows_of(declared, table.read(), assignment.crosswalk))
        self._read_models(records).everything(staging, assignment.crosswalk)
        rows = staging.finish(self.made_from).rows
        return _Done(records.num_rows, _events(assignment), rows["customer"], movement.churn())

    def part(self, changed: affected.Since) -> _Done | None:
        """Stage the customers that a change touches; None where they are too many."""
        parties, asked = tables.records(self.lake, Entity.PARTY), Asked(self.connection)
        everyone = parties.read([*RECORD_KEY, "party_kind", "employer_id"])
        if sources_gone(changed.parties.gone, everyone):
            return None
        # A set value may begin or cease to hold without a change of any record.
        corrected = corrections(self.connection, parties)
        part = affected.affected_by(asked, self.lake, changed, corrected.select(RECORD_KEY))
        if part is None:
            return None
        own = parties.rows(part.records)
        assignment = assign(
            part.clusters,
            part.registry,
            part.crosswalk,
            own.select([*RECORD_KEY, "first_seen"]),
            newest=part.newest,
            taken=bulk.ids_of_forgotten(self.connection, FORGOTTEN),
        )
        moved = affected.moved(assignment.crosswalk, part.crosswalk)
        employees = affected.employed_by(
            everyone, pa.concat_tables([moved, changed.parties.rows.select(RECORD_KEY)])
        )
        others = affected.others(asked, employees, assignment.crosswalk)
        crosswalk = pa.concat_tables([assignment.crosswalk, others])
        records = parties.rows(crosswalk)
        ids = pa.concat_tables([part.crosswalk, crosswalk])["golden_id"].combine_chunks().unique()

        staging = Staging(self.connection, affected=ids)
        registry = pa.concat_tables([assignment.registry, affected.registered(asked, others)])
        concerned = pc.or_(
            pc.is_in(registry["golden_id"], value_set=ids), pc.not_equal(registry["status"], CURRENT)
        )
        staging.add("golden_id", registry.filter(concerned))
        movement = Movement(part.crosswalk, assignment.crosswalk, self.event_reasons)
        staging.add("event", explained(assignment.events, movement, self.lake))
        at = positions(record_keys(crosswalk), record_keys(records))
        staging.add("crosswalk", crosswalk.append_column("active", records["active"].take(pa.array(at))))
        candidates = self.rules.candidates(records)
        employers = affected.golden_of_employers(asked, everyone, candidates, crosswalk)
        self._golden(staging, candidates, crosswalk, corrected=corrected, employers=employers)
        for declared in published_entities():
            rows = affected.rows_affected(self.lake, declared, changed, moved)
            if rows is not None and rows.num_rows:
                of_party = isinstance(declared.whose, OfParty)
                known = affected.golden_of_rows(asked, rows, crosswalk) if of_party else crosswalk
                staging.add(declared.table_name, _rows_of(declared, rows, known))
        worked = read_models.Part(asked, ids, crosswalk, part.records)
        self._read_models(everyone).part(staging, worked)
        staged = staging.finish(self.made_from).rows
        churn = movement.churn(queries.count_records(self.connection))
        return _Done(everyone.num_rows, _events(assignment), staged["customer"], churn)

    def _read_models(self, records: pa.Table) -> read_models.ReadModels:
        kinds = records.select([*RECORD_KEY, "party_kind"])
        return read_models.ReadModels(self.connection, self.lake, self.published, self.made_from, kinds)

    def _golden(
        self,
        staging: Staging,
        records: pa.Table,
        crosswalk: pa.Table,
        *,
        corrected: pa.Table,
        employers: pa.Array | None = None,
    ) -> None:
        """Choose the golden values of the customers in a crosswalk, and stage them."""
        staging.begin("customer")
        staging.begin("provenance")
        goldens = survive_in_chunks(
            records,
            crosswalk,
            self.rules.policy,
            employers=employers,
            corrected=corrected,
            chunk_rows=self.settings.chunk_rows,
            threads=self.settings.threads,
        )
        for golden in goldens:
            staging.add("customer", golden.customer)
            staging.add("provenance", golden.provenance)


def _events(assignment: Assignment) -> Counter[str]:
    return Counter(assignment.events["event"].to_pylist())


def _kept(customers: int, events: Mapping[str, int]) -> int:
    return customers - sum(events.get(event, 0) for event in ("created", "split", "restored"))


def _rows_of(declared: EntityDeclaration, table: pa.Table, crosswalk: pa.Table) -> pa.Table:
    """Rows of an entity as they are published; with their golden customer where they name a party."""
    columns = [*RECORD_KEY, "active", "first_seen", *(attribute.name for attribute in declared.attributes)]
    if isinstance(declared.whose, OfParty):
        at = positions(record_keys(affected.party_of_rows(table)), record_keys(crosswalk))
        golden = crosswalk["golden_id"].combine_chunks().take(pa.array(at, mask=at < 0))
        table, columns = table.append_column("golden_id", golden), [*columns, "golden_id"]
    return table.select(columns)


@dataclass(frozen=True)
class Published:
    """What a publication changed.

    Attributes:
        changes: Per table, ``history`` among them.
        profile: Per table of the profile that was staged.
        groups: Rows of each view of groups of customers whose table was.
        consent: Per table of consent, where that was staged.
        rights_left: Differences from the policy of roles that the pipeline's user may not mend.
    """

    changes: Mapping[str, Change]
    profile: Mapping[str, Change]
    groups: Mapping[str, int]
    consent: Mapping[str, Change]
    rights_left: int = 0


def publish_customers(
    connection: Connection, lake: Lake, settings: Settings, *, off: pa.Table | None = None, run: str = ""
) -> Published:
    """Publish what is staged with the profile of it, what stewards read, and what each role sees.

    Where the profile and consent were not staged with the customers they are worked out now, so that they never part.

    Args:
        connection: Of a migrated hub, in a transaction: its commit is the publication. Afterwards ``hub.upkeep``
            vacuums tables of which much was written.
        lake: The lake.
        settings: Where policies are, the number of threads.
        off: ``privacy.off.OFF_SCHEMA``: customers of whom nothing is worked out for a purpose; the same as when the
            profile was staged.
        run: Of Dagster, that publishes; empty where none does.

    Raises:
        EnrichmentPolicyError, EnricherError: The policy of the profile cannot be used.
        PurposesError: The purposes cannot be used, or contracts or enrichers do not keep to them.
        PrivacyPolicyError: That of roles cannot.
    """
    governed = privacy.governed(settings)
    company = company_of(lake, settings)
    lock(connection)
    said.wait(connection)  # what is said meanwhile is said about the next version
    stage_consent(connection, lake, settings)
    enrich(connection, company, profile_models.current(connection), off=off)
    groups = groups_of(company.policy)
    done = promote(connection, enriched=tables_of(company.policy), groups=groups)
    if run and done.publication_id is not None:
        note_run(connection, done.publication_id, run)
    keep_former(lake)
    left = privacy.apply(connection, settings, governed)
    changed = (one for one in groups if one.groups in done.profile)
    rows = {one.name: profile_views.rows(connection, one) for one in changed}
    begin_decision(connection)  # what is decided from now on is decided about the next version
    queue.rewrite(connection, constraints(connection))
    return Published({**done.changes, "history": done.history}, done.profile, rows, done.consent, len(left))
