"""Lines of JSON by the paths that a contract gives, many at a time in compiled code.

Belongs here: what DuckDB is asked for, and asking it. Does not belong here: what paths mean (addressed), files
(nested_lines).

Each line is parsed once, into one structure with all that is wanted of it. DuckDB gives text: strings as they are,
whole numbers digit by digit, other numbers as the shortest spelling of the double that they are, objects and lists as
JSON.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.paths import Step, Where
from cdm_pipelines.ingest.addressed import Addressed, Ways
from cdm_pipelines.ingest.cells import DEFECT, ROW

_NAMES = """CASE
    WHEN ltrim(line, E' \\t\\r\\n')[1] = '{' AND NOT contains(line, 'NaN') AND NOT contains(line, 'Infinity')
    THEN to_json(TRY(json_keys(line)))::VARCHAR END AS names"""
"""Names of the members of a line; null where it is no object, or may hold what is no JSON and DuckDB takes for it."""


class JsonSql:
    """Takes lines apart; one for each file that is open."""

    def __init__(self, addressed: Addressed) -> None:
        self._addressed = addressed
        self._connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})

    def objects(self, lines: pa.Table) -> tuple[list[str], pa.Array]:
        """The names of members of all lines, as they appear, and of each line whether it is an object."""
        found = self._connection.from_arrow(lines).project(_NAMES).to_arrow_table()["names"].combine_chunks()
        kinds = pc.unique(found).drop_null().to_pylist()
        names = dict.fromkeys(name for kind in kinds for name in json.loads(kind))
        return list(names), pc.is_valid(found)

    def table(self, lines: pa.Table, steps: Sequence[str]) -> pa.Table:
        """Lines that are objects as text columns with ``_row`` and ``_defect``; not yet judged.

        Args:
            lines: ``line`` and ``number``.
            steps: `projections` of the file.
        """
        rows = self._connection.from_arrow(lines)
        for step in steps:
            rows = rows.project(step)
        table: pa.Table = rows.to_arrow_table()
        return table.rename_columns([*self._addressed.columns, ROW, DEFECT])

    def close(self) -> None:
        """Free its memory."""
        self._connection.close()


def projections(addressed: Addressed) -> tuple[str, ...]:
    """What is projected, step by step, to have the columns of ``addressed`` from ``line`` and ``number``.

    Empty where its paths are beyond it: a value that is text and an object at once, names that differ in case alone.
    """
    whole = _Shape()
    columns = [addressed.ways.get(name, ((name,),)) for name in addressed.columns]
    for way in (way for ways in columns for way in ways):
        rest = addressed.within(way)
        whole.put(way if rest is None else (*addressed.rows_at, 0, *rest))
    if addressed.rows_at:
        whole.put(addressed.rows_at, is_list=True)
    if not whole.is_consistent():
        return ()
    taken = [f"{_text(ways, addressed)} AS c{place}" for place, ways in enumerate(columns)]
    taken += [f"CAST(number AS BIGINT) AS {ROW}", f"CAST(NULL AS VARCHAR) AS {DEFECT}"]
    steps = [f"number, json_transform(line, {_literal(whole.structure())}) AS record", ", ".join(taken)]
    if addressed.rows_at:
        steps.insert(1, f"*, unnest({_access('record', addressed.rows_at)}) AS element")
    return tuple(steps)


@dataclass
class _Shape:
    """What is wanted of a value: its text, members of it, or elements that are all of one shape."""

    text: bool = False
    members: "dict[str, _Shape]" = field(default_factory=dict)
    elements: "_Shape | None" = None

    def put(self, way: Sequence[Step], *, is_list: bool = False) -> None:
        """Add what is wanted at the end of a way: its text, or, of the list of rows, its elements."""
        if not way:
            if is_list:
                self.elements = self.elements or _Shape()
            else:
                self.text = True
            return
        step, rest = way[0], way[1:]
        if isinstance(step, str):
            self.members.setdefault(step, _Shape()).put(rest, is_list=is_list)
            return
        self.elements = self.elements or _Shape()
        if isinstance(step, Where):
            self.elements.put([step.name])
        self.elements.put(rest, is_list=is_list)

    def is_consistent(self) -> bool:
        """Whether every value is of one kind, and members are told apart by more than their case."""
        kinds = self.text + bool(self.members) + (self.elements is not None)
        below = [*self.members.values(), *([self.elements] if self.elements else [])]
        apart = len({name.lower() for name in self.members}) == len(self.members)
        return kinds <= 1 and apart and all(one.is_consistent() for one in below)

    def structure(self) -> str:
        """As ``json_transform`` takes it."""
        if self.elements is not None:
            return f"[{self.elements.structure()}]"
        if not self.members:
            return '"VARCHAR"'
        return "{" + ",".join(f"{_json(name)}:{one.structure()}" for name, one in self.members.items()) + "}"


def _text(ways: Ways, addressed: Addressed) -> str:
    found = []
    for way in ways:
        rest = addressed.within(way)
        value = _access("record", way) if rest is None else _access("element", rest)
        found.append(f"nullif({value}, '')")
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


def _access(value: str, way: Sequence[Step]) -> str:
    for step in way:
        if isinstance(step, Where):
            test = f"lambda one: one.{_quoted(step.name)} = {_literal(step.value)}"
            value = f"list_filter({value}, {test})[1]"
        elif isinstance(step, int):
            value = f"{value}[{step + 1}]"
        else:
            value = f"{value}.{_quoted(step)}"
    return value


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _json(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
