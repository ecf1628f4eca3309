"""What an enricher gets to work with.

Belongs here: inputs on demand in DuckDB, and what else a computation may depend on. Does not belong here: what is
computed.
"""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from cdm_pipelines.enrichment.inputs import INPUTS

if TYPE_CHECKING:
    import duckdb


GOLDEN_ID = "golden_id"
Found = TypeVar("Found")


class Parameters(BaseModel):
    """What a company may set of an enricher in ``policies/enrichment.yaml``; subclasses have the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


NO_PARAMETERS = Parameters()
Rows = AbstractContextManager[pa.Table | pa.RecordBatchReader]
Late = Mapping[str, tuple[str, Callable[[], Rows]]]
"""By input, a base table of which nothing is read before somebody uses the input, nor kept after: its name, and its
rows."""


@dataclass(frozen=True)
class Work:
    """Inputs and circumstances of one computation; equal ones give equal rows.

    Attributes:
        db: DuckDB with the base tables, restricted to the customers that are worked on.
        as_of: The day that scores hold for.
        parameters: Those of the enricher.
        fitted: Its scale or model; None while there is none.
        currency: The reporting currency.
        late: Base tables that are read when they are asked for.
        spent: Seconds that making inputs took so far, all enrichers together, by input.
        found: What ``once`` gave.
    """

    db: "duckdb.DuckDBPyConnection"
    as_of: date
    parameters: Parameters = NO_PARAMETERS
    fitted: Mapping[str, Any] | None = None
    currency: str = "EUR"
    late: Late = field(default_factory=dict, compare=False)
    spent: dict[str, float] = field(default_factory=dict, compare=False)
    found: dict[Hashable, Any] = field(default_factory=dict, compare=False)

    def of(self, parameters: Parameters, fitted: Mapping[str, Any] | None = None) -> "Work":
        """The same for another enricher."""
        return replace(self, parameters=parameters, fitted=fitted)

    def use(self, *names: str) -> None:
        """Make inputs, once, with those that they are made of."""
        made = self._tables()
        for name, one in INPUTS.items():
            wanted = any(name in {other, *_before(other)} for other in names)
            if wanted and name not in made:
                begun = time.monotonic()
                with self._base_of(name):
                    self.db.execute(f"CREATE TEMP TABLE {name} AS {one.sql}")
                self.spent[name] = time.monotonic() - begun

    def once(self, what: Hashable, find: Callable[[], Found]) -> Found:
        """What several enrichers ask of the inputs, found for the first; ``what`` says all else that it depends on."""
        if what not in self.found:
            self.found[what] = find()
        found: Found = self.found[what]
        return found

    def has(self, name: str) -> bool:
        """Whether a table has been made."""
        return name in self._tables()

    def _tables(self) -> set[str]:
        return {name for (name,) in self.db.execute("SELECT table_name FROM duckdb_tables()").fetchall()}

    @contextmanager
    def _base_of(self, name: str) -> Iterator[None]:
        """The base table that comes late, if an input has one, until the input is made."""
        if name not in self.late:
            yield
            return
        base, read = self.late[name]
        with read() as rows:
            self.db.register(base, rows)
            try:
                yield
            finally:
                self.db.unregister(base)

    def sql(self, query: str, **values: object) -> pa.Table:
        """The rows of a query, with ``$name`` for values; golden ids come out as text."""
        table: pa.Table = self.db.sql(query, params=values or None).to_arrow_table()
        if GOLDEN_ID in table.column_names:
            at = table.schema.get_field_index(GOLDEN_ID)
            table = table.set_column(at, GOLDEN_ID, table[GOLDEN_ID].cast(pa.string()))
        return table


def _before(name: str) -> set[str]:
    """The inputs that an input is made of."""
    return {
        "orders": {"refunds"},
        "purchases": {"refunds", "orders"},
        "payments": {"refunds", "orders"},
        "order_lines": {"refunds", "orders", "products"},
    }.get(name, set())


@contextmanager
def opened(
    tables: Mapping[str, pa.Table],
    *,
    as_of: date,
    horizon: date,
    currency: str,
    timezone: str,
    threads: int,
    late: Late | None = None,
    memory: str = "1600MB",
    spill: Path | None = None,
) -> Iterator[Work]:
    """Open DuckDB over base tables.

    Args:
        tables: ``inputs.BASE``, ``golden_customer``, ``attached`` and ``state_<entity>``, less those that come late.
        as_of: The day that scores hold for.
        horizon: The last day that is not in the future.
        currency: The reporting currency.
        timezone: In which days begin.
        threads: Results do not depend on it.
        late: Base tables that are read when they are asked for.
        memory: How much DuckDB may take before it spills.
        spill: Folder for that.
    """
    config: dict[str, Any] = {
        "threads": threads,
        "memory_limit": memory,
        "preserve_insertion_order": False,
        "python_enable_replacements": False,  # a company's SQL sees inputs, not variables of this process
    }
    if spill is not None:
        config["temp_directory"] = str(spill)
    import duckdb  # noqa: PLC0415 - loads where something is worked out

    with duckdb.connect(config=config) as db:
        variables = {"as_of": as_of, "horizon": horizon, "currency": currency, "timezone": timezone}
        for name, value in variables.items():
            db.execute(f"SET VARIABLE {name} = $value", {"value": value})
        for name, table in tables.items():
            db.register(name, table)
        db.execute("SET enable_external_access = false")  # nor does it reach files or networks
        db.execute("SET lock_configuration = true")
        yield Work(db, as_of, currency=currency, late=late or {})
