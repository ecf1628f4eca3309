"""Whose data was in reach of who got hold of a file of a real lake or landing, or of what was read or sent."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cdm_demo import generate
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.steps.rights.exposure import Exposure, exposure

from .conftest import DAYS, Deployment


@pytest.fixture(scope="module")
def home(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    out = tmp_path_factory.mktemp("company")
    generate(customers=60, days=1, seed=7, out=out)
    made = deploy(out / "landing")
    assert made.run(DAYS[0]) == 0
    return made


def of_file(home: Deployment, *paths: str) -> Exposure:
    with open_hub(home.settings) as engine:
        return exposure(home.settings, engine, paths=paths)


def owners(home: Deployment, source: str, entity: str) -> list[str]:
    rows = home.query(
        f"""SELECT DISTINCT golden_id::text FROM golden.crosswalk
        WHERE source = '{source}' AND entity = '{entity}' ORDER BY 1"""
    )
    return [str(one) for (one,) in rows]


def parties(home: Deployment) -> tuple[str, str]:
    """A source entity of which there are customers."""
    [(source, entity), *_] = home.query(
        "SELECT source, entity FROM golden.crosswalk GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2"
    )
    return str(source), str(entity)


def test_a_raw_file_and_its_extract_are_of_the_same_customers(home: Deployment) -> None:
    source, entity = parties(home)
    wanted = owners(home, source, entity)
    raw = of_file(home, f"lake/raw/{source}/{entity}/{DAYS[0]}.parquet")
    assert set(wanted) <= set(raw.total.golden_ids)
    standard = of_file(home, f"lake/standard/{source}/{entity}/**")
    assert standard.total.golden_ids == wanted
    folder = home.landing / source / entity
    delivered = of_file(home, str(folder))
    assert delivered.total.golden_ids == raw.total.golden_ids
    assert any(one.category == "user.contact.email" and one.customers for one in raw.total.counts)


def test_an_order_is_its_customers(home: Deployment) -> None:
    [(source, entity)] = home.query("SELECT DISTINCT source, entity FROM golden.customer_order LIMIT 1")
    wanted = {
        str(one)
        for (one,) in home.query(
            f"""SELECT DISTINCT golden_id::text FROM golden.customer_order
            WHERE source = '{source}' AND entity = '{entity}' AND golden_id IS NOT NULL"""
        )
    }
    found = of_file(home, f"raw/{source}/{entity}/*")
    assert wanted
    assert wanted <= set(found.total.golden_ids)


def test_states_and_what_the_database_keeps_are_of_everybody(home: Deployment) -> None:
    everybody = sorted(str(one) for (one,) in home.query("SELECT golden_id::text FROM golden.customer"))
    assert of_file(home, "lake/records/party.arrow").total.golden_ids == everybody
    assert of_file(home, "lake/link/clusters.*").total.golden_ids == everybody
    unknown = home.settings.home / "notes.txt"
    unknown.write_text("what nobody declared")
    try:
        found = of_file(home, str(unknown))
    finally:
        unknown.unlink()
    assert found.total.golden_ids == everybody
    assert "everybody counts" in found.parts[0].note
    assert of_file(home, "home/secret.key").total.golden_ids == []


def test_every_file_of_the_lake_can_be_told(home: Deployment) -> None:
    found = of_file(home, "lake")
    assert len(found.parts) == len([one for one in Path(home.settings.lake_url).rglob("*") if one.is_file()])
    assert found.total.golden_ids


def test_the_command_prints_no_value_and_names_what_is_near(home: Deployment, tmp_path: Path) -> None:
    source, entity = parties(home)
    to = tmp_path / "ids.csv"
    told = home.ask(
        "privacy",
        "exposure",
        "--file",
        f"raw/{source}/{entity}/**",
        "--table",
        "golden.customer",
        "--list",
        str(to),
    )
    assert "72 hours" in told
    values = home.query("SELECT email, surname, iban, phone, golden_id::text FROM golden.customer")
    words = set(told.replace("│", " ").split())
    assert not [one for row in values for one in row if one and str(one) in words]
    assert to.read_text().split()[1:] == sorted(str(row[4]) for row in values)
    wrong = home.ask(
        "privacy", "exposure", "--file", f"lake/raw/{source}/{entity}/2026-06-11.parquet", code=1
    )
    assert f"{DAYS[0]}.parquet" in wrong
