"""One record looked up by itself comes out where linking it puts it, whatever was decided."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linkage_examples import full_people, full_policy, policy

from cdm_pipelines.linkage import LinkagePolicy, LinkResult, link
from cdm_pipelines.linkage.cluster.constraints import Decided
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.incremental.lookup import Lookup, RecordThereError
from cdm_pipelines.linkage.incremental.record_changes import RecordChanges
from cdm_pipelines.linkage.incremental.relink import EverythingError, relink
from cdm_pipelines.linkage.incremental.state import LinkState

PEOPLE = full_people(140, seed=11)
PEOPLE["source"] = np.where(np.arange(len(PEOPLE)) % 3 < 2, "crm", "shop")
PAIR = ["left_source", "left_id", "right_source", "right_id"]


def foreseeable(**changes: Any) -> LinkagePolicy:
    """The policy with everything, but for rules that look at more than the records themselves."""
    every = full_policy(**changes)
    rules = tuple(rule for rule in every.blocking if not rule.window and not rule.algorithm)
    return every.model_copy(update={"blocking": rules})


POLICIES = {
    "with everything": foreseeable(source="source", max_pairs=300),
    "blocks are cut": foreseeable(source="source", max_pairs=300, max_block_size=6),
    "a source holds nobody twice": foreseeable(source="source", duplicate_free=["shop"], max_pairs=300),
    "guarded": policy(
        source="source",
        thresholds={"match": 0.8, "review": 0.02, "expected_false_matches": 0.01},
        clustering={"contradictions": [["birth_date", "given_name"]], "max_size": 4},
    ),
}


@cache
def linked(name: str) -> LinkResult:
    return link(PEOPLE, POLICIES[name], remember=True, threads=1)


def decisions(seed: int, held_out: str) -> Decided:
    """Pairs decided to be the same and different, and confirmed records, none of them the one that is held out."""
    some = (
        PEOPLE[["source", "id"]][PEOPLE["id"] != held_out]
        .sample(20, random_state=seed)
        .astype(str)
        .to_numpy()
    )
    pairs = pd.DataFrame(np.hstack([some[:12:2], some[1:12:2]]), columns=PAIR)
    confirmed = pd.DataFrame(some[12:], columns=["source", "record_id"]).assign(group=np.arange(8) // 2)
    return Decided(pairs[::2], pairs[1::2], confirmed)


def held_out(name: str, number: int) -> tuple[pa.Table, LinkState]:
    """A record, and the linkage of all others."""
    result, how = linked(name), POLICIES[name]
    assert result.state is not None
    state, record = result.state, result.state.rows.records(np.array([number]))
    nobody = record.slice(0, 0)
    changes = RecordChanges.by(state.rows, nobody, record.select(how.key_columns), how)
    return record, relink(changes, how, result.model, state).state


@pytest.mark.parametrize("name", POLICIES)
@settings(deadline=None, max_examples=40)
@given(number=st.integers(0, len(PEOPLE) - 1), seed=st.integers(0, 1000), anything=st.booleans())
def test_a_record_comes_out_where_linking_puts_it(name: str, number: int, seed: int, anything: bool) -> None:
    how, model = POLICIES[name], linked(name).model
    try:
        record, others = held_out(name, number)
        decided = decisions(seed, record["id"][0].as_py()) if anything else Decided()
        changes = RecordChanges.by(others.rows, record, record.slice(0, 0).select(how.key_columns), how)
        night = relink(changes, how, model, others, decided=decided)
    except EverythingError:
        return  # a block has become too large, or is so no more: other pairs change too
    lookup = Lookup.of(how, model, others, Decided()).decided_by(decided)
    near = lookup.near(record)
    (place,) = night.changed
    assert near.before == place
    assert len(near.candidates) == night.compared
    mine = (night.state.links.left == place) | (night.state.links.right == place)
    left, right = night.state.links.left[mine], night.state.links.right[mine]
    partner = np.where(left == place, right, left)
    assert changes.old_of_new[partner].tolist() == near.partners.tolist()
    assert night.state.links.odds[mine].tobytes() == near.odds.tobytes()
    assert night.state.weight[mine].tobytes() == near.weight.tobytes()
    joined = lookup.joined(near)
    mates = np.flatnonzero(night.state.member == night.state.member[place])
    mates = changes.old_of_new[mates[mates != place]]
    assert sorted(joined.others[joined.with_record].tolist()) == mates.tolist()
    for one, other in zip(joined.others[1:], joined.others[:-1], strict=True):
        apart = night.state.member[changes.new_of_old[one]] != night.state.member[changes.new_of_old[other]]
        at = np.searchsorted(joined.others, [one, other])
        assert (joined.clusters[at[0]] != joined.clusters[at[1]]) == apart


def test_a_rule_that_looks_at_more_than_the_record_is_told() -> None:
    result = linked("with everything")
    assert result.state is not None
    windowed = full_policy(source="source")
    with pytest.raises(
        LinkageError, match="'given_name \\+ surname' looks at more than the records themselves"
    ):
        Lookup.of(windowed, result.model, result.state, Decided())


def test_a_record_that_is_there_is_not_looked_up_as_a_new_one() -> None:
    result = linked("guarded")
    assert result.state is not None
    lookup = Lookup.of(POLICIES["guarded"], result.model, result.state, Decided())
    with pytest.raises(RecordThereError, match="of one that is there"):
        lookup.near(result.state.rows.records(np.array([3])))
