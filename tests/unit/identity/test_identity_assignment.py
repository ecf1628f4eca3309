"""Golden ids that last: what merges, splits and reruns do to them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdm_pipelines.identity import (
    CROSSWALK_SCHEMA,
    REGISTRY_SCHEMA,
    Assignment,
    assign,
    golden_id,
    resolve,
)
from cdm_pipelines.identity.registry import NAMESPACE

KEY = ["source", "entity", "record_id"]


class Hub:
    """What is published, and one run after the other."""

    def __init__(self) -> None:
        self.registry = REGISTRY_SCHEMA.empty_table()
        self.crosswalk = CROSSWALK_SCHEMA.empty_table()
        self.events: list[tuple[str, str | None]] = []

    def run(self, *clusters: str, first_seen: Mapping[str, str] | None = None) -> dict[str, str]:
        """Publish clusters, each a text of one-letter records; returns the golden id of each record."""
        done = assign(
            clusters_of(clusters),
            self.registry,
            self.crosswalk,
            founding_of("".join(clusters), first_seen or {}),
        )
        self.registry, self.crosswalk = done.registry, done.crosswalk
        self.events = [(row["event"], row["related_id"]) for row in done.events.to_pylist()]
        return {row["record_id"]: row["golden_id"] for row in done.crosswalk.to_pylist()}

    def status(self, golden: str) -> tuple[str, str | None]:
        rows = [row for row in self.registry.to_pylist() if row["golden_id"] == golden]
        return rows[0]["status"], rows[0]["alias_of"]


def clusters_of(clusters: Sequence[str]) -> pa.Table:
    rows = [
        ("crm", "contact", record, f"label {at}") for at, records in enumerate(clusters) for record in records
    ]
    return table([*KEY, "cluster_id"], rows)


def founding_of(records: str, first_seen: Mapping[str, str]) -> pa.Table:
    rows = [("crm", "contact", record, first_seen.get(record, "2026-06-01")) for record in records]
    return table([*KEY, "first_seen"], rows)


def table(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    return pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)})


def gid(record: str, generation: int = 0) -> str:
    return golden_id("crm", "contact", record, generation)


def test_an_id_is_the_name_based_uuid_of_its_founding_record() -> None:
    assert golden_id("crm", "contact", "Ö|1", 2) == str(uuid5(NAMESPACE, "2|crm|contact|Ö|1"))
    assert UUID(golden_id("crm", "contact", "1")).version == 5
    assert golden_id("crm", "contact", "1") != golden_id("crm", "contact", "1", 1)


def test_the_record_seen_first_founds_the_customer() -> None:
    hub = Hub()
    found = hub.run("ab", "cd", first_seen={"a": "2026-06-02"})
    assert found == {"a": gid("b"), "b": gid("b"), "c": gid("c"), "d": gid("c")}
    assert hub.events == [("created", None), ("created", None)]


def test_records_of_no_cluster_are_customers_by_themselves() -> None:
    done = assign(
        clusters_of(["ab"]),
        REGISTRY_SCHEMA.empty_table(),
        CROSSWALK_SCHEMA.empty_table(),
        founding_of("abcd", {}),
    )
    assert done.crosswalk["golden_id"].to_pylist() == [gid("a"), gid("a"), gid("c"), gid("d")]


def test_an_id_whose_founder_was_forgotten_is_not_given_again() -> None:
    taken = pa.array([gid("a"), gid("a", 1), gid("z")])
    empty = (REGISTRY_SCHEMA.empty_table(), CROSSWALK_SCHEMA.empty_table())
    done = assign(clusters_of(["a", "b"]), *empty, founding_of("ab", {}), taken=taken)
    assert done.crosswalk["golden_id"].to_pylist() == [gid("a", 2), gid("b")]
    again = assign(clusters_of(["a", "b"]), done.registry, done.crosswalk, founding_of("ab", {}), taken=taken)
    assert again.crosswalk.equals(done.crosswalk)


def test_a_rerun_changes_nothing_whatever_the_labels() -> None:
    hub = Hub()
    before = hub.run("ab", "cd", "e")
    registry = hub.registry
    assert hub.run("cd", "e", "ab") == before
    assert (hub.registry, hub.events) == (registry, [])


def test_new_records_take_the_id_of_the_customer_they_join() -> None:
    hub = Hub()
    hub.run("b", "c")
    found = hub.run("ab", "c", "d", first_seen={"a": "2020-01-01"})
    assert found == {"a": gid("b"), "b": gid("b"), "c": gid("c"), "d": gid("d")}


def test_a_merge_keeps_the_oldest_id_and_the_other_stands_for_it() -> None:
    hub = Hub()
    hub.run("b")
    hub.run("b", "acd")
    found = hub.run("abcd")
    assert set(found.values()) == {gid("b")}
    assert hub.status(gid("a")) == ("alias", gid("b"))
    assert hub.events == [("merged", gid("b"))]


def test_a_split_leaves_the_id_with_the_largest_part() -> None:
    hub = Hub()
    hub.run("abcde")
    found = hub.run("ab", "cde")
    assert (found["c"], found["a"]) == (gid("a"), gid("a", 1))
    assert hub.events == [("split", gid("a"))]


@pytest.mark.parametrize(
    ("description", "first_seen", "kept"),
    [
        ("equal parts: the founding record's", {"a": "2026-06-01", "b": "2026-06-01"}, "a"),
        ("its date does not matter any more", {"a": "2026-06-05", "b": "2026-06-05"}, "a"),
    ],
)
def test_a_split_into_equal_parts(description: str, first_seen: dict[str, str], kept: str) -> None:
    hub = Hub()
    hub.run("abcd")
    found = hub.run("ab", "cd", first_seen=first_seen)
    assert found[kept] == gid("a"), description


def test_equal_parts_without_the_founding_record_leave_the_id_with_the_oldest() -> None:
    hub = Hub()
    hub.run("abcde")
    found = hub.run("bc", "de", first_seen={"b": "2026-06-02", "c": "2026-06-02"})
    assert (found["d"], found["b"]) == (gid("a"), gid("b"))


def test_parts_that_join_again_have_their_first_id_again() -> None:
    hub = Hub()
    first = hub.run("abcde")
    hub.run("ab", "cde")
    assert hub.run("abcde") == first
    assert hub.status(gid("a", 1)) == ("alias", gid("a"))


def test_a_customer_parted_from_a_merge_has_its_own_id_again() -> None:
    hub = Hub()
    before = hub.run("ab", "cd")
    hub.run("abcd")
    assert hub.run("ab", "cd") == before
    assert hub.events == [("restored", None)]
    assert hub.status(gid("c")) == ("current", None)


def test_a_part_that_splits_off_again_has_its_id_again() -> None:
    hub = Hub()
    hub.run("abcde")
    hub.run("ab", "cde")  # a founds its second id
    hub.run("abcde")
    found = hub.run("ab", "cde")
    assert found["a"] == gid("a", 1)  # the second one is restored, no third is made


def test_a_record_may_found_several_customers_in_turn() -> None:
    hub = Hub()
    hub.run("abcdefg")
    hub.run("abc", "defg")
    found = hub.run("a", "bc", "defg")
    assert (found["a"], found["b"], found["d"]) == (gid("a", 2), gid("a", 1), gid("a"))


def test_an_alias_follows_its_founding_record() -> None:
    hub = Hub()
    hub.run("abc", "d", "efgh")
    hub.run("abcd", "efgh")
    hub.run("abc", "defgh")
    assert hub.status(gid("d")) == ("alias", gid("e"))


def test_the_oldest_of_several_merged_ids_comes_back() -> None:
    hub = Hub()
    hub.run("def")
    hub.run("def", "a", "b")
    hub.run("defab")
    assert hub.run("def", "ab")["b"] == gid("a")
    assert hub.status(gid("b")) == ("alias", gid("a"))


def test_a_customer_that_loses_its_founding_record_in_a_merge_stands_for_the_merged_one() -> None:
    hub = Hub()
    hub.run("a", "bc")
    hub.run("ac")
    assert hub.status(gid("b")) == ("alias", gid("a"))


def test_ids_of_vanished_records() -> None:
    hub = Hub()
    hub.run("a", "bc", "def")
    hub.run("a", "bcdef")
    hub.run("a", "bcef")
    assert hub.status(gid("d")) == ("alias", gid("b")), "its founding record is gone, its customer is not"
    hub.run("a")
    assert (hub.status(gid("b")), hub.status(gid("d"))) == (("retired", None), ("retired", None))
    assert Counter(event for event, _ in hub.events) == {"retired": 2}
    assert hub.run("a", "bc")["c"] == gid("b"), "what comes back is the same customer"


def test_resolving_ids() -> None:
    hub = Hub()
    hub.run("ab", "c", "d")
    hub.run("abc")
    ids = pa.array([gid("a"), gid("c"), gid("d"), gid("x"), None])
    assert resolve(ids, hub.registry).to_pylist() == [gid("a"), gid("a"), None, None, None]


@pytest.mark.parametrize(
    ("clusters", "records", "message"),
    [
        (["ab", "b"], "ab", "more than one cluster"),
        (["ab"], "a", "not among the current records"),
        (["a"], "aa", "more than once"),
    ],
)
def test_impossible_input_is_refused(clusters: list[str], records: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assign(
            clusters_of(clusters),
            REGISTRY_SCHEMA.empty_table(),
            CROSSWALK_SCHEMA.empty_table(),
            founding_of(records, {}),
        )


def test_no_records_at_all() -> None:
    hub = Hub()
    assert hub.run() == {}
    hub.run("a")
    assert hub.run() == {}
    assert hub.status(gid("a")) == ("retired", None)


clustering = st.lists(st.integers(0, 5), min_size=9, max_size=9).flatmap(
    lambda labels: st.sets(st.integers(0, 8)).map(
        lambda gone: {"abcdefghi"[at]: str(label) for at, label in enumerate(labels) if at not in gone}
    )
)
dates = st.lists(st.sampled_from(["2026-06-01", "2026-06-02"]), min_size=9, max_size=9)


@settings(max_examples=100, deadline=None)
@given(history=st.lists(clustering, min_size=1, max_size=6), seen=dates, order=st.randoms())
def test_laws_hold_over_any_history(history: list[dict[str, str]], seen: list[str], order: Any) -> None:
    registry, crosswalk = REGISTRY_SCHEMA.empty_table(), CROSSWALK_SCHEMA.empty_table()
    founders: dict[str, tuple[str, int, int]] = {}
    for labels in history:
        rows = [("crm", "contact", record, label) for record, label in labels.items()]
        founding = [("crm", "contact", record, seen["abcdefghi".index(record)]) for record in labels]
        done = published(rows, founding, registry, crosswalk)
        check_every_record_has_one_customer(done, labels)
        check_ids(done, founders)
        check_unchanged_clusters_kept_theirs(done, crosswalk, labels)

        again = published(rows, founding, done.registry, done.crosswalk)
        assert (again.registry, again.crosswalk) == (done.registry, done.crosswalk)
        assert again.events.num_rows == 0
        shuffled = published(
            order.sample(rows, len(rows)),
            order.sample(founding, len(founding)),
            shuffle(registry, order),
            shuffle(crosswalk, order),
        )
        assert shuffled.registry == done.registry
        assert as_mapping(shuffled.crosswalk) == as_mapping(done.crosswalk)
        registry, crosswalk = done.registry, done.crosswalk


def published(rows: Any, founding: Any, registry: pa.Table, crosswalk: pa.Table) -> Assignment:
    return assign(
        table([*KEY, "cluster_id"], rows), registry, crosswalk, table([*KEY, "first_seen"], founding)
    )


def shuffle(rows: pa.Table, order: Any) -> pa.Table:
    return rows.take(pa.array(order.sample(range(rows.num_rows), rows.num_rows), pa.int64()))


def as_mapping(crosswalk: pa.Table) -> dict[str, str]:
    return {row["record_id"]: row["golden_id"] for row in crosswalk.to_pylist()}


def check_every_record_has_one_customer(done: Assignment, labels: dict[str, str]) -> None:
    golden = as_mapping(done.crosswalk)
    assert done.crosswalk.num_rows == len(golden)
    assert golden.keys() == labels.keys()
    assert {frozenset(r for r in golden if golden[r] == i) for i in golden.values()} == {
        frozenset(r for r in labels if labels[r] == label) for label in labels.values()
    }


def check_ids(done: Assignment, founders: dict[str, tuple[str, int, int]]) -> None:
    rows = done.registry.to_pylist()
    status = {row["golden_id"]: row["status"] for row in rows}
    assert len(status) == len(rows)
    assert len({row["sequence"] for row in rows}) == len(rows)
    for row in rows:
        made = (row["record_id"], row["generation"], row["sequence"])
        assert founders.setdefault(row["golden_id"], made) == made, "no id ever stands for another record"
        assert (row["alias_of"] is not None) == (row["status"] == "alias")
        assert row["alias_of"] is None or status[row["alias_of"]] == "current"
    assert founders.keys() == status.keys(), "no id is ever forgotten"
    current = {golden for golden, state in status.items() if state == "current"}
    assert current == set(done.crosswalk["golden_id"].to_pylist())


def check_unchanged_clusters_kept_theirs(done: Assignment, before: pa.Table, labels: dict[str, str]) -> None:
    old, new = as_mapping(before), as_mapping(done.crosswalk)
    for golden in set(old.values()):
        members = {record for record in old if old[record] == golden}
        if members <= labels.keys() and members == {r for r in labels if labels[r] == labels[min(members)]}:
            assert {new[record] for record in members} == {golden}
