"""A sink that is behind is served on between publications, and nothing runs while none is."""

import time
from pathlib import Path

import dagster as dg
import pytest
import yaml
from sqlalchemy import Engine, text

from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.hub import feed
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.customers.feed_waiting import Asked, due

FEED = dg.AssetKey(["publish", "feed"])
BEHIND = {"warehouse": 3}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return load_definitions()


@pytest.fixture
def company(
    settings: Settings, hub_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A hub with six events, and a warehouse that has had three of them."""
    policies = tmp_path / "policies"
    policies.mkdir()
    for file in settings.policies.iterdir():
        if file.name != "change_feed.yaml":
            (policies / file.name).symlink_to(file)
    own = settings.model_copy(update={"policies": policies})
    for name, value in own.environment().items():
        monkeypatch.setenv(name, value)
    sinks(own, "warehouse")
    with hub_engine.begin() as connection:
        connection.execute(text("INSERT INTO ops.publication (changes) VALUES ('{}')"))
        connection.execute(
            text(
                """INSERT INTO ops.outbox (event_id, publication_id, golden_id, type)
                   SELECT gen_random_uuid(), max(publication_id), gen_random_uuid(), 'customer.created'
                   FROM ops.publication, generate_series(1, 6) GROUP BY generate_series"""
            )
        )
        feed.state(connection, "warehouse", 3)
        feed.state(connection, "no longer in the policy", 0)
    return own


def sinks(settings: Settings, *names: str) -> None:
    said = {"sinks": {name: {"kind": "files", "purpose": "service"} for name in names}}
    (settings.policies / "change_feed.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")


def tick(
    definitions: dg.Definitions, instance: dg.DagsterInstance, cursor: str = ""
) -> dg.SensorResult | str:
    """What the sensor asks for, or why it does not."""
    sensor = definitions.get_repository_def().get_sensor_def("feed_behind")
    found = sensor(dg.build_sensor_context(instance=instance, cursor=cursor or None))
    if isinstance(found, dg.SkipReason):
        return str(found.skip_message)
    assert isinstance(found, dg.SensorResult)
    return found


def test_a_sink_that_is_behind_is_served_by_a_run_of_the_feed_alone(
    definitions: dg.Definitions, company: Settings, hub_engine: Engine
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        asked = tick(definitions, instance)
        assert isinstance(asked, dg.SensorResult)
        (request,) = asked.run_requests or []
        assert request.asset_selection == [FEED]
        job = definitions.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance, asset_selection=[FEED]).success
        with hub_engine.connect() as connection:
            assert feed.waiting(connection).keys() == {"no longer in the policy"}
        assert tick(definitions, instance, asked.cursor or "") == "No sink is behind."


def test_nothing_runs_for_a_sink_that_is_sent_nothing_or_is_served_already(
    definitions: dg.Definitions, company: Settings, hub_engine: Engine
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("customers")
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        assert tick(definitions, instance) == "A run that delivers is on its way."
        instance.delete_run(run.run_id)
        assert isinstance(tick(definitions, instance), dg.SensorResult)
        with hub_engine.begin() as connection:
            feed.disable(connection, "warehouse", "answered 410")
        assert tick(definitions, instance) == "No sink is behind."


def test_without_sinks_the_hub_is_not_even_opened(
    definitions: dg.Definitions, company: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinks(company)
    monkeypatch.setenv("CDM_DATABASE_URL", "postgresql://localhost:1/nowhere")
    with dg.DagsterInstance.ephemeral() as instance:
        assert tick(definitions, instance) == "No sink is behind."


def test_a_receiver_that_takes_nothing_is_tried_more_and_more_seldom() -> None:
    now, asked, times = 1000.0, Asked(), []
    for _ in range(24 * 30):  # a day of ticks
        if found := due(BEHIND, asked, now):
            times.append(now)
            asked = Asked.of_json(found.to_json())
        now += 120
    assert len(times) < 32
    assert times[1] - times[0] == 120
    assert due({"warehouse": 4}, asked, asked.at + 1), "one that took something goes on at once"
    assert due({}, asked, time.time()) is None
