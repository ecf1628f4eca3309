"""What a company's own query gave, held against its declaration.

Belongs here: one row per customer, values of the declared types, and words for what is otherwise. Does not belong here:
which columns there are (``declaration.Enricher.shaped``), or running the query (``own``).

The hub would refuse such rows as well, and with them the publication of everybody.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.types as kinds

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Output
from cdm_pipelines.enrichment.work import GOLDEN_ID

if TYPE_CHECKING:
    import duckdb

_GIVEN = "given_by_the_query"
_TYPES = {
    ValueType.TEXT: "VARCHAR",
    ValueType.DATE: "DATE",
    ValueType.TIMESTAMP: "TIMESTAMPTZ",
    ValueType.DECIMAL: "DOUBLE",
    ValueType.INTEGER: "BIGINT",
    ValueType.BOOLEAN: "BOOLEAN",
}
_KEY = f"TRY_CAST({GOLDEN_ID} AS UUID)"


def as_declared(
    db: "duckdb.DuckDBPyConnection", given: pa.Table, outputs: Sequence[Output]
) -> tuple[pa.Table, list[str]]:
    """Rows of a query in the declared types, and what is wrong with them.

    Args:
        db: In which it is worked out.
        given: Rows of the query, with ``golden_id``.
        outputs: The declared columns.

    Returns:
        The rows, with columns that are not declared as they are, and without those that are missing; and what is wrong,
        of how many rows, and the fix, without a value. With any of that the rows are of no use.
    """
    there = {one.name: one for one in outputs if one.name in given.column_names}
    besides = [name for name in given.column_names if name not in {GOLDEN_ID, *there}]
    db.register(_GIVEN, given)
    try:
        problems = [*_keys(db), *_values(db, list(there.values()))]
        columns = [*(_converted(one, given) for one in there.values()), *map(_quoted, besides)]
        selected = ", ".join([f"{_KEY}::VARCHAR AS {GOLDEN_ID}", *columns])
        return db.sql(f"SELECT {selected} FROM {_GIVEN}").to_arrow_table(), problems
    finally:
        db.unregister(_GIVEN)


def _keys(db: "duckdb.DuckDBPyConnection") -> Iterator[str]:
    """What is wrong with whose the rows are."""
    nobody, no_id, rows, customers = _one_row(
        db,
        f"count(*) FILTER ({GOLDEN_ID} IS NULL)",
        f"count(*) FILTER ({GOLDEN_ID} IS NOT NULL AND {_KEY} IS NULL)",
        f"count({_KEY})",
        f"count(DISTINCT {_KEY})",
    )
    if nobody:
        yield f"golden_id is empty in {_rows(nobody)}. Leave them out: WHERE golden_id IS NOT NULL."
    if no_id:
        yield f"golden_id is no id of a customer in {_rows(no_id)}. Give the golden_id of an input."
    if rows > customers:
        yield (
            f"{_rows(rows)} for {customers:,} customers. Give one row per customer, such as by GROUP BY golden_id."
        )


def _values(db: "duckdb.DuckDBPyConnection", outputs: Sequence[Output]) -> Iterator[str]:
    """What is wrong with the values of columns."""
    found = _one_row(db, *(f"count(*) FILTER ({_other(one)})" for one in outputs)) if outputs else ()
    for one, rows in zip(outputs, found, strict=True):
        if rows:
            fix = (
                "Round it, or declare it decimal" if one.type is ValueType.INTEGER else "Cast it in the query"
            )
            yield f"{one.name} is declared {one.type} and is something else in {_rows(rows)}. {fix}."


def _other(output: Output) -> str:
    """Where a value is not of the declared type: it cannot be cast, or becomes another number by it."""
    name, cast = _quoted(output.name), _cast(output)
    other = f"{name} IS NOT NULL AND {cast} IS NULL"
    if output.type in (ValueType.INTEGER, ValueType.BOOLEAN):
        other = f"({other}) OR TRY_CAST({name} AS DOUBLE) <> {cast}::DOUBLE"
    return other


def _converted(output: Output, given: pa.Table) -> str:
    """A column in the declared type; one that is of such a type already keeps its digits and its zone."""
    kind = given.schema.field(output.name).type
    exact = {
        ValueType.DECIMAL: kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind),
        ValueType.TIMESTAMP: kinds.is_timestamp(kind),
    }
    name = _quoted(output.name)
    return name if exact.get(output.type) else f"{_cast(output)} AS {name}"


def _cast(output: Output) -> str:
    return f"TRY_CAST({_quoted(output.name)} AS {_TYPES[output.type]})"


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _one_row(db: "duckdb.DuckDBPyConnection", *counts: str) -> tuple[int, ...]:
    (found,) = db.sql(f"SELECT {', '.join(counts)} FROM {_GIVEN}").fetchall()
    return tuple(int(one) for one in found)


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
