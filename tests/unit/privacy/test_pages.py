"""Pages for people: what a company or a customer wrote stands in them as text, never as markup."""

import datetime as dt
from pathlib import Path

import pytest
import yaml

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.privacy.governance import GovernancePolicy
from cdm_pipelines.privacy.handbook import Page, render_handbook
from cdm_pipelines.privacy.page import page
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.processing import processing
from cdm_pipelines.privacy.processing_forms import FORMS
from cdm_pipelines.privacy.roles import RolesPolicy
from cdm_pipelines.privacy.words import Language
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.operate.processing import told_of

POLICIES = Settings.model_fields["policies"].default
MARKUP = "<script>alert('x')</script>"


def test_an_answer_of_access_shows_markup_as_text() -> None:
    rows = [{"given_name": MARKUP, MARKUP: "a & b", "nothing": None}]
    made = page({"customer": {"customer": rows}}, Language.ENGLISH, dt.date(2026, 6, 1))
    assert "<script" not in made
    assert made.count("&lt;script&gt;alert(") == 2
    assert "a &amp; b" in made
    assert ">nothing<" not in made, "a column without a value is left out"
    assert "2026-06-01" in made


def test_the_handbook_shows_markup_as_text() -> None:
    role = RolesPolicy.load(POLICIES).role("service").model_copy(update={"description": MARKUP})
    pages = [Page("service", role, "cdm_service", [], ["user.name"])]
    made = render_handbook(pages, all_contracts(), GovernancePolicy.load(POLICIES), {})
    assert made.keys() == {"index.html", "service.html"}
    for name, text in made.items():
        assert "<script" not in text, name
        assert "&lt;script&gt;" in text, name


def test_the_record_of_processing_shows_markup_as_text(tmp_path: Path) -> None:
    for path in POLICIES.iterdir():
        (tmp_path / path.name).symlink_to(path)
    said = yaml.safe_load((POLICIES / "purposes.yaml").read_text(encoding="utf-8"))
    said["purposes"]["marketing"]["description"] = MARKUP
    (tmp_path / "purposes.yaml").unlink()
    (tmp_path / "purposes.yaml").write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    made = FORMS["processing.html"](processing(told_of(load_settings(policies=tmp_path)))).decode()
    assert "<script" not in made
    assert "&lt;script&gt;" in made


def test_no_role_takes_the_place_of_the_first_page(tmp_path: Path) -> None:
    said = yaml.safe_load((POLICIES / "roles.yaml").read_text(encoding="utf-8"))
    said["roles"]["index"] = said["roles"]["sales"]
    (tmp_path / "roles.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    with pytest.raises(PrivacyPolicyError, match="no role can be named index"):
        RolesPolicy.load(tmp_path)
