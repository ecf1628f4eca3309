"""Customers that only a source held together have their own ids again when it is gone."""

import pyarrow as pa
import pytest

from cdm_pipelines.identity import CROSSWALK_SCHEMA, REGISTRY_SCHEMA, Assignment, assign
from cdm_pipelines.identity.parting import as_before_joined, sources_gone

Groups = list[list[str]]
"""Records of each customer; those of the other company begin with x."""


def key(record: str) -> tuple[str, str, str]:
    return ("other" if record.startswith("x") else "ours", "customer", record)


def table(groups: Groups) -> pa.Table:
    rows = [(*key(record), group[0]) for group in groups for record in group]
    return pa.table(
        dict(
            zip(
                ("source", "entity", "record_id", "cluster_id"),
                map(list, zip(*rows, strict=True)),
                strict=True,
            )
        )
    )


def founding(groups: Groups) -> pa.Table:
    days = {"x": "2026-02-01"}
    rows = [(*key(record), days.get(record[0], "2026-01-01")) for group in groups for record in group]
    return pa.table(
        dict(
            zip(
                ("source", "entity", "record_id", "first_seen"),
                map(list, zip(*rows, strict=True)),
                strict=True,
            )
        )
    )


def published(before: Assignment | None, groups: Groups) -> Assignment:
    """A run; from nothing where there was none before."""
    registry = before.registry if before else REGISTRY_SCHEMA.empty_table()
    crosswalk = before.crosswalk if before else CROSSWALK_SCHEMA.empty_table()
    clusters, records = table(groups), founding(groups)
    former = as_before_joined(crosswalk, registry, clusters, sources_gone(crosswalk, records))
    return assign(clusters, registry, former, records)


def ids(made: Assignment) -> dict[str, str]:
    rows = made.crosswalk.to_pylist()
    return {row["record_id"]: row["golden_id"] for row in rows}


@pytest.mark.parametrize(
    ("ours", "with_theirs"),
    [
        ([["a"], ["c", "d"]], [["a", "c", "d", "x"]]),  # the founding record is in the smaller part
        ([["a", "b"], ["c"]], [["a", "b", "c", "x"]]),
        ([["a"], ["c"], ["d", "e", "f"]], [["a", "c", "d", "e", "f", "x", "xx"]]),
        ([["a", "b"]], [["a", "b", "x"], ["xx"]]),
        ([["a", "b", "c"]], [["a", "x"], ["b", "c", "xx"]]),  # theirs drew ours apart
        ([["a"]], [["a"], ["x"]]),
    ],
)
def test_ids_are_those_of_before(ours: Groups, with_theirs: Groups) -> None:
    before = published(None, ours)
    joined = published(before, with_theirs)
    after = published(joined, ours)
    assert ids(after) == ids(before)
    status = {row["golden_id"]: row["status"] for row in after.registry.to_pylist()}
    assert all(status[one] == "current" for one in ids(before).values())


def test_without_a_source_that_is_gone_the_largest_part_keeps_the_id() -> None:
    before = published(None, [["a"], ["c", "d"]])
    merged = published(before, [["a", "c", "d"]])
    parted = published(merged, [["a"], ["c", "d"]])
    assert ids(parted)["c"] == ids(before)["a"]


def test_a_source_of_which_a_record_is_left_is_not_gone() -> None:
    records = founding([["a", "x"]])
    assert sources_gone(records, records) == frozenset()
    assert sources_gone(records, founding([["a"]])) == {"other"}
