"""Demo extracts of any size, with their truth.

Belongs here: the run over all blocks and the files it leaves. Does not belong here: what is in them.

The population is made in blocks of fixed size, so memory does not grow with the number of customers, and every block
depends on the seed and its own position only.
"""

import csv
import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from cdm_demo import behaviour, products, structure
from cdm_demo.assembly import Run, block
from cdm_demo.blocks import Block
from cdm_demo.consents import CONSENT_COLUMNS
from cdm_demo.dates import day_number
from cdm_demo.devices import JUNK
from cdm_demo.flaws import Planted
from cdm_demo.headers import (
    ERP_PRODUCT,
    EXTRACTS,
    INTERACTION_EXTRACTS,
    PARTY_EXTRACTS,
    WEB_EVENT,
    Extract,
)
from cdm_demo.mailboxes import Registry
from cdm_demo.orders import Counters
from cdm_demo.web import TOKEN_COLUMNS, VISIT_COLUMNS, looked_at_by_a_machine
from cdm_demo.writing import LandingFolder, lines

BLOCK = 20_000
"""Parties per block. A change of it changes the data."""

DEMO_CUSTOMERS, DEMO_DAYS, DEMO_SEED, DEMO_START = 1250, 3, 2026, date(2026, 6, 1)
"""The arguments that gave the extracts under ``data/``."""

DEMO_INTERACTIONS = 2.0
"""Interactions per customer, unless more are asked for."""

MOST_CUSTOMERS = 10_000_000
"""The number ranges of the sources hold no more."""

MOST_INTERACTIONS = 500
"""Per customer."""


@dataclass(frozen=True, slots=True)
class GeneratedSummary:
    """What a run has made.

    Attributes:
        dates: Days, YYYY-MM-DD.
        persons: Different persons.
        organisations: Different organisations.
        records: Different records of parties, by (source, entity).
        rows: Rows per file, by (source, entity, date).
        planted: Flaws by (source, entity, date, kind).
        landing: Folder of the extracts.
        truth: Folder of the truth.
    """

    dates: tuple[str, ...]
    persons: int
    organisations: int
    records: dict[tuple[str, str], int]
    rows: dict[tuple[str, str, str], int]
    planted: dict[tuple[str, str, str, str], int]
    landing: Path
    truth: Path

    @property
    def total_records(self) -> int:
        """Different records of parties, over all sources."""
        return sum(self.records.values())


class _TruthFolder:
    """The truth files of one run: who is who, what was planted, how customers behave, whose visits are."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.party, self.structure = root / "party.csv", root / "structure.csv"
        self.planted, self.behaviour = root / "planted.csv", root / "behaviour.csv"
        self.tokens, self.visits = root / "tokens.csv", root / "visits.csv"
        self.consents = root / "consent.csv"
        self._append(self.party, ["source,entity,record_id,truth_id"], mode="w")
        self._append(self.structure, [",".join(structure.COLUMNS)], mode="w")
        self._append(self.behaviour, [",".join(behaviour.COLUMNS)], mode="w")
        self._append(self.visits, [",".join(VISIT_COLUMNS)], mode="w")
        self._append(self.consents, [",".join(CONSENT_COLUMNS)], mode="w")
        with self.tokens.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([TOKEN_COLUMNS, *((token, "none", "no_token") for token in JUNK)])
        with self.planted.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(Planted.__dataclass_fields__)

    @staticmethod
    def _append(path: Path, rows: list[str], mode: str = "a") -> None:
        with path.open(mode, encoding="utf-8", newline="") as file:
            file.write("\n".join(rows) + "\n" if rows else "")

    def add_records(self, made: Block) -> Counter[tuple[str, str]]:
        counts: Counter[tuple[str, str]] = Counter()
        for extract, keys, truth in made.truth():
            lead = f"{extract.source},{extract.entity},"
            self._append(self.party, [f"{lead}{k},{t}" for k, t in zip(keys, truth, strict=True)])
            counts[extract.source, extract.entity] += len(keys)
        self._append(self.structure, made.structure)
        self._append(self.behaviour, made.traces.behaviour)
        self._append(self.tokens, made.traces.tokens)
        self._append(self.visits, made.traces.visits)
        self._append(self.consents, made.traces.consents)
        return counts

    def add_flaws(self, flaws: list[Planted]) -> None:
        with self.planted.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([getattr(flaw, name) for name in Planted.__dataclass_fields__] for flaw in flaws)


def _opened(root: Path, dates: tuple[str, ...], start: date, more: tuple[Extract, ...]) -> LandingFolder:
    """A landing folder with none of the rows of former runs, and with what is not made block by block."""
    landing = LandingFolder(root)
    for source in {extract.source for extract in EXTRACTS + INTERACTION_EXTRACTS}:
        shutil.rmtree(landing.root / source, ignore_errors=True)
    for day in dates:
        for extract in EXTRACTS + more:
            # Events have no header; a day without any gets one at the end.
            if extract.form == "csv":
                landing.append(extract, day, [])
        landing.append(ERP_PRODUCT, day, lines(ERP_PRODUCT, *products.rows(day_number(start))).tolist())
    return landing


def generate(
    customers: int,
    days: int,
    seed: int,
    out: Path,
    start: date = DEMO_START,
    *,
    interactions: float = DEMO_INTERACTIONS,
    lifelike: bool = False,
) -> GeneratedSummary:
    """Write demo extracts and their truth; the same arguments give the same bytes.

    Args:
        customers: Number of different parties; about a fifth are organisations. The sources together hold some 2.3
            records of each.
        days: Number of daily extracts; the first one is complete, with two years of orders.
        seed: Of all chance.
        out: Folder that gets ``landing/`` and ``truth/``; what these held of the demo's sources is replaced.
        start: Date of the first extract.
        interactions: Events of the web, mails and changes of tickets per customer, about, over a year and the days;
            0 leaves their sources out.
        lifelike: Whether customers buy at rates of their own, and leave for reasons, as ``truth/behaviour.csv`` tells
            it. Otherwise they order on any day of two years, and the behaviour is told from that.

    Returns:
        Counts of what was written.

    Raises:
        ValueError: When a number is out of range.
    """
    if not 1 <= customers <= MOST_CUSTOMERS:
        raise ValueError(f"customers must be between 1 and {MOST_CUSTOMERS}, not {customers}")
    if not 1 <= days <= 365:
        raise ValueError(f"days must be between 1 and 365, not {days}")
    if not 0 <= interactions <= MOST_INTERACTIONS:
        raise ValueError(f"interactions must be between 0 and {MOST_INTERACTIONS}, not {interactions}")
    dates = tuple((start + timedelta(n)).isoformat() for n in range(days))
    landing = _opened(out / "landing", dates, start, INTERACTION_EXTRACTS if interactions else ())
    truth = _TruthFolder(out / "truth")
    run = Run(seed, day_number(start), days, Registry(), Registry(), Counters(), lifelike, interactions)
    records: Counter[tuple[str, str]] = Counter({(e.source, e.entity): 0 for e in PARTY_EXTRACTS})
    planted: Counter[tuple[str, str, str, str]] = Counter()
    persons = organisations = 0
    for first in range(0, customers, BLOCK):
        made = block(run, first, min(BLOCK, customers - first))
        persons, organisations = persons + made.persons, organisations + made.organisations
        records += truth.add_records(made)
        for rows in made.rows():
            extract, day = rows.extract, dates[rows.day]
            row = landing.append(extract, day, rows.lines)
            flaws = [
                Planted(day, extract.source, extract.entity, row + at, key, column, kind)
                for at, key, column, kind in rows.flaws
            ]
            truth.add_flaws(flaws)
            planted.update((f.source, f.entity, f.date, f.kind) for f in flaws)
        for chunk in made.traces.chunks:
            landing.append_bytes(chunk.extract, dates[chunk.day], chunk.content, chunk.rows)
    for day in dates if interactions else ():
        if not landing.rows.get((WEB_EVENT.source, WEB_EVENT.entity, day)):
            landing.append_bytes(WEB_EVENT, day, looked_at_by_a_machine(day), 1)
    return GeneratedSummary(
        dates=dates,
        persons=persons,
        organisations=organisations,
        records=dict(records),
        rows=dict(landing.rows),
        planted=dict(planted),
        landing=landing.root,
        truth=truth.party.parent,
    )
