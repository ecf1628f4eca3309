"""What a source has agreed to, when it delivered last, and which columns a golden column comes from.

Belongs here: contracts and days of the lake put together for people. Does not belong here: what a contract says
(contracts), figures of days (``quality``), how it is shown (console).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Attribute, Input, targets
from cdm_pipelines.contracts.dictionary import fed_by
from cdm_pipelines.contracts.frequency import every
from cdm_pipelines.contracts.told import told_path
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake


@dataclass(frozen=True)
class Delivered:
    """One day that a source delivered.

    Attributes:
        date: The day, YYYY-MM-DD.
        rows: Rows delivered.
        files: Paths as they may be told, with their size in bytes.
    """

    date: str
    rows: int
    files: tuple[tuple[str, int], ...]


def deliveries(lake: Lake, contract: SourceContract, most: int = 10) -> list[Delivered]:
    """The last days of a source entity, newest first."""
    found = []
    for date in layout.days(lake, "raw", contract)[-most:][::-1]:
        path = layout.raw_path(contract, date)
        noted = layout.files_of(lake.notes(path))
        files = tuple((told_path(name, contract), size) for name, (size, _) in noted.items())
        found.append(Delivered(date, layout.rows(lake, path), files))
    return found


def age(date: str, today: dt.date) -> int:
    """Days since an extract date."""
    return (today - dt.date.fromisoformat(date)).days


def is_late(contract: SourceContract, date: str, today: dt.date) -> bool | None:
    """Whether the next extract should be here by now, as the contract's ``frequency`` has it; None where it has none.

    An extract is of a whole day: one that comes every hour is looked for by the next day.
    """
    agreed = every(contract)
    if agreed is None:
        return None
    return age(date, today) > max(1, ceil(agreed / dt.timedelta(days=1)))


@dataclass(frozen=True)
class Origin:
    """One way by which a source column reaches an attribute.

    Attributes:
        contract: Of the source entity.
        column: Its name.
        via: Path of the composite value that is taken apart in between; empty where there is none.
    """

    contract: SourceContract
    column: str
    via: str


def origins(contracts: Sequence[SourceContract], path: str) -> list[Origin]:
    """Where an attribute comes from, by ``entity.name``; the source's own order within a source entity."""
    found = []
    for contract in sorted(contracts, key=lambda one: one.name):
        for column, mapped in contract.mapped():
            if path in fed_by(mapped, contract):
                via = mapped if isinstance(targets()[mapped], Input) else ""
                found.append(Origin(contract, column.name, via))
    return found


def attribute_named(name: str) -> Attribute | None:
    """The attribute of ``entity.name``, or a golden customer's by its name alone; None where there is none."""
    found = targets().get(name) or targets().get(f"party.{name}")
    return found if isinstance(found, Attribute) else None
