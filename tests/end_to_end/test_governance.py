"""A company's roles through whole runs: views with each publication, readings noted, a handbook that stands alone."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.operate.places import all_places

from .conftest import DAYS, Deployment


@pytest.fixture(scope="module")
def company(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    policies = tmp_path_factory.mktemp("company") / "policies"
    shutil.copytree(load_settings().policies, policies)
    made = Deployment(deploy().settings.model_copy(update={"policies": policies, "role_prefix": "company"}))
    assert made.run(DAYS[0]) == 0
    return made


def views(company: Deployment, role: str) -> set[str]:
    return {
        name for (name,) in company.query(f"SELECT viewname FROM pg_views WHERE schemaname = 'for_{role}'")
    }


def last_line(company: Deployment) -> dict[str, object]:
    names = ("role", "purpose", "tool", "golden_ids", "categories", "rows", "who")
    query = f"SELECT {', '.join(names)} FROM ops.access_log ORDER BY access_id DESC LIMIT 1"
    (line,) = company.query(query)
    return dict(zip(names, line, strict=True))


def test_a_publication_leaves_the_database_as_the_policy_says(company: Deployment) -> None:
    assert "is what policies/roles.yaml says" in company.ask("roles", "check")
    customers = company.query("SELECT count(*) FROM golden.customer")
    assert customers == company.query("SELECT count(*) FROM for_service.customer")
    assert {"customer", "customer_order", "profile_customer", "profile_service"} <= views(company, "service")
    assert "for_service.customer" in company.ask("roles", "show", "service")
    assert "analyst" in company.ask("roles", "anonymity")


def test_a_reading_leaves_a_line_without_values(company: Deployment) -> None:
    ((email, golden_id),) = company.query(
        "SELECT email, golden_id FROM golden.customer WHERE email IS NOT NULL ORDER BY golden_id LIMIT 1"
    )
    company.ask("customer", str(email), "--role", "service")
    line = last_line(company)
    assert (line["role"], line["purpose"], line["tool"]) == ("service", "service", "cdm customer")
    assert golden_id in line["golden_ids"]  # type: ignore[operator]
    assert str(email) not in str(line)
    company.ask("steward", "show", str(golden_id))
    assert (last_line(company)["role"], last_line(company)["golden_ids"]) == ("steward", [golden_id])
    company.ask("customer", str(email), "--role", "boss", code=1)


def test_nobody_decides_where_no_role_may(company: Deployment) -> None:
    ((golden_id,),) = company.query("SELECT golden_id FROM golden.customer ORDER BY 1 LIMIT 1")
    path = company.settings.policies / "roles.yaml"
    former = path.read_text(encoding="utf-8")
    path.write_text(
        former.replace("changes: [decisions, quarantine]", "changes: [quarantine]"), encoding="utf-8"
    )
    try:
        told = company.ask("steward", "confirm", str(golden_id), "--by", "stien", code=1)
    finally:
        path.write_text(former, encoding="utf-8")
    assert "The role steward may not change decisions" in told
    path.write_text(
        former.replace("changes: [requests, consent, policies]", "changes: [policies]"), encoding="utf-8"
    )
    try:
        told = company.ask("privacy", "restrict", str(golden_id), "--by", "Petra", code=1)
    finally:
        path.write_text(former, encoding="utf-8")
    assert "The role privacy_officer may not change requests" in told
    assert company.query("SELECT count(*) FROM privacy.restriction") == [(0,)]
    assert company.query("SELECT count(*) FROM identity.decision WHERE kind = 'confirm'") == [(0,)]


def test_an_export_leaves_a_line(company: Deployment, tmp_path: Path) -> None:
    company.ask(
        "export", "golden", "--out", str(tmp_path / "c.csv"), "--role", "finance", "--purpose", "billing"
    )
    line = last_line(company)
    ((number,),) = company.query("SELECT count(*) FROM golden.customer")
    assert (line["role"], line["tool"], line["golden_ids"], line["rows"]) == (
        "finance",
        "cdm export",
        [],
        number,
    )
    assert "user.financial.bank_account" in line["categories"]  # type: ignore[operator]


def test_the_log_is_a_place_that_says_how_long_it_is_kept(company: Deployment) -> None:
    place = all_places(company.settings).named("ops/access_log")
    assert place.search is not None
    assert "policies/pruning.yaml" in str(place.kept)


def test_the_handbook_tells_each_role_what_it_sees(company: Deployment, tmp_path: Path) -> None:
    company.ask("handbook", "--out", str(tmp_path))
    roles = yaml.safe_load((company.settings.policies / "roles.yaml").read_text(encoding="utf-8"))["roles"]
    pages = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.html")}
    assert pages.keys() == {"index", *roles}
    for name, page in pages.items():
        assert re.findall(r"<(?:script|link|img|iframe)|(?:src|href)=\"(?:https?:)?//", page) == [], name
        assert "prefers-color-scheme: dark" in page
        if name != "index":
            assert views(company, name) <= set(re.findall(r"<h3 id=\"([^\"]+)\"", page))
    assert "masked: the last four digits" in pages["service"]
    assert "debtor administration" in pages["finance"]
    assert "You may not try to find out who a customer is" in pages["analyst"]
    (tmp_path / "file").write_text("")
    told = company.ask("handbook", "--out", str(tmp_path / "file"), code=2)
    assert "Name another folder with --out" in " ".join(told.split())


def test_views_come_and_go_with_the_tables_of_the_profile(company: Deployment) -> None:
    assert "profile_rfm" in views(company, "sales")
    path = company.settings.policies / "enrichment.yaml"
    former = path.read_text(encoding="utf-8")
    said = yaml.safe_load(former)
    said["enrichers"] = {**(said.get("enrichers") or {}), "quality": {"enabled": False}}
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    try:
        company.cdm("run", "--date", DAYS[1])  # of its own, so that it knows which enrichers there are
    finally:
        path.write_text(former, encoding="utf-8")
    assert "profile_quality" not in views(company, "sales")
    assert "profile_rfm" in views(company, "sales")
    company.cdm("run", "--date", DAYS[2])
    assert "profile_quality" in views(company, "sales")
    assert "is what policies/roles.yaml says" in company.ask("roles", "check")


def test_a_policy_that_cannot_be_used_stops_the_publication(company: Deployment) -> None:
    path = company.settings.policies / "roles.yaml"
    former = path.read_text(encoding="utf-8")
    path.write_text(former.replace("user.name: clear", "user.nmae: clear", 1), encoding="utf-8")
    try:
        told = company.ask("roles", "check", code=1)
    finally:
        path.write_text(former, encoding="utf-8")
    assert "roles.steward.reads" in told or "user.nmae" in told
