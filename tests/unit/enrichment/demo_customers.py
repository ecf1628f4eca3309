"""Customers of a generated company: its records as the pipeline reads them, merged as the truth says.

Belongs here: base tables and truth for enrichers that are held against it. Who is who is not guessed: what an enricher
gets wrong is its own.
"""

import csv
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import UUID

import pyarrow as pa
from enricher_tables import base_tables

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.golden import load_policy, survive
from cdm_pipelines.records.state import records_schema
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

DAYS = ("2026-06-01", "2026-06-02", "2026-06-03")
ROOT = Path(__file__).parents[3]
POLICIES = ROOT / "cdm_pipelines" / "policies"


@dataclass(frozen=True)
class Company:
    """What is known of its customers, and what is true of them.

    Attributes:
        base: Base tables of enrichers, with parties only.
        truth: Rows of ``structure.csv`` by golden id.
    """

    base: dict[str, pa.Table]
    truth: dict[str, dict[str, str]]


@cache
def demo_company() -> Company:
    """The company of ``data/``; read once for all tests."""
    with tempfile.TemporaryDirectory() as home:
        return company(ROOT / "data" / "landing", ROOT / "data" / "truth", Path(home))


def golden_of(truth_id: str) -> str:
    """A golden id for a party of the truth."""
    return str(UUID(int=(ord(truth_id[0]) << 80) + int(truth_id[1:]) * 0x9E3779B97F4A7C15 % (1 << 64)))


def company(landing: Path, truth: Path, home: Path) -> Company:
    """Read the party extracts of all days, and merge records as the truth says."""
    settings = load_settings(home=home, landing_url=str(landing), lake_url=str(home / "lake"))
    lake = Lake(settings.lake_url)
    for contract in all_contracts():
        if any(path.startswith("party.") for column in contract.columns for path in column.maps_to):
            for day in DAYS:
                process_day(settings, lake, contract, day)
    build_records(lake, all_contracts(), [Entity.PARTY])
    records = tables.records(lake, Entity.PARTY).read()
    party = {
        (r["source"], r["entity"], r["record_id"]): golden_of(r["truth_id"])
        for r in _rows(truth / "party.csv")
    }
    keys = records.select(["source", "entity", "record_id"])
    crosswalk = keys.append_column(
        "golden_id", pa.array([party[tuple(row.values())] for row in keys.to_pylist()], pa.string())
    )
    golden = survive(records, crosswalk, load_policy(POLICIES / "survivorship.yaml"))
    base = base_tables({}) | {
        "state_party": records.select([f.name for f in records_schema(Entity.PARTY)]),
        "crosswalk": crosswalk.select(["golden_id", "source", "entity", "record_id"]),
        "golden_customer": golden.customer,
    }
    return Company(base, {golden_of(row["truth_id"]): row for row in _rows(truth / "structure.csv")})


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
