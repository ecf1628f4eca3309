"""What is too different to be compared letter by letter would have come to nothing."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cdm_pipelines.linkage.compare.levels import edits, jaro_winkler, one_edit, similarity
from cdm_pipelines.linkage.encode.columns import Column

ALPHABETS = ["abcde", "a1-@. ", "abéßø漢😀"]
TEXTS = st.sampled_from(ALPHABETS).flatmap(
    lambda letters: st.lists(st.text(letters, max_size=8), min_size=2, max_size=30, unique=True)
)


def column_and_pairs(texts: list[str]) -> tuple[Column, np.ndarray, np.ndarray]:
    texts = sorted(texts)
    codes = np.arange(len(texts), dtype=np.int32)
    left, right = np.triu_indices(len(texts), 1)
    return Column(codes.reshape(-1, 1), pa.array(texts)), left.astype(np.int32), right.astype(np.int32)


@given(TEXTS)
def test_one_edit_is_found_wherever_it_is(texts: list[str]) -> None:
    column, left, right = column_and_pairs(texts)
    every = edits(column.texts[left].tolist(), column.texts[right].tolist(), 1) <= 1
    assert one_edit(column, left, right).tolist() == every.tolist()


@pytest.mark.parametrize("least", [0.84, 0.9, 0.92])
@given(texts=TEXTS)
@example(texts=["abcd漢", "abcdé"])
def test_similarity_is_found_wherever_it_is(texts: list[str], least: float) -> None:
    column, left, right = column_and_pairs(texts)
    every = similarity(column.texts[left].tolist(), column.texts[right].tolist(), "jaro_winkler")
    every[every < np.float32(least)] = 0
    assert jaro_winkler(column, left, right, least).tolist() == every.tolist()


def test_a_part_of_a_longer_array_of_texts_is_read_in_its_place() -> None:
    texts = pa.array(["x", "xx", "", "anna", "anne", "z"]).slice(2, 3)
    column = Column(np.arange(3, dtype=np.int32).reshape(-1, 1), texts)
    left, right = np.array([0, 1, 0], dtype=np.int32), np.array([1, 2, 2], dtype=np.int32)
    assert one_edit(column, left, right).tolist() == [False, True, False]
