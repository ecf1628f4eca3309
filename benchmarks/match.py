"""``python -m benchmarks match``: how fast one record is matched, and whether the night says the same.

Belongs here: records held out of a linkage, asked for, and compared with the linkage that has them. Does not belong
here: matching (cdm_pipelines.steps.linking.match), the homes with customers (search).

The night with the records in is the one that was published. That without them is its state with the records taken out,
which tests hold to be what linking the others gives; so all records are asked of one linkage under one model.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from benchmarks import results
from benchmarks.machine import busy_seconds, machine, versions
from benchmarks.match_document import WARMING, Size
from benchmarks.search import SIZES, load, own_seconds
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.homes import homes
from cdm_pipelines.hub.queries import summary
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.linkage.incremental.lookup import Lookup
from cdm_pipelines.linkage.incremental.record_changes import RecordChanges
from cdm_pipelines.linkage.incremental.relink import relink
from cdm_pipelines.settings import Settings, root
from cdm_pipelines.standardise.typed import fields
from cdm_pipelines.steps.linking.match import Matcher, MatchRefusedError
from cdm_pipelines.steps.linking.state import read_state
from cdm_pipelines.steps.stewardship.decisions import constraints
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.secret import Secret

_SEED = 14
_GIB = 1 << 30


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks match", description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=list(SIZES), help="sizes (%(default)s)")
    parser.add_argument("--records", type=int, default=1000, help="held out of each (%(default)s)")
    parser.add_argument("--out", type=Path, default=root() / "benchmarks" / "out")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    sizes = [measured(load(number, out), options.records) for number in sorted(options.customers)]
    figures = {"facts": machine() | versions(), "sizes": [asdict(size) for size in sizes]}
    whole = max(options.customers) >= max(SIZES)
    (told, *_) = results.publish("match", figures, committed=whole, out=out)
    sys.stdout.write(told.read_text(encoding="utf-8"))
    return 0


def measured(settings: Settings, number: int) -> Size:
    """Ask for records that were held out of what was published."""
    lake, process = Lake(settings.lake_url), psutil.Process()
    with open_hub(settings) as engine, engine.connect() as connection:
        decided = constraints(connection)
        before, started = process.memory_full_info(), time.perf_counter()
        matcher = Matcher.load(lake, settings, decided)
        loading, after = time.perf_counter() - started, process.memory_full_info()
        records = sum(len(one.lookup) for one in matcher.kinds.values())
        asked = _held_out(lake, number)
        matcher = _without(matcher, lake, settings, [record for record, _, _ in asked])
        expected = _expected(connection, lake, [record for record, _, _ in asked])
        taken, answers = [], []
        for at, (record, kind, values) in enumerate([*asked[:WARMING], *asked]):
            if at == WARMING:
                busy, own, begun = busy_seconds(), own_seconds(connection), time.perf_counter()
            at_first, used = time.perf_counter(), time.process_time()
            try:
                answer = matcher.match(connection, values, kind=kind, record=record)
            except MatchRefusedError:
                answer = None
            taken.append((time.perf_counter() - at_first, time.process_time() - used))
            answers.append(answer)
        ours = own_seconds(connection) - own
        others = max(0.0, busy_seconds() - busy - ours) / (time.perf_counter() - begun)
        customers = summary(connection).customers
    taken, answers = taken[WARMING:], answers[WARMING:]
    wall, cpu = (np.array(column) * 1000 for column in zip(*taken, strict=True))
    found = [None if answer is None else answer.golden_id for answer in answers]
    verdicts = [str(answer.verdict) if answer is not None else "" for answer in answers]
    return Size(
        customers=customers,
        records=records,
        loading=loading,
        held=(after.rss - before.rss) / _GIB,
        own=(after.uss - before.uss) / _GIB,
        asked=len(asked),
        joined=verdicts.count("joins"),
        doubtful=verdicts.count("in doubt"),
        refused=verdicts.count(""),
        agree=sum(one == other for one, other in zip(found, expected, strict=True)),
        p50=float(np.percentile(wall, 50)),
        p99=float(np.percentile(wall, 99)),
        slowest=float(wall.max()),
        processor=float(cpu.mean()),
        compared=float(np.mean([answer.compared for answer in answers if answer is not None])),
        others=others,
    )


def _held_out(lake: Lake, number: int) -> list[tuple[Record, PartyKind, dict[str, str]]]:
    """Records drawn at random, with their values as they would be typed."""
    parties = tables.records(lake, Entity.PARTY)
    rows = parties.read(["source"]).num_rows
    chosen = sorted(random.Random(_SEED).sample(range(rows), min(number, rows)))  # noqa: S311 - not a secret
    found = []
    for row in parties.read().take(pa.array(chosen)).to_pylist():
        values = {name: str(row[name]) for name in fields() if row.get(name) is not None}
        record = Record(row["source"], row["entity"], row["record_id"])
        found.append((record, PartyKind(row["party_kind"]), values))
    random.Random(_SEED).shuffle(found)  # noqa: S311 - as above
    return found


def _without(matcher: Matcher, lake: Lake, settings: Settings, gone: Sequence[Record]) -> Matcher:
    """The matcher of a night without some records."""
    names = {
        "source": [f"{one.source}/{one.entity}" for one in gone],
        "record_id": [one.record_id for one in gone],
    }
    kinds = {}
    for kind, one in matcher.kinds.items():
        kept = read_state(lake, kind, Secret.of(settings.home))
        assert kept is not None  # noqa: S101 - it was read before
        policy, model, state = one.policy, one.lookup.scorer.model, kept.state
        changes = RecordChanges.by(
            state.rows, state.rows.records(np.zeros(0, np.int64)), pa.table(names), policy
        )
        state = relink(changes, policy, model, state, decided=state.decided).state
        kinds[kind] = replace(one, lookup=Lookup.of(policy, model, state, state.decided))
    return replace(matcher, kinds=kinds)


def _expected(connection: Connection, lake: Lake, gone: Sequence[Record]) -> list[object]:
    """The published customer of each record, None where only records that are held out are of it."""
    known = homes(connection, gone)
    clusters = tables.clusters(lake).read()
    named = pc.binary_join_element_wise(clusters["source"], clusters["record_id"], "|")
    held = pc.is_in(named, pa.array([f"{one.source}/{one.entity}|{one.record_id}" for one in gone]))
    left = set(pc.unique(clusters.filter(pc.invert(held))["cluster_id"]).to_pylist())
    cluster = dict(
        zip(named.filter(held).to_pylist(), clusters.filter(held)["cluster_id"].to_pylist(), strict=True)
    )
    return [
        home.golden_id
        if home is not None and cluster[f"{one.source}/{one.entity}|{one.record_id}"] in left
        else None
        for one, home in zip(gone, known, strict=True)
    ]
