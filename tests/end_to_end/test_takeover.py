"""Taking a company over by the command line: what is printed, exit codes, and the customers afterwards."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cdm_demo.takeover import CompanyB, company_b

from .conftest import DAYS, ROOT, Deployment
from .test_new_source import Checkout

SEED, CUSTOMERS = 7, 120  # of the extracts of conftest
TABLES = (
    "golden.customer",
    "golden.crosswalk",
    "golden.provenance",
    "golden.customer_order",
    "privacy.consent",
)


@pytest.fixture(scope="module")
def company(
    tmp_path_factory: pytest.TempPathFactory, deploy: Callable[..., Deployment], extracts: Path
) -> tuple[Checkout, CompanyB]:
    """A copy of the project with a published day, and company B's extracts."""
    folder, deployment = tmp_path_factory.mktemp("checkout"), deploy()
    shutil.copytree(
        ROOT / "cdm_pipelines",
        folder / "cdm_pipelines",
        ignore=shutil.ignore_patterns("__pycache__", ".telemetry"),
    )
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder / name)
    checkout = Checkout(folder, deployment, (), {})
    b = company_b(extracts.parent, customers=CUSTOMERS, seed=SEED, size=60, out=folder / "companyb")
    sources = [part for name in ("crm", "erp", "shop") for part in ("--source", name)]
    checkout.cdm("run", "--date", DAYS[0], *sources)
    return checkout, b


def published(deployment: Deployment) -> dict[str, list[str]]:
    return {
        table: sorted(str(row) for row in deployment.query(f"SELECT to_jsonb(t) FROM {table} AS t"))
        for table in TABLES
    }


def test_a_company_is_assessed_taken_in_and_divested(company: tuple[Checkout, CompanyB]) -> None:
    checkout, b = company
    before, lake = published(checkout.deployment), checkout.deployment.lake()
    report = checkout.folder / "report.html"
    told = json.loads(
        checkout.cdm(
            "takeover", "assess", str(b.folder), "--name", "companyb", "--json", "--out", str(report)
        )
    )
    assert told["overlap"]["low"] <= b.ours <= told["overlap"]["high"]
    assert report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert checkout.deployment.lake() == lake
    assert published(checkout.deployment) == before

    text = checkout.cdm("takeover", "apply", str(b.folder), "--name", "companyb")
    assert "companyb is taken in" in text
    after = published(checkout.deployment)
    assert len(after["golden.crosswalk"]) == len(before["golden.crosswalk"]) + b.records

    whom = checkout.deployment.query(
        "SELECT array_agg(DISTINCT golden_id ORDER BY golden_id) FROM golden.crosswalk WHERE source = 'companyb'"
    )
    handed = checkout.folder / "handed"
    text = checkout.cdm("takeover", "divest", "companyb", "--yes", "--export", str(handed))
    assert f"{b.records:,} records" in text
    assert (handed / "records" / "party.csv").is_file()
    assert published(checkout.deployment) == before
    ((told_of, categories, line),) = checkout.deployment.query(
        """SELECT golden_ids, categories, a::text FROM ops.access_log AS a WHERE tool = 'cdm takeover divest'"""
    )
    assert [(told_of,)] == whom, "who is handed out is in the access log"
    assert {"user.name", "user.contact.email"} <= set(categories)
    assert "@" not in line
    assert not (checkout.folder / "cdm_pipelines" / "defs" / "companyb").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("assess", "nowhere"), "no such folder"),
        (("assess", "{b}", "--name", "Company B"), "cannot be the name"),
        (("assess", "{b}", "--name", "crm"), "is taken"),
        (("apply", "{b}", "--name", "crm"), "is taken"),
        (("apply", "{b}", "--name", "../x"), "cannot be the name"),
        (("divest", "nobody", "--yes"), "There is no source nobody"),
    ],
)
def test_what_cannot_be_is_told(
    company: tuple[Checkout, CompanyB], arguments: tuple[str, ...], told: str
) -> None:
    checkout, b = company
    given = [one.format(b=b.folder) for one in arguments]
    assert told in checkout.deployment.ask("takeover", *given, code=1)
