"""What there is that expires: customers with their last touch, documents, days of the lake, files, rows of the hub.

Belongs here: finding and dating it. Does not belong here: what goes (privacy.retention), letting it go (``expiring``).

Of what is not due yet only numbers are told where there may be many: documents by year, rows of the hub by day.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, select

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.model import Delivery
from cdm_pipelines.enrichment.tokens import POLICY as INTERACTIONS
from cdm_pipelines.enrichment.tokens import InteractionPolicy
from cdm_pipelines.hub import retention as hub
from cdm_pipelines.hub import rights
from cdm_pipelines.hub.schema import customer
from cdm_pipelines.ingest.landing import dated_files
from cdm_pipelines.privacy.retention import CUSTOMERS_SCHEMA, DATED_SCHEMA, HOLD, Facts, Terms
from cdm_pipelines.publish.policy import FeedPolicy, FileSink
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.touches import Known, opened_touches, rules_kept, rules_now
from cdm_pipelines.steps.stewardship.decisions import constraints
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake

_CHANGED = pa.schema([(name, pa.string()) for name in (*RECORD_KEY, "first_seen", "modified_at")])
Row = tuple[str, str, str, int, dt.date, str]
"""Of ``DATED_SCHEMA``."""


@dataclass(frozen=True)
class Where:
    """What is looked through.

    Attributes:
        settings: Of the deployment.
        lake: Its lake.
        connection: To its hub, in a transaction.
        contracts: All.
        terms: How long what is kept.
        today: The day on which it is asked.
    """

    settings: Settings
    lake: Lake
    connection: Connection
    contracts: Sequence[SourceContract]
    terms: Terms
    today: dt.date


def facts_of(where: Where) -> Facts:
    """All that there is, as a plan is made of it."""
    staying, landing = _staying(where), _Landing.of(where)
    rows = [
        *_documents(where, staying),
        *_interactions(where),
        *landing.rows,
        *_layers(where, landing),
        *_feed_files(where),
        *_of_hub(where),
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(DATED_SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, DATED_SCHEMA, strict=True)]
    return Facts(_customers(where, staying), pa.table(arrays, schema=DATED_SCHEMA))


def _staying(where: Where) -> dict[str, str]:
    """Why nothing of a customer may go, by golden id."""
    found = hub.staying(where.connection)
    for request in rights.requests(where.connection):
        if request.state == rights.OPEN and request.subject:
            why = f"has request {request.request_id} open"
            found |= dict.fromkeys(request.subject.get("golden_ids", ()), why)
    return found


def _confirmed(where: Where, crosswalk: pa.Table) -> dict[str, str]:
    """Customers whom a steward confirmed."""
    if not where.terms.policy.customers.keep_confirmed:
        return {}
    members = constraints(where.connection).confirmed[["source", "record_id"]]
    names = [f"{source}/{record}" for source, record in members.itertuples(index=False)]
    keys = pc.binary_join_element_wise(*(crosswalk[name] for name in RECORD_KEY), "/")
    ids = crosswalk["golden_id"].filter(pc.is_in(keys, value_set=pa.array(names, pa.string())))
    return dict.fromkeys(ids.to_pylist(), "was confirmed by a steward")


def _customers(where: Where, staying: Mapping[str, str]) -> pa.Table:
    """Rows of ``CUSTOMERS_SCHEMA``.

    A customer is touched by an order, an invoice, a statement of consent, being in touch with us, and by a change of a
    record that its source dates, or a record that is new though its source had delivered before. Where nothing of it is
    known, the oldest extract counts. An organisation is touched with those who work for it, and they with it. What is
    later than today is an error of a clock, and an interaction that has itself expired counts no more.
    """
    known, today = Known.published(where.lake, where.connection), where.today
    staying = _confirmed(where, known.crosswalk) | dict(staying)
    days = where.terms.days("interactions")
    first = None if days is None else today - dt.timedelta(days=days)
    with opened_touches(where.lake, where.contracts, known, threads=where.settings.threads) as touches:
        eras = rules_kept(where.lake) or rules_now(
            where.lake, InteractionPolicy.load(where.settings.policies / INTERACTIONS)
        )
        by_customer = touches.last_by_customers(eras, first, today)
    state = tables.records(where.lake, Entity.PARTY)
    people = select(customer.c.golden_id, customer.c.employer_id, customer.c.first_seen)
    golden = where.connection.execute(people).all()
    given = {
        "crosswalk": known.crosswalk,
        "records": state.read(_CHANGED.names) if state.exists else _CHANGED.empty_table(),
        "by_customer": by_customer,
        "transactions": hub.touches(where.connection, where.settings.timezone, today),
        "consents": hub.consents(where.connection),
        "golden": pa.table(
            {
                "golden_id": pa.array([str(row[0]) for row in golden], pa.string()),
                "employer_id": pa.array(
                    [None if row[1] is None else str(row[1]) for row in golden], pa.string()
                ),
                "oldest": pa.array([row[2] for row in golden], pa.date32()),
            }
        ),
        "staying": pa.table(
            {
                "golden_id": pa.array(list(staying), pa.string()),
                "why": pa.array(list(staying.values()), pa.string()),
            }
        ),
    }
    with duckdb.connect(config={"threads": where.settings.threads}) as db:
        for name, table in given.items():
            db.register(name, table)
        found: pa.Table = db.sql(_CUSTOMERS, params={"today": today}).to_arrow_table()
        return found.cast(CUSTOMERS_SCHEMA)


_CUSTOMERS = """
WITH told AS (
    SELECT source, entity, record_id, TRY_CAST(left(modified_at, 10) AS DATE) AS changed,
           TRY_CAST(first_seen AS DATE) AS seen
    FROM records),
begun AS (SELECT source, entity, min(seen) AS seen FROM told GROUP BY ALL),
dated AS (
    SELECT source, entity, record_id,
           coalesce(CASE WHEN changed <= $today THEN changed END,
                    CASE WHEN told.seen > begun.seen AND told.seen <= $today THEN told.seen END) AS day
    FROM told JOIN begun USING (source, entity)),
touched AS (
    SELECT golden_id, max(day) AS day FROM (
        SELECT golden_id, day FROM crosswalk JOIN dated USING (source, entity, record_id)
        UNION ALL SELECT golden_id, touched FROM transactions
        UNION ALL SELECT golden_id, touched FROM by_customer)
    GROUP BY golden_id),
own AS (SELECT golden_id, employer_id, coalesce(day, oldest) AS day FROM golden LEFT JOIN touched USING (golden_id)),
company AS (
    SELECT golden_id, max(day) AS day FROM (
        SELECT golden_id, day FROM own
        UNION ALL SELECT employer_id, day FROM own WHERE employer_id IS NOT NULL)
    GROUP BY golden_id),
last AS (
    SELECT golden_id, max(day) AS day FROM (
        SELECT golden_id, day FROM company
        UNION ALL SELECT own.golden_id, company.day FROM own JOIN company ON company.golden_id = own.employer_id)
    GROUP BY golden_id)
SELECT golden_id, source || '/' || entity AS origin, count(*) AS records, any_value(last.day) AS touched,
       coalesce(any_value(consented), '') AS consented, coalesce(any_value(why), '') AS kept
FROM crosswalk JOIN last USING (golden_id)
LEFT JOIN consents USING (golden_id) LEFT JOIN staying USING (golden_id)
WHERE last.day IS NOT NULL GROUP BY ALL ORDER BY ALL
"""


def _documents(where: Where, staying: Mapping[str, str]) -> Iterator[Row]:
    """Documents that are due one by one, the others by year."""
    rules = where.terms.policy.documents
    stays_from = {entity: dt.date(where.today.year - rule.years, 1, 1) for entity, rule in rules.items()}
    with_party = {(one.source, one.entity) for one in where.contracts if Entity.PARTY in one.entities}
    for entity, rule in rules.items():
        place = f"golden/{entity}"
        others = [
            (other, rules[other].dated, stays_from[other])
            for other in rules
            if other != entity and entity not in rules[other].with_
        ]
        due = hub.documents(
            where.connection,
            entity,
            rule.dated,
            stays_from[entity],
            related=rule.with_,
            staying=others,
        )
        for row in due.to_pylist():
            kept = staying.get(row["golden_id"] or "", "")
            if row["billed"]:
                kept = kept or "is billed by a document that stays"
            if (row["source"], row["entity"]) in with_party:
                kept = kept or "comes in one row with the customer"
            subject = "/".join(row[name] for name in RECORD_KEY)
            yield entity, place, subject, row["rows"], row["dated"], kept
        later = hub.documents_by_year(where.connection, entity, rule.dated, stays_from[entity])
        for row in later.to_pylist():
            yield entity, place, row["subject"], row["number"], row["since"], ""


def _interactions(where: Where) -> Iterator[Row]:
    """Days of interactions that have any."""
    for contract in where.contracts:
        if Entity.INTERACTION in contract.entities:
            for date in layout.standard_days(where.lake, contract, Entity.INTERACTION):
                path = layout.standard_path(contract, date, Entity.INTERACTION)
                if not _is_due(where, "interactions", date) or _rows(where.lake, path):
                    yield (
                        "interactions",
                        f"standard/{contract.name}",
                        date,
                        1,
                        dt.date.fromisoformat(date),
                        "",
                    )


@dataclass(frozen=True)
class _Landing:
    """What lies in landing: rows, and the days of source entities of which a file stays."""

    rows: Sequence[Row]
    staying: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, where: Where) -> "_Landing":
        """The newest file of a source entity that delivers all it has stays, and what was never read."""
        rows: dict[str, Row] = {}
        staying = set()
        for contract in where.contracts:
            files = dated_files(where.settings.landing_url, contract) if contract.location else []
            newest = max((day for _, day in files), default="")
            for file, day in files:
                kept = ""
                if contract.delivery == Delivery.SNAPSHOT and day == newest:
                    kept = "is the newest of its source entity"
                elif not where.lake.exists(layout.raw_path(contract, day)):
                    kept = "was never read"
                row = ("landing", f"landing/{contract.name}", file.path, 1, dt.date.fromisoformat(day), kept)
                if file.path not in rows or kept:  # one file may hold several entities
                    rows[file.path] = row
                if kept or not _is_due(where, "landing", day):
                    staying.add((contract.name, day))
        return cls(list(rows.values()), frozenset(staying))


def _layers(where: Where, landing: _Landing) -> Iterator[Row]:
    """Days of the lake that have rows; by the raw ones persons are found in landing, so they stay as long."""
    for layer in ("raw", "valid", "quarantine"):
        for contract in where.contracts if where.terms.days(layer) is not None else ():
            for date in layout.days(where.lake, layer, contract):
                path = f"{layer}/{contract.name}/{date}.parquet"
                if not _is_due(where, layer, date) or _rows(where.lake, path):
                    stays = layer == "raw" and (contract.name, date) in landing.staying
                    kept = "its extract stays in landing" if stays else ""
                    yield layer, f"{layer}/{contract.name}", date, 1, dt.date.fromisoformat(date), kept


def _feed_files(where: Where) -> Iterator[Row]:
    sinks = FeedPolicy.load(where.settings.policies / "change_feed.yaml").sinks
    for name, sink in sinks.items():
        if isinstance(sink, FileSink) and not sink.url:
            folder = f"publish/feed/{name}"
            for path in where.lake.paths(folder, ".jsonl"):
                yield "feed_files", folder, path, 1, _told_on(where.lake.read_text(path)), ""


def _told_on(content: str) -> dt.date:
    """The day of the last event in a file; one that has lost them all is of no use to anybody."""
    day = dt.date(1970, 1, 1)
    for line in content.splitlines()[-1:]:
        with suppress(ValueError, KeyError, TypeError):
            day = dt.datetime.fromisoformat(json.loads(line)["time"]).date()
    return day


def _of_hub(where: Where) -> Iterator[Row]:
    connection = where.connection
    sinks = FeedPolicy.load(where.settings.policies / "change_feed.yaml").sinks
    for what, place, table in (
        ("outbox", "ops/outbox", hub.events(connection, sinks.keys())),
        ("history", "golden/customer_history", hub.versions(connection)),
        ("access_log", "ops/access_log", hub.lines(connection)),
        (HOLD, "privacy/legal_hold", hub.held(connection)),
    ):
        for row in table.to_pylist():
            yield what, place, row["subject"] or str(row["since"]), row["number"], row["since"], ""


def _is_due(where: Where, what: str, date: str) -> bool:
    days = where.terms.days(what)
    return days is not None and dt.date.fromisoformat(date) + dt.timedelta(days=days) <= where.today


def _rows(lake: Lake, path: str) -> int:
    """Rows of a table that were not let go; one that is damaged may have some."""
    try:
        return 0 if layout.PRUNED in lake.notes(path) else lake.count(path)
    except DamagedError:
        return 1
