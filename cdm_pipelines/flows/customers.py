"""The steps from clusters to published customers: stage and audit, then publish.

Belongs here: what is read and loaded, and the verdicts of the audit. Does not belong here: identity, survivorship or
SQL.

Staging and its audit are one transaction: whatever is staged has passed, so nothing else can ever be published.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Engine

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.flows import layout
from cdm_pipelines.golden import load_policy
from cdm_pipelines.golden.survivorship import survive_in_chunks
from cdm_pipelines.hub import audit, queries
from cdm_pipelines.hub.publish import Change, Staging, promote
from cdm_pipelines.identity import CROSSWALK_SCHEMA, REGISTRY_SCHEMA, assign
from cdm_pipelines.ingest.lake import Lake
from cdm_pipelines.quality.thresholds import Thresholds, Verdict, judge
from cdm_pipelines.records.keys import positions, record_keys
from cdm_pipelines.settings import Settings

RECORD = ["source", "entity", "record_id"]
TRANSACTIONS = {Entity.ORDER: "customer_order", Entity.ORDER_LINE: "order_line", Entity.PAYMENT: "payment"}


@dataclass(frozen=True)
class StagedCustomers:
    """What was staged: counts, what happened to golden ids, and the verdict of each audit."""

    records: int
    customers: int
    identity: Mapping[str, int]
    verdicts: Mapping[str, Verdict]

    @property
    def stopped(self) -> bool:
        """Whether an audit forbids publication, so that nothing was left staged."""
        return any(verdict.stops for verdict in self.verdicts.values())


def stage_customers(engine: Engine, lake: Lake, settings: Settings) -> StagedCustomers:
    """Give clusters their golden ids, choose the golden values, load both into staging and audit them.

    What fails its audit is not left in staging.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        staged = _stage(connection, lake, settings)
        if staged.stopped:
            transaction.rollback()
    return staged


def _stage(connection: Connection, lake: Lake, settings: Settings) -> StagedCustomers:
    policy = load_policy(settings.policies / "survivorship.yaml")
    records = lake.read(layout.records_path(Entity.PARTY))
    staging = Staging(connection)
    assignment = assign(
        _clusters(lake),
        queries.read_registry(connection, REGISTRY_SCHEMA),
        queries.read_crosswalk(connection, CROSSWALK_SCHEMA),
        records.select([*RECORD, "first_seen"]),
    )
    staging.add("golden_id", assignment.registry)
    staging.add("crosswalk", assignment.crosswalk.append_column("active", records["active"]))
    staging.begin("customer")
    staging.begin("provenance")
    goldens = survive_in_chunks(
        records, assignment.crosswalk, policy, chunk_rows=settings.chunk_rows, threads=settings.threads
    )
    for golden in goldens:
        staging.add("customer", golden.customer)
        staging.add("provenance", golden.provenance)
    for name, table in _transactions(lake, assignment.crosswalk):
        staging.add(name, table)
    rows = staging.finish().rows
    events = Counter(assignment.events["event"].to_pylist())
    return StagedCustomers(
        records.num_rows,
        rows["customer"],
        {"kept": _kept(rows["customer"], events), **events},
        _audit(connection, records.num_rows, Thresholds.load(settings.policies / "checks.yaml")),
    )


def _kept(customers: int, events: Mapping[str, int]) -> int:
    return customers - sum(events.get(event, 0) for event in ("created", "split", "restored"))


def _clusters(lake: Lake) -> pa.Table:
    """Clusters with source and entity apart; linkage knows them as one."""
    clusters = lake.read(layout.CLUSTERS)
    parts = pc.split_pattern(clusters["source"], "/", max_splits=1)
    return pa.table(
        {
            "source": pc.list_element(parts, 0),
            "entity": pc.list_element(parts, 1),
            "record_id": clusters["record_id"],
            "cluster_id": clusters["cluster_id"],
        }
    )


def _transactions(lake: Lake, crosswalk: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    for entity, name in TRANSACTIONS.items():
        path = layout.records_path(entity)
        if not lake.exists(path):
            continue
        table = lake.read(path)
        columns = [*RECORD, "active", *(attribute.name for attribute in attributes(entity))]
        if entity is Entity.ORDER:
            parties = table.select(["source", "party_entity", "party_record_id"]).rename_columns(RECORD)
            at = positions(record_keys(parties), record_keys(crosswalk))
            golden = crosswalk["golden_id"].combine_chunks().take(pa.array(at, mask=at < 0))
            table, columns = table.append_column("golden_id", golden), [*columns, "golden_id"]
        yield name, table.select(columns)


def _audit(connection: Connection, records: int, thresholds: Thresholds) -> dict[str, Verdict]:
    """Judge what is staged, by name of the check."""
    problems = audit.audit(connection, records)
    figures = audit.figures(connection)
    verdicts = {}
    for name in ("reconciliation", "uniqueness", "referential_integrity"):
        texts = [problem.text for problem in problems if problem.audit == name]
        verdicts[name] = Verdict(passed=not texts, severity="ERROR", text="; ".join(texts) or "in order")
    verdicts["customer_drift"] = judge(
        figures.drift,
        thresholds.customer_drift,
        f"{figures.customers:,} customers against {figures.published_customers:,} in service: {figures.drift:.1%}",
    )
    verdicts["cluster_size"] = judge(
        figures.largest_customer,
        thresholds.cluster_size,
        f"the largest customer is made of {figures.largest_customer:,} records",
    )
    verdicts["cluster_size_drift"] = judge(
        figures.size_drift,
        thresholds.cluster_size_drift,
        f"{figures.mean_records:.2f} records in a customer on average against {figures.published_mean_records:.2f} in "
        f"service: {figures.size_drift:.1%}",
    )
    return verdicts


def publish_customers(engine: Engine) -> Mapping[str, Change]:
    """Publish what is staged, in one transaction; returns what changed per table, ``history`` among them."""
    done = promote(engine)
    return {**done.changes, "history": done.history}
