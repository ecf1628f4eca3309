"""Touch points: which policies are refused, gaps in their order, and where identity is lost."""

from pathlib import Path
from typing import Any

import pytest

from cdm_pipelines.enrichment.attachment import Reason
from cdm_pipelines.insight.handover import hand_over
from cdm_pipelines.insight.touch_points import Seen, TouchPointPolicy, gaps, unknown_sources
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.settings import Settings

ONE = "title: {en: One, nl: Een}"


def loaded(folder: Path, points: str) -> TouchPointPolicy:
    (folder / "touch_points.yaml").write_text(f"version: 1\ntouch_points:\n{points}")
    return TouchPointPolicy.load(folder)


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (f"  one: {{{ONE}, contact: [web]}}", "touch_points.one.contact"),
        (f"  one: {{{ONE}, contacts_per_month: -1}}", "touch_points.one.contacts_per_month"),
        (
            f"  one: {{{ONE}, contacts: [web]}}\n  two: {{{ONE}, contacts: [web]}}",
            "touch_points.two.contacts: web is of one already",
        ),
        ("  one: {title: {en: One}}", "touch_points.one.title.nl"),
    ],
)
def test_a_policy_that_cannot_be_used(tmp_path: Path, points: str, told: str) -> None:
    with pytest.raises(PrivacyPolicyError) as refused:
        loaded(tmp_path, points)
    assert told in str(refused.value)


def test_a_source_that_there_is_not_is_told_with_the_fix(tmp_path: Path) -> None:
    policy = loaded(tmp_path, f"  one: {{{ONE}, contacts: [wbe], orders: [crm]}}")
    wrong_name, wrong_kind = unknown_sources(policy)
    assert wrong_name.startswith("touch_points.yaml: touch_points.one.contacts: ")
    assert "wbe" in wrong_name
    assert "touch_points.one.orders" in wrong_kind
    assert unknown_sources(TouchPointPolicy.load(Settings.model_fields["policies"].default)) == []


def test_gaps_are_ranked_by_what_they_hide_and_what_has_no_bound_comes_first() -> None:
    seen: list[Seen] = [
        Seen("known", 10, 10),
        Seen("few", 100, 98),
        Seen("many", 100, 40),
        Seen("silent", per_month=50),
        Seen("unknown"),
    ]
    rows: list[dict[str, Any]] = [one.row() for one in seen]
    assert [row["touch_point"] for row in gaps(rows)] == ["unknown", "many", "silent", "few"]


def test_a_touch_point_without_contacts_hides_nothing_and_has_no_share() -> None:
    empty = Seen("empty", 0, 0)
    assert (empty.delivers, empty.share, empty.hidden) == (True, None, 0)


def test_what_becomes_of_visits_that_name_nobody() -> None:
    found = hand_over(
        {
            "by party": 100,
            "by token": 30,
            "anonymous: not identified": 60,
            "anonymous: no token": 10,
            "anonymous: unknown party": 5,
        }
    )
    assert (found.anonymous, found.known, found.share) == (100, 30, 0.3)
    assert found.lost[Reason.NOT_IDENTIFIED] == 60
    assert hand_over({"by party": 100}).share is None
