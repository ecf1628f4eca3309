"""Whom a change of some customers reaches, where a row follows from others too: who shares an address or a number.

Belongs here: the graph of customers and what they have in common, and going along it. Does not belong here: what an
enricher's customers have in common and how far a change reaches by it (its own module), keeping the links
(steps.profile.neighbours).

A link is a number of 64 bits that stands for something of a customer that others may have too, such as a hash of a
phone number. All links of a customer follow from the customer's own golden values and records, so that those of
everybody else stay as they are when a customer changes. The graph holds what customers had in the published version
and what those that changed have in the next one: whoever goes along it finds too many rather than too few.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.enrichment.work import Parameters, Work

if TYPE_CHECKING:
    import duckdb


LINKS = pa.schema([("golden_id", pa.binary()), ("kind", pa.int8()), ("link", pa.uint64())])
"""What customers may have in common: their golden ids as bytes, what kind of thing it is, and which one."""
AS_KEPT = "CAST(golden_id AS BLOB) AS golden_id, CAST(kind AS TINYINT) AS kind, CAST(link AS UBIGINT) AS link"
"""Columns of a query that gives ``LINKS``."""


@dataclass(frozen=True)
class Neighbourhood:
    """How the customers of an enricher reach each other.

    Attributes:
        links: Gives ``LINKS`` of all customers of a work, each from the customer's own rows alone. It may be asked
            before anything is computed, and on a work on everybody after it.
        spread: Whom a change reaches, given the graph and the enricher's parameters.
    """

    links: Callable[[Work], pa.Table]
    spread: Callable[["Graph", Parameters], "Spread"]


@dataclass(frozen=True)
class Customers:
    """Some customers: a table of the graph's database."""

    table: str


@dataclass(frozen=True)
class Links:
    """Some links: a table of the graph's database."""

    table: str


@dataclass(frozen=True)
class Spread:
    """Whom a change reaches.

    Attributes:
        concerned: Customers whose rows may be others; nobody else's are.
        needed: Customers of whom inputs are needed for their rows to come out as among everybody.
    """

    concerned: Customers
    needed: Customers


class TooManyError(Exception):
    """So many customers are reached that everybody may be worked on."""


@dataclass(frozen=True)
class Graph:
    """Customers and their links, former and latter; made by :func:`opened`.

    Attributes:
        db: Its database; ``link`` has the rows.
        touched: Customers whom the next version touches.
        changed: Those of them who have other links than before, or are to be worked on anyway.
        most: More customers than these are too many.
    """

    db: "duckdb.DuckDBPyConnection"
    touched: Customers
    changed: Customers
    most: int
    _numbers: Iterator[int] = field(default_factory=count, compare=False)

    def links_of(self, customers: Customers, *kinds: int) -> Links:
        """What some customers have of some kinds."""
        return Links(
            self._made(
                f"SELECT DISTINCT link FROM link SEMI JOIN {customers.table} USING (golden_id) WHERE {_of(kinds)}"
            )
        )

    def having(self, links: Links, *kinds: int) -> Customers:
        """Customers who have one of some links, as something of these kinds."""
        return self._customers(
            f"SELECT DISTINCT golden_id FROM link SEMI JOIN {links.table} USING (link) WHERE {_of(kinds)}"
        )

    def shared(self, links: Links, *kinds: int) -> Links:
        """Those of some links that several customers have."""
        return Links(self._made(f"{self._held(links, kinds)} HAVING count(DISTINCT golden_id) > 1"))

    def rare(self, links: Links, kind: int, most: int) -> Links:
        """Those of some links that no more than these have of the customers who are what they were."""
        steady = f"golden_id NOT IN (FROM {self.changed.table})"
        return Links(
            self._made(
                f"{self._held(links, (kind,))} HAVING count(DISTINCT golden_id) FILTER (WHERE {steady}) <= {most}"
            )
        )

    def some_having(self, links: Links, kind: int, each: int) -> Customers:
        """Of each link so many customers, if there are as many, who are what they were."""
        return self._customers(
            f"""SELECT DISTINCT golden_id FROM (
                SELECT golden_id FROM link SEMI JOIN {links.table} USING (link) ANTI JOIN {self.changed.table}
                USING (golden_id) WHERE {_of((kind,))}
                QUALIFY row_number() OVER (PARTITION BY link ORDER BY golden_id) <= {each})"""
        )

    def being(self, customers: Customers, *kinds: int) -> Customers:
        """Those of some customers who have anything of some kinds."""
        return self._customers(
            f"SELECT DISTINCT golden_id FROM link SEMI JOIN {customers.table} USING (golden_id) WHERE {_of(kinds)}"
        )

    def all_of(self, *sets: Customers) -> Customers:
        """Customers of one of some sets."""
        return self._customers(" UNION ".join(f"FROM {one.table}" for one in sets))

    def all_links_of(self, *sets: Links) -> Links:
        """Links of one of some sets."""
        return Links(self._made(" UNION ".join(f"FROM {one.table}" for one in sets)))

    def without(self, customers: Customers, others: Customers) -> Customers:
        """Those of some customers who are not among others."""
        return self._customers(f"FROM {customers.table} ANTI JOIN {others.table} USING (golden_id)")

    def grown(self, customers: Customers, step: Callable[[Customers], Customers]) -> Customers:
        """Customers with all that a step leads to, and another from there, until it leads to nobody new."""
        found = new = customers
        while self._count(new):
            new = self.without(step(new), found)
            found = self.all_of(found, new)
        return found

    def ids(self, customers: Customers) -> pa.Array:
        """Their golden ids, in order."""
        query = f"SELECT golden_id::VARCHAR AS one FROM {customers.table} ORDER BY one"
        found: pa.Table = self.db.sql(query).to_arrow_table()
        return found["one"].cast(pa.string()).combine_chunks()

    def _held(self, links: Links, kinds: tuple[int, ...]) -> str:
        return f"SELECT link FROM link SEMI JOIN {links.table} USING (link) WHERE {_of(kinds)} GROUP BY link"

    def _customers(self, query: str) -> Customers:
        found = Customers(self._made(query))
        if self._count(found) > self.most:
            raise TooManyError
        return found

    def _made(self, query: str) -> str:
        name = f"set_{next(self._numbers)}"
        self.db.execute(f"CREATE TEMP TABLE {name} AS {query}")
        return name

    def _count(self, customers: Customers) -> int:
        (found,) = self.db.execute(f"SELECT count(*) FROM {customers.table}").fetchall()[0]
        return int(found)


def _of(kinds: tuple[int, ...]) -> str:
    return f"kind IN ({', '.join(str(kind) for kind in kinds)})"


@contextmanager
def opened(
    former: pa.Table, latter: pa.Table, touched: pa.Array, anew: pa.Array, *, most: int, threads: int
) -> Iterator[Graph]:
    """The graph of the published version with what the next one changes of it.

    Args:
        former: ``LINKS`` of everybody in the published version.
        latter: ``LINKS`` of the customers whom the next version touches, in that.
        touched: Golden ids of those.
        anew: Golden ids of those among them who count as changed in any case.
        most: More customers than these are too many.
        threads: Results do not depend on it.
    """
    import duckdb  # noqa: PLC0415 - loads where something is worked out

    with duckdb.connect(config={"threads": threads, "memory_limit": "1600MB"}) as db:
        db.register("former", former)
        db.register("latter", latter)
        db.register("asked", pa.table({"golden_id": touched}))
        db.register("anew", pa.table({"golden_id": anew}))
        for name, query in _TABLES.items():
            db.execute(f"CREATE TEMP TABLE {name} AS {query}")
        for name in ("former", "latter", "asked", "anew"):
            db.unregister(name)
        yield Graph(db, Customers("touched"), Customers("changed"), most)


_TYPED = "golden_id::UUID AS golden_id, kind, link"
_TABLES = {
    "touched": "SELECT golden_id::UUID AS golden_id FROM asked",
    "latter_link": f"SELECT {_TYPED} FROM latter",
    "former_link": f"SELECT {_TYPED} FROM former",
    "theirs": "FROM former_link SEMI JOIN touched USING (golden_id)",
    "changed": """
        SELECT DISTINCT golden_id FROM (
            (FROM theirs EXCEPT FROM latter_link) UNION ALL (FROM latter_link EXCEPT FROM theirs)
            UNION ALL SELECT golden_id::UUID, 0, 0 FROM anew)""",
    "link": "FROM former_link UNION ALL (FROM latter_link EXCEPT FROM theirs)",
}


def bytes_of(golden_ids: pa.Array) -> pa.Array:
    """Golden ids as ``LINKS`` has them."""
    return pa.array([UUID(one).bytes for one in golden_ids.to_pylist()], pa.binary())


def brought_up(former: pa.Table, latter: pa.Table, touched: pa.Array) -> pa.Table:
    """``LINKS`` of everybody in the next version, given those of the former one and of the customers it touches."""
    theirs = pc.is_in(former["golden_id"], value_set=bytes_of(touched))
    return pa.concat_tables([former.filter(pc.invert(theirs)), latter.cast(LINKS)])
