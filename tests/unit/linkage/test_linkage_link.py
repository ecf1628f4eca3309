"""Linking whole tables: what a user of ``link`` relies on."""

import json
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from linkage_examples import people, policy, truth_of

from cdm_pipelines.linkage import LinkageError, LinkageModel, LinkResult, fit, link
from cdm_pipelines.linkage.evaluate.measures import evaluate

PEOPLE = people(250, seed=4)


@pytest.fixture(scope="module")
def linked() -> LinkResult:
    return link(PEOPLE, policy())


def pair(left: str, right: str) -> pd.DataFrame:
    row = {"left_source": "records", "left_id": left, "right_source": "records", "right_id": right}
    return pd.DataFrame([row])


def test_people_are_found(linked: LinkResult) -> None:
    result = evaluate(linked.clusters, truth_of(PEOPLE))
    assert result.pairs.precision > 0.97
    assert result.pairs.recall > 0.85


def test_every_record_is_in_one_cluster_named_after_its_smallest_record(linked: LinkResult) -> None:
    clusters = linked.clusters
    assert list(clusters.columns) == ["source", "record_id", "cluster_id"]
    assert clusters["record_id"].tolist() == sorted(PEOPLE["id"])
    smallest = clusters.groupby("cluster_id")["record_id"].min()
    assert all(name == f"records|{first}" for name, first in smallest.items())


def test_pairs_carry_score_and_levels(linked: LinkResult) -> None:
    levels = ["given_name", "surname", "birth_date", "postcode"]
    names = ["left_source", "left_id", "right_source", "right_id", "weight", "probability", *levels]
    assert list(linked.pairs.columns) == names
    assert (linked.pairs["probability"] >= 0.3).all()
    assert (linked.pairs["left_id"] < linked.pairs["right_id"]).all()
    assert not linked.pairs.duplicated(["left_id", "right_id"]).any()
    assert linked.pairs[levels].min().min() >= -1


def test_the_report_counts_and_holds_no_values(linked: LinkResult) -> None:
    report = linked.report
    text = json.dumps(report)
    assert report["records"] == len(PEOPLE)
    assert sum(rule["new_pairs"] for rule in report["rules"]) == report["pairs"]
    assert sum(int(size) * n for size, n in report["cluster_sizes"].items()) == len(PEOPLE)
    assert 0.9 < report["expected"]["precision"] <= 1
    assert {"encode", "block", "compare", "fit", "cluster"} <= set(report["seconds"])
    for name in PEOPLE["surname"].dropna().unique():
        assert name not in text


@given(seed=st.integers(0, 10_000), chunk=st.sampled_from([1, 17, 1000, 10**6]), arrow=st.booleans())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_row_order_chunk_size_and_form_change_nothing(
    linked: LinkResult, seed: int, chunk: int, arrow: bool
) -> None:
    shuffled = PEOPLE.sample(frac=1, random_state=seed)[sorted(PEOPLE.columns)]
    table = pa.Table.from_pandas(shuffled, preserve_index=False) if arrow else shuffled
    again = link(table, policy(chunk_pairs=chunk))
    pd.testing.assert_frame_equal(again.clusters, linked.clusters)
    pd.testing.assert_frame_equal(again.pairs, linked.pairs)
    assert (
        json.loads(again.model.to_json())["comparisons"] == json.loads(linked.model.to_json())["comparisons"]
    )


def test_a_frozen_model_scores_a_pair_the_same_whoever_else_is_there(linked: LinkResult) -> None:
    model = LinkageModel.from_json(linked.model.to_json())
    assert model == linked.model
    some = PEOPLE[PEOPLE["truth_id"] < 60]
    few = link(some, policy(), model=model).pairs.set_index(["left_id", "right_id"])
    all_of_them = linked.pairs.set_index(["left_id", "right_id"]).loc[few.index]
    pd.testing.assert_frame_equal(few, all_of_them)


def test_a_model_scores_comparisons_by_their_names(linked: LinkResult) -> None:
    turned = replace(linked.model, comparisons=dict(reversed(linked.model.comparisons.items())))
    pd.testing.assert_frame_equal(link(PEOPLE, policy(), model=turned).pairs, linked.pairs)


def test_clusters_of_one_component_do_not_depend_on_others(linked: LinkResult) -> None:
    strangers = people(40, seed=99).assign(
        id=lambda f: "z" + f["id"], surname="zonderling", postcode=None, birth_date=None, given_name=None
    )
    more = link(pd.concat([PEOPLE, strangers]), policy(), model=linked.model).clusters
    kept = more[~more["record_id"].str.startswith("z")].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, linked.clusters)


def test_fit_gives_the_model_that_link_fits(linked: LinkResult) -> None:
    assert fit(PEOPLE, policy()) == linked.model


def test_a_model_of_another_policy_is_refused(linked: LinkResult) -> None:
    other = policy(comparisons={"surname": {"kind": "exact", "column": "surname"}})
    with pytest.raises(LinkageError, match="fit the model again"):
        link(PEOPLE, other, model=linked.model)
    with pytest.raises(LinkageError, match="not a linkage model"):
        LinkageModel.from_json("{}")


def _joined(pairs: list[tuple[str, str]], start: str, end: str) -> bool:
    """Whether pairs lead from one record to the other."""
    reached = {start}
    for _ in pairs:
        reached |= {b for a, b in pairs if a in reached} | {a for a, b in pairs if b in reached}
    return end in reached


IDS = sorted(PEOPLE["id"])[:40]


@given(
    same=st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)), max_size=3),
    different=st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)), max_size=3),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_decisions_are_kept_or_refused(
    linked: LinkResult, same: list[tuple[str, str]], different: list[tuple[str, str]]
) -> None:
    def frame(pairs: list[tuple[str, str]]) -> pd.DataFrame:
        rows = [pair(*one) for one in pairs]
        return pd.concat(rows) if rows else pair("x", "y").iloc[:0]

    different = [(a, b) for a, b in different if a != b]
    some = PEOPLE[PEOPLE["id"].isin(IDS)]
    if any(_joined(same, a, b) for a, b in different):
        with pytest.raises(LinkageError, match="both the same and different"):
            link(some, policy(), model=linked.model, same=frame(same), different=frame(different))
        return
    result = link(some, policy(), model=linked.model, same=frame(same), different=frame(different))
    cluster = result.clusters.set_index("record_id")["cluster_id"]
    assert all(cluster[a] == cluster[b] for a, b in same)
    assert all(cluster[a] != cluster[b] for a, b in different)


def test_a_decision_outweighs_every_contradiction(linked: LinkResult) -> None:
    strangers = [linked.clusters["record_id"].iloc[0], linked.clusters["record_id"].iloc[-1]]
    together = link(PEOPLE, policy(), model=linked.model, same=pair(*strangers)).clusters
    cluster = together.set_index("record_id")["cluster_id"]
    assert cluster[strangers[0]] == cluster[strangers[1]]


def test_a_decision_about_a_record_that_is_gone_is_left_out(linked: LinkResult) -> None:
    result = link(PEOPLE, policy(), model=linked.model, different=pair("00000-0", "gone"))
    pd.testing.assert_frame_equal(result.clusters, linked.clusters)


def test_a_decision_without_its_columns_is_refused(linked: LinkResult) -> None:
    with pytest.raises(LinkageError, match="right_id"):
        link(PEOPLE, policy(), model=linked.model, same=pair("a", "b").drop(columns="right_id"))


def group(number: int, *ids: str) -> pd.DataFrame:
    return pd.DataFrame({"source": "records", "record_id": ids, "group": number})


def test_two_confirmed_parties_stay_whole_and_apart(linked: LinkResult) -> None:
    members = linked.clusters.groupby("cluster_id")["record_id"].agg(list)
    party = next(ids for ids in members if len(ids) == 3)
    stranger = linked.clusters["record_id"].iloc[-1]
    for members_of_one in ([party[0]], [party[0], stranger]):
        confirmed = pd.concat([group(4, *members_of_one), group(7, party[1])])
        result = link(PEOPLE, policy(), model=linked.model, confirmed=confirmed).clusters
        cluster = result.set_index("record_id")["cluster_id"]
        assert len({cluster[name] for name in members_of_one}) == 1
        assert cluster[party[0]] != cluster[party[1]]
        assert cluster[party[2]] in {cluster[party[0]], cluster[party[1]]}
    joined = link(PEOPLE, policy(), model=linked.model, confirmed=group(4, *party)).clusters
    pd.testing.assert_frame_equal(joined, linked.clusters)


def test_confirmed_records_that_are_gone_are_left_out(linked: LinkResult) -> None:
    first = PEOPLE["id"].min()
    result = link(PEOPLE, policy(), model=linked.model, confirmed=group(1, "gone", first, "lost"))
    pd.testing.assert_frame_equal(result.clusters, linked.clusters)


def test_two_confirmed_parties_that_are_decided_to_be_one_are_refused(linked: LinkResult) -> None:
    confirmed = pd.concat([group(1, IDS[0], IDS[1]), group(2, IDS[2])])
    with pytest.raises(LinkageError, match="two confirmed groups"):
        link(PEOPLE, policy(), model=linked.model, same=pair(IDS[1], IDS[2]), confirmed=confirmed)
    with pytest.raises(LinkageError, match="both the same and different"):
        link(PEOPLE, policy(), model=linked.model, different=pair(IDS[0], IDS[1]), confirmed=confirmed)
    with pytest.raises(LinkageError, match="'group'"):
        link(PEOPLE, policy(), model=linked.model, confirmed=confirmed.drop(columns="group"))


def test_two_sources_without_duplicates_are_linked_one_to_one() -> None:
    both = PEOPLE.assign(source=PEOPLE["id"].str[-1].map({"0": "a", "1": "b"})).dropna(subset="source")
    rules = policy(source="source", duplicate_free=["a", "b"])
    clusters = link(both, rules).clusters
    assert (clusters.groupby(["cluster_id", "source"]).size() == 1).all()
    assert (clusters.groupby("cluster_id").size() == 2).sum() > 100


def test_progress_is_told(linked: LinkResult) -> None:
    told: dict[str, list[float]] = {}
    link(
        PEOPLE,
        policy(chunk_pairs=200),
        model=linked.model,
        progress=lambda stage, share: told.setdefault(stage, []).append(share),
    )
    assert list(told) == ["encode", "block", "compare", "cluster"]
    assert len(told["compare"]) > 2
    assert all(shares == sorted(shares) and shares[-1] <= 1 for shares in told.values())


def test_no_cluster_is_larger_than_the_policy_allows(linked: LinkResult) -> None:
    small = policy(clustering={"max_size": 2})
    assert link(PEOPLE, small, model=linked.model).clusters.groupby("cluster_id").size().max() == 2


def test_names_alone_are_no_match_when_the_policy_says_so() -> None:
    rare = pd.DataFrame(
        {
            "id": ["x1", "x2"],
            "given_name": "yavuz",
            "surname": "zonneveldt",
            "birth_date": None,
            "postcode": ["9001AA", "9002BB"],
        }
    )
    everyone = pd.concat([PEOPLE, rare], ignore_index=True)
    plain = policy(thresholds={"match": 0.5, "review": 0.1})
    careful = policy(thresholds={"match": 0.5, "review": 0.1, "not_alone": ["given_name", "surname"]})
    model = fit(everyone, plain)

    def together(rules: object) -> bool:
        clusters = link(everyone, rules, model=model).clusters.set_index("record_id")["cluster_id"]  # type: ignore[arg-type]
        return bool(clusters["x1"] == clusters["x2"])

    assert not together(careful)
    assert set(link(everyone, careful, model=model).pairs["left_id"]) >= set(
        link(everyone, plain, model=model).pairs["left_id"]
    )


def test_expected_precision_is_near_the_true_one() -> None:
    """The thresholds are set without labels: what they promise must hold on data of other sizes and error rates."""
    for number, errors, seed in ((400, 0.1, 1), (400, 0.3, 2), (1500, 0.2, 3)):
        frame = people(number, seed=seed, errors=errors)
        result = link(frame, policy(thresholds={"match": 0.5, "review": 0.1}))
        truth = frame.set_index("id")["truth_id"]
        accepted = result.pairs[result.pairs["probability"] >= 0.5]
        true = float(np.mean(truth[accepted["left_id"]].to_numpy() == truth[accepted["right_id"]].to_numpy()))
        assert abs(result.report["expected"]["precision"] - true) < 0.03


def test_households_twins_and_parent_and_child_stay_apart() -> None:
    """One front door, one surname, one phone: different people all the same."""
    rng = np.random.default_rng(8)
    rows: list[dict[str, Any]] = []
    given = ["jan", "piet", "klaas", "maria", "anna", "els", "henk", "sanne", "daan", "emma"]
    for house in range(300):
        surname = f"{'bdgkmprstv'[house % 10]}{'aeiou'[house % 5]}{'lmnrst'[house % 6]}{'aeo'[house % 3]}{house % 7}"
        names = rng.choice(given, 3, replace=False)
        shared = {"surname": surname.replace("0", "l"), "postcode": f"{1000 + house}AB"}
        births = [
            f"19{rng.integers(40, 60)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}" for _ in range(3)
        ]
        if house % 20 == 0:
            births[2] = births[1]  # twins
        if house % 15 == 0:
            names[2] = names[0]  # a child named after the parent
        for member in range(3):
            person = {
                "truth_id": house * 3 + member,
                "given_name": names[member],
                "birth_date": births[member],
            }
            rows.extend({"id": f"{house:03d}-{member}-{copy}", **person, **shared} for copy in range(2))
    frame = pd.DataFrame(rows)
    comparisons = {
        "given_name": {"kind": "given_name", "column": "given_name"},
        "surname": {"kind": "surname", "column": "surname", "shared": True},
        "birth_date": {"kind": "date", "column": "birth_date"},
        "postcode": {"kind": "exact", "column": "postcode", "shared": True},
    }
    blocking = [{"keys": "postcode"}, {"keys": ["given_name", "birth_date"]}]
    result = link(frame, policy(comparisons=comparisons, blocking=blocking))
    measured = evaluate(result.clusters, truth_of(frame))
    assert measured.pairs.precision > 0.99
    assert measured.pairs.recall > 0.95


def test_a_contradiction_keeps_a_bridge_from_joining_two_people() -> None:
    """Two people and a record without name and birth date between them: the bridge goes to one of them, not both."""
    rules = policy(
        clustering={"contradictions": [["birth_date", "given_name"]], "support": -20},
        thresholds={"match": 0.5, "review": 0.1},
    )
    bridged = pd.DataFrame(
        [
            {
                "id": "b1",
                "given_name": "jan",
                "surname": "uniek",
                "birth_date": "1950-01-02",
                "postcode": "9999ZZ",
            },
            {"id": "b2", "given_name": None, "surname": "uniek", "birth_date": None, "postcode": "9999ZZ"},
            {
                "id": "b3",
                "given_name": "els",
                "surname": "uniek",
                "birth_date": "1981-11-23",
                "postcode": "9999ZZ",
            },
        ]
    )
    everyone = pd.concat([PEOPLE, bridged], ignore_index=True)
    cluster = link(everyone, rules).clusters.set_index("record_id")["cluster_id"]
    assert cluster["b1"] != cluster["b3"]
    for a, b in combinations(["b1", "b2", "b3"], 2):
        assert {a, b} != {"b1", "b3"} or cluster[a] != cluster[b]
