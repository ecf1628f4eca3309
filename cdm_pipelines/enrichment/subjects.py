"""Which counted rows bear on some customers, and which customers some rows bear on.

Belongs here: going from customers to rows and back, wider than attaching does rather than narrower. Does not belong
here: whose a row is (``attachment``).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from cdm_pipelines.enrichment.interactions import WHO
from cdm_pipelines.enrichment.tokens import Eras, numbers_of_sql

if TYPE_CHECKING:
    import duckdb


BASE = {
    "days": "Counted days, as ``interactions.DAY_SCHEMA`` has them.",
    "crosswalk": "golden_id, source, entity, record_id.",
    "parties": "source, entity, record_id, active, first_seen, email, phone, mobile.",
    "party_orders": "source, order_id, party_entity, party_record_id.",
}
"""Tables or views of the database that is worked with."""


class Whose(Protocol):
    """Who looks up rows of the crosswalk, where ``BASE`` has not all of it: columns as there."""

    def of_customers(self, golden_ids: pa.Array) -> pa.Table:
        """Those of some customers."""
        ...

    def of_records(self, keys: pa.Table) -> pa.Table:
        """Those of some party records, by ``source, entity, record_id``."""
        ...


def look_up_customers(db: "duckdb.DuckDBPyConnection") -> None:
    """Make view ``whose`` of the crosswalk, with golden ids as they join fastest."""
    run(
        db,
        "CREATE OR REPLACE TEMP VIEW whose AS "
        "SELECT golden_id::UUID AS golden_id, source, entity, record_id FROM crosswalk",
    )


def restrict(
    db: "duckdb.DuckDBPyConnection", customers: Iterable[str], eras: Eras, whose: Whose | None = None
) -> None:
    """Make table ``wanted`` of some customers, and ``own_days`` of all rows that bear on what is theirs.

    Those are rows that name them, and all rows of the devices that such rows are of. Of the crosswalk, what these name
    is looked up where it is not there.
    """
    _own(db, customers, eras, whose)
    devices = f"SELECT DISTINCT source, token FROM ({_OWN_DAYS}) WHERE token IS NOT NULL"
    run(db, f"CREATE OR REPLACE TEMP TABLE own_device AS {devices}")
    run(db, f"CREATE OR REPLACE TEMP TABLE own_days AS {_OWN_DAYS} OR {_ON_OWN_DEVICE}")
    if whose is not None:
        _look_up_records(db, "own_days", whose)


def concerned(
    db: "duckdb.DuckDBPyConnection",
    eras: Eras,
    customers: Iterable[str],
    subjects: pa.Table,
    *,
    former: pa.Table | None = None,
    orders: pa.Table | None = None,
    whose: Whose | None = None,
) -> list[str]:
    """Customers whose interactions may be others now, sorted; nobody else's are.

    Args:
        db: With the tables of ``BASE``, as they are now.
        eras: The rules.
        customers: Golden ids of customers who changed.
        subjects: Whom changed rows name: ``source`` and ``interactions.WHO``.
        former: What parties that changed were before, as table ``parties`` has them.
        orders: Orders that changed: ``source`` and ``order_id``.
        whose: Who looks up what is not there of the crosswalk.
    """
    look_up_customers(db)
    _own(db, customers, eras, whose, former=former, orders=orders)
    who = ", ".join(("source", *WHO))
    db.register("given_subjects", subjects)
    run(
        db,
        "CREATE OR REPLACE TEMP TABLE touched AS "
        f"SELECT {who} FROM given_subjects UNION SELECT {who} FROM ({_OWN_DAYS})",
    )
    db.unregister("given_subjects")
    run(
        db,
        "CREATE OR REPLACE TEMP TABLE own_device AS SELECT DISTINCT source, token FROM touched WHERE token IS NOT NULL",
    )
    run(
        db,
        "CREATE OR REPLACE TEMP TABLE named_beside AS "
        f"SELECT * FROM touched UNION SELECT {who} FROM days d WHERE {_ON_OWN_DEVICE}",
    )
    if whose is not None:
        _look_up_records(db, "named_beside", whose)
    records = _RECORDS.format(rows="named_beside")
    return [str(one) for (one,) in db.sql(_NAMED_BESIDE.format(records=records)).fetchall()]


def _look_up_records(db: "duckdb.DuckDBPyConnection", rows: str, whose: Whose) -> None:
    """Add what is missing of the crosswalk of records that some rows name."""
    keys = db.sql(
        f"FROM ({_RECORDS.format(rows=rows)}) ANTI JOIN crosswalk USING (source, entity, record_id)"
    )
    _add(db, whose.of_records(keys.to_arrow_table()))


def _add(db: "duckdb.DuckDBPyConnection", crosswalk: pa.Table) -> None:
    db.register("looked_up", crosswalk)
    run(
        db,
        "INSERT INTO crosswalk BY NAME SELECT * FROM looked_up "
        "ANTI JOIN crosswalk USING (source, entity, record_id)",
    )
    db.unregister("looked_up")


def _own(
    db: "duckdb.DuckDBPyConnection",
    customers: Iterable[str],
    eras: Eras,
    whose: Whose | None,
    *,
    former: pa.Table | None = None,
    orders: pa.Table | None = None,
) -> None:
    ids = pa.array(sorted({str(one) for one in customers}), pa.string())
    db.register("asked", pa.table({"golden_id": ids}))
    run(db, "CREATE OR REPLACE TEMP TABLE wanted AS SELECT golden_id::UUID AS golden_id FROM asked")
    db.unregister("asked")
    if whose is not None:
        _add(db, whose.of_customers(ids))
    named = " UNION ".join(f"({numbers_of_sql(era.rules)})" for era in eras)
    for name, query in _OWN_NAMES.items():
        run(db, f"CREATE OR REPLACE TEMP TABLE {name} AS {query.format(named=named)}")
        if name == "own_party" and former is not None:
            db.register("former_parties", former)
            run(db, "INSERT INTO own_party BY NAME SELECT * FROM former_parties")
            db.unregister("former_parties")
    if orders is not None:
        db.register("changed_orders", orders)
        run(
            db,
            "INSERT INTO own_order SELECT DISTINCT said_by, order_id FROM changed_orders JOIN speaking USING (source)",
        )
        db.unregister("changed_orders")


_OWN_NAMES = {
    "own_party": """
        SELECT p.* FROM parties p
        SEMI JOIN (SELECT * FROM whose SEMI JOIN wanted USING (golden_id)) w USING (source, entity, record_id)""",
    "speaking": """
        SELECT said_by, source FROM ({named}) UNION SELECT source, source FROM parties
        UNION SELECT source, source FROM party_orders UNION SELECT source, source FROM own_party""",
    "own_number": "SELECT DISTINCT said_by AS source, record_id FROM own_party JOIN speaking USING (source)",
    "own_order": """
        SELECT DISTINCT said_by AS source, order_id FROM party_orders o JOIN speaking USING (source)
        SEMI JOIN own_party p
             ON p.source = o.source AND p.entity = o.party_entity AND p.record_id = o.party_record_id""",
}
_OWN_DAYS = """
SELECT d.* FROM days d
WHERE EXISTS (SELECT 1 FROM own_number x WHERE x.source = d.source AND x.record_id = d.party_id)
   OR EXISTS (SELECT 1 FROM own_order x WHERE x.source = d.source AND x.order_id = d.order_id)
   OR d.party_email IN (SELECT email FROM own_party WHERE email IS NOT NULL)
   OR d.party_phone IN (SELECT phone FROM own_party WHERE phone IS NOT NULL)
   OR d.party_phone IN (SELECT mobile FROM own_party WHERE mobile IS NOT NULL)
"""
_ON_OWN_DEVICE = "EXISTS (SELECT 1 FROM own_device x WHERE x.source = d.source AND x.token = d.token)"
# Party records that some rows name.
_RECORDS = """
SELECT p.source, p.entity, p.record_id FROM parties p JOIN speaking USING (source)
SEMI JOIN {rows} n ON n.source = said_by AND n.party_id = p.record_id
UNION
SELECT o.source, party_entity AS entity, party_record_id AS record_id FROM party_orders o JOIN speaking USING (source)
SEMI JOIN {rows} n ON n.source = said_by AND n.order_id = o.order_id
UNION
SELECT source, entity, record_id FROM parties SEMI JOIN {rows} n ON n.party_email = email
UNION
SELECT source, entity, record_id FROM parties SEMI JOIN {rows} n ON n.party_phone = phone
UNION
SELECT source, entity, record_id FROM parties SEMI JOIN {rows} n ON n.party_phone = mobile
"""
_NAMED_BESIDE = """
WITH records AS ({records})
SELECT golden_id::VARCHAR AS one FROM whose JOIN records USING (source, entity, record_id)
UNION SELECT golden_id::VARCHAR FROM wanted ORDER BY one
"""


def run(db: "duckdb.DuckDBPyConnection", statement: str) -> None:
    """Run a statement to its end; the database refuses another one before."""
    db.execute(statement).fetchall()
