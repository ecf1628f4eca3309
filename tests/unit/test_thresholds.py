"""Thresholds: verdicts, and what is said about a wrong checks.yaml."""

from pathlib import Path

import pytest

from cdm_pipelines.quality.thresholds import Threshold, Thresholds, ThresholdsError, accepted, judge
from cdm_pipelines.settings import load_settings

LIMIT = Threshold(warn=0.1, error=0.5)


@pytest.mark.parametrize(
    ("figure", "passed", "stops"),
    [(0.0, True, False), (0.1, True, False), (0.11, False, False), (0.5, False, False), (0.51, False, True)],
)
def test_a_figure_warns_and_then_stops(figure: float, passed: bool, stops: bool) -> None:
    verdict = judge(figure, LIMIT, "share")
    assert (verdict.passed, verdict.stops) == (passed, stops)


def test_the_thresholds_of_the_package_load() -> None:
    thresholds = Thresholds.load(load_settings().policies / "checks.yaml")
    assert thresholds.share_quarantined.error < 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("share_quarantined: {warn: 0.5, error: 0.1}", "warn must not be above error"),
        ("share_quarantind: {warn: 0.1, error: 0.2}", "share_quarantind"),
        ("share_quarantined: {warn: -1, error: 0.2}", "share_quarantined.warn"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_wrong_file_is_told_by_name_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "checks.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ThresholdsError, match=r"checks\.yaml") as error:
        Thresholds.load(path)
    assert said in str(error.value)


def test_a_file_that_says_nothing_of_plans_has_the_limits_of_the_package(tmp_path: Path) -> None:
    shipped = load_settings().policies / "checks.yaml"
    text, _, _ = shipped.read_text(encoding="utf-8").partition("plan:")
    (tmp_path / "checks.yaml").write_text(text, encoding="utf-8")
    assert Thresholds.load(tmp_path / "checks.yaml") == Thresholds.load(shipped)


def test_what_a_person_said_yes_to_is_known_to_have_stopped() -> None:
    verdicts = {name: judge(figure, LIMIT, "share") for name, figure in (("merges", 0.6), ("id_churn", 0.2))}
    found = accepted(verdicts, ["merges", "id_churn"])
    assert {name: (one.stops, one.accepted) for name, one in found.items()} == {
        "merges": (False, True),
        "id_churn": (False, False),
    }


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ThresholdsError, match=r"checks\.yaml: cannot be read"):
        Thresholds.load(tmp_path / "checks.yaml")
