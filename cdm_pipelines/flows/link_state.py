"""What linking leaves behind for the next run, kept in the lake.

Belongs here: writing and reading it whole. Does not belong here: what it consists of (linkage.state).

A state is a folder of its own; a small file names the current one and is written last, so that a process which is
stopped leaves the former state in force.
"""

import json
from dataclasses import dataclass

from cdm_pipelines.flows import layout
from cdm_pipelines.ingest.lake import Lake
from cdm_pipelines.ingest.layered import Mark
from cdm_pipelines.linkage.state import LinkState

_FORMAT = 1
_TABLES = ("records", "keys", "plan", "links", "groups", "same", "different", "confirmed")
_LAYOUT = 2  # counted up whenever a table has other columns


@dataclass(frozen=True)
class KeptState:
    """A state and what it belongs to.

    Attributes:
        state: The state.
        number: Counts states up.
        model: Fingerprint of the model it was made with.
        parties: How far into the party records it came.
        outcome: The version of the published clusters and matches that it led to.
    """

    state: LinkState
    number: int
    model: str
    parties: Mark
    outcome: str

    def belongs_to(self, model: str, parties: Mark, outcome: str) -> bool:
        """Whether it was made with this model, from these records, and led to these tables."""
        return (self.model, self.parties, self.outcome) == (model, parties, outcome)


def read_state(lake: Lake, kind: str) -> KeptState | None:
    """The current state; None where there is none, or one that an earlier release wrote in another form."""
    path = layout.link_state_path(kind)
    if not lake.exists(path):
        return None
    found = json.loads(lake.read_text(path))
    if found["format"] != _FORMAT:
        return None  # of another release: everything is linked once
    if found.get("layout") != _LAYOUT:
        return None
    folder = f"{layout.link_state_folder(kind)}/{found['number']}"
    state = LinkState.from_tables({name: lake.read_arrow(f"{folder}/{name}.arrow") for name in _TABLES})
    return KeptState(state, found["number"], found["model"], Mark.parse(found["parties"]), found["outcome"])


def write_state(lake: Lake, kind: str, kept: KeptState) -> None:
    """Make a state the current one."""
    folder = layout.link_state_folder(kind)
    for name, table in kept.state.to_tables().items():
        lake.write_arrow(f"{folder}/{kept.number}/{name}.arrow", [table], table.schema)
    notes = {
        "format": _FORMAT,
        "number": kept.number,
        "model": kept.model,
        "parties": str(kept.parties),
        "outcome": kept.outcome,
        "layout": _LAYOUT,
    }
    lake.write_text(layout.link_state_path(kind), json.dumps(notes, indent=1))
    for older in lake.folders(folder):
        if older != str(kept.number):
            lake.delete_folder(f"{folder}/{older}")
