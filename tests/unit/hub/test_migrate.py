"""Migrations: a hub of any age comes to the newest version, once, whoever asks at the same time."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, create_engine, make_url, text

from cdm_pipelines.hub import migrate as migrations
from cdm_pipelines.hub import seals
from cdm_pipelines.hub.connection import DRIVER
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.migrate import (
    VERSION_SCHEMA,
    VERSION_TABLE,
    differences,
    main,
    migrate,
    newest,
    version,
)
from cdm_pipelines.settings import Settings

_ANY = {
    "uuid": "gen_random_uuid()",
    "bigint": "1",
    "integer": "1",
    "boolean": "false",
    "date": "date '2026-06-01'",
    "timestamp with time zone": "timestamptz '2026-06-01 12:00Z'",
    "ARRAY": "'{}'",
    "jsonb": "'{}'",
}
"""A value of each kind."""


@pytest.fixture
def empty(new_database: Callable[..., str]) -> Iterator[Engine]:
    engine = create_engine(make_url(new_database()).set(drivername=DRIVER))
    yield engine
    engine.dispose()


def test_schema_and_migrations_agree(hub_engine: Engine) -> None:
    assert differences(hub_engine) == []


def test_difference_is_found(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        connection.execute(text("ALTER TABLE golden.customer ADD COLUMN surplus text"))
        connection.execute(text("CREATE TABLE public.of_somebody_else (number int)"))
    found = differences(hub_engine)
    assert len(found) == 1
    assert "surplus" in str(found)


def test_processes_that_migrate_at_once_all_find_the_work_done(empty: Engine) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(empty)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    with empty.connect() as connection:
        assert version(connection) is not None
    migrate(empty)


def test_what_has_to_follow_the_steps_is_done_with_them_or_they_are_not(empty: Engine) -> None:
    def fails(_: Connection) -> None:
        raise HubError("a policy that cannot be used")

    with pytest.raises(HubError, match="policy"):
        migrate(empty, then=fails)
    with empty.connect() as connection:
        assert version(connection) is None
    seen: list[str | None] = []
    assert migrate(empty, then=lambda connection: seen.append(version(connection)))
    assert seen == [newest()]
    assert not migrate(empty, then=fails)


def test_hub_of_a_newer_version_is_left_alone(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_SCHEMA}.{VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(HubError, match="version 9999, which this installation"):
        migrate(hub_engine)


def test_next_revision_is_numbered_and_holds_the_difference(
    settings: Settings, hub_engine: Engine, tmp_path: Path
) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    os.environ.update(settings.environment())
    with hub_engine.begin() as connection:
        connection.execute(text("ALTER TABLE golden.customer ADD COLUMN surplus text"))
    assert main(["Drop the surplus"], versions) == 0
    (path,) = versions.glob("v0*_drop_the_surplus.py")
    source = path.read_text()
    assert source.startswith('"""Drop the surplus."""')
    assert 'op.drop_column("customer", "surplus", schema="golden")' in source.replace("'", '"')
    compile(source, str(path), "exec")
    assert main([]) == 2


def test_no_revision_without_a_difference(
    settings: Settings, hub_engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ.update(settings.environment())
    assert differences(hub_engine) == []
    assert main(["Nothing"], tmp_path) == 1
    assert "there is nothing to write" in capsys.readouterr().err
    assert list(tmp_path.glob("v*")) == []


def test_seals_of_before_a_column_came_hold_and_what_was_changed_is_told_still(empty: Engine) -> None:
    former = "INSERT INTO golden.customer_history ({}) SELECT {} FROM generate_series(1, 3)"
    with migrations._exclusive(empty) as connection:  # noqa: SLF001 - no command of ours stops half way
        command.upgrade(migrations._config(connection), "0026")  # noqa: SLF001 - the same
        must = connection.execute(
            text(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'golden' "
                "AND table_name = 'customer_history' AND (is_nullable = 'NO' OR column_name = 'closed_by')"
            )
        )
        values = {name: _ANY.get(kind, "'x'") for name, kind in must}
        for publication in (1, 2):
            values["closed_by"] = str(publication)
            connection.execute(text(former.format(", ".join(values), ", ".join(values.values()))))
            seals.seal_publication(connection, publication)
        assert list(seals.broken(connection)) == []
        connection.execute(text("UPDATE golden.customer_history SET city = 'Sneek' WHERE closed_by = 2"))
    migrate(empty)
    with empty.connect() as connection:
        assert list(seals.broken(connection)) == [
            "golden.customer_history: rows of publication 2 were changed"
        ]
