"""The log of erasures: what was erased for good, kept under ``CDM_HOME`` and so outside of lake, hub and backups.

Belongs here: reading it and adding to it. Does not belong here: what a tombstone is (``tombstones``), where copies of
it go (steps.rights).

A line per erasure: JSON with its request, the time and its tombstones. The lake holds a note of how many lines there
are, so that a log that was lost is told, and does not let everybody back in.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdm_pipelines.privacy.tombstones import Kind, Tombstone, Tombstones
from cdm_pipelines.store import files
from cdm_pipelines.store.keyring import FILE as KEYS
from cdm_pipelines.store.keyring import Keyring, KeyringError
from cdm_pipelines.store.lake import Lake

FILE = "privacy/erasures.jsonl"
"""Its name under ``CDM_HOME``."""
NOTE = "privacy/erasures.json"
"""The note in the lake of how many there were."""


@dataclass(frozen=True)
class Erasure:
    """One line of the log.

    Attributes:
        request: Number of the request.
        at: When, ISO 8601 in UTC.
        stones: Tombstones of the person.
    """

    request: int
    at: str
    stones: tuple[Tombstone, ...]

    @property
    def by_rule(self) -> bool:
        """Whether nobody asked for it: retention was over."""
        return any(stone.kind is Kind.EXPIRED for stone in self.stones)

    @property
    def line(self) -> str:
        """As it is kept."""
        stones = [[stone.kind, stone.number, stone.digest] for stone in self.stones]
        return json.dumps({"request": self.request, "at": self.at, "stones": stones}) + "\n"


def read_log(text: str, where: str) -> list[Erasure]:
    """The erasures that a text tells of; a last line that was cut off counts for nothing.

    Raises:
        KeyringError: Something else is in it.
    """
    found = []
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        try:
            told = json.loads(line)
            stones = tuple(
                Tombstone(Kind(kind), int(number), str(digest), int(told["request"]))
                for kind, number, digest in told["stones"]
            )
            found.append(Erasure(int(told["request"]), str(told["at"]), stones))
        except (ValueError, TypeError, KeyError):
            raise KeyringError(
                f"{where} is not the log of erasures that was written there: put it back from a copy of CDM_HOME, or "
                "from beside a backup. Without it erased persons would come back, so nothing runs."
            ) from None
    return found


def erasures(home: Path) -> list[Erasure]:
    """All erasures of a deployment.

    Raises:
        KeyringError: The log cannot be read.
    """
    path = home / FILE
    return read_log(path.read_text(encoding="utf-8"), str(path)) if path.exists() else []


def add(home: Path, lake: Lake, erasure: Erasure) -> None:
    """Add an erasure, unless the log has it; then note in the lake how many there are."""
    known = erasures(home)
    if all(one.line != erasure.line for one in known):
        known.append(erasure)
        put(home, known)
    note_in(lake, known)


def note_in(lake: Lake, known: Sequence[Erasure]) -> None:
    """Note in the lake how many erasures there are."""
    lake.write_json(NOTE, json.dumps({"erasures": len(known)}))


def put(home: Path, known: Sequence[Erasure]) -> None:
    """Write the log whole."""
    files.write_whole(home / FILE, "".join(one.line for one in known).encode())


def tombstones(home: Path, lake: Lake) -> Tombstones:
    """All tombstones of a deployment.

    Raises:
        KeyringError: The log of erasures or a key is missing.
    """
    known = erasures(home)
    if not known and not (home / KEYS).exists() and not lake.lies_alone(NOTE):
        return Tombstones((), Keyring())
    noted = json.loads(lake.read_json(NOTE))["erasures"] if lake.lies_alone(NOTE) else 0
    if noted > len(known):
        raise KeyringError(
            f"The lake knows of {noted:,} erasures and {home / FILE} of {len(known):,}: the log was lost. Put "
            "it back from a copy of CDM_HOME or from beside a backup. Without it erased persons would come back, so "
            "nothing runs."
        )
    days = {one.request: one.at[:10] for one in known}
    return Tombstones(every(known), Keyring.of(home), days)


def every(known: Iterable[Erasure]) -> Iterable[Tombstone]:
    """The tombstones of erasures."""
    return (stone for erasure in known for stone in erasure.stones)
