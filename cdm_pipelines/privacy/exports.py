"""Which files we wrote for people, so that an erasure takes those away that still lie there.

Belongs here: a note of each under ``CDM_HOME``: where it was written, its digest, when, by whom and of what; no value.
Does not belong here: writing exports (steps.customers.export, steps.days.quarantine), taking them away (steps.rights).

Each note is a file of its own, named after the path that it is of: who writes one disturbs nobody, and an export to the
same path replaces the note of the one before.
"""

import datetime as dt
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path

from cdm_pipelines.store import files

FOLDER = "privacy/exports"
"""Its name under ``CDM_HOME``."""


@dataclass(frozen=True)
class Export:
    """A file that we wrote.

    Attributes:
        path: Where, absolute.
        digest: SHA-256 of it; empty while it is being written.
        made_at: When, ISO 8601 in UTC.
        by: Who had it written.
        what: What is in it: the table, or the rejected rows of a source entity.
    """

    path: str
    digest: str
    made_at: str
    by: str
    what: str

    @property
    def content(self) -> bytes | None:
        """What the file holds; None where it is gone, was changed, or cannot be read."""
        try:
            content = Path(self.path).read_bytes()
        except OSError:
            return None
        return content if sha256(content).hexdigest() == self.digest else None

    @property
    def can_be_removed(self) -> bool:
        """Whether whoever runs this may take the file away."""
        return os.access(Path(self.path).parent, os.W_OK | os.X_OK)


@contextmanager
def noting(home: Path, path: Path, *, by: str, what: str) -> Iterator[None]:
    """Note that a file is written within the block: before, so that it is known whatever ends the block, and after."""
    at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    made = Export(str(path.resolve()), "", at, by, what)
    _write(home, made)
    try:
        yield
    except BaseException:
        if not path.exists():
            forget(home, made)
        raise
    with path.open("rb") as source:
        _write(home, replace(made, digest=file_digest(source, "sha256").hexdigest()))


def _write(home: Path, made: Export) -> None:
    files.write_whole(_of(home, made), json.dumps(asdict(made), ensure_ascii=False, indent=1).encode())


def noted(home: Path) -> list[Export]:
    """All that are noted, the oldest first."""
    found = [
        Export(**json.loads(path.read_text(encoding="utf-8"))) for path in (home / FOLDER).glob("*.json")
    ]
    return sorted(found, key=lambda one: (one.made_at, one.path))


def forget(home: Path, export: Export) -> None:
    """Forget a file that was taken away."""
    _of(home, export).unlink(missing_ok=True)


def _of(home: Path, export: Export) -> Path:
    return home / FOLDER / f"{sha256(export.path.encode()).hexdigest()[:32]}.json"
