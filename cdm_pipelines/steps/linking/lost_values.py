"""Values of which cleaning makes nothing: counted before linking, for nobody sees afterwards that they were there.

Belongs here: how many there are by column and source, and of what shapes. Does not belong here: cleaning itself
(linkage.encode.clean), or values that mean nobody (linkage.encode.nobody).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.linkage.encode.clean import clean
from cdm_pipelines.linkage.encode.records import read_column
from cdm_pipelines.linkage.policy.spec import Column as ColumnSpec
from cdm_pipelines.parallel import in_order
from cdm_pipelines.quality.shapes import shape

_NAMED = 3  # shapes


@dataclass(frozen=True)
class Lost:
    """Values of a column of a source that linking cannot read.

    Attributes:
        column: As the policy names it.
        of: The columns of the file.
        source: Whose; empty where there is one.
        how: How they were to be cleaned.
        filled: Values that are there.
        lost: Of these, how many come to nothing.
        shapes: The most frequent shapes of what is lost, with their number.
    """

    column: str
    of: Sequence[str]
    source: str
    how: str
    filled: int
    lost: int
    shapes: tuple[tuple[str, int], ...]

    @property
    def sentence(self) -> str:
        """In words, without a value."""
        where = f" in {self.source}" if self.source else ""
        shapes = ", ".join(f"{shape} ({count:,})" for shape, count in self.shapes)
        return (
            f"{self.column} ({' + '.join(self.of)}){where}: {self.lost:,} of {self.filled:,} values cannot be read as "
            f"{self.how} and are taken for missing; written like {shapes}"
        )


def lost_values(table: pa.Table, policy: LinkagePolicy) -> tuple[Lost, ...]:
    """What cleaning under a policy loses of a table, the most of a column first."""
    sources = (
        table[policy.source].cast(pa.string()) if policy.source else pa.repeat(pa.scalar(""), table.num_rows)
    )

    def of_column(column: tuple[str, ColumnSpec]) -> list[Lost]:
        name, spec = column
        return _of_column(read_column(table, spec, policy.source), sources, name, spec)

    found = [one for lost in in_order(of_column, policy.columns.items()) for one in lost]
    return tuple(sorted(found, key=lambda one: -one.lost))


def _of_column(
    texts: pa.Array, sources: pa.Array | pa.ChunkedArray, name: str, spec: ColumnSpec
) -> list[Lost]:
    """What is lost of a column, by source in their order."""
    texts = pc.fill_null(pc.utf8_trim_whitespace(texts), "")
    encoded = texts.dictionary_encode()
    values = encoded.dictionary
    nothing = pc.and_(pc.is_null(clean(values, spec.clean)), pc.not_equal(values, ""))
    if not pc.any(nothing).as_py():
        return []
    written = pc.match_substring_regex(values, r"[\pL\pN]")  # a dash says nothing, and loses nothing
    gone = pc.and_(written, nothing)
    if not pc.any(gone).as_py():
        return []
    rows = pa.table(
        {
            "source": sources,
            "value": texts,
            "filled": written.take(encoded.indices),
            "gone": gone.take(encoded.indices),
        }
    )
    found = []
    for source in pc.unique(rows["source"]).sort().to_pylist():
        own = rows.filter(pc.equal(rows["source"], source))
        lost = own.filter(own["gone"])["value"].to_pylist()
        if lost:
            counted = Counter(shape(text) for text in lost)
            common = sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:_NAMED]
            filled = int(pc.sum(own["filled"]).as_py())
            found.append(Lost(name, spec.names, source, spec.clean, filled, len(lost), tuple(common)))
    return found
