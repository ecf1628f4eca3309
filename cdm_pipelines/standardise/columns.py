"""The columns of a table by what they mean.

Belongs here: which column feeds which canonical target, null texts, code meanings, what the source delivered, and notes
of cells of which nothing, or not all, was read.
Does not belong here: what a value means (the modules of the semantic types).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity, targets
from cdm_pipelines.contracts.model import Column, SourceContract
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.quality.shapes import shapes
from cdm_pipelines.quality.validation import REPAIRS_SCHEMA
from cdm_pipelines.standardise import text as texts
from cdm_pipelines.standardise.distinct import TEXT, coalesce, no_text, over_distinct
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keys import compared, without_nothing

BLANKED, SHORTENED, MOVED, MARKED = "blanked", "shortened", "moved", "marked"
"""What became of a cell: its value is null, is less than was delivered, stands elsewhere, or is kept as doubtful."""


@dataclass(frozen=True)
class Note:
    """What was noted of some cells of a target: the rule, flags per row, and what became of them."""

    target: str
    rule: Rule
    rows: pa.Array
    action: str


class Columns:
    """The delivered columns of one table that feed one canonical entity.

    Several columns may feed one target; the first that holds a value counts, row by row, in the contract's order.
    """

    def __init__(self, valid: pa.Table, contract: SourceContract, entity: Entity) -> None:
        self.contract = contract
        self._entity = entity
        self.length = valid.num_rows
        self._valid = valid
        self._raw: dict[str, pa.Array] = {}
        self._meanings: dict[str, pa.Array] = {}
        self._feeding: dict[str, list[Column]] = {}
        self._told: dict[str, pa.Array] = {}
        self.notes: list[Note] = []
        """Cells that came to nothing, or to less than was delivered; readers of values add theirs."""
        for column, path in contract.mapped():
            if targets()[path].entity == entity:
                self._feeding.setdefault(targets()[path].name, []).append(column)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets that are fed, in the contract's order."""
        return tuple(self._feeding)

    def has(self, target: str) -> bool:
        """Whether a column feeds the target."""
        return target in self._feeding

    def empty(self, target: str) -> bool:
        """Whether no column feeds the target, and the contract says nothing of it for all rows."""
        return target not in self._feeding and f"{self._entity}.{target}" not in self.contract.constants

    def column(self, target: str) -> Column | None:
        """The (first) column that feeds the target, for its formats."""
        return self._feeding[target][0] if target in self._feeding else None

    def raw(self, name: str) -> pa.Array:
        """A source column as delivered; nulls where the table lacks it."""
        if name not in self._raw:
            there = name in self._valid.column_names
            self._raw[name] = whole(self._valid[name]).cast(TEXT) if there else no_text(self.length)
        return self._raw[name]

    def original(self, target: str) -> pa.Array:
        """The delivered text of the column that counts for the target."""
        columns = self._feeding[target]
        if len(columns) == 1:
            return self.raw(columns[0].name)
        counting = [
            pc.if_else(pc.is_valid(self._meant(c)), self.raw(c.name), pa.scalar(None, TEXT)) for c in columns
        ]
        return coalesce(*counting, *(self.raw(c.name) for c in columns))

    def code(self, target: str) -> pa.Array:
        """Text that is compared as it stands (a key, a reference): trimmed, empty is null, null texts are null.

        What no column feeds is what the contract says of all rows.
        """
        if target in self._feeding:
            return coalesce(*(self._meant(column) for column in self._feeding[target]))
        constant = self.contract.constants.get(f"{self._entity}.{target}")
        return no_text(self.length) if constant is None else pa.repeat(pa.scalar(constant, TEXT), self.length)

    def text(self, target: str, *, keep_lines: bool = False, placeholders: bool = True) -> pa.Array:
        """Text for people, repaired; see `texts.clean`."""
        if self.empty(target):
            return no_text(self.length)
        given = self.code(target)
        read = texts.clean(given, keep_lines=keep_lines, placeholders=placeholders)
        for rule, rows in texts.why_nothing(given, read):
            self.note(target, rule, rows)
        return read

    def told(self, what: str, tell: Callable[[], pa.Array]) -> pa.Array:
        """What several readers ask of the rows, worked out once; ``what`` names it."""
        if what not in self._told:
            self._told[what] = tell()
        return self._told[what]

    def note(self, target: str, rule: Rule, rows: pa.Array, action: str = BLANKED) -> None:
        """Note that cells of a target came to nothing, or to less than was delivered; none where no row is flagged."""
        if target in self._feeding and pc.any(rows).as_py():
            self.notes.append(Note(target, rule, pc.fill_null(rows, False), action))

    def unread(self, target: str, rule: Rule, read: pa.Array) -> None:
        """Note the cells of a target that hold something of which nothing was read, where that is not noted yet."""
        if target in self._feeding:
            lost = pc.and_(pc.is_valid(self.code(target)), pc.is_null(read))
            for note in self.notes:
                if note.target == target and note.action == BLANKED:
                    lost = pc.and_not(lost, note.rows)
            self.note(target, rule, lost)

    def note_one_of(self, fed: Sequence[str], rule: Rule, rows: pa.Array, action: str = BLANKED) -> None:
        """Note rows at the first of some targets that holds a value in them."""
        for target in fed:
            if target in self._feeding and pc.any(rows).as_py():
                here = pc.and_(rows, pc.is_valid(self.code(target)))
                self.note(target, rule, here, action)
                rows = pc.and_not(rows, here)

    def noted(self) -> pa.Table:
        """A row for each note and cell, as in ``repairs``; shapes are those of what was delivered."""
        origin = {name: self.raw(name) for name in ("_file", "_sha256")}
        pieces = [REPAIRS_SCHEMA.empty_table()]
        for note in self.notes:
            rows = pc.indices_nonzero(note.rows)
            constant = {"rule": str(note.rule), "action": note.action}
            made = {
                **{name: column.take(rows) for name, column in origin.items()},
                "_row": whole(self._valid["_row"]).cast(pa.int64()).take(rows),
                "column": self._counting(note.target).take(rows),
                "shape": over_distinct(lambda v: (shapes(v),), self.original(note.target).take(rows))[0],
                **{name: pa.repeat(pa.scalar(text, TEXT), len(rows)) for name, text in constant.items()},
            }
            pieces.append(
                pa.table({name: made[name] for name in REPAIRS_SCHEMA.names}, schema=REPAIRS_SCHEMA)
            )
        return pa.concat_tables(pieces).combine_chunks()

    def _counting(self, target: str) -> pa.Array:
        """Per row the name of the column that counts for the target."""
        columns = self._feeding[target]
        nothing = pa.scalar(None, TEXT)
        named = (
            pc.if_else(pc.is_valid(self._meant(c)), pa.scalar(c.name, TEXT), nothing) for c in columns[:-1]
        )
        return coalesce(*named, pa.repeat(pa.scalar(columns[-1].name, TEXT), self.length))

    def key(self, name: str) -> pa.Array:
        """A source column that is compared as it stands."""
        return self._meant(self.contract.column(name))

    def delivered(self, name: str) -> pa.Array:
        """A source column in its own words, trimmed; empty and null texts are null."""
        return without_nothing(self.raw(name), self.contract.column(name))

    def _meant(self, column: Column) -> pa.Array:
        if column.name not in self._meanings:
            self._meanings[column.name] = compared(self.raw(column.name), column)
        return self._meanings[column.name]
