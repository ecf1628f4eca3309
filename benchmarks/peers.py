"""Splink and other peers in an environment of their own.

Belongs here: making that environment from its lock file, and running the script in it. Does not belong here: how Splink
is set up (splink_linking).
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from benchmarks.meter import Usage, environment, measure

HERE = Path(__file__).resolve().parent
LOCK = HERE / "peers.lock"
SCRIPT = HERE / "splink_linking.py"
SEED = 1
OURS = "0.95"
"""The threshold of our own policies; Splink's script clusters at stricter ones as well, in folders of their names."""


class PeersError(Exception):
    """The peers' environment cannot be made; the message says what to do."""


@dataclass(frozen=True)
class Linking:
    """What Splink needed.

    Attributes:
        seconds: From reading the records to clusters written; starting Python and importing Splink not counted.
        cpu_seconds: Meanwhile, on all cores together.
        usage: Of the whole process.
        kinds: Seconds per step, pairs kept and CPU seconds, for persons and for organisations.
    """

    seconds: float
    cpu_seconds: float
    usage: Usage
    kinds: dict[str, dict[str, float]]


def prepare(folder: Path) -> Path:
    """Make the environment unless it is there, complete and of this lock file; returns its Python.

    Raises:
        PeersError: The packages cannot be installed.
    """
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = sha256(LOCK.read_bytes()).hexdigest()
    if python.exists() and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [*install, "--no-deps", "--require-hashes", "-r", str(LOCK)],
    ):
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, env=environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise PeersError(
                f"The peers cannot be installed; --skip-peers leaves it out.\n{done.stderr.strip()[-1500:]}"
            )
    stamp.write_text(wanted, encoding="utf-8")
    return python


def versions(python: Path, names: Sequence[str] = ("Splink", "DuckDB")) -> dict[str, str]:
    """Versions of peers by name."""
    code = (
        f"import importlib.metadata as m; print(*(m.version(n) for n in {[name.lower() for name in names]}))"
    )
    answer = subprocess.run(  # noqa: S603 - our own arguments
        [str(python), "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    return dict(zip(names, answer.stdout.split(), strict=True))


def splink(python: Path, party: Path, out: Path, log: Path) -> Linking:
    """Link standardised records with Splink.

    Raises:
        StageError: It failed.
    """
    usage = measure([str(python), str(SCRIPT), str(party), str(out), str(SEED)], environment(), log)
    figures = json.loads((out / "figures.json").read_text(encoding="utf-8"))
    seconds = sum(value for kind in figures.values() for _, value in steps(kind))
    return Linking(seconds, sum(kind["cpu seconds"] for kind in figures.values()), usage, figures)


def steps(figures: Mapping[str, float]) -> list[tuple[str, float]]:
    """Seconds per step of one kind of party."""
    return [(name, value) for name, value in figures.items() if name not in ("pairs", "cpu seconds")]
