"""Explanations add up to the scores, and say truly why records are in one cluster or in two."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from linkage_examples import full_people, full_policy, people, policy

from cdm_pipelines.linkage import LinkageError, LinkageModel, LinkagePolicy, LinkResult, link
from cdm_pipelines.linkage.blocking.binding import bind
from cdm_pipelines.linkage.blocking.pairs import MadeBy
from cdm_pipelines.linkage.encode.positions import Pair
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.linkage.explain.clusters import Explanation, Graph, Link, strongest_path
from cdm_pipelines.linkage.explain.pair import (
    PRIOR,
    RELATED,
    Subject,
    perfect_odds,
    unlinkable,
    unlinkable_share,
    waterfall,
)
from cdm_pipelines.linkage.explain.pictures import (
    distribution_chart,
    expected_chart,
    expected_picture,
    graph_chart,
    svg,
    waterfall_chart,
    weights_chart,
    weights_picture,
)
from cdm_pipelines.linkage.explain.rules import made_pair
from cdm_pipelines.linkage.model.fellegi_sunter import log2_odds

PEOPLE = people(250, seed=4)
SHARED = {
    "given_name": {"kind": "given_name", "column": "given_name", "term_frequency": {"fuzzy": 0.5}},
    "surname": {"kind": "surname", "column": "surname", "shared": True, "term_frequency": {}},
    "birth_date": {"kind": "date", "column": "birth_date"},
    "postcode": {"kind": "exact", "column": "postcode", "shared": True, "term_frequency": {}},
}


@dataclass
class Linked:
    """A linked table with all that is asked about it."""

    table: pd.DataFrame
    policy: LinkagePolicy
    result: LinkResult

    def __post_init__(self) -> None:
        self.subject = Subject(encode(self.table, self.policy), self.policy, self.result.model)
        self.position = {self.subject.name(k): k for k in range(len(self.subject.records))}
        clusters = self.result.clusters
        names = clusters["source"] + "|" + clusters["record_id"]
        groups = names.map(self.position).groupby(clusters["cluster_id"]).agg(list)
        self.group = {k: np.array(group, dtype=np.int32) for group in groups for k in group}
        pairs = self.result.pairs
        left, right = (
            (pairs[f"{side}_source"] + "|" + pairs[f"{side}_id"])
            .map(self.position)
            .to_numpy()
            .astype(np.int32)
            for side in ("left", "right")
        )
        self.made: Pair = (left, right)

    def explain(self, left: int, right: int, **more: Any) -> Explanation:
        groups = (self.group[left], self.group[right])
        return Explanation.of(self.subject, left, right, groups, made=self.made, **more)

    def of_ids(self, left: str, right: str, **more: Any) -> Explanation:
        return self.explain(self.position[left], self.position[right], **more)

    def reasons(self, left: str, right: str) -> str:
        found = self.of_ids(left, right)
        assert found.together is False
        return "\n".join(found.reasons)


def linked_under(table: pd.DataFrame, model: LinkageModel | None = None, **changes: Any) -> Linked:
    own = policy(**changes)
    return Linked(table, own, link(table, own, model=model))


@pytest.fixture(scope="module")
def linked() -> Linked:
    return linked_under(PEOPLE, comparisons=SHARED)


def rows(
    *people: tuple[str, str | None, str | None, str | None, str | None], source: str = "one"
) -> pd.DataFrame:
    names = ("id", "given_name", "surname", "birth_date", "postcode")
    return pd.DataFrame(people, columns=list(names)).assign(source=source)


def beside(linked: Linked, table: pd.DataFrame, *, match: float | None = None, **changes: Any) -> Linked:
    """Other records under the model that was fitted to ``linked``, perhaps with another threshold."""
    model = replace(linked.result.model, match=match or linked.result.model.match)
    return linked_under(table, model, comparisons=SHARED, source="source", **changes)


# The waterfall


def test_the_steps_of_every_pair_add_up_to_its_score(linked: Linked) -> None:
    odds = log2_odds(linked.result.model.prior) + linked.result.pairs["weight"]
    seen: set[str] = set()
    for left, right, weight, posterior in zip(*linked.made, linked.result.pairs["weight"], odds, strict=True):
        found = waterfall(linked.subject, int(left), int(right))
        assert found.weight == pytest.approx(weight, abs=1e-9)
        assert found.odds == pytest.approx(posterior, abs=1e-9)
        assert [step.name for step in found.steps] == [PRIOR, *SHARED, RELATED]
        assert sum(step.bits + step.term for step in found.steps) == pytest.approx(posterior, abs=1e-9)
        for before, after in pairwise(found.steps):
            assert after.before == pytest.approx(before.total, abs=1e-9)
        seen |= {step.meaning for step in found.steps}
    assert {"missing", "equal", "different", "similar"} <= seen


def test_the_steps_add_up_where_the_policy_has_its_comparisons_in_another_order(linked: Linked) -> None:
    names = ("surname", "given_name", "postcode", "birth_date")
    turned = linked_under(PEOPLE, linked.result.model, comparisons={name: SHARED[name] for name in names})
    for left, right, weight in zip(*turned.made, turned.result.pairs["weight"], strict=True):
        assert waterfall(turned.subject, int(left), int(right)).weight == pytest.approx(weight, abs=1e-9)


def test_the_steps_are_the_models_own_weights_and_frequencies(linked: Linked) -> None:
    model = linked.result.model
    pairs = linked.result.pairs
    assert (pairs["surname"] > 0).any()
    for left, right, level in zip(*linked.made, pairs["surname"], strict=True):
        step = waterfall(linked.subject, int(left), int(right)).steps[2]
        if level < 0:
            assert (step.bits, step.term) == (0.0, 0.0)
            continue
        one = model.comparisons["surname"]
        assert step.meaning == one.labels[level]
        assert step.bits == pytest.approx(np.log2(one.m[level] / one.u[level]))
        assert (step.term != 0) == (level > 0)


def test_housemates_may_be_another_explanation(linked: Linked) -> None:
    """Agreement on what relatives share is taken back; agreement on what they do not share is not."""
    model = replace(linked.result.model, related=0.05)
    table = rows(
        ("a", "Jan", "Hoekstra", None, "1000AB"),
        ("b", None, "Hoekstra", None, "1000AB"),
        ("c", "Jan", None, None, None),
        ("d", "Jan", None, None, None),
    ).drop(columns="source")
    subject = Subject(encode(table, linked.policy), linked.policy, model)
    housemates, namesakes = waterfall(subject, 0, 1), waterfall(subject, 2, 3)
    assert housemates.steps[-1].bits < -3
    assert abs(namesakes.steps[-1].bits) < 0.3
    ends = np.array([0, 2], dtype=np.int32), np.array([1, 3], dtype=np.int32)
    scores = subject.scorer.scores(*ends, subject.comparer.packed(*ends))
    assert [housemates.odds, namesakes.odds] == pytest.approx(scores.odds.tolist(), abs=1e-9)


def test_a_pair_reads_the_same_from_both_ends(linked: Linked) -> None:
    left, right = (int(side[0]) for side in linked.made)
    there, back = waterfall(linked.subject, left, right), waterfall(linked.subject, right, left)
    assert (there.left, there.right) == (back.right, back.left)
    assert [step.total for step in there.steps] == [step.total for step in back.steps]
    assert [step.left for step in there.steps] == [step.right for step in back.steps]


def test_values_are_shapes_unless_asked_for(linked: Linked) -> None:
    table = rows(
        ("a", "Daan", "Peeters", "1997-07-27", "1390 AB"),
        ("b", "Daan", "Peters", None, "1390 AB"),
        source="x",
    )
    subject = beside(linked, table).subject
    masked = waterfall(subject, 0, 1)
    assert [(step.left, step.right) for step in masked.steps[1:-1]] == [
        ("aaaa", "aaaa"),
        ("aaaaaaa", "aaaaaa"),
        ("99999999", ""),
        ("9999aa", "9999aa"),
    ]
    drawn = svg(waterfall_chart(masked)).lower()
    assert not [value for value in ("daan", "peeters", "peters", "1390") if value in drawn]
    plain = waterfall(subject, 0, 1, show=str)
    assert [step.left for step in plain.steps[1:-1]] == ["daan", "peeters", "19970727", "1390ab"]


def test_a_model_of_other_comparisons_explains_nothing(linked: Linked) -> None:
    other = policy()
    comparisons = {**SHARED, "postcode": {"kind": "identifier", "column": "postcode"}}
    subject = Subject(encode(PEOPLE, other), policy(comparisons=comparisons), linked.result.model)
    with pytest.raises(LinkageError, match="'postcode' is not as the model was fitted"):
        waterfall(subject, 0, 1)


# Together


def test_every_two_records_of_a_cluster_hang_together_by_matches(linked: Linked) -> None:
    lengths = set()
    for group in {tuple(group) for group in linked.group.values() if len(group) > 1}:
        for right in group[1:]:
            found = linked.explain(group[0], right)
            assert found.together
            assert found.graph is not None
            assert found.graph.nodes == group
            assert {found.path[0].left, found.path[0].right} & {group[0]}
            assert {found.path[-1].left, found.path[-1].right} & {right}
            assert min(one.probability for one in found.path) >= linked.result.model.match
            lengths.add(len(found.path))
    assert lengths >= {1, 2}


@pytest.mark.parametrize(
    ("links", "path"),
    [
        ([(0, 1, 9.0)], [(0, 1)]),
        ([(0, 1, 2.0), (0, 2, 8.0), (1, 2, 7.0)], [(0, 2), (1, 2)]),  # a detour over stronger links
        ([(0, 1, 7.0), (0, 2, 8.0), (1, 2, 7.0)], [(0, 1)]),  # equally strong: the direct link
        ([(0, 2, 8.0), (2, 3, 1.0), (1, 3, 9.0), (2, 1, 3.0)], [(0, 2), (2, 1)]),
        ([(0, 2, 8.0)], []),
    ],
)
def test_the_strongest_path(links: list[tuple[int, int, float]], path: list[tuple[int, int]]) -> None:
    nodes = (0, 1, 2, 3)
    graph = Graph(nodes, ("a", "b", "c", "d"), nodes, tuple(Link(*one) for one in links))
    assert [(one.left, one.right) for one in strongest_path(graph, 0, 1)] == path


def test_decided_links_are_stronger_than_any_score() -> None:
    links = (Link(0, 1, 9.0), Link(0, 2, -30.0, decided=True), Link(1, 2, 99.0))
    graph = Graph((0, 1, 2), ("a", "b", "c"), (0, 0, 0), links)
    assert [one.right for one in strongest_path(graph, 0, 1)] == [2, 2]


def test_what_was_decided_is_told(linked: Linked) -> None:
    table = rows(
        ("a", "Jan", "Bakker", "1970-01-01", "1000AB"),
        ("b", "Els", "Smit", "1990-05-05", "1200AB"),
        source="x",
    )
    found = beside(linked, table)
    whole = np.array([0, 1], dtype=np.int32)
    same = (whole[:1], whole[1:])
    told = Explanation.of(found.subject, 0, 1, (whole, whole), same=same)
    assert [(one.decided, one.probability) for one in told.path] == [(True, 1.0)]


# Decided, and made by rules


def test_what_was_decided_to_be_different_is_told_of_the_pair_and_of_others_in_the_clusters(
    linked: Linked,
) -> None:
    found = beside(linked, TWINS)
    a, b, c = (np.array([k], dtype=np.int32) for k in range(3))
    groups = (np.concatenate([a, b]), c)
    told = Explanation.of(found.subject, 2, 0, groups[::-1], different=(a, c)).reasons
    assert told[0] == "one|c and one|a were decided to be different parties: that holds, whatever they score."
    told = Explanation.of(found.subject, 1, 2, groups, different=(c, a)).reasons
    assert told[0].startswith("one|a and one|c were decided to be different parties")
    assert told[0].endswith("These are records of the two clusters.")
    assert "decided" not in "".join(Explanation.of(found.subject, 1, 2, groups, different=(a, b)).reasons)


def test_that_the_pair_itself_was_decided_is_known(linked: Linked) -> None:
    found = beside(linked, TWINS)
    a, b = (np.array([k], dtype=np.int32) for k in range(2))
    groups = (np.arange(3, dtype=np.int32),) * 2
    assert Explanation.of(found.subject, 1, 0, groups, same=(a, b)).decided
    assert not Explanation.of(found.subject, 0, 2, groups, same=(a, b)).decided


def test_the_rules_of_a_pair_are_those_that_made_it() -> None:
    table, own = full_people(60, seed=5), full_policy(source="shop")
    table["shop"] = np.array(["x", "y"])[np.arange(len(table)) % 2]
    records = encode(table, own)
    made_by = MadeBy(bind(own, records)[0])
    rng = np.random.default_rng(1)
    left, right = np.sort(rng.integers(0, len(records), (4_000, 2)), axis=1).astype(np.int32).T
    rules = made_by(left, right)[left < right]
    ends = np.stack([left, right], axis=1)[left < right]
    examples = {int(np.flatnonzero(rules >> number & 1)[0]) for number in range(len(own.blocking))}
    for k in sorted(examples | set(np.flatnonzero(rules == 0)[:2].tolist())):
        a, b = ((records.sources[records.source[at]], records.ids[int(at)].as_py()) for at in ends[k])
        expected = [rule.label for number, rule in enumerate(own.blocking) if rules[k] >> number & 1]
        assert list(made_pair(pa.Table.from_pandas(table), own, b, a).rules) == expected


def test_a_rule_that_was_cut_is_named() -> None:
    own = policy(blocking=[{"keys": "surname", "max_block_size": 3}, {"keys": ["given_name", "surname"]}])
    same = pa.Table.from_pandas(
        rows(*((name, "Jan", "Hoekstra", None, None) for name in "abcd"), ("e", "Jan", "Smit", None, None))
    )
    found = made_pair(same, own, ("records", "a"), ("records", "b"))
    assert (found.rules, found.cut) == (("given_name + surname",), ("surname",))
    found = made_pair(same, own, ("records", "a"), ("records", "e"))
    assert (found.rules, found.cut) == ((), ())


def test_a_neighbour_shares_no_key_and_nothing_is_no_key() -> None:
    own = policy(blocking=[{"keys": "surname", "window": 1}, {"keys": "postcode"}])
    names = ("Bakker", "Bakkers", "Smit")
    table = pa.Table.from_pandas(rows(*((name[0] + name[-1], "Jan", name, None, None) for name in names)))
    found = [made_pair(table, own, ("records", "Br"), ("records", other)) for other in ("Bs", "St")]
    assert [(one.rules, one.cut) for one in found] == [(("surname",), ()), ((), ())]


# Apart


def test_whatever_is_apart_has_its_reason(linked: Linked) -> None:
    """Of pairs that blocking made, none is apart for a reason that is not told."""
    apart, told = 0, ""
    for left, right in zip(*linked.made, strict=True):
        found = linked.explain(int(left), int(right))
        assert found.together == (right in linked.group[int(left)])
        if not found.together:
            apart += 1
            assert found.reasons
            told += "\n".join(found.reasons)
            assert not [
                reason for reason in found.reasons if "blocking" in reason or "max_component" in reason
            ]
    assert apart > 5
    assert "Taken together, the 2 pairs between the two clusters are evidence of -" in told


TWINS = rows(
    ("a", "Jan", "Hoekstra", "1970-01-01", "1000AB"),
    ("b", "Jan", "Hoekstra", "1970-01-01", "1000AB"),
    ("c", "Jan", "Hoekstra", "1970-01-01", "1000AB"),
    ("d", "Els", "Bakker", "1988-11-30", "1200CD"),
)


def test_a_low_probability(linked: Linked) -> None:
    told = beside(linked, TWINS).reasons("one|a", "one|d")
    assert "below the review threshold" in told
    assert "is a match either" not in told


def test_a_probability_between_review_and_match(linked: Linked) -> None:
    chance = beside(linked, TWINS.head(2)).of_ids("one|a", "one|b").waterfall.probability
    told = beside(linked, TWINS.head(2), match=(1 + chance) / 2).reasons("one|a", "one|b")
    assert f"The probability of {chance:.4f} is below the match threshold" in told


def test_a_contradiction(linked: Linked) -> None:
    table = rows(
        ("a", "Jan", "Hoekstra", "1970-01-01", "1000AB"),
        ("b", "Els", "Hoekstra", "1988-11-30", "1000AB"),
        source="x",
    )
    clustering = {"contradictions": [["birth_date", "given_name"]]}
    told = beside(linked, table, clustering=clustering).reasons("x|a", "x|b")
    assert "x|a and x|b contradict each other: different birth_date and given_name" in told


def test_a_contradiction_of_others_in_the_clusters(linked: Linked) -> None:
    table = rows(
        ("a", "Jan", "Hoekstra", "1970-01-01", "1000AB"),
        ("b", "Jan", "Hoekstra", None, "1000AB"),
        ("c", "Jan", "Hoekstra", "1988-11-30", "1000AB"),
        source="x",
    )
    found = beside(linked, table, clustering={"contradictions": [["birth_date"]]})
    middle = found.group[found.position["x|b"]].tolist()
    alone = "x|c" if found.position["x|a"] in middle else "x|a"
    other = "x|a" if alone == "x|c" else "x|c"
    told = found.reasons("x|b", alone)
    assert "contradict each other: different birth_date" in told
    assert alone in told
    assert other in told


def test_a_source_without_duplicates(linked: Linked) -> None:
    told = beside(linked, TWINS, duplicate_free=["one"]).reasons("one|a", "one|b")
    assert "of source one, in which every record is another party" in told


def test_a_few_records_are_explained_without_the_source_that_is_free_of_duplicates(
    linked: Linked,
) -> None:
    table = pd.concat([TWINS.head(2), TWINS.tail(2).assign(source="two")])
    found = beside(linked, table, duplicate_free=["one"])
    two = table["source"] == "two"
    few = Subject(encode(table[two], found.policy), found.policy, linked.result.model)
    alone = np.array([0], dtype=np.int32)
    assert Explanation.of(few, 0, 1, (alone, alone + 1)).reasons
    assert "duplicate_free" not in Explanation.of(few, 0, 1, (alone, alone + 1)).reasons[0]


def test_names_alone(linked: Linked) -> None:
    table = rows(("a", "Sanne", "Hoekstra", None, None), ("b", "Sanne", "Hoekstra", None, None), source="x")
    thresholds = {"not_alone": ["given_name", "surname"]}
    told = beside(linked, table, match=0.4, thresholds=thresholds).reasons("x|a", "x|b")
    assert "agree on nothing beyond given_name, surname" in told


def test_the_largest_cluster(linked: Linked) -> None:
    found = beside(linked, TWINS.head(3), clustering={"max_size": 2})
    apart = next(name for name, k in found.position.items() if len(found.group[k]) == 1)
    other = next(name for name, k in found.position.items() if len(found.group[k]) == 2)
    told = found.reasons(other, apart)
    assert "Together they are 3 records; the policy allows 2" in told


def test_two_that_no_blocking_rule_brought_together(linked: Linked) -> None:
    """Nothing but blocking stands between two copies; where pairs are not known, no more can be said."""
    found = beside(linked, TWINS.head(2))
    groups = (np.array([0], dtype=np.int32), np.array([1], dtype=np.int32))
    nothing = (np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32))
    told = Explanation.of(found.subject, 0, 1, groups, made=nothing).reasons
    assert len(told) == 1
    assert told[0].startswith("No blocking rule made a pair")
    (unknown,) = Explanation.of(found.subject, 0, 1, groups).reasons
    assert "changed since they were linked" in unknown


# Records that cannot be linked


def test_a_record_is_unlinkable_where_its_own_copy_would_be_no_match(linked: Linked) -> None:
    table = rows(
        ("full", "Jan", "Hoekstra", "1970-01-01", "1000AB"),
        ("name", "Jan", None, None, None),
        ("none", None, None, None, None),
        source="x",
    )
    found = beside(linked, table)
    full, name, none = perfect_odds(found.subject)[
        [found.position[f"x|{n}"] for n in ("full", "name", "none")]
    ]
    assert full > log2_odds(linked.result.model.match) > name > none
    assert none == -np.inf  # it agrees on nothing
    assert unlinkable_share(table, found.policy, linked.result.model) == pytest.approx(2 / 3)


def test_names_alone_link_no_copy(linked: Linked) -> None:
    table = rows(("a", "Sanne", "Hoekstra", None, None), source="x")
    found = beside(linked, table, thresholds={"not_alone": ["given_name", "surname"]})
    assert perfect_odds(found.subject).tolist() == [-np.inf]


def test_the_share_rises_with_the_threshold() -> None:
    odds = np.array([5.0, -np.inf, 1.0, 3.0])
    assert unlinkable(odds, [-10.0, 1.0, 1.5, 4.0, 6.0]).tolist() == [0.25, 0.25, 0.5, 0.75, 1.0]
    assert unlinkable(np.zeros(0), [1.0]).tolist() == [0.0]


# Pictures


def test_pictures_are_svg_that_shows_what_it_is_about(linked: Linked) -> None:
    left, right = (int(side[0]) for side in linked.made)
    found = linked.explain(left, right)
    assert found.graph is not None
    counts = {int(low): count for low, count in linked.result.report["odds"].items()}
    drawn = svg(
        waterfall_chart(found.waterfall),
        graph_chart(found.graph, found.path, linked.result.model.match),
        weights_chart(linked.result.model),
        distribution_chart(counts, "Pairs & odds", 3.0),
    )
    root = ET.fromstring(drawn)
    texts = [element.text for element in root.iter() if element.text and element.text.strip()]
    assert {*SHARED, found.waterfall.left, found.waterfall.right, "Pairs & odds", "match"} <= set(texts)
    space = {"s": "http://www.w3.org/2000/svg"}
    assert len(root.findall(".//s:circle", space)) == len(found.graph.nodes)
    assert len(root.findall(".//s:g", space)) == 4
    widths = [float(rect.attrib["width"]) for rect in root.iterfind(".//s:rect", space)]
    assert min(widths) > 0


def test_bars_for_and_against_stand_on_either_side_of_zero(linked: Linked) -> None:
    root = ET.fromstring(weights_picture(linked.result.model))
    space = {"s": "http://www.w3.org/2000/svg"}
    zero = float(root.findall(".//s:line", space)[0].attrib["x1"])
    bars = {
        rect.attrib["fill"]: (float(rect.attrib["x"]), float(rect.attrib["width"]))
        for rect in root.iterfind(".//s:g/s:rect", space)
    }
    sides = {(x + width / 2) > zero for x, width in bars.values()}
    assert sides == {True, False}
    assert len(bars) == 2


def test_the_reported_odds_are_all_candidate_pairs(linked: Linked) -> None:
    report = linked.result.report
    assert sum(report["odds"].values()) == report["pairs"]
    review = log2_odds(linked.policy.thresholds.review)
    above = sum(count for low, count in report["odds"].items() if int(low) >= np.ceil(review))
    kept = log2_odds(linked.result.model.prior) + linked.result.pairs["weight"]
    assert above == (kept >= np.ceil(review)).sum()


def test_an_empty_distribution_is_a_picture_too() -> None:
    ET.fromstring(svg(distribution_chart({}, "Nothing", 3.0)))


def test_expected_precision_and_recall_at_every_threshold_and_the_chosen_one(linked: Linked) -> None:
    report, model = linked.result.report, linked.result.model
    curve = report["expected_curve"]
    at = next(row for row in curve if row["odds"] >= log2_odds(model.match))
    assert at["precision"] == pytest.approx(report["expected"]["precision"], abs=0.01)
    assert at["recall"] == pytest.approx(report["expected"]["recall"], abs=0.02)
    recall = [row["recall"] for row in curve]
    assert recall == sorted(recall, reverse=True)
    assert curve[-1]["precision"] > 0.99
    assert curve[0]["precision"] < curve[-1]["precision"]

    root = ET.fromstring(expected_picture(curve, model))
    space = {"s": "http://www.w3.org/2000/svg"}
    texts = {element.text for element in root.iter() if element.text}
    assert {f"precision {at['precision']:.4f}", f"recall {at['recall']:.4f}"} <= texts
    lines = [
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        for line in root.iterfind(".//s:polyline", space)
    ]
    assert [len(line) for line in lines] == [len(curve)] * 2
    marked = [line for line in root.iterfind(".//s:line", space) if line.attrib["x1"] == line.attrib["x2"]]
    assert len(marked) == 1
    x = float(marked[0].attrib["x1"])
    assert lines[0][curve.index(at) - 1][0] <= x <= lines[0][curve.index(at)][0] + 0.1
    assert ET.fromstring(svg(expected_chart([], 3.3))) is not None
