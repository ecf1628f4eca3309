"""What linking leaves behind for the next run, kept in the lake.

Belongs here: writing and reading it whole. Does not belong here: what it consists of (linkage.state).

A state is two folders: one of what stays the same from night to night, one of what does not. A small file names both
and is written last, so that a process which is stopped leaves the former state in force. Hashes of blocking keys are
hidden in the files (``hidden``).
"""

import json
from contextlib import suppress
from dataclasses import dataclass, replace

import pyarrow as pa

from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.incremental.state import LinkState
from cdm_pipelines.linkage.incremental.tables import BASE_TABLES, TABLES
from cdm_pipelines.steps.linking.hidden import ShownColumns, hidden, shown
from cdm_pipelines.store import layout
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Mark
from cdm_pipelines.store.secret import Secret

_MODEL = "model"
_KEY = "key"
_FORMAT = 3  # counted up when records are read otherwise: all are linked once
_LAYOUT = 4  # counted up whenever a table has other columns
_PLAN = "plan"
_HASHED = {"keys", "added_keys", _PLAN}
_HIDDEN = "hidden"  # what shows a table again, among its notes


class OtherKeyError(Exception):
    """The state was hidden under another secret than this deployment has."""

    def __init__(self) -> None:
        super().__init__("the former state was hidden under another secret than CDM_HOME has now")


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
        shared: Keyed digests of values that too many unlike names shared, which weighed nothing.
        withheld: What tells which values were not compared: for no purpose that lets them be, or for being shared.
    """

    state: LinkState
    number: int
    base: int
    model: str
    parties: Mark
    outcome: str
    shared: tuple[str, ...] = ()
    withheld: str = ""

    def belongs_to(self, model: str, parties: Mark, outcome: str, withheld: str) -> bool:
        """Whether it was made with this model, from these records less what is withheld, and led to these tables."""
        now = (model, parties, outcome, withheld)
        return (self.model, self.parties, self.outcome, self.withheld) == now


def read_state(lake: Lake, kind: str, secret: Secret) -> KeptState | None:
    """The current state; None where there is none, or one that an earlier release wrote in another form.

    Raises:
        OtherKeyError: It cannot be shown with this secret.
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
    number, base = found["number"], found["base"]
    if found[_KEY] != _check(secret):
        raise OtherKeyError

    hides: dict[str, str] = {}

    def read(name: str, table: str) -> pa.Table:
        path = f"{folder}/{name}/{table}.arrow"
        if table in _HASHED:
            hides[table] = lake.arrow_notes(path)[_HIDDEN]
        kept = lake.read_arrow(path)
        return shown(kept, hides[table], secret) if table == _PLAN else kept

    state = LinkState.from_tables(
        {table: read(_base(base), table) for table in BASE_TABLES},
        {table: read(str(number), table) for table in TABLES},
    )
    rows = replace(
        state.rows,
        base=replace(state.rows.base, keys=ShownColumns(state.rows.base.keys, hides["keys"], secret)),
        added=replace(
            state.rows.added, keys=ShownColumns(state.rows.added.keys, hides["added_keys"], secret)
        ),
    )
    state = replace(state, rows=rows)
    parties, shared = Mark.parse(found["parties"]), tuple(found["shared"])
    withheld = found.get("withheld", "")
    return KeptState(state, number, base, found["model"], parties, found["outcome"], shared, withheld)


def shared_digests(lake: Lake, kind: str) -> frozenset[str]:
    """Keyed digests of the values that weighed nothing when records were last linked; see `KeptState`."""
    path = layout.link_state_path(kind)
    return frozenset(json.loads(lake.read_json(path))["shared"]) if lake.exists(path) else frozenset()


def write_state(lake: Lake, kind: str, kept: KeptState, secret: Secret) -> None:
    """Make a state the current one; a base that it shares with the former state is not written again."""
    folder, current = layout.link_state_folder(kind), {str(kept.number), _base(kept.base)}
    tables = {f"{kept.number}/{name}": table for name, table in kept.state.tables().items()}
    if kept.base == kept.number:
        tables |= {f"{_base(kept.base)}/{name}": table for name, table in kept.state.base_tables().items()}
    for name, table in tables.items():
        _write(lake, f"{folder}/{name}.arrow", table, secret)
    notes = {
        "format": _FORMAT,
        "number": kept.number,
        "base": kept.base,
        "model": kept.model,
        "parties": str(kept.parties),
        "outcome": kept.outcome,
        "shared": list(kept.shared),
        "withheld": kept.withheld,
        "layout": _LAYOUT,
        _KEY: _check(secret),
    }
    lake.write_json(layout.link_state_path(kind), json.dumps(notes, indent=1))
    for older in set(lake.folders(folder)) - current:
        lake.delete_folder(f"{folder}/{older}")


def _write(lake: Lake, path: str, table: pa.Table, secret: Secret) -> None:
    notes = {}
    if path.rpartition("/")[2].removesuffix(".arrow") in _HASHED:
        table, notes[_HIDDEN] = hidden(table, secret)
    lake.write_arrow(path, [table], table.schema, notes)


def _check(secret: Secret) -> str:
    """What tells whether a state was hidden under a secret."""
    return secret.digest(b"link state")


def keep_plan(lake: Lake, kind: str, model: str, plan: BlockingPlan, secret: Secret) -> None:
    """Keep what was decided about blocks under a model apart from the state, so that it outlives a damaged one."""
    path = layout.plan_path(kind)
    table, hides = hidden(plan.to_table(), secret)
    notes = {_MODEL: model, _HIDDEN: hides, _KEY: _check(secret)}
    with suppress(DamagedError):
        if lake.arrow_notes(path) == notes and lake.read_arrow(path).equals(table):
            return
    lake.write_arrow(path, [table], table.schema, notes)


def kept_plan(lake: Lake, kind: str, model: str, secret: Secret) -> BlockingPlan | None:
    """What was decided about blocks under a model; None where that is not known, or hidden under another secret."""
    path = layout.plan_path(kind)
    with suppress(DamagedError):
        notes = lake.arrow_notes(path)
        if (notes.get(_MODEL), notes.get(_KEY)) == (model, _check(secret)):
            return BlockingPlan.from_table(shown(lake.read_arrow(path), notes[_HIDDEN], secret))
    return None


def _base(number: int) -> str:
    return f"base-{number}"
