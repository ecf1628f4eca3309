"""The stages of the benchmark of insight and activation, each as it runs in a process of its own.

Belongs here: what a home with profiles lacks for it (a day of deliveries, consent), and calling the project's own
steps. Does not belong here: measuring (``insight``), the document (``insight_document``).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import text

from benchmarks.profile_inputs import LAST_DAY
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.quality.validation import REPAIRS_SCHEMA
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.activation.actions import choose_actions
from cdm_pipelines.steps.activation.audience_book import Book
from cdm_pipelines.steps.activation.daily import TOOL, WHO
from cdm_pipelines.steps.activation.deliveries import deliver
from cdm_pipelines.steps.insight import kpis, quality
from cdm_pipelines.steps.insight.months import period
from cdm_pipelines.steps.privacy.reading import delivering
from cdm_pipelines.steps.profile.enrich import company_of
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

Counts = dict[str, Any]
_DAY = LAST_DAY.isoformat()
_FAULTY, _MENDED = 0.01, 0.04
"""Of the rows of a day, how many are rejected, and of how many a cell is."""
_CONSENT = """
INSERT INTO privacy.consent (golden_id, purpose, channel, allowed, state, since, why, shared, contradictory,
                             source, entity, record_id)
SELECT golden_id, purpose, channel, dice < 0.7, CASE WHEN dice < 0.7 THEN 'given' ELSE 'withdrawn' END,
       now() - interval '100 days', 'said', false, false, 'crm', 'contact', 'r'
FROM (SELECT golden_id, purpose, channel, (abs(hashtext(golden_id::text || purpose || channel)) % 1000) / 800.0 AS dice
      FROM golden.customer, (VALUES ('marketing', 'email'), ('marketing', 'phone'), ('sales', 'email'))
                            AS asked (purpose, channel)) AS said
WHERE dice < 1
"""
"""Eight of ten said something about each purpose and channel; seven of those eight agreed."""


def prepare() -> Counts:
    """Write what the home lacks: the day that parties were delivered, and what customers allow."""
    settings = load_settings()
    lake = Lake(settings.lake_url)
    rows = sum(_lay(lake, name) for name in ("crm/contact", "erp/customer", "shop/customer"))
    with open_hub(settings) as engine:
        migrate(engine)  # a home that is kept may be of a former release
    with open_hub(settings) as engine, engine.begin() as connection:
        said = connection.execute(text(_CONSENT)).rowcount
        connection.execute(text("ANALYZE privacy.consent"))
    return {"rows": {"delivered": rows, "consent": said}}


def _lay(lake: Lake, name: str) -> int:
    """Write the day of a source of parties as validation and standardisation leave it; returns its rows."""
    contract = contract_named(name)
    known = tables.records(lake, Entity.PARTY).read()
    own = known.filter(
        pc.and_(pc.equal(known["source"], contract.source), pc.equal(known["entity"], contract.entity))
    )
    count = own.num_rows
    if not count:
        return 0
    rng = np.random.default_rng(12)
    numbers = pa.array(np.arange(count))
    file = pa.repeat(pa.scalar(f"{contract.entity}.csv"), count)
    own = own.append_column("_file", file).append_column("_row", numbers)
    lake.write(layout.standard_path(contract, _DAY, Entity.PARTY), own)
    lake.write(layout.valid_path(contract, _DAY), own.select(["record_id"]))
    faulty = rng.random(count) < _FAULTY
    rejected = pa.table({"_file": file, "_row": numbers}).filter(pa.array(faulty))
    reasons = pa.repeat(pa.scalar('[{"rule": "missing", "column": "surname"}]'), rejected.num_rows)
    rejected = rejected.append_column("_reasons", reasons)
    with lake.writer(layout.quarantine_path(contract, _DAY), rejected.schema) as writer:
        writer.write_table(rejected)
        writer.add_key_value_metadata({layout.FINGERPRINT: name, layout.CONTENT: str(count)})
    mended = pa.table({"_file": file, "_row": numbers}).filter(pa.array(rng.random(count) < _MENDED))
    cells = {
        "_sha256": "",
        "column": next(column.name for column, _ in contract.mapped()),
        "rule": "not_email",
        "shape": "aaa",
        "action": "blanked",
    }
    for column, value in cells.items():
        mended = mended.append_column(column, pa.repeat(pa.scalar(value), mended.num_rows))
    lake.write(layout.repairs_path(contract, _DAY), mended.select(REPAIRS_SCHEMA.names).cast(REPAIRS_SCHEMA))
    return count


def scorecards() -> Counts:
    """Measure the day and the state, and keep the figures."""
    settings = load_settings()
    with _timed() as spent, open_hub(settings) as engine, engine.begin() as connection:
        found = quality.measure(connection, Lake(settings.lake_url), settings, "benchmark")
    return {"seconds": spent[0], "figures": len(found.courses), "days": found.days}


def key_figures() -> Counts:
    """Ask and keep the key figures of the newest month."""
    settings = load_settings()
    with _timed() as spent, open_hub(settings) as engine, engine.begin() as connection:
        month = period(connection, None)
        found = kpis.work_out(connection, settings, month)
        kpis.keep(connection, month, found)
    return {"seconds": spent[0], "figures": len(found)}


def actions() -> Counts:
    """Choose the next best action of every customer."""
    settings = load_settings()
    company = company_of(Lake(settings.lake_url), settings)
    with (
        _timed() as spent,
        open_hub(settings) as engine,
        company.keeping(),
        engine.begin() as connection,
    ):
        found = choose_actions(connection, company)
    return {"seconds": spent[0], "customers": found.customers, "chosen": found.new}


def audiences() -> Counts:
    """Deliver every audience of the policy, one after the other."""
    settings = load_settings()
    book = Book.of(settings)
    done = {}
    with open_hub(settings) as engine:
        for name in book.policy.audiences:
            noted = delivering(settings, WHO, TOOL, book.named(name).purpose)
            with _timed() as spent:
                members = deliver(engine.connect, book, name, noted).counts["members"]
            done[name] = {"seconds": spent[0], "members": members}
    return {"seconds": sum(one["seconds"] for one in done.values()), "audiences": done}


@contextmanager
def _timed() -> Iterator[list[float]]:
    """Appends the seconds that a block took."""
    spent: list[float] = []
    begun = time.perf_counter()
    yield spent
    spent.append(time.perf_counter() - begun)


def audience_policy(settings: Settings) -> str:
    """The five audiences that are delivered, beside the targets that ship."""
    shipped = (settings.policies / "audiences.yaml").read_text(encoding="utf-8")
    return shipped[: shipped.index("\naudiences:")] + _FIVE


_FIVE = """
audiences:
  newsletter:
    description: Persons who asked for it.
    purpose: marketing
    channel: email
    filter: {column: party_kind, operator: equals, value: person}
    control_group: 0.1
    without_open_complaint: true
    target: newsletters
  known_twice:
    description: Customers whom several systems know.
    purpose: marketing
    channel: email
    filter: {column: source_count, operator: at_least, value: 2}
    control_group: 0.1
    target: advertising
  abroad:
    description: Customers outside of the Netherlands.
    purpose: sales
    channel: email
    filter:
      not: {column: country, operator: equals, value: NL}
    target: account_managers
  some:
    description: A hundred thousand of those who asked for it.
    purpose: marketing
    channel: email
    filter: {column: status, operator: equals, value: active}
    cap: 100000
    target: advertising
  for_sales:
    description: Whom account managers write to.
    purpose: sales
    channel: email
    filter: {column: party_kind, operator: equals, value: person}
    cap: 50000
    without_open_complaint: true
    target: account_managers
"""

STAGES: Mapping[str, Callable[..., Counts]] = {
    "prepare": prepare,
    "scorecards": scorecards,
    "key figures": key_figures,
    "actions": actions,
    "audiences": audiences,
}
