"""Erased records leave what linking keeps, to the last byte, also what a killed process left of it."""

from pathlib import Path

import pytest
from test_link_state import state

from cdm_pipelines.linkage import LinkagePolicy, load_policy
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.linking.forgetting import forgetting
from cdm_pipelines.steps.linking.state import KeptState, read_state, write_state
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Mark
from cdm_pipelines.store.register import Persons, Stores
from cdm_pipelines.store.secret import Secret

KIND, GONE = "person", Persons.of([("crm", "contact", "2")])


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings.lake_url)


def policy(settings: Settings) -> LinkagePolicy:
    """The shipped one, with as many rules as the state has keys of."""
    shipped = load_policy(settings.policies / "linkage" / f"{KIND}.yaml")
    return shipped.model_copy(update={"blocking": shipped.blocking[:2]})


def keep(lake: Lake, settings: Settings, number: int) -> None:
    kept = KeptState(state(), number, number, "model", Mark(3, "b8bb5be6f7f891cb"), "outcome")
    write_state(lake, KIND, kept, Secret.of(settings.home))


def forget(lake: Lake, settings: Settings) -> None:
    forgetting(settings, {KIND: policy(settings)})(KIND, Stores(lake, None), GONE)


def folders(lake: Lake) -> set[str]:
    return set(lake.folders(layout.link_state_folder(KIND)))


def test_the_state_goes_on_without_them_and_no_former_file_stays(lake: Lake, settings: Settings) -> None:
    keep(lake, settings, 1)
    left = Path(settings.lake_url) / layout.link_state_folder(KIND) / "base-7"
    left.mkdir()
    (left / "records.arrow").write_bytes(b"of a process that was killed")
    forget(lake, settings)
    found = read_state(lake, KIND, Secret.of(settings.home))
    assert found is not None
    assert found.state.rows.records()["record_id"].to_pylist() == ["1"]
    assert folders(lake) == {"8", "base-8"}
    forget(lake, settings)
    again = read_state(lake, KIND, Secret.of(settings.home))
    assert again is not None
    assert again.state.rows.records().equals(found.state.rows.records())


def test_a_state_that_cannot_be_read_is_thrown_away(lake: Lake, settings: Settings) -> None:
    keep(lake, settings, 1)
    (Path(settings.lake_url) / layout.link_state_folder(KIND) / "base-1" / "records.arrow").write_bytes(b"")
    forget(lake, settings)
    assert folders(lake) == set()
    assert read_state(lake, KIND, Secret.of(settings.home)) is None
