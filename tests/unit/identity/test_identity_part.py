"""Golden ids of the customers that a change touches are those that working through all customers gives."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdm_pipelines.hub.parts import Asked
from cdm_pipelines.identity import CROSSWALK_SCHEMA, REGISTRY_SCHEMA, assign, resolve
from cdm_pipelines.steps.customers.affected import closed
from cdm_pipelines.store.keys import RECORD_KEY, record_keys

RECORDS = "abcdefghijklmnop"
KEYS = pa.schema([(name, pa.string()) for name in RECORD_KEY])
Clusters = dict[str, str]
"""The cluster of each record that there is."""


class Published(Asked):
    """What is published, in memory."""

    def __init__(self) -> None:
        self.all_ids, self.all_records = REGISTRY_SCHEMA.empty_table(), CROSSWALK_SCHEMA.empty_table()

    def customers_of_records(self, records: pa.Table) -> pa.Array:
        asked = pc.is_in(record_keys(self.all_records), value_set=record_keys(records))
        return pc.unique(self.all_records.filter(asked)["golden_id"])

    def crosswalk_of_customers(self, ids: pa.Array, schema: pa.Schema) -> pa.Table:
        asked = pc.is_in(self.all_records["golden_id"], value_set=ids)
        return self.all_records.filter(asked).select(schema.names)

    def registry(self, ids: pa.Array, founders: pa.Table, schema: pa.Schema) -> pa.Table:
        asked = [pc.is_in(self.all_ids[name], value_set=ids) for name in ("golden_id", "alias_of")]
        founded = pc.is_in(record_keys(self.all_ids), value_set=record_keys(founders))
        stands_for = self.all_ids.filter(founded)["alias_of"].combine_chunks().drop_null()
        meant = pc.is_in(self.all_ids["golden_id"], value_set=stands_for)
        return self.all_ids.filter(pc.or_(pc.or_(*asked), pc.or_(founded, meant))).select(schema.names)

    def newest(self) -> int:
        return int(pc.max(self.all_ids["sequence"]).as_py() or 0)


@st.composite
def step(draw: st.DrawFn) -> tuple[str, str, str]:
    """What happens to which record, and to which other one."""
    what = st.sampled_from(
        ["moves to", "leaves", "goes", "merges with", "is left by", "is mentioned", "publish"]
    )
    return draw(what), draw(st.sampled_from(RECORDS)), draw(st.sampled_from(RECORDS))


def happen(now: Clusters, what: str, one: str, other: str) -> Clusters:
    """The clusters after a step, each named by its lowest record, as linkage does."""
    labels = dict(now)
    match what:
        case "moves to":
            labels[one] = labels.get(other, one)
        case "leaves":
            labels[one] = f"{one} alone"
        case "goes":
            labels.pop(one, None)
        case "merges with" if {one, other} <= labels.keys():
            labels = {r: labels[other] if label == labels[one] else label for r, label in labels.items()}
        case "is left by" if one in labels:
            leaving = [r for r, label in labels.items() if label == labels[one] and r > other]
            labels |= dict.fromkeys(leaving, f"without {one}")
    return {record: min(r for r in labels if labels[r] == label) for record, label in labels.items()}


def differ(before: Clusters, now: Clusters) -> set[str]:
    return {record for record in before.keys() | now.keys() if before.get(record) != now.get(record)}


def keys_of(records: Iterable[str], **more: list[Any]) -> pa.Table:
    ids = list(records)
    content = {"source": ["crm"] * len(ids), "entity": ["contact"] * len(ids), "record_id": ids, **more}
    return pa.table(content, schema=pa.schema([*KEYS, *((name, pa.string()) for name in more)]))


def founding_of(records: Iterable[str]) -> pa.Table:
    ids = sorted(records)
    return keys_of(ids, first_seen=[f"2026-06-0{1 + ord(r) % 3}" for r in ids])


def ordered(table: pa.Table, by: str) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: row[by])


def publish(hub: Published, now: Clusters, seeds: set[str]) -> int:
    """Assign ids to all and to a part, and publish; returns how many records were not looked at."""
    clusters = keys_of(now, cluster_id=list(now.values()))
    everything = assign(clusters, hub.all_ids, hub.all_records, founding_of(now))
    part = closed(hub, clusters, keys_of(seeds))
    affected = set(part.records["record_id"].to_pylist())
    done = assign(
        part.clusters, part.registry, part.crosswalk, founding_of(affected & now.keys()), newest=part.newest
    )
    stays = pc.invert(pc.is_in(record_keys(hub.all_records), value_set=record_keys(part.records)))
    crosswalk = pa.concat_tables([hub.all_records.filter(stays), done.crosswalk])
    assert ordered(crosswalk, "record_id") == ordered(everything.crosswalk, "record_id")
    others = pc.invert(
        pc.is_in(hub.all_ids["golden_id"], value_set=done.registry["golden_id"].combine_chunks())
    )
    registry = pa.concat_tables([hub.all_ids.filter(others), done.registry])
    assert ordered(registry, "sequence") == ordered(everything.registry, "sequence")
    assert done.events.to_pylist() == everything.events.to_pylist()
    assert_accounted_for(hub, now, everything.registry, everything.crosswalk)
    hub.all_ids, hub.all_records = everything.registry, everything.crosswalk
    return len(now.keys() - affected)


def assert_accounted_for(hub: Published, now: Clusters, registry: pa.Table, crosswalk: pa.Table) -> None:
    """Every record is in one customer, customers are the clusters, and every id resolves or is retired."""
    golden = dict(zip(crosswalk["record_id"].to_pylist(), crosswalk["golden_id"].to_pylist(), strict=True))
    assert golden.keys() == now.keys()
    assert len(golden) == crosswalk.num_rows
    assert len(set(zip(golden.values(), map(now.get, golden), strict=True))) == len(set(golden.values()))
    assert len(set(golden.values())) == len(set(now.values()))
    ids = registry["golden_id"].combine_chunks()
    assert set(hub.all_ids["golden_id"].to_pylist()) <= set(ids.to_pylist())
    resolved = resolve(ids, registry).to_pylist()
    for row, current in zip(registry.to_pylist(), resolved, strict=True):
        assert current in (set(golden.values()) if row["status"] != "retired" else {None})
        if row["record_id"] in now and row["status"] == "alias":
            assert current == golden[row["record_id"]]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(RECORDS[:6]), min_size=len(RECORDS), max_size=len(RECORDS)),
    st.lists(step(), min_size=1, max_size=12),
)
@example(  # an id falls out of use whose founding record left it before, and is in none of its customers
    labels=[*"bbaaaaaaaaaaabaa"],
    history=[("leaves", "a", "a"), ("publish", "a", "a"), ("moves to", "b", "c")],
)
def test_ids_of_a_part_are_that_part_of_the_ids_of_all(
    labels: list[str], history: list[tuple[str, str, str]]
) -> None:
    hub, now = Published(), dict(zip(RECORDS, labels, strict=True))
    now = happen(now, "", "", "")
    publish(hub, now, set(now))
    seeds: set[str] = set()
    for what, one, other in [*history, ("publish", "", "")]:
        if what == "publish":
            publish(hub, now, seeds)
            seeds = set()
        before, now = now, happen(now, what, one, other)
        seeds |= differ(before, now) | ({one} if what == "is mentioned" else set())


def test_customers_that_nothing_touches_are_not_looked_at() -> None:
    hub, now = Published(), happen(dict(zip("abcdef", "aabbcc", strict=True)), "", "", "")
    publish(hub, now, set(now))
    before, now = now, happen(now, "merges with", "a", "c")
    assert publish(hub, now, differ(before, now)) == 2
