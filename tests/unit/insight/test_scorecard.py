"""Scores are counts; what got worse is told beyond chance; targets are those that name most."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from cdm_pipelines.insight.scorecard import (
    MEASURES,
    About,
    as_row,
    by_dimension,
    missed,
    trends,
    worst_movers,
)
from cdm_pipelines.privacy.governance import GovernancePolicy
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.settings import Settings

SHIPPED = Settings.model_fields["policies"].default
FIRST = dt.date(2026, 6, 1)


def rows(
    *shares: tuple[int, int], target: float | None = None, attribute: str = "party.email"
) -> list[dict[str, Any]]:
    """A figure by day: in order, of."""
    return [
        as_row(score, "sales", target, "day 1")
        for number, (good, of) in enumerate(shares)
        for score in About(FIRST + dt.timedelta(days=number), "crm", "contact").score(
            attribute, "fit", good, of
        )
    ]


def test_what_is_delivered_no_longer_is_no_figure_of_now() -> None:
    gone, still = rows((1, 2), target=0.9), rows(*[(9, 10)] * 60, attribute="party.phone")
    assert [one.last.attribute for one in trends([*gone, *still])] == ["party.phone"]
    assert [one.last.attribute for one in trends([*gone, *still[:30]])] == ["party.email", "party.phone"]


@pytest.mark.parametrize(
    ("shares", "fell"),
    [
        ([(990, 1000), (990, 1000), (940, 1000)], True),
        ([(990, 1000), (990, 1000), (988, 1000)], False),
        ([(940, 1000), (940, 1000), (1000, 1000)], False),
        ([(5, 5), (5, 5), (4, 5)], False),
        ([(940, 1000)], False),
        ([(3, 3), (0, 3)], False),
        ([(30, 30), (0, 30)], True),
    ],
)
def test_what_fell_beyond_chance_is_told(shares: list[tuple[int, int]], fell: bool) -> None:
    [course] = trends(rows(*shares))
    assert course.fell is fell
    assert worst_movers([course]) == ([course] if fell else [])


def test_what_fell_most_comes_first_whatever_the_order_of_rows() -> None:
    little, much = rows((99, 100), (70, 100)), rows((99, 100), (20, 100), attribute="party.phone")
    for mixed in ([*little, *much], [*reversed(much), *reversed(little)]):
        assert [one.last.attribute for one in worst_movers(trends(mixed))] == ["party.phone", "party.email"]


@pytest.mark.parametrize(
    ("share", "target", "is_missed"),
    [((94, 100), 0.95, True), ((95, 100), 0.95, False), ((0, 100), None, False), ((1, 3), 1 / 3, False)],
)
def test_a_target_is_missed_below_it(share: tuple[int, int], target: float | None, is_missed: bool) -> None:
    assert bool(missed(trends(rows(share, target=target)))) is is_missed


def test_scores_are_added_up_by_their_counts() -> None:
    few, many = trends(rows((0, 10))), trends(rows((990, 990), attribute="party.phone"))
    assert by_dimension([few[0].last, many[0].last]) == {"validity": 0.99}


def test_nothing_judged_gives_no_figure() -> None:
    assert About(FIRST, "crm", "contact").score("", "all", 0, 0) == []


def test_every_measure_is_explained_on_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "business-case.md").read_text(encoding="utf-8")
    for name, measure in MEASURES.items():
        assert f"`{name}`" in page, name
        assert measure.formula
        assert measure.counted_from


def policy(folder: Path, targets: str) -> GovernancePolicy:
    said = (SHIPPED / "governance.yaml").read_text(encoding="utf-8").partition("\ntargets:")[0]
    (folder / "governance.yaml").write_text(f"{said}\ntargets:\n{targets}", encoding="utf-8")
    return GovernancePolicy.load(folder)


def test_the_target_that_names_most_counts(tmp_path: Path) -> None:
    found = policy(
        tmp_path,
        "- {dimension: validity, at_least: 0.9}\n"
        "- {dimension: validity, source: crm, attribute: party.email, at_least: 0.8, owner: head of sales}\n"
        "- {dimension: validity, source: crm, at_least: 0.85}\n"
        '- {dimension: friday, attribute: "", at_least: 0.7}\n',
    )
    subject = {
        "source": "crm",
        "entity": "contact",
        "attribute": "party.email",
        "dimension": "validity",
        "measure": "fit",
    }

    def of(**change: str) -> tuple[float, str | None] | None:
        one = found.target_of({**subject, **change})
        return None if one is None else (one.at_least, one.owner)

    assert of() == (0.8, "head of sales")
    assert of(attribute="party.phone") == (0.85, None)
    assert of(source="shop") == (0.9, None)
    assert of(dimension="accuracy") is None
    assert of(dimension="friday", attribute="") == (0.7, None)
    assert of(dimension="friday") is None


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ("- {dimension: validity, at_least: 1.2}", "targets.0.at_least"),
        ("- {dimension: validity, at_least: .nan}", "targets.0.at_least"),
        ("- {dimension: beauty, at_least: 0.5}", "targets.0.dimension"),
        ("- {dimension: validity, at_last: 0.5}", "targets.0.at_last"),
        ("- {at_least: 0.5}", "targets.0.dimension"),
        (
            "- {dimension: validity, at_least: 0.5}\n- {dimension: validity, at_least: 0.6}",
            "targets.1: is about the same as targets.0",
        ),
    ],
)
def test_a_target_that_cannot_be_is_told_with_its_key(tmp_path: Path, targets: str, told: str) -> None:
    with pytest.raises(PrivacyPolicyError) as refused:
        policy(tmp_path, targets)
    assert told in str(refused.value)
    assert "governance.yaml" in str(refused.value)


def test_a_target_of_a_source_or_attribute_that_there_is_not_is_told(tmp_path: Path) -> None:
    found = policy(
        tmp_path,
        "- {dimension: validity, source: cmr, at_least: 0.5}\n"
        "- {dimension: validity, attribute: party.e-mail, at_least: 0.5}\n"
        "- {dimension: validity, source: golden, entity: customer, at_least: 0.5}\n"
        "- {dimension: timeliness, attribute: party.address, at_least: 0.5}\n",
    )
    told = list(found.problems({"crm", "crm/contact"}, {"party.email": "user.contact.email"}, set()))
    assert [one.partition(": there is no")[0] for one in told if "targets" in one] == [
        "governance.yaml: targets.0.source",
        "governance.yaml: targets.1.attribute",
    ]
