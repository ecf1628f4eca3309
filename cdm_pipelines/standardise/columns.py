"""The columns of a table by what they mean.

Belongs here: which column feeds which canonical target, null texts, code meanings, and what the source delivered.
Does not belong here: what a value means (the modules of the semantic types).
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity, targets
from cdm_pipelines.contracts.model import Column, SourceContract
from cdm_pipelines.standardise import text as texts
from cdm_pipelines.standardise.distinct import TEXT, coalesce, no_text
from cdm_pipelines.store.arrow import whole


class Columns:
    """The delivered columns of one table that feed one canonical entity.

    Several columns may feed one target; the first that holds a value counts, row by row, in the contract's order.
    """

    def __init__(self, valid: pa.Table, contract: SourceContract, entity: Entity) -> None:
        self.contract = contract
        self.length = valid.num_rows
        self._valid = valid
        self._raw: dict[str, pa.Array] = {}
        self._feeding: dict[str, list[Column]] = {}
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
        """Text that is compared as it stands (a key, a reference): trimmed, empty is null, null texts are null."""
        if target not in self._feeding:
            return no_text(self.length)
        return coalesce(*(self._meant(column) for column in self._feeding[target]))

    def text(self, target: str, *, keep_lines: bool = False, placeholders: bool = True) -> pa.Array:
        """Text for people, repaired; see `texts.clean`."""
        return texts.clean(self.code(target), keep_lines=keep_lines, placeholders=placeholders)

    def key(self, name: str) -> pa.Array:
        """A source column that is compared as it stands."""
        return self._meant(self.contract.column(name))

    def _meant(self, column: Column) -> pa.Array:
        values = pc.utf8_trim_whitespace(self.raw(column.name))
        missing = pc.is_in(
            values, value_set=pa.array(["", *(text.strip() for text in column.null_values)], TEXT)
        )
        return _decoded(pc.if_else(missing, pa.scalar(None, TEXT), values), column.values)


def _decoded(values: pa.Array, meanings: Mapping[str, str]) -> pa.Array:
    if not meanings:
        return values
    found = pc.index_in(values, value_set=pa.array(list(meanings), TEXT))
    return pc.coalesce(pa.array(list(meanings.values()), TEXT).take(found), values)
