"""What the owner of a source should correct: cells that say something else than the golden customer.

Belongs here: comparing a record with the customer it belongs to, in the columns of its source. Does not belong here:
where records and customers are read, or how the file is written.

An empty cell is no disagreement, and neither is a golden customer without a value: nobody is asked to fill in or to
blank anything. Consent is left out: what a person told one system is not corrected by what another was told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Attribute, Entity, ValueType, targets
from cdm_pipelines.contracts.model import EPOCHS, Column

CORRECTIONS_SCHEMA = pa.schema(
    [
        ("entity", pa.string()),
        ("record_id", pa.string()),
        ("column", pa.string()),
        ("current_value", pa.string()),
        ("golden_value", pa.string()),
        ("rule", pa.string()),
        ("golden_id", pa.string()),
    ]
)
"""One row per cell: the record, the source's own column, what it holds, what it should hold, by which rule."""

_CONSENT = "user.privacy_preferences"
_GIVEN, _FAMILY = ("given_name", "initials"), ("surname_prefix", "surname")
_PARTS: dict[str, tuple[str, ...]] = {
    "full_name": (*_GIVEN, *_FAMILY),
    "family_name": _FAMILY,
    "name": (*_GIVEN, *_FAMILY, "organisation_name", "legal_form"),
    "address_line": ("street", "house_number", "house_addition"),
    "salutation": ("honorific", "title"),
}
"""What a composite cell is made of, in the order in which it is written."""
_MAY_BE_ABSENT = {*_GIVEN, "legal_form", "honorific", "title"}
"""Parts that a cell may well leave out: only where it has them they are compared."""


@dataclass(frozen=True)
class Cell:
    """One column of a source that can be compared.

    Attributes:
        column: The column.
        target: What it feeds.
        parts: The canonical attributes in it.
        group: The group of attributes in which survivorship chose them; of a name, that of a person.
    """

    column: Column
    target: str
    parts: tuple[str, ...]
    group: str


def cells(contract: SourceContract) -> tuple[Cell, ...]:
    """The columns of a contract in which a record can disagree, the first for each target."""
    found: dict[str, Cell] = {}
    for column, path in contract.mapped():
        target = targets()[path]
        if target.entity is not Entity.PARTY or target.privacy == _CONSENT or target.name in found:
            continue
        if not isinstance(target, Attribute):
            parts = _PARTS[target.name]
            found[target.name] = Cell(column, target.name, parts, _group(parts[0]))
        elif target.golden and target.type is not ValueType.REFERENCE:
            found[target.name] = Cell(column, target.name, (target.name,), target.group)
    return tuple(found.values())


def _group(attribute: str) -> str:
    target = targets()[f"{Entity.PARTY}.{attribute}"]
    return target.group if isinstance(target, Attribute) else attribute


@dataclass(frozen=True)
class Disagreement:
    """The records that disagree in one cell.

    Attributes:
        cell: The cell.
        rows: Their places among the records that were compared.
        standardised: What they hold, in its standardised form.
        golden: What the customer holds, as the source would write it.
    """

    cell: Cell
    rows: pa.Array
    standardised: pa.Array
    golden: pa.Array


def disagreements(contract: SourceContract, records: pa.Table, customers: pa.Table) -> Iterator[Disagreement]:
    """Compare records with their customers, column by column.

    Args:
        contract: Of the records.
        records: Standardised attributes, as text.
        customers: The golden attributes of each record's customer, as text, in the same order.
    """
    for cell in cells(contract):
        own = _composed([records[name] for name in cell.parts])
        golden = _composed([customers[name] for name in cell.parts])
        compared = _composed([_where_told(records, customers, name) for name in cell.parts])
        differ = pc.fill_null(pc.and_(pc.not_equal(own, compared), pc.is_valid(golden)), False)
        rows = pc.indices_nonzero(differ)
        if len(rows):
            written = _as_written(cell, customers.take(rows), golden.take(rows))
            yield Disagreement(cell, rows, own.take(rows), written)


def _where_told(records: pa.Table, customers: pa.Table, name: str) -> pa.ChunkedArray:
    """A golden attribute, left out where the record may leave it out and does."""
    if name not in _MAY_BE_ABSENT:
        return customers[name]
    return pc.if_else(pc.is_valid(records[name]), customers[name], pa.scalar(None, pa.string()))


def _composed(parts: Sequence[pa.ChunkedArray]) -> pa.Array:
    """The parts with spaces between; null where there is none."""
    whole = [part.combine_chunks() for part in parts]
    if len(whole) == 1:
        return whole[0]
    nothing = pa.repeat("", len(whole[0]))  # Arrow leaves a row out in which every value is skipped
    text = pc.utf8_ltrim_whitespace(pc.binary_join_element_wise(nothing, *whole, " ", null_handling="skip"))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _as_written(cell: Cell, customers: pa.Table, golden: pa.Array) -> pa.Array:
    """Golden values as the source writes them: its codes, its format of dates, a given name before initials."""
    if "given_name" in cell.parts and len(cell.parts) > 1:
        initials = pc.if_else(
            pc.is_valid(customers["given_name"]), pa.scalar(None, pa.string()), customers["initials"]
        )
        others = [name for name in cell.parts if name not in _GIVEN]
        return _composed([customers["given_name"], initials, *(customers[name] for name in others)])
    if cell.column.values:
        codes = {meaning: code for code, meaning in reversed(list(cell.column.values.items()))}
        at = pc.index_in(golden, value_set=pa.array(list(codes), pa.string()))
        return pc.coalesce(pa.array(list(codes.values()), pa.string()).take(at), golden)
    if formats := [form for form in cell.column.date_formats if form not in EPOCHS]:
        return pc.strftime(golden.cast(pa.date32()).cast(pa.timestamp("s")), formats[0])
    return golden
