"""Which files we wrote for people, so that an erasure takes those away that still lie there.

Belongs here: a note of each under ``CDM_HOME``: where it was written, its digest, when, by whom and of what; no value.
Does not belong here: writing exports (steps.customers.export, steps.days.quarantine), taking them away (steps.rights).

Each note is a file of its own, named after the path that it is of: who writes one disturbs nobody, and an export to the
same path replaces the note of the one before.
"""

import datetime as dt
import json
from dataclasses import asdict, dataclass
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
        digest: SHA-256 of it.
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


def note(home: Path, path: Path, *, by: str, what: str) -> None:
    """Note that a file was written."""
    with path.open("rb") as source:
        digest = file_digest(source, "sha256").hexdigest()
    made = Export(
        str(path.resolve()), digest, dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), by, what
    )
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
