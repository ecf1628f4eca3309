"""Fixtures for all tests: an environment without variables of ours, and a real PostgreSQL.

Each pytest process has one embedded server, and each test that asks has a fresh database on it, copied from one
that was migrated once. Servers and temporary folders lie in memory where there is enough of it: a disk takes
milliseconds for each file that is made safe or removed, and a day's run has hundreds of them.

Properties are tried with three tenths of the examples that each asks for; with ``--hypothesis-profile`` fast with a
tenth of them, with thorough with ten times as many.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine, create_engine, make_url

from cdm_pipelines.hub.connection import DRIVER, open_hub
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.settings import Settings, load_settings

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
TEMPLATE = "migrated"
EXAMPLES = {"fast": 0.1, "ci": 0.3, "thorough": 10.0}
"""How many of a property's examples are tried, by profile."""

for _profile, _share in EXAMPLES.items():
    hypothesis_settings.register_profile(_profile, max_examples=round(100 * _share))
hypothesis_settings.load_profile("ci")  # unless the command line names another


gc.set_threshold(50_000)
"""Ten thousand tests and all packages are never garbage; looking through them often takes a tenth of a run."""


def pytest_collection_finish() -> None:
    """What is there before the first test stays to the end."""
    gc.freeze()


def _roomy_memory() -> str | None:
    """A folder in memory, if there is one with room for what all tests write, several times over."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 10_000_000_000
    return str(memory) if roomy else None


if _memory := _roomy_memory():
    os.environ["TMPDIR"] = tempfile.tempdir = _memory  # of processes that tests start too


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give properties that ask for a number of examples the profile's share of it; a profile alone leaves them be."""
    profile = config.getoption("--hypothesis-profile") or "ci"
    share, usual = EXAMPLES.get(profile, 1.0), hypothesis_settings.get_profile(profile).max_examples
    scaled: set[Any] = set()
    for item in items:
        test: Any = getattr(item, "obj", None)
        test = getattr(test, "__func__", test)
        asked = getattr(test, "_hypothesis_internal_use_settings", None)
        if share != 1.0 and asked is not None and asked.max_examples != usual and test not in scaled:
            scaled.add(test)
            number = max(3, round(asked.max_examples * share))
            test._hypothesis_internal_use_settings = hypothesis_settings(asked, max_examples=number)  # noqa: SLF001


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """No test sees the variables of the machine, nor those that another test, or a fixture of its, left."""
    before = {name: value for name, value in os.environ.items() if not name.startswith(("CDM_", "DAGSTER_"))}
    os.environ.clear()
    os.environ.update(before)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of an embedded server that runs as long as the tests; quick instead of durable."""
    with (
        tempfile.TemporaryDirectory(prefix="cdm-") as home,
        EmbeddedServer(Path(home), options=FAST).running() as url,
    ):
        yield url


@pytest.fixture(scope="session")
def new_database(server_url: str) -> Iterator[Callable[..., str]]:
    """A function that makes an empty database, or a copy of ``template``, and returns its URL."""
    numbers = count()
    url = make_url(server_url)

    def make(template: str = "template0", name: str | None = None) -> str:
        name = name or f"test_{next(numbers)}"
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'.encode())
        return url.set(database=name).render_as_string()

    with psycopg.connect(server_url, autocommit=True) as server:
        yield make


@pytest.fixture(scope="session")
def _template(new_database: Callable[..., str]) -> str:
    engine = create_engine(make_url(new_database(name=TEMPLATE)).set(drivername=DRIVER))
    migrate(engine)
    engine.dispose()
    return TEMPLATE


@pytest.fixture
def settings(tmp_path: Path, new_database: Callable[..., str], _template: str) -> Settings:
    """Settings with folders of the test's own and a migrated database without rows."""
    home = tmp_path / "home"
    return load_settings(
        home=home,
        landing_url=str(tmp_path / "landing"),
        lake_url=str(home / "lake"),
        database_url=new_database(_template),
        threads=1,
    )


@pytest.fixture
def hub_engine(settings: Settings) -> Iterator[Engine]:
    """The migrated hub of ``settings``."""
    with open_hub(settings) as engine:
        yield engine
