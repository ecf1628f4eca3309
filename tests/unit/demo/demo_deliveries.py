"""Reading extracts with nothing but the standard library.

Belongs here: files to rows. Does not belong here: what they must hold (the tests).
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from cdm_demo.headers import Extract

DATA = Path(__file__).parents[3] / "data"
DAYS = ("2026-06-01", "2026-06-02", "2026-06-03")

Row = dict[str, str]


@dataclass(frozen=True)
class Delivery:
    """A folder with ``landing/`` and ``truth/``."""

    root: Path

    def path(self, extract: Extract, day: str) -> Path:
        return self.root / "landing" / extract.path(day)

    def cells(self, extract: Extract, day: str) -> list[list[str]]:
        """Every record of a file as a list of cells, the header first."""
        with self.path(extract, day).open(encoding=extract.encoding, newline="") as file:
            return list(csv.reader(file, delimiter=extract.delimiter))

    def rows(self, extract: Extract, day: str) -> list[Row]:
        """Records with all their cells and a key."""
        header, *records = self.cells(extract, day)
        whole = [dict(zip(header, r, strict=True)) for r in records if len(r) == len(header)]
        return [row for row in whole if all(row[column] for column in extract.key)]

    def by_key(self, extract: Extract, day: str) -> dict[str, Row]:
        """Records by their key, the last of several."""
        return {key_of(extract, row): row for row in self.rows(extract, day)}

    def truth(self, name: str) -> list[Row]:
        with (self.root / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def party_of(self) -> dict[tuple[str, str, str], str]:
        """Truth id by source, entity and record id."""
        return {(r["source"], r["entity"], r["record_id"]): r["truth_id"] for r in self.truth("party")}

    def contents(self) -> dict[str, bytes]:
        """Contents of all generated files by their path."""
        found = [p for part in ("landing", "truth") for p in (self.root / part).rglob("*") if p.is_file()]
        return {p.relative_to(self.root).as_posix(): p.read_bytes() for p in found}


def key_of(extract: Extract, row: Row) -> str:
    """Record id of a row, without Shopify's apostrophe."""
    return "|".join(row[column].removeprefix("'") for column in extract.key)
