"""Whom and which statements a change of consent concerns, so that the others need not be looked at.

Belongs here: closing a set of customers over the addresses that they share. Does not belong here: the rules of consent,
or what has changed
(steps.consent.staging).

Consent of a customer depends on its own records and statements, and on who else has its addresses. A set of customers
that is closed over shared addresses, with all statements about them, therefore has the outcome that it has among all.
"""

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from cdm_pipelines.privacy.consent import STATEMENTS

KEY = ("source", "entity", "record_id")


@dataclass(frozen=True)
class Concerned:
    """A part of all customers that can be worked out by itself.

    Attributes:
        customers: Their golden ids.
        statements: ``STATEMENTS``: those about them, and those that are asked for and nobody's.
        records: Their records.
        contacts: What those can be reached by.
    """

    customers: pa.Array
    statements: pa.Table
    records: pa.Table
    contacts: pa.Table


def concerned(
    statements: pa.Table, records: pa.Table, contacts: pa.Table, *, customers: pa.Array, asked: pa.Table
) -> Concerned:
    """Close a set of customers and statements.

    Args:
        statements: ``STATEMENTS`` of all.
        records: ``RECORDS`` of all.
        contacts: ``CONTACTS`` of all.
        customers: Golden ids to begin with.
        asked: Keys of statements that are to be worked out whoever they are about.
    """
    with duckdb.connect(config={"python_enable_replacements": False, "temp_directory": ""}) as db:
        given = {"statement": statements, "record": records, "contact": contacts, "asked": asked.select(KEY)}
        for name, table in given.items():
            db.register(name, table)
        db.register("given", pa.table({"golden_id": customers.cast(pa.string())}))
        for step in _SQL:
            db.execute(step)
        grown = True
        while grown:
            before = _count(db)
            db.execute(_GROW)
            grown = _count(db) > before
        db.execute(_CHOSEN)
        columns = ", ".join(f'"{name}"' for name in STATEMENTS.names)
        ids = db.sql("SELECT golden_id FROM closed ORDER BY 1").to_arrow_table()["golden_id"].combine_chunks()
        return Concerned(
            ids,
            db.sql(f"SELECT {columns} FROM chosen").to_arrow_table().cast(STATEMENTS),
            db.sql("SELECT * FROM record WHERE golden_id IN (SELECT golden_id FROM closed)").to_arrow_table(),
            db.sql("SELECT contact.* FROM contact SEMI JOIN own USING (party)").to_arrow_table(),
        )


def _count(db: duckdb.DuckDBPyConnection) -> int:
    (found,) = db.execute("SELECT count(*) FROM closed").fetchone() or (0,)
    return int(found)


_NAMED = """SELECT 'email' AS kind, party_email AS value FROM {of} WHERE party_email IS NOT NULL
    UNION SELECT 'phone', party_phone FROM {of} WHERE party_phone IS NOT NULL
    UNION SELECT 'token', token FROM {of} WHERE token IS NOT NULL"""
_SQL = (
    f"""CREATE TEMP TABLE reach AS SELECT DISTINCT golden_id, kind, value FROM contact JOIN record USING (party)
    SEMI JOIN ({_NAMED.format(of="statement")}) USING (kind, value)""",
    "CREATE TEMP TABLE wanted AS SELECT statement.* FROM statement SEMI JOIN asked USING (source, entity, record_id)",
    f"""CREATE TEMP TABLE closed AS
    SELECT golden_id FROM given
    UNION SELECT golden_id FROM wanted JOIN record USING (party)
    UNION SELECT golden_id FROM ({_NAMED.format(of="wanted")}) JOIN reach USING (kind, value)""",
)
_GROW = """INSERT INTO closed
    SELECT DISTINCT other.golden_id FROM closed JOIN reach USING (golden_id) JOIN reach AS other USING (kind, value)
    ANTI JOIN closed AS known ON known.golden_id = other.golden_id"""
_CHOSEN = """
    CREATE TEMP TABLE own AS SELECT DISTINCT party FROM record SEMI JOIN closed USING (golden_id);
    CREATE TEMP TABLE theirs AS SELECT DISTINCT kind, value FROM reach SEMI JOIN closed USING (golden_id);
    CREATE TEMP VIEW mailed AS SELECT * FROM statement ANTI JOIN record USING (party);
    CREATE TEMP VIEW called AS SELECT * FROM mailed ANTI JOIN reach ON kind = 'email' AND value = party_email;
    CREATE TEMP VIEW browsed AS SELECT * FROM called ANTI JOIN reach ON kind = 'phone' AND value = party_phone;
    CREATE TEMP TABLE chosen AS
    SELECT * FROM statement WHERE party IN (SELECT party FROM own)
    UNION SELECT * FROM wanted
    UNION SELECT mailed.* FROM mailed SEMI JOIN theirs ON kind = 'email' AND value = party_email
    UNION SELECT called.* FROM called SEMI JOIN theirs ON kind = 'phone' AND value = party_phone
    UNION SELECT browsed.* FROM browsed SEMI JOIN theirs ON kind = 'token' AND value = token"""
