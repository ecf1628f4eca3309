"""A source is late by what its contract agrees, and by nothing else."""

import datetime as dt
from pathlib import Path

import pytest

from cdm_pipelines.contracts import load_contract
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.steps.operate.sources import is_late

AGREED = "{property: frequency, value: 1, unit: d}"
TODAY = dt.date(2026, 6, 10)


@pytest.mark.parametrize(
    ("agreed", "age", "late"),
    [
        (AGREED, 1, False),
        (AGREED, 2, True),
        ("{property: frequency, value: 7, unit: d}", 3, False),
        ("{property: frequency, value: 7, unit: days}", 7, False),
        ("{property: frequency, value: 1, unit: w}", 8, True),
        ("{property: frequency, value: 1, unit: month}", 31, False),
        ("{property: frequency, value: 4, unit: h}", 1, False),
        ("{property: frequency, value: 4, unit: hours}", 2, True),
        ("{property: frequency, value: now and then}", 400, None),
        ("{property: timeOfAvailability, value: '07:00'}", 400, None),
    ],
)
def test_lateness(tmp_path: Path, agreed: str, age: int, *, late: bool | None) -> None:
    written = Path(contract_named("crm/contact").file).read_text(encoding="utf-8")
    assert AGREED in written
    file = tmp_path / "contact.odcs.yaml"
    file.write_text(written.replace(AGREED, agreed), encoding="utf-8")
    delivered = (TODAY - dt.timedelta(days=age)).isoformat()
    assert is_late(load_contract(file), delivered, TODAY) is late
