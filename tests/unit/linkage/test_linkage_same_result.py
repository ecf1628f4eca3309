"""The same result, bit for bit, whatever the row order, the chunk size and the number of threads."""

import json
from typing import Any, get_args

import pandas as pd
import pytest
from linkage_examples import full_people, full_policy

from cdm_pipelines.linkage import LinkResult, link
from cdm_pipelines.linkage.policy.comparisons import COMPARISONS

PEOPLE = full_people(1500, seed=11)


@pytest.fixture(scope="module")
def linked() -> LinkResult:
    return link(PEOPLE, full_policy(chunk_pairs=10_000), threads=1)


def model(result: LinkResult) -> dict[str, Any]:
    """The model as it is written, but for the fingerprint of its policy, which the chunk size is a part of."""
    return {name: value for name, value in json.loads(result.model.to_json()).items() if name != "policy"}


def counts(result: LinkResult) -> dict[str, Any]:
    return {name: value for name, value in result.report.items() if name != "seconds"}


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "threads", "chunk"), [(1, 2, 10_000), (2, 1, 5_000_000), (3, 2, 5_000_000)])
def test_rows_threads_and_chunks_change_nothing(
    linked: LinkResult, seed: int, threads: int, chunk: int
) -> None:
    shuffled = PEOPLE.sample(frac=1, random_state=seed)
    again = link(shuffled, full_policy(chunk_pairs=chunk), threads=threads)
    pd.testing.assert_frame_equal(again.clusters, linked.clusters, check_exact=True)
    pd.testing.assert_frame_equal(again.pairs, linked.pairs, check_exact=True)
    assert model(again) == model(linked)
    assert counts(again) == counts(linked)


def test_it_was_worth_comparing(linked: LinkResult) -> None:
    """More pairs than a small chunk, some of them matches, and every kind of comparison takes part."""
    assert linked.report["pairs"] > 20_000
    assert linked.clusters["cluster_id"].nunique() < len(PEOPLE) * 0.7
    kinds = {get_args(one.model_fields["kind"].annotation)[0] for one in COMPARISONS}
    assert {one.kind for one in full_policy().comparisons.values()} == kinds
    assert all(rule["new_pairs"] for rule in linked.report["rules"][:5])
