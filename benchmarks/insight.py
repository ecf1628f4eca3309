"""``python -m benchmarks insight``: scorecards, key figures, next best actions and five audiences of a million.

Belongs here: the stages in their order, each measured in a process of its own. Does not belong here: the stages
(``insight_stages``), the home with customers and profiles (``profile``), the document (``insight_document``).
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import results
from benchmarks.homes import copied, settings_of
from benchmarks.insight_document import FULL, Size
from benchmarks.insight_stages import STAGES, audience_policy
from benchmarks.machine import machine, versions
from benchmarks.meter import StageError
from benchmarks.profile import made, staged
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.settings import Settings, root


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks insight", description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=[FULL], help="sizes (%(default)s)")
    parser.add_argument("--out", type=Path, default=root() / "benchmarks" / "out")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    try:
        sizes = [measured(customers, out) for customers in sorted(options.customers)]
    except StageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    figures = {"facts": machine() | versions(), "sizes": [asdict(size) for size in sizes]}
    (told, *_) = results.publish("insight", figures, committed=max(options.customers) >= FULL, out=out)
    sys.stdout.write(told.read_text(encoding="utf-8"))
    return 0


def measured(customers: int, out: Path) -> Size:
    """Everything, on so many customers with their profiles.

    Raises:
        StageError: A stage failed.
    """
    profiled = _profiled(customers, out)
    work = out / "insight"
    settings = _with_audiences(copied(profiled, work))
    _, prepared = staged(settings, "insight prepare")
    stages = {name: staged(settings, f"insight {name}") for name in STAGES if name != "prepare"}
    return Size(
        customers,
        prepared["rows"],
        {name: needed for name, (needed, _) in stages.items()},
        {name: said for name, (_, said) in stages.items()},
    )


def _profiled(customers: int, out: Path) -> Path:
    """The home of customers whose profiles are published, kept for the next measurement."""
    home = out / f"profiled-{customers}"
    note = home / "profiled.json"
    if not note.exists():
        EmbeddedServer(home, programs=settings_of(home).postgres_bin).stop()
        shutil.rmtree(home, ignore_errors=True)
        settings = copied(made(customers, out), home)
        for stage in ("profile count", "profile run"):
            staged(settings, stage)
        note.write_text(json.dumps({"customers": customers}), encoding="utf-8")
    return home


def _with_audiences(settings: Settings) -> Settings:
    """The same deployment, with the audiences of the benchmark."""
    policies = settings.home / "policies"
    shutil.copytree(settings.policies, policies, dirs_exist_ok=True)
    (policies / "audiences.yaml").write_text(audience_policy(settings), encoding="utf-8")
    return settings.model_copy(update={"policies": policies})
