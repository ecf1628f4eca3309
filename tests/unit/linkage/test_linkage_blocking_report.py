"""What a user is told about blocking before anything is compared, against the plain definition."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linkage_examples import people, policy

from cdm_pipelines.linkage import LinkageError, link
from cdm_pipelines.linkage.evaluate.blocking import BlockingReport, bars, explain_blocking, rows, svg

PEOPLE = people(120, seed=6)
LETTERS = st.one_of(st.none(), st.sampled_from("abc"))
TABLES = st.lists(
    st.fixed_dictionaries({"x": LETTERS, "y": LETTERS, "truth": st.sampled_from("pqr")}), max_size=14
)


def small(**changes: Any) -> Any:
    content: dict[str, Any] = {
        "columns": {"x": {}, "y": {}},
        "derived": {"xy": {"of": ["x", "y"], "take": "value"}},
        "blocking": [{"keys": "x"}, {"keys": "y"}, {"keys": "xy"}],
        "comparisons": {"x": {"kind": "exact", "column": "x"}},
    }
    return policy(**{**content, **changes})


@given(table=TABLES, chunk=st.sampled_from([1, 5, 1000]))
@settings(max_examples=60, deadline=None)
def test_counts_are_those_of_the_plain_definition(table: list[dict[str, str | None]], chunk: int) -> None:
    frame = pd.DataFrame(table, columns=["x", "y", "truth"]).assign(
        id=[f"{n:02d}" for n in range(len(table))]
    )
    truth = frame[["id", "truth"]] if len(frame) else None
    report = explain_blocking(frame, small(chunk_pairs=chunk), truth=truth)
    makes: list[Callable[[Any, Any], bool]] = [
        lambda a, b: a["x"] is not None and a["x"] == b["x"],
        lambda a, b: a["y"] is not None and a["y"] == b["y"],
        lambda a, b: bool({a["x"], a["y"]} & {b["x"], b["y"]} - {None}),
    ]
    pairs = list(combinations(table, 2))
    done: set[int] = set()
    for rule, made in zip(report.rules, makes, strict=True):
        mine = {n for n, (a, b) in enumerate(pairs) if made(a, b)}
        assert (rule.pairs, rule.new_pairs) == (len(mine), len(mine - done))
        done |= mine
        assert rule.running_pairs == len(done)
        if truth is not None:
            same = {n for n, (a, b) in enumerate(pairs) if a["truth"] == b["truth"]}
            assert (rule.true_pairs, rule.running_true_pairs) == (len(mine & same), len(done & same))
            assert report.true_pairs == len(same)
    assert report.possible_pairs == len(pairs)
    assert report.reduction_ratio == pytest.approx(1 - len(done) / len(pairs) if pairs else 0.0)


def test_the_report_before_is_what_linking_finds_after() -> None:
    before = explain_blocking(PEOPLE, policy(max_block_size=20))
    after = link(PEOPLE, policy(max_block_size=20)).report
    assert before.candidate_pairs == after["pairs"]
    assert [(r.rule, r.new_pairs, r.cut.pairs) for r in before.rules] == [
        (r["rule"], r["new_pairs"], r["pairs_not_made"]) for r in after["rules"]
    ]
    assert json.loads(json.dumps(before.to_dict()))["candidate_pairs"] == after["pairs"]


def test_a_block_that_is_cut_is_told_with_what_it_costs() -> None:
    frame = PEOPLE.assign(postcode="1000AA", surname="jansen")
    rule = explain_blocking(frame, policy(max_block_size=50)).rules[1]
    number = len(frame)
    assert (rule.pairs, rule.largest_block) == (0, number)
    assert (rule.cut.blocks, rule.cut.records, rule.cut.pairs) == (1, number, number * (number - 1) // 2)


def test_the_largest_block_is_counted_in_records() -> None:
    frame = pd.DataFrame({"id": list("abcdefg"), "x": ["k"] * 4 + ["m"] * 2 + [None], "y": None})
    rules = explain_blocking(frame, small()).rules
    assert [rule.largest_block for rule in rules] == [4, 0, 4]
    window = small(blocking=[{"keys": "x", "window": 1}])
    assert explain_blocking(frame, window).rules[0].largest_block == 2


def test_no_pair_is_expected_within_a_source_without_duplicates() -> None:
    frame = pd.DataFrame({"id": list("abcd"), "source": list("ppqq"), "x": "k", "y": None, "truth_id": "t"})
    report = explain_blocking(frame, small(source="source", duplicate_free=["p", "q"]), truth=frame)
    assert (report.possible_pairs, report.true_pairs, report.pair_completeness) == (4, 4, 1.0)
    report = explain_blocking(frame, small(source="source", duplicate_free=["p"]), truth=frame)
    assert (report.possible_pairs, report.true_pairs) == (5, 5)


@pytest.mark.parametrize(
    ("truth", "told"),
    [
        (pd.DataFrame({"idd": [1], "truth_id": [1], "more": [1]}), ["'id'", "did you mean 'idd'"]),
        (pd.DataFrame({"id": [1], "thing": [1], "more": [1]}), ["'truth_id'", "two columns"]),
        (pd.DataFrame({"id": ["nobody"], "truth_id": [1]}), ["none of its ids"]),
        (pd.DataFrame({"id": ["00000-0"] * 2, "truth_id": [1, 2]}), ["1 records occur twice"]),
    ],
)
def test_a_truth_that_does_not_fit_is_told(truth: pd.DataFrame, told: list[str]) -> None:
    with pytest.raises(LinkageError) as caught:
        explain_blocking(PEOPLE, policy(), truth=truth)
    for part in told:
        assert part in str(caught.value)


def test_ids_that_repeat_between_sources_need_the_source_in_the_truth() -> None:
    frame = pd.DataFrame({"id": list("abab"), "source": list("ppqq"), "x": list("kmkm"), "y": None})
    rules = small(source="source")
    truth = frame[["source", "id"]].assign(truth_id=frame["x"])
    assert explain_blocking(frame, rules, truth=truth).pair_completeness == 1
    for named in (truth, truth.head(2)):  # two rows name each id once and mean two records each
        with pytest.raises(LinkageError, match="add the column 'source'"):
            explain_blocking(frame, rules, truth=named[["id", "truth_id"]])


@pytest.fixture(scope="module")
def told() -> BlockingReport:
    return explain_blocking(PEOPLE, policy(max_block_size=5), truth=PEOPLE[["id", "truth_id"]])


def test_the_table_ends_with_all_rules_together(told: BlockingReport) -> None:
    table = rows(told)
    assert [row["rule"] for row in table] == [*(rule.rule for rule in told.rules), "all rules"]
    assert table[-1]["pairs"] == sum(int(str(row["new"])) for row in table[:-1])
    assert table[-1]["completeness"] == table[-2]["running"] == f"{told.pair_completeness:.2%}"
    assert "completeness" not in rows(explain_blocking(PEOPLE, policy()))[0]


def test_bars_are_as_long_as_their_pairs(told: BlockingReport) -> None:
    lines = bars(told, width=40)
    most = max(rule.pairs for rule in told.rules)
    for line, rule in zip(lines, told.rules, strict=True):
        assert line.startswith(rule.rule)
        assert line.count("█") + line.count("░") == round(40 * rule.pairs / most)
        assert line.count("█") == pytest.approx(40 * rule.new_pairs / most, abs=1)


def test_the_picture_is_svg_with_a_bar_per_rule(told: BlockingReport) -> None:
    picture = ET.fromstring(svg(told))
    texts = ["".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert all(rule.rule in texts for rule in told.rules)
    assert any("of the true pairs" in text for text in texts)
    assert any("blocks cut" in text for text in texts)


def test_the_share_that_was_counted_rises_to_one() -> None:
    shares: list[float] = []
    explain_blocking(PEOPLE, policy(chunk_pairs=20), progress=lambda _, share: shares.append(share))
    assert len(shares) > 10
    assert shares == sorted(shares)
    assert shares[-1] == 1
