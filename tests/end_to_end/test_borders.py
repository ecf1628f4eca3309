"""What rooms hand to each other has the columns that the room which makes it names."""

from collections.abc import Callable, Iterator
from typing import Any

import pandera.pandas as pandera
import pyarrow as pa
import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts, contract_named
from cdm_pipelines.contracts.odcs import RESERVED_COLUMNS
from cdm_pipelines.ingest.extract import raw_schema
from cdm_pipelines.quality.validation import REPAIRS_SCHEMA, quarantine_schema, valid_schema
from cdm_pipelines.records import records_schema
from cdm_pipelines.standardise.frame import standard_schema
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

from .conftest import Deployment, Pipeline

DAY = "2026-06-01"


@pytest.fixture(scope="module")
def lake(pipeline: Pipeline) -> Lake:
    return Lake(pipeline[0].settings.lake_url)


def borders(lake: Lake) -> Iterator[tuple[str, pa.Schema, pa.Schema]]:
    """What each table of a day has, and what its room says."""
    for contract in all_contracts():
        if DAY not in layout.days(lake, "raw", contract):
            continue
        raw = lake.schema(layout.raw_path(contract, DAY))
        delivered = [name for name in raw.names if name not in RESERVED_COLUMNS]
        for path, named in (
            (
                layout.raw_path(contract, DAY),
                raw_schema(contract, [delivered]),
            ),
            (layout.valid_path(contract, DAY), valid_schema(raw)),
            (layout.quarantine_path(contract, DAY), quarantine_schema(raw)),
            (layout.repairs_path(contract, DAY), REPAIRS_SCHEMA),
            *(
                (layout.standard_path(contract, DAY, entity), standard_schema(contract, entity))
                for entity in contract.entities
            ),
        ):
            yield path, lake.schema(path), named
    party = tables.records(lake, Entity.PARTY)
    yield layout.records_path(Entity.PARTY), party.schema, records_schema(Entity.PARTY)


def test_tables_have_the_columns_that_their_rooms_name(lake: Lake) -> None:
    found = list(borders(lake))
    assert {path.split("/")[0] for path, *_ in found} == {
        *("raw", "valid", "quarantine", "repairs", "standard", "records")
    }
    for path, schema, named in found:
        assert schema.equals(named), path


def test_accepted_rows_that_break_the_contract_go_no_further(
    deploy: Callable[..., Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a rule were missed when the rows were judged: Pandera knows one more than that day did."""
    settings = deploy().settings
    lake, contract = Lake(settings.lake_url), contract_named("crm/contact")
    real = pandera.DataFrameSchema.validate

    def stricter(schema: pandera.DataFrameSchema, frame: Any, **options: Any) -> Any:
        never = pandera.Check(lambda ids: ids.isna(), name="pattern")
        return real(schema.update_column("Id", checks=[never]), frame, **options)

    monkeypatch.setattr(pandera.DataFrameSchema, "validate", stricter)
    result = process_day(settings, lake, contract, DAY)
    assert result.stopped
    assert result.verdicts["contract"].text == f"Id: pattern ({result.accepted:,})"
    assert not lake.exists(layout.standard_path(contract, DAY, Entity.PARTY))
