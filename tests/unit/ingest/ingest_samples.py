"""A small contract, and what became of an extract of it: read, accepted, quarantined."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from cdm_pipelines.contracts import Column, Delivery, Dialect, Format, LogicalType, PartyKind, SourceContract
from cdm_pipelines.contracts.model import KindRule
from cdm_pipelines.ingest import read_extract
from cdm_pipelines.quality.repeats import superseded_rows
from cdm_pipelines.quality.validation import reconcile, validate
from cdm_pipelines.store.frames import to_frame

DATE = "2026-06-01"
CUSTOMER = SourceContract(
    source="erp",
    entity="customer",
    version="1.0.0",
    owner="finance",
    description="Customers.",
    location="erp/customer/{date}*.csv",
    format=Format.CSV,
    delivery=Delivery.SNAPSHOT,
    party_kind=KindRule(PartyKind.PERSON),
    columns=(
        Column("id", required=True, key_position=1),
        Column("name", required=True, maps_to=("party.family_name",)),
        Column("born", logical_type=LogicalType.DATE, maps_to=("party.birth_date",)),
        Column("email", maps_to=("party.email",)),
    ),
)


def with_dialect(**changes: Any) -> SourceContract:
    """The contract with another dialect."""
    return replace(CUSTOMER, dialect=Dialect(**changes))


@dataclass
class Outcome:
    """What became of a day."""

    raw: pd.DataFrame
    valid: pd.DataFrame
    quarantine: pd.DataFrame
    repairs: pd.DataFrame
    reasons: dict[int, list[str]] = field(default_factory=dict)

    @property
    def blanked(self) -> list[tuple[int, str, str]]:
        """Row, column and rule of every blanked cell."""
        columns = (self.repairs["_row"], self.repairs["column"], self.repairs["rule"])
        return sorted(zip(*(column.tolist() for column in columns), strict=True))


def deliver(landing: Path, content: bytes, name: str = "2026-06-01.csv") -> Path:
    """Put a file into landing."""
    path = landing / "erp" / "customer" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def run_day(landing: Path, contract: SourceContract = CUSTOMER, chunk_rows: int = 250_000) -> Outcome:
    """Read and judge a day; rows read have to be rows accepted and rows quarantined."""
    tables = list(read_extract(str(landing), contract, DATE, chunk_rows=chunk_rows))
    superseded = superseded_rows(pa.concat_tables(tables), contract)
    results, start = [], 0
    for table in tables:
        results.append(validate(table, contract, superseded[start : start + table.num_rows]))
        start += table.num_rows
    raw = to_frame(pa.concat_tables(tables))
    valid, quarantine, repairs = (
        to_frame(pa.concat_tables(getattr(one, part) for one in results))
        for part in ("valid", "quarantine", "repairs")
    )
    assert reconcile(len(raw), len(valid), len(quarantine)) is None
    reasons = {
        int(row): [reason["rule"] for reason in json.loads(text)]
        for row, text in zip(quarantine["_row"], quarantine["_reasons"], strict=True)
    }
    return Outcome(raw, valid, quarantine, repairs, reasons)
