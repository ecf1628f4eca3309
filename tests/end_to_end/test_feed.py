"""The change feed and the corrections for sources through whole runs, as the systems around would get them."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

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
def deployment(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    made = deploy()
    assert made.run(DAYS[0]) == 0
    return made


def test_x(deployment: Deployment) -> None:
    for source, rows in corrections(deployment).items():
        print(source, len(rows), Counter((r["entity"], r["column"], r["rule"]) for r in rows))
        for r in rows[:25]:
            print("   ", {k: v for k, v in r.items() if k != "golden_id"})
    print(deployment.ask("feed", "tail", "-n", "2"))
    print(deployment.ask("feed", "status"))
    deployment.run(DAYS[1])
    print(deployment.query("select publication_id, type, count(*) from ops.outbox group by 1,2 order by 1,2"))
    print(
        deployment.query(
            "select k, count(*) from ops.outbox, jsonb_object_keys(changes) k where type='customer.changed' group by 1"
        )
    )
    assert 0
