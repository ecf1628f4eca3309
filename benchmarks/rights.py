"""``python -m benchmarks rights``: one person's data, a hundred persons erased, the run after it, an encrypted day.

Belongs here: the stages in their order, each measured in a process of its own. Does not belong here: the stages
(``rights_stages``), how a home with a first load is made (homes), the document (``rights_document``).
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import extracts, results
from benchmarks.homes import copied, loaded, settings_of
from benchmarks.machine import busy_seconds, machine, versions
from benchmarks.meter import StageError, environment, measure
from benchmarks.rights_document import Size
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.privacy.protection import POLICY
from cdm_pipelines.settings import Settings, root

SIZES = (100_000, 1_000_000)
_PERSONS, _ANSWERS, _COMMANDS = 100, 20, 3


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rights", description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, nargs="+", default=list(SIZES), help="sizes (%(default)s)")
    parser.add_argument("--persons", type=int, default=_PERSONS, help="to erase (%(default)s)")
    parser.add_argument("--out", type=Path, default=root() / "benchmarks" / "out")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    try:
        for records in sorted(options.records):
            size = measured(records, options.persons, out)
            note = out / f"figures-rights-{records}.json"
            note.write_text(json.dumps(asdict(size), indent=1), encoding="utf-8")
    except StageError as error:
        _tell(str(error))
        return 1
    notes = sorted(out.glob("figures-rights-*.json"), key=lambda path: int(path.stem.rpartition("-")[2]))
    figures = {
        "facts": machine() | versions(),
        "sizes": [json.loads(note.read_text(encoding="utf-8")) for note in notes],
    }
    (told, *_) = results.publish("rights", figures, committed=max(options.records) >= min(SIZES), out=out)
    sys.stdout.write(told.read_text(encoding="utf-8"))
    return 0


def measured(records: int, persons: int, out: Path) -> Size:
    """Everything, on about that many records.

    Raises:
        StageError: A stage failed.
    """
    made = extracts.make(records, out)
    home, work = out / f"loaded-{records}", out / "rights"
    loaded(records, home, out, _tell)
    copied(home, work)
    landing = work / "landing"
    shutil.copytree(made.landing, landing)  # an erasure writes in it
    settings = settings_of(work, landing)
    stage = [sys.executable, "-m", "benchmarks", "stage", str(work / "result.json")]
    with EmbeddedServer(work, programs=settings.postgres_bin).running():
        _, answered = _run(settings, "access", [*stage, "rights access", str(_ANSWERS)])
        _, drawn = _run(settings, "persons", [*stage, "rights persons", str(_COMMANDS + 1)])
        command = [
            sys.executable,
            "-m",
            "cdm_pipelines.cli",
            "privacy",
            "access",
            "--to",
            str(work / "answers"),
        ]
        commands = [_run(settings, "command", [*command, one])[0]["seconds"] for one in drawn["persons"]]
        del commands[0]  # Python compiles every module once, as it does after installing
        shutil.rmtree(work / "answers")  # whoever asked has them, and an erasure would find them
        needed, erased = _run(settings, "erase", [*stage, "rights erase", str(persons)])
        night_needed, night = _run(settings, "night", [*stage, "night"])
        day = [*stage, "day", "erp", extracts.DAY, "customer"]
        days = {
            name: _run(own, "day", day)[0]
            for name, own in (("plain", settings), ("encrypted", _encrypting(settings)))
        }
    return Size(
        made.records,
        erased["customers"],
        answered["seconds"],
        answered["cpu_seconds"],
        commands,
        erased,
        needed,
        night,
        night_needed,
        days,
    )


def _encrypting(settings: Settings) -> Settings:
    """The same deployment, which encrypts bank accounts."""
    policies = settings.home / "policies"
    shutil.copytree(settings.policies, policies)
    (policies / POLICY).write_text("categories: [user.financial.bank_account]\n", encoding="utf-8")
    return settings.model_copy(update={"policies": policies})


def _run(settings: Settings, name: str, command: Sequence[str]) -> tuple[dict[str, float], dict[str, Any]]:
    """One process on a home whose server runs: what it needed, and what it says."""
    home = settings.home
    server = EmbeddedServer(home, programs=settings.postgres_bin)

    def postmaster() -> int | None:
        found = server.postmaster()
        return found.pid if found else None

    os.sync()  # or the disk would still be busy with what was written before
    started, busy, own = time.perf_counter(), busy_seconds(), time.process_time()
    variables = environment(**settings.environment(), PYTHONPATH=str(root()))
    variables |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(home.parent / "compiled")}
    usage = measure(command, variables, home / f"{name}.log", postmaster)
    ours = usage.cpu_seconds + usage.database_cpu_seconds + time.process_time() - own
    others = max(0.0, busy_seconds() - busy - ours) / (time.perf_counter() - started)
    _tell(f"{name}: {usage.seconds:.1f} s, processor {usage.cpu_seconds + usage.database_cpu_seconds:.1f} s")
    result = home / "result.json"
    said = json.loads(result.read_text(encoding="utf-8")) if result.exists() else {}
    result.unlink(missing_ok=True)
    return {**asdict(usage), "others": others}, said


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
