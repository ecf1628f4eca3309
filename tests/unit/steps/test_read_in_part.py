"""After an upgrade: days of which an earlier contract read less are named, and made anew are named no more."""

from dataclasses import replace
from pathlib import Path

import pytest

from cdm_demo import generate
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.landing import read_in_part
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.store.lake import Lake

FIRST, SECOND = "2026-06-01", "2026-06-02"


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    generate(customers=30, days=2, seed=3, out=tmp_path, interactions=0)
    return settings.model_copy(update={"landing_url": str(tmp_path / "landing")})


def test_days_that_an_earlier_contract_read_less_of_are_named_until_they_are_made_anew(own: Settings) -> None:
    lake = Lake(own.lake_url)
    now = next(one for one in all_contracts() if one.name == "shop/customer")
    fed = [tuple(path for path in one.maps_to if not path.startswith("consent.")) for one in now.columns]
    columns = tuple(replace(one, maps_to=paths) for one, paths in zip(now.columns, fed, strict=True))
    earlier = replace(now, columns=columns, statements=())
    assert {str(one) for one in now.entities} - {str(one) for one in earlier.entities} == {"consent"}
    for date in (FIRST, SECOND):
        process_day(own, lake, earlier, date)
    assert read_in_part(own, [earlier]) == {}
    assert read_in_part(own, [now]) == {"consent": [FIRST, SECOND]}
    process_day(own, lake, now, SECOND)
    assert read_in_part(own, [now]) == {"consent": [FIRST]}
    (extract,) = Path(own.landing_url).glob(f"shop/customer/{FIRST}*")
    extract.unlink()
    assert read_in_part(own, [now]) == {}, "what lies in landing no more cannot be made anew"
