"""The change feed and the corrections for sources through whole runs, as the systems around would get them."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import contracts_of
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.privacy.off import NOBODY, OFF_SCHEMA
from cdm_pipelines.steps.customers.source_corrections import corrections_leaving, find_corrections
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, Deployment

Row = dict[str, str]


def corrections(deployment: Deployment) -> dict[str, list[Row]]:
    folder = Path(deployment.settings.lake_url) / "publish" / "source_corrections"
    found = {}
    for file in sorted(folder.iterdir()):
        with file.open(encoding="utf-8", newline="") as lines:
            found[file.stem] = list(csv.DictReader(lines))
    return found


@pytest.fixture(scope="module")
def deployment(lived: Callable[..., Deployment]) -> Deployment:
    return lived(DAYS[0])


def test_owners_are_told_what_to_correct_in_their_own_columns(deployment: Deployment) -> None:
    files = corrections(deployment)
    assert set(files) == {"crm", "erp", "shop"}
    assert all(files.values())
    sources = {
        (e, r, g)
        for e, r, g in deployment.query("SELECT entity, record_id, golden_id::text FROM golden.crosswalk")
    }
    for source, rows in files.items():
        columns = {f"{c.source}/{c.entity}": set(c.column_names) for c in contracts_of(source)}
        for row in rows:
            assert row["column"] in columns[f"{source}/{row['entity']}"]
            assert (row["entity"], row["record_id"], row["golden_id"]) in sources
            assert row["current_value"] != row["golden_value"]
            assert row["rule"]


def test_the_feed_can_be_read_and_delivered(deployment: Deployment) -> None:
    (count,) = deployment.query("SELECT count(*) FROM golden.customer")[0]
    last = json.loads(deployment.ask("feed", "tail", "-n", "1"))
    assert (last["type"], int(last["sequence"])) == ("cdm.customer.created", count)
    assert "No sinks" in deployment.ask("feed", "deliver", code=2)
    assert "Sinks: none" in deployment.ask("feed", "status")
    assert "Dead letters: none" in deployment.ask("feed", "dead")


def test_corrections_tell_no_more_than_their_purpose_lets_leave(
    deployment: Deployment, tmp_path: Path
) -> None:
    policies = Path(shutil.copytree(deployment.settings.policies, tmp_path / "policies"))
    feed = policies / "change_feed.yaml"
    feed.write_text(feed.read_text(encoding="utf-8").replace("purpose: identity", "purpose: marketing"))
    settings = deployment.settings.model_copy(update={"policies": policies})
    contracts = [one for source in ("crm", "erp", "shop") for one in contracts_of(source)]
    feeding = [one for one in contracts if Entity.PARTY in one.entities]

    def told(off: pa.Table) -> list[Row]:
        with open_hub(settings) as engine, engine.connect() as connection:
            leaving = corrections_leaving(connection, settings, off)
            tables = find_corrections(connection, Lake(settings.lake_url), feeding, leaving)
            return [row for table in tables for row in table.to_pylist()]

    # The address is not given for marketing, and of the ERP the e-mail alone is: no name that it says leaves.
    everything = {(row["entity"], row["column"]) for rows in corrections(deployment).values() for row in rows}
    assert {("contact", "MailingStreet"), ("customer", "STRAS"), ("contact", "LastName")} <= everything
    marketing = told(NOBODY)
    named = {"LastName", "FirstName", "Email", "NAME1", "ZZSMTP", "First Name", "Last Name"}
    assert {row["column"] for row in marketing} <= named
    origins = {
        (golden, attribute): f"{source}/{entity}"
        for golden, attribute, source, entity in deployment.query(
            "SELECT golden_id::text, attribute, source, entity FROM golden.provenance"
        )
    }
    names = [row for row in marketing if row["column"] not in {"Email", "ZZSMTP"}]
    assert names
    for row in names:
        origin = origins.get((row["golden_id"], "name"), origins.get((row["golden_id"], "*")))
        assert origin in {"crm/contact", "shop/customer"}
    one = marketing[0]["golden_id"]
    left = told(pa.table([["marketing"], [""], [one]], schema=OFF_SCHEMA))
    assert left == [row for row in marketing if row["golden_id"] != one]
