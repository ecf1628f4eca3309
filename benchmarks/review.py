"""``python -m benchmarks review``: how long a steward waits among a million customers.

Belongs here: a hub of made-up customers with a long queue, the figures and the document. Does not belong here: how the
queue is read (cdm_pipelines.steps.stewardship).

The rows are written straight into the tables, for what is measured is reading them; the queue itself is written as a
publication writes it.
"""

import argparse
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, Engine, text

from benchmarks.homes import settings_of
from benchmarks.machine import busy_seconds, machine, versions
from benchmarks.search import own_seconds
from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.hub.staging import Staging
from cdm_pipelines.settings import Settings, root
from cdm_pipelines.steps.stewardship import customer, decisions, queue, review

DOCUMENT = root() / "docs" / "reference" / "benchmarks-review.md"
RESULTS = root() / "benchmarks" / "results" / "review.json"
CUSTOMERS = 1_000_000
TARGET = 50.0  # milliseconds, p99
_DECISIONS = 100
_WARMING = 20
_SEED = 7
Step = Callable[[Connection], object]
_STEWARD = Actor("benchmark", Role.STEWARD)

# Customer i has the number of records that the last digit of i says, each like the next one; every tenth customer is
# much like the one after it, and every fiftieth is held together by a weak bridge.
_RECORDS = "(ARRAY[1,1,1,2,2,2,3,3,3,4])[i % 10 + 1]"
_SOURCE = "(ARRAY['crm','shop','erp','shop'])[j]"
_ENTITY = "(ARRAY['contact','customer','customer','customer'])[j]"
_ID = "md5('customer' || {})::uuid"
_FILL: Mapping[str, str] = {
    "golden.customer": f"""
        INSERT INTO golden.customer (golden_id, party_kind, status, given_name, surname, postcode, house_number, city,
                                     country, record_count, source_count, first_seen, last_seen)
        SELECT {_ID.format("i")}, 'person', 'active', 'Voornaam' || i % 1000, 'Naam' || i % 50000,
               1000 + i % 9000 || 'AB', i % 200 + 1, 'Plaats' || i % 2000, 'NL', {_RECORDS}, least({_RECORDS}, 3),
               '2026-01-01', '2026-06-01'
        FROM generate_series(1, :customers) AS i""",  # noqa: S608 - our own
    "identity.golden_id": f"""
        INSERT INTO identity.golden_id (golden_id, source, entity, record_id, generation, sequence, status)
        SELECT {_ID.format("i")}, 'crm', 'contact', i || '-1', 0, i, 'current'
        FROM generate_series(1, :customers) AS i""",  # noqa: S608 - our own
    "golden.crosswalk": f"""
        INSERT INTO golden.crosswalk (source, entity, record_id, golden_id, active)
        SELECT {_SOURCE}, {_ENTITY}, i || '-' || j, {_ID.format("i")}, true
        FROM generate_series(1, :customers) AS i, generate_series(1, {_RECORDS}) AS j""",  # noqa: S608 - our own
    "golden.provenance": f"""
        INSERT INTO golden.provenance (golden_id, attribute, source, entity, record_id, rule)
        SELECT {_ID.format("i")}, attribute, 'crm', 'contact', i || '-1', 'recency'
        FROM generate_series(1, :customers) AS i, unnest(ARRAY['*', 'name', 'address']) AS attribute""",  # noqa: S608 - our own
    "golden.customer_order": f"""
        INSERT INTO golden.customer_order (source, entity, record_id, golden_id, active, ordered_at)
        SELECT 'shop', 'order', i || '-' || n, {_ID.format("i")}, true,
               timestamptz '2026-06-01' - make_interval(days => i * n % 900)
        FROM generate_series(1, :customers) AS i, generate_series(1, i % 4) AS n""",  # noqa: S608 - our own
    "staging.customer_link": f"""
        INSERT INTO staging.customer_link
        SELECT {_ID.format("i")}, {_SOURCE}, {_ENTITY}, i || '-' || j, o.source, o.entity, i || '-' || j + 1,
               18 + i % 12, 0.9 + i % 100 * 0.001, true, true
        FROM generate_series(1, :customers) AS i, generate_series(1, {_RECORDS} - 1) AS j,
             LATERAL (SELECT (ARRAY['crm','shop','erp','shop'])[j + 1],
                             (ARRAY['contact','customer','customer','customer'])[j + 1]) AS o (source, entity)
        UNION ALL
        SELECT {_ID.format("l")}, 'crm', 'contact', l || '-1', 'crm', 'contact', r || '-1', 14,
               0.2 + least(l, r) % 5987 * 0.0001, false, false
        FROM generate_series(10, :customers - 1, 10) AS i, (VALUES (0, 1), (1, 0)) AS v (a, b),
             LATERAL (SELECT i + a, i + b) AS ends (l, r)""",  # noqa: S608 - our own
    "staging.customer_doubt": f"""
        INSERT INTO staging.customer_doubt
        SELECT {_ID.format("i")}, 'cluster', 0.2 + i % 997 * 0.0008, 0.9, 'weak bridge: +1.0 bits'
        FROM generate_series(9, :customers, 50) AS i""",  # noqa: S608 - our own
}


@dataclass(frozen=True)
class Figures:
    """Of one thing that a steward does: calls, and milliseconds; of processors the mean."""

    what: str
    calls: int
    p50: float
    p99: float
    processor: float


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes:
        customers: In the hub.
        links: Rows of ``golden.customer_link``.
        items: In the queue.
        decisions: In the log.
        rewriting: Processor seconds that filling links and queue took.
        again: Those that it takes when every priority moves, since a newer order makes all others older.
        others: Cores that other work kept busy meanwhile.
        figures: Of each thing that a steward does.
        facts: Machine and versions.
    """

    customers: int
    links: int
    items: int
    decisions: int
    rewriting: float
    again: float
    others: float
    figures: tuple[Figures, ...]
    facts: Mapping[str, str]


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks review", description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="(%(default)s)")
    parser.add_argument("--calls", type=int, default=200, help="of each kind (%(default)s)")
    parser.add_argument("--out", type=Path, default=root() / "benchmarks" / "out")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    home = out / f"review-{options.customers}"
    report = measured(_fresh(home), options.customers, options.calls)
    told = markdown(report)
    notes = json.dumps(asdict(report), indent=1) + "\n"
    targets = [(out / RESULTS.name, notes), (out / DOCUMENT.name, told)]
    if options.customers >= CUSTOMERS:
        targets += [(RESULTS, notes), (DOCUMENT, told)]
    for target, content in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    shutil.rmtree(home)
    sys.stdout.write(told)
    return 0


def _fresh(home: Path) -> Settings:
    settings = settings_of(home)
    EmbeddedServer(home, programs=settings.postgres_bin).stop()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return settings


def measured(settings: Settings, customers: int, calls: int) -> Report:
    """Fill a hub, and do what a steward does so often."""
    with open_hub(settings) as engine:
        migrate(engine)
        rewriting = _fill(engine, customers)
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE golden.customer_order SET ordered_at = '2026-06-02' WHERE record_id = '1-1'")
            )
            again = _rewritten(connection)
        _vacuumed(engine)
        started, busy = time.perf_counter(), busy_seconds()
        figures = tuple(_figures(engine, calls))
        own = sum(one.calls * one.processor for one in figures) / 1000
        others = (busy_seconds() - busy - own) / (time.perf_counter() - started)
        with engine.connect() as connection:
            counted = [
                int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)  # noqa: S608 - our own tables
                for table in (
                    "golden.customer",
                    "golden.customer_link",
                    "ops.review_item",
                    "identity.decision",
                )
            ]
    return Report(
        customers=counted[0],
        links=counted[1],
        items=counted[2],
        decisions=counted[3],
        rewriting=rewriting,
        again=again,
        others=max(0.0, others),
        figures=figures,
        facts=machine() | versions() | {"niceness": str(os.nice(0))},
    )


def _fill(engine: Engine, customers: int) -> float:
    """Write all rows; returns the processor seconds that a publication takes for links and queue."""
    with engine.begin() as connection:
        staging = Staging(connection)
        for name in ("customer_link", "customer_doubt"):
            staging.begin(name)
        for table, statement in _FILL.items():
            sys.stderr.write(f"{table}\n")
            connection.execute(text(statement), {"customers": customers})
        for table in _FILL:
            connection.execute(text(f"ANALYZE {table}"))
    with engine.begin() as connection:
        seconds = _rewritten(connection)
    _vacuumed(engine)
    return seconds


def _rewritten(connection: Connection) -> float:
    """Bring links and queue in line; what was staged is staged again, but no link has changed."""
    if connection.scalar(text("SELECT to_regclass('staging.customer_link')")) is None:
        staging = Staging(connection)
        for name in ("customer_link", "relinked", "customer_doubt"):
            staging.begin(name)
        made = """INSERT INTO staging.customer_doubt SELECT left_id, doubt, 0.5, probability, finding
                  FROM ops.review_item WHERE doubt = 'cluster'"""
        connection.execute(text(made))
    before = own_seconds(connection)
    queue.rewrite(connection, decisions.constraints(connection))
    return own_seconds(connection) - before


def _vacuumed(engine: Engine) -> None:
    """As after a publication."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _figures(engine: Engine, calls: int) -> Iterator[Figures]:
    dice = random.Random(_SEED)  # noqa: S311 - not a secret
    with engine.connect() as connection:
        items, _ = review.queue(connection, 100_000)
    chosen = dice.sample([item for item in items if item.right], _WARMING + _DECISIONS + calls)
    warming, decided, others = (
        chosen[:_WARMING],
        chosen[_WARMING : _WARMING + _DECISIONS],
        chosen[_WARMING + _DECISIONS :],
    )
    _measured(engine, "", [_first_page] * _WARMING + [_open(item) for item in warming])
    recorded = _measured(engine, "record a decision", [_decide(item) for item in decided])
    yield _measured(engine, "open the first page of the queue", [_first_page] * calls)
    yield _measured(engine, "open one customer", [_open(item) for item in others])
    yield _measured(engine, "open one customer that was decided about", [_open(item) for item in decided])
    yield recorded


def _first_page(connection: Connection) -> None:
    items, _ = review.queue(connection, 20)
    review.names(connection, [one for item in items for one in (item.left, item.right) if one])


def _open(item: review.Item) -> Step:
    return partial(customer.dossier, name=item.left)


def _decide(item: review.Item) -> Step:
    return partial(decisions.different, left=item.left, right=item.right, actor=_STEWARD)


def _measured(engine: Engine, what: str, steps: Sequence[Step]) -> Figures:
    """Take steps, each in a transaction of its own."""
    taken, used = [], []
    for step in steps:
        started = time.perf_counter()
        with engine.begin() as connection:
            before = own_seconds(connection)
            started = time.perf_counter()
            step(connection)
        taken.append((time.perf_counter() - started) * 1000)
        with engine.connect() as connection:
            used.append((own_seconds(connection) - before) * 1000)
    p50, p99 = np.percentile(np.array(taken), [50, 99])
    return Figures(what, len(taken), *(round(float(figure), 2) for figure in (p50, p99, np.mean(used))))


def markdown(report: Report) -> str:
    """The document."""
    reading = [one for one in report.figures if one.what.startswith("open")]
    worst = max(one.p99 for one in reading)
    met = "met" if worst < TARGET else "not met"
    facts = ", ".join(f"{name} {value}" for name, value in report.facts.items())
    lines = [
        "# Benchmark of review",
        "",
        "*Written by `make benchmark-review`; do not edit. Figures: `benchmarks/results/review.json`.*",
        "",
        (
            f"Among {report.customers:,} customers, with {report.items:,} items in the queue, a steward waits less "
            f"than **{worst:.0f} ms** for the first page of the queue or for one customer, 99 times of 100 (aim: "
            f"{TARGET:.0f} ms; {met})."
        ),
        "",
        "| A steward's step | Calls | p50 ms | p99 ms | Processor ms |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {one.what} | {one.calls:,} | {one.p50:.1f} | {one.p99:.1f} | {one.processor:.1f} |"
            for one in report.figures
        ),
        "",
        (
            f"A publication that finds both tables empty writes {report.links:,} links and all items in "
            f"{report.rewriting:.1f} seconds of processor time. One that moves the priority of every item and no link "
            f"takes {report.again:.1f} for both."
        ),
        "",
        "## How it is measured",
        "",
        (
            "- Made-up customers of one to four records, three orders or fewer, and three rows of provenance each are "
            "written straight into the tables. One in ten is much like another; one in fifty has a weak bridge."
        ),
        (
            "- `steps.stewardship` is called in one process, each call with a connection of the pool: the first 20 "
            "items with the names of their customers; a customer by golden id with values, links, decisions and "
            f"conflicts. {report.decisions:,} decisions are in the log. Starting a command is not in the figures."
        ),
        f"- {_WARMING} calls of each kind come first, and do not count. The database was vacuumed before.",
        (
            "- Processor time is that of the calling process and of the database's that answers it. Work of others "
            f"kept {report.others:.1f} of {report.facts.get('cores', '?')} cores busy meanwhile."
        ),
        f"- Machine and versions: {facts}.",
        "",
    ]
    return "\n".join(lines)
