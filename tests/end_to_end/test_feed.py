"""The change feed and the corrections for sources through whole runs, as the systems around would get them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cdm_pipelines.contracts.catalogue import contracts_of

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
def deployment(deploy: Callable[..., Deployment]) -> Deployment:
    made = deploy()
    assert made.run(DAYS[0]) == 0
    return made


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
