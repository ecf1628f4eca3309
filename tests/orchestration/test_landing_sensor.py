"""The landing sensor: asks for a day once, when its files are whole, and survives what is odd."""

import json
import shutil
from pathlib import Path

import dagster as dg
import pytest

from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.settings import load_settings

EXTRACTS = Path(load_settings().landing_url)


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "landing"
    root.mkdir()
    monkeypatch.setenv("CDM_LANDING_URL", str(root))
    monkeypatch.setenv("CDM_LAKE_URL", str(tmp_path / "lake"))
    return root


@pytest.fixture(scope="module")
def sensor() -> dg.SensorDefinition:
    return load_definitions().get_repository_def().get_sensor_def("landing_shop")


class Ticks:
    """Evaluates the sensor as the daemon does, keeping its cursor."""

    def __init__(self, sensor: dg.SensorDefinition) -> None:
        self.sensor = sensor
        self.cursor: str | None = None
        self.said = ""

    def tick(self) -> list[str]:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=self.cursor)
            result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        self.said = (
            str(result.skip_reason.skip_message) if isinstance(result.skip_reason, dg.SkipReason) else ""
        )
        return [str(request.partition_key) for request in result.run_requests or []]


def deliver(landing: Path, entity: str, date: str = "2026-06-01") -> Path:
    target = landing / "shop" / entity / f"{date}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(EXTRACTS / "shop" / entity / "2026-06-01.csv", target))


def test_a_day_is_asked_for_once_when_all_its_files_are_whole(
    landing: Path, sensor: dg.SensorDefinition
) -> None:
    ticks = Ticks(sensor)
    assert ticks.tick() == []
    deliver(landing, "customer")
    assert ticks.tick() == []
    assert "no file yet for order" in ticks.said
    deliver(landing, "order")
    assert ticks.tick() == []
    assert "looked at again" in ticks.said
    assert ticks.tick() == ["2026-06-01"]
    assert ticks.tick() == []


def test_a_growing_file_is_waited_for(landing: Path, sensor: dg.SensorDefinition) -> None:
    ticks = Ticks(sensor)
    deliver(landing, "customer")
    order = deliver(landing, "order")
    ticks.tick()
    with order.open("ab") as file:
        file.write(b"\n")
    assert ticks.tick() == []
    assert ticks.tick() == ["2026-06-01"]


def test_a_day_delivered_anew_is_asked_for_again(landing: Path, sensor: dg.SensorDefinition) -> None:
    ticks = Ticks(sensor)
    deliver(landing, "customer")
    order = deliver(landing, "order")
    ticks.tick()
    assert ticks.tick() == ["2026-06-01"]
    order.write_bytes(order.read_bytes() + b"\n")
    ticks.tick()
    assert ticks.tick() == ["2026-06-01"]


def test_odd_files_do_not_disturb(landing: Path, sensor: dg.SensorDefinition) -> None:
    deliver(landing, "customer")
    deliver(landing, "order")
    (landing / "shop" / "order" / "2026-13-45.csv").write_text("x", encoding="utf-8")
    (landing / "shop" / "order" / "readme.txt").write_text("x", encoding="utf-8")
    (landing / "shop" / "order" / "2026-06-02.csv.part").write_text("x", encoding="utf-8")
    ticks = Ticks(sensor)
    ticks.tick()
    assert ticks.tick() == ["2026-06-01"]


def test_the_cursor_stays_small_and_holds_no_file_names(landing: Path, sensor: dg.SensorDefinition) -> None:
    deliver(landing, "customer")
    ticks = Ticks(sensor)
    ticks.tick()
    assert set(json.loads(str(ticks.cursor))) == {"asked", "before"}
    assert "customer" not in str(ticks.cursor)
