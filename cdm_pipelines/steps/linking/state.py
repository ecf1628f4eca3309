"""What linking leaves behind for the next run, kept in the lake.

Belongs here: writing and reading it whole. Does not belong here: what it consists of (linkage.state).

A state is two folders: one of what stays the same from night to night, one of what does not. A small file names both
and is written last, so that a process which is stopped leaves the former state in force.
"""

import json
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.incremental.state import BASE_TABLES, TABLES, LinkState
from cdm_pipelines.store import layout
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Mark

_MODEL = "model"
_FORMAT = 1
_LAYOUT = 3  # counted up whenever a table has other columns


@dataclass(frozen=True)
class KeptState:
    """A state and what it belongs to.

    Attributes:
        state: The state.
        number: Counts states up.
        base: Number of the state whose base it shares.
        model: Fingerprint of the model it was made with.
        parties: How far into the party records it came.
        outcome: The version of the published clusters and matches that it led to.
    """

    state: LinkState
    number: int
    base: int
    model: str
    parties: Mark
    outcome: str

    def belongs_to(self, model: str, parties: Mark, outcome: str) -> bool:
        """Whether it was made with this model, from these records, and led to these tables."""
        return (self.model, self.parties, self.outcome) == (model, parties, outcome)


def read_state(lake: Lake, kind: str) -> KeptState | None:
    """The current state; None where there is none, or one that an earlier release wrote in another form.

    Raises:
        DamagedError: A file of it is damaged or gone.
    """
    path, folder = layout.link_state_path(kind), layout.link_state_folder(kind)
    if not lake.exists(path) and not lake.folders(folder):
        return None
    found = json.loads(lake.read_json(path))
    if found["format"] != _FORMAT:
        return None  # of another release: everything is linked once
    if found.get("layout") != _LAYOUT:
        return None

    def read(name: str, table: str) -> pa.Table:
        return lake.read_arrow(f"{folder}/{name}/{table}.arrow")

    number, base = found["number"], found["base"]
    state = LinkState.from_tables(
        {table: read(_base(base), table) for table in BASE_TABLES},
        {table: read(str(number), table) for table in TABLES},
    )
    return KeptState(state, number, base, found["model"], Mark.parse(found["parties"]), found["outcome"])


def write_state(lake: Lake, kind: str, kept: KeptState) -> None:
    """Make a state the current one; a base that it shares with the former state is not written again."""
    folder, current = layout.link_state_folder(kind), {str(kept.number), _base(kept.base)}
    tables = {f"{kept.number}/{name}": table for name, table in kept.state.tables().items()}
    if kept.base == kept.number:
        tables |= {f"{_base(kept.base)}/{name}": table for name, table in kept.state.base_tables().items()}
    for name, table in tables.items():
        lake.write_arrow(f"{folder}/{name}.arrow", [table], table.schema)
    notes = {
        "format": _FORMAT,
        "number": kept.number,
        "base": kept.base,
        "model": kept.model,
        "parties": str(kept.parties),
        "outcome": kept.outcome,
        "layout": _LAYOUT,
    }
    lake.write_json(layout.link_state_path(kind), json.dumps(notes, indent=1))
    for older in set(lake.folders(folder)) - current:
        lake.delete_folder(f"{folder}/{older}")


def keep_plan(lake: Lake, kind: str, model: str, plan: BlockingPlan) -> None:
    """Keep what was decided about blocks under a model apart from the state, so that it outlives a damaged one."""
    path, table = layout.plan_path(kind), plan.to_table()
    with suppress(DamagedError):
        if lake.arrow_notes(path) == {_MODEL: model} and lake.read_arrow(path).equals(table):
            return
    lake.write_arrow(path, [table], table.schema, {_MODEL: model})


def kept_plan(lake: Lake, kind: str, model: str) -> BlockingPlan | None:
    """What was decided about blocks under a model; None where that is not known."""
    path = layout.plan_path(kind)
    with suppress(DamagedError):
        if lake.arrow_notes(path) == {_MODEL: model}:
            return BlockingPlan.from_table(lake.read_arrow(path))
    return None


def _base(number: int) -> str:
    return f"base-{number}"
