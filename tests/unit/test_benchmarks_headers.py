"""Headers of real systems: what the page says is what is recognised today, and it does not get worse."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import headers_measured, results
from cdm_pipelines.quality.vocabulary import readings, vocabulary

NOWHERE = Path("/nowhere")


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, list[dict[str, object]]]]:
    return headers_measured.figures(NOWHERE)


def test_the_results_file_says_what_is_recognised_today(
    figures: dict[str, dict[str, list[dict[str, object]]]],
) -> None:
    kept = results.read("headers").figures
    fresh = "run `.venv/bin/python -m benchmarks headers --keep` and commit it"
    assert {**kept["systems"], **figures["systems"]} == kept["systems"], fresh
    assert figures["usual"] == kept["usual"], fresh


@pytest.mark.parametrize(
    ("listed", "right", "wrong"), [("held_out", 0.98, 0.01), ("held_out_once", 0.98, 0.01)]
)
def test_exports_are_recognised_by_their_headers_alone(listed: str, right: float, wrong: float) -> None:
    counts = [asdict(headers_measured.count(entry, NOWHERE)) for entry in headers_measured.entries(listed)]
    assert sum(one["right"] for one in counts) >= right * sum(one["must"] for one in counts)
    assert sum(one["wrong"] for one in counts) <= wrong * sum(one["columns"] for one in counts)


def test_usual_headers_are_recognised_in_six_languages() -> None:
    for code, words in headers_measured.read("usual_held_out").items():
        counted = headers_measured.alone(code, words)
        assert counted.right >= 0.95 * counted.must, counted


def test_no_word_means_two_things_without_saying_so() -> None:
    for phrase, meant in vocabulary().phrases.items():
        plain = [target for target, weak in meant if not weak]
        entities = [target.partition(".")[0] for target in plain]
        assert len(entities) == len(set(entities)), f"{phrase}: {plain}; put it under `weak` of one of them"


def test_every_pattern_of_the_vocabulary_can_be_read() -> None:
    for words in vocabulary().words.values():
        for pattern in (words.looks_like, words.telling, words.unlike):
            if pattern is not None:
                re.compile(
                    re.sub(r"\\pL|\\pM", "a", pattern).replace(r"\x{2019}", "'").replace(r"\x{a0}", " ")
                )


@pytest.mark.parametrize(
    "name", ["", "   ", "///", "1", "_", "a/b/c", "😀", "x" * 5000, "1 2 3 4 5 6 7 8", "1 " * 500, "имя"]
)
def test_any_text_is_a_header(name: str) -> None:
    assert all(reading.target for reading in readings(name))
