"""Extracts of the size that is asked for, from the demo's generator.

Belongs here: how many customers give that many records, and keeping extracts for the next run. Does not belong here:
what is in them.
"""

import datetime as dt
import json
import shutil
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import cdm_demo
from cdm_demo.generator import generate

DAY = "2026-06-01"
SEED = 1
_SAMPLE = 2_000  # customers, to learn how many records a customer has


@dataclass(frozen=True)
class Extracts:
    """Extracts of one day, as they are on disk.

    Attributes:
        folder: Holds ``landing/`` and ``truth/``.
        customers: Different persons and organisations.
        records: Records of parties, over all sources.
        rows: Rows of all files, orders with their lines and payments included.
        bytes: Of all files.
        seconds: That it took to make them.
    """

    folder: str
    customers: int
    records: int
    rows: int
    bytes: int
    seconds: float

    @property
    def landing(self) -> Path:
        """Where the extracts lie."""
        return Path(self.folder) / "landing"

    @property
    def sources(self) -> list[str]:
        """The systems that delivered anything; there are no interactions among it."""
        return sorted(folder.name for folder in self.landing.iterdir())

    @property
    def truth(self) -> Path:
        """Who is who."""
        return Path(self.folder) / "truth" / "party.csv"


def make(records: int, out: Path) -> Extracts:
    """Make about that many records of parties, or find them where an earlier run of the same generator left them."""
    folder = out / f"extracts-{records}-{_generator()}"
    note = folder / "made.json"
    if note.is_file():
        return Extracts(**json.loads(note.read_text(encoding="utf-8")))
    for old in out.glob(f"extracts-{records}-*"):
        shutil.rmtree(old)
    customers = max(10, round(records / _records_per_customer(folder / "sample")))
    started = time.perf_counter()
    made = generate(customers, 1, SEED, folder, dt.date.fromisoformat(DAY), interactions=0)
    seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in made.landing.rglob("*") if path.is_file())
    extracts = Extracts(
        str(folder), customers, sum(made.records.values()), sum(made.rows.values()), size, seconds
    )
    note.write_text(json.dumps(asdict(extracts)), encoding="utf-8")
    return extracts


def _records_per_customer(folder: Path) -> float:
    made = generate(_SAMPLE, 1, SEED, folder, dt.date.fromisoformat(DAY), interactions=0)
    shutil.rmtree(folder)
    return sum(made.records.values()) / _SAMPLE


def _generator() -> str:
    """A fingerprint of the generator's code and words."""
    digest = sha256()
    root = Path(cdm_demo.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:8]
