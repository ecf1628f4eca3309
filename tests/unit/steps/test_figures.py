"""What is told of a day: where each layer lies, and figures that agree with the tables there."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.figures import Outcome, Words
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.days.figures import day_outcomes
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.store.lake import Lake

DAY = "2026-06-01"
EXTRACTS = Path(load_settings().landing_url)


@pytest.fixture(params=[contract.name for contract in all_contracts()])
def outcomes(request: pytest.FixtureRequest, settings: Settings) -> dict[str, Outcome]:
    """A day of each source entity of the demo, in a lake whose own path has the name of a layer."""
    (contract,) = [one for one in all_contracts() if one.name == request.param]
    own = settings.model_copy(update={"lake_url": f"{settings.home}/raw/lake"})
    shutil.copytree(EXTRACTS / contract.name, Path(own.landing_url) / contract.name)
    lake = Lake(own.lake_url)
    found = day_outcomes(lake, contract, process_day(own, lake, contract, DAY))
    return {outcome.asset.partition("/")[0]: outcome for outcome in found}


def rows(url: str) -> int:
    """Rows of the table, or of the folder of tables, that a URL leads to."""
    path = Path(urlsplit(url).path)
    tables = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    return sum(pq.read_metadata(table).num_rows for table in tables)


def test_every_layer_tells_where_it_lies(outcomes: dict[str, Outcome]) -> None:
    assert list(outcomes) == ["raw", "valid", "quarantine", "standard"]
    for layer, outcome in outcomes.items():
        assert f"/raw/lake/{layer}/" in outcome.url
        assert rows(outcome.url) == outcome.figures["rows"], layer


def test_repaired_cells_are_found_beside_the_quarantine(outcomes: dict[str, Outcome]) -> None:
    told = outcomes["quarantine"].figures["repaired cells"]
    assert isinstance(told, Words)
    assert rows(told.text) >= 0


def test_delivered_rows_are_accepted_or_quarantined(outcomes: dict[str, Outcome]) -> None:
    delivered, accepted, rejected = (
        outcomes[layer].figures["rows"] for layer in ("raw", "valid", "quarantine")
    )
    assert isinstance(accepted, int)
    assert isinstance(rejected, int)
    assert delivered == accepted + rejected
    assert outcomes["valid"].checks["reconciliation"].passed
