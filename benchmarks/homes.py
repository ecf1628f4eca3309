"""Homes with a published first load, kept for the next measurement.

Belongs here: making such a home from generated extracts, and copies of it to work on. Does not belong here: what is
measured on it.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import extracts
from benchmarks.meter import environment, measure
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.settings import Settings, load_settings, root

_STATES = ("records party", "records order", "link", "stage", "publish")


def settings_of(home: Path, landing: Path | None = None) -> Settings:
    """Settings that keep everything in a home, and take extracts from a landing folder."""
    delivered = {} if landing is None else {"landing_url": str(landing)}
    return load_settings(
        home=home,
        lake_url=str(home / "lake"),
        database_url=None,  # the user's own database is none of ours
        policies=Settings.model_fields["policies"].default,
        **delivered,
    )


def loaded(records: int, home: Path, out: Path, tell: Callable[[str], None]) -> Settings:
    """Publish about that many generated records in a home, or find them where an earlier run left them.

    Args:
        records: Source records of parties, about.
        home: Folder of lake and database.
        out: Folder of the extracts.
        tell: Gets a line after each stage.

    Raises:
        StageError: A stage failed.
    """
    settings = settings_of(home)
    note = home / "loaded"
    if note.exists():
        return settings
    EmbeddedServer(home, programs=settings.postgres_bin).stop()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    made = extracts.make(records, out)
    days = [("day", source) for source in made.sources]
    with EmbeddedServer(home, programs=settings.postgres_bin).running():
        for stage in [("hub",), *days, *((name,) for name in _STATES)]:
            name = " ".join(stage)
            command = [sys.executable, "-m", "benchmarks", "stage", str(home / "result.json"), *stage]
            variables = environment(**settings_of(home, made.landing).environment(), PYTHONPATH=str(root()))
            usage = measure(command, variables, home / f"{name}.log")
            tell(f"{records:,} records: {name}, {usage.seconds:.1f} s")
    note.touch()
    return settings


def copied(home: Path, to: Path) -> Settings:
    """A copy of a home whose server has stopped."""
    EmbeddedServer(to, programs=settings_of(to).postgres_bin).stop()
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(home, to)
    os.sync()  # or the disk would still be busy with it when something is measured
    return settings_of(to)
