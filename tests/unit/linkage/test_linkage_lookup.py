"""One record looked up by itself comes out where linking it puts it, whatever was decided."""

from functools import cache
from itertools import pairwise
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


KINDS = ("", "same", "different", "confirmed")
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


def decisions(kind: str, near: list[dict[str, str]], record: str, seed: int) -> Decided:
    """What may be decided about records near the one that is looked up, and one that is not."""
    order = np.random.default_rng(seed).permutation(len(near))
    near = [near[k] for k in order]
    stranger = (
        PEOPLE[PEOPLE["id"] != record][["source", "id"]]
        .sample(1, random_state=seed)
        .astype(str)
        .to_numpy()[0]
    )
    named = [(one["source"], one["id"]) for one in near] + [tuple(stranger)]
    pairs = [(*one, *other) for one, other in pairwise(named) if one != other][:1]
    if kind == "confirmed":
        rows = [(*one, group % 2) for group, one in enumerate(dict.fromkeys(named))]
        return Decided(confirmed=pd.DataFrame(rows, columns=["source", "record_id", "group"]))
    return Decided(**{kind: pd.DataFrame(pairs, columns=PAIR)}) if kind else Decided()


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
@given(number=st.integers(0, len(PEOPLE) - 1), seed=st.integers(0, 1000), kind=st.sampled_from(KINDS))
def test_a_record_comes_out_where_linking_puts_it(name: str, number: int, seed: int, kind: str) -> None:
    how, model = POLICIES[name], linked(name).model
    try:
        record, others = held_out(name, number)
        plain = Lookup.of(how, model, others, Decided())
        decided = decisions(
            kind, plain.names(plain.near(record).members).to_pylist(), record["id"][0].as_py(), seed
        )
        changes = RecordChanges.by(others.rows, record, record.slice(0, 0).select(how.key_columns), how)
        night = relink(changes, how, model, others, decided=decided)
    except EverythingError:
        return  # a block has become too large, or is so no more: other pairs change too
    lookup = plain.decided_by(decided)
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


@pytest.mark.parametrize(("holders", "compared"), [(5, 5), (6, 0)])
def test_a_block_that_the_record_makes_too_large_makes_no_pairs(holders: int, compared: int) -> None:
    how = policy(blocking=[{"keys": ["birth_date"]}], max_block_size=6)
    people = PEOPLE.drop(columns="source").drop_duplicates("birth_date").reset_index(drop=True)
    people.loc[: holders - 1, "birth_date"] = "1950-05-05"
    result = link(people, how, remember=True, threads=1)
    assert result.state is not None
    record = result.state.rows.records(np.array([0])).to_pandas().assign(id="new", birth_date="1950-05-05")
    row = pa.Table.from_pandas(record, result.state.rows.base.records.schema, preserve_index=False)
    lookup = Lookup.of(how, result.model, result.state, Decided())
    assert len(lookup.near(row).candidates) == compared
