"""Columns of hashes as they are kept in files: hidden, so that the files alone tell nothing.

Belongs here: hiding the 64-bit columns of a table, and showing them again, bit for bit. Does not belong here: the key
(store.secret), what the columns mean (linkage).

Hashes of blocking keys are hashes of phones, birth dates and names: whoever knows how they are made finds each by
trying. Each column is combined by XOR with a stream of its own, drawn from the secret of the deployment and a keyed
digest of what is hidden: other contents never share a stream, and the same contents make the same file.
"""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.secret import Secret

Numbers = npt.NDArray[np.uint64]


def hidden(table: pa.Table, secret: Secret) -> tuple[pa.Table, str]:
    """The table with its columns of 64-bit numbers, or lists of such, hidden; and what shows them again.

    Null stays null; all other columns stay as they are.
    """
    digests = "".join(secret.digest(numbers.data) for _, numbers in _columns(table) if len(numbers))
    name = secret.digest(digests.encode())
    return shown(table, name, secret), name


def shown(table: pa.Table, name: str, secret: Secret) -> pa.Table:
    """The table that was hidden, given what ``hidden`` gave with it."""
    for at, numbers in _columns(table):
        column = whole(table.column(at))
        changed = pa.array(_combined(numbers, name, at, secret))
        if pa.types.is_fixed_size_list(column.type):
            changed = pa.FixedSizeListArray.from_arrays(changed, column.type.list_size)
        elif column.null_count:
            changed = pc.if_else(column.is_valid(), changed, pa.scalar(None, pa.uint64()))
        table = table.set_column(at, table.schema.field(at), changed)
    return table


class ShownColumns(Sequence[Numbers]):
    """The columns of a hidden table as arrays; each is shown when it is asked for, and once.

    A run on which little has changed looks at few of them, and one on which nothing has at none.
    """

    def __init__(self, columns: Sequence[Numbers], name: str, secret: Secret) -> None:
        self._hidden, self._name, self._secret = columns, name, secret
        self._shown: dict[int, Numbers] = {}

    def __len__(self) -> int:
        return len(self._hidden)

    @overload
    def __getitem__(self, at: int) -> Numbers: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Numbers]: ...
    def __getitem__(self, at: int | slice) -> Numbers | Sequence[Numbers]:
        if isinstance(at, slice):
            return [self[one] for one in range(len(self))[at]]
        if at not in self._shown:
            column = self._hidden[at]
            self._shown[at] = _combined(column.ravel(), self._name, at, self._secret).reshape(column.shape)
        return self._shown[at]


def _combined(numbers: Numbers, name: str, at: int, secret: Secret) -> Numbers:
    changed: Numbers = numbers ^ secret.stream(f"{name} {at}", len(numbers))
    return changed


def _columns(table: pa.Table) -> Iterator[tuple[int, Numbers]]:
    """The numbers of each column that has some, by the column's position; 0 stands for null."""
    for at, field in enumerate(table.schema):
        if field.type == pa.uint64():
            yield at, whole(table.column(at)).fill_null(0).to_numpy()
        elif pa.types.is_fixed_size_list(field.type) and field.type.value_type == pa.uint64():
            yield at, whole(table.column(at)).flatten().to_numpy()
