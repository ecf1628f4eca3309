"""Certificates are a chain: one that is edited, removed or moved shows."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from cdm_pipelines.privacy.certificate import Certificate, faults, issued
from cdm_pipelines.privacy.policy import RightsPolicy, due
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.settings import Settings

AT = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


def chain(number: int) -> list[Certificate]:
    found: list[Certificate] = []
    for at in range(number):
        found.append(issued(10 + at, {"customers": at}, found[-1] if found else None, AT))
    return found


def test_a_whole_chain_has_no_faults() -> None:
    assert list(faults(chain(3))) == []
    assert list(faults([])) == []


def test_what_was_tampered_with_is_told() -> None:
    one, two, three = chain(3)
    assert list(faults([one, replace(two, content={"customers": 9}), three])) == ["certificate 2 was edited"]
    assert list(faults([one, three])) == ["certificate 2 was removed"]
    other = issued(11, {"customers": 5}, one, AT)
    assert list(faults([one, other, three])) == ["certificate 3 follows another than the one before it"]


@pytest.mark.parametrize(
    ("received", "months", "expected"),
    [("2026-01-31", 1, "2026-02-28"), ("2026-11-29", 1, "2026-12-29"), ("2026-12-31", 2, "2027-02-28")],
)
def test_a_month_ends_with_the_month(received: str, months: int, expected: str) -> None:
    assert due(dt.date.fromisoformat(received), months).isoformat() == expected


def test_invoices_are_kept_for_whole_years() -> None:
    policy = RightsPolicy.load(Settings.model_fields["policies"].default)
    (rule,) = policy.holds
    assert rule.until(dt.date(2024, 5, 6)) == dt.date(2032, 1, 1)
    assert RightsPolicy.model_validate(policy.frozen) == policy


def test_a_wrong_policy_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "legal_holds.yaml"
    path.write_text("backups_last: 90\nholds:\n  - {entity: bill, dated: x, years: 7, reason: law}\n")
    with pytest.raises(PrivacyPolicyError, match=r"holds.0.entity.*bill is no canonical entity; choose from"):
        RightsPolicy.load(tmp_path)
    path.write_text("holds: [")
    with pytest.raises(PrivacyPolicyError, match="cannot be read as YAML"):
        RightsPolicy.load(tmp_path)
    path.write_text("backups_last: 90\nbackups_last: 9\nholds: []\n")
    with pytest.raises(PrivacyPolicyError, match=r"backups_last is given twice \(line 2\)"):
        RightsPolicy.load(tmp_path)
