"""What the hub's tables need after much of them was written: the space of dead rows back, and what is visible to all.

Belongs here: which tables are due, VACUUM, and the end of the log of before. Does not belong here: publishing.

PostgreSQL's autovacuum looks at them once a minute while the server runs. The embedded server may run for the length of
one command only, and the next reader would do that work row by row.
"""

from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from cdm_pipelines.hub.connection import DAGSTER_SCHEMA
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.load import without_data
from cdm_pipelines.hub.schema import SCHEMAS

_DUE = """
    SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables
    WHERE schemaname = ANY(:schemas)
    AND greatest(n_ins_since_vacuum, n_dead_tup) > 1000 + 0.2 * n_live_tup
    ORDER BY 1"""  # autovacuum's own thresholds
_OURS = """
    SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables
    WHERE schemaname = ANY(:schemas) ORDER BY 1"""
_LEFT_BEHIND = """
    SELECT pg_clear_attribute_stats(s.schemaname::text, s.tablename::text, s.attname::text, s.inherited)
    FROM pg_stats s, format('%I.%I', s.schemaname, s.tablename) AS name
    JOIN pg_attribute a ON a.attrelid = name::regclass
    WHERE a.attname = s.attname AND s.schemaname = ANY(:schemas)
    AND (a.attstattarget = 0 OR name = ANY(:empty)) AND has_table_privilege(name, 'MAINTAIN')"""


def vacuum(engine: Engine) -> list[str]:
    """Vacuum the tables that are due; returns their names.

    Raises:
        HubError: It failed, which harms nothing that is published.
    """
    with (
        without_data("tidying up after publication"),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        due = list(connection.scalars(text(_DUE), {"schemas": [*SCHEMAS, DAGSTER_SCHEMA]}))
        for name in due:
            connection.execute(text(f"VACUUM {name}"))
    return due


def tidy(engine: Engine) -> str:
    """Vacuum the tables that are due; what was written before stands whether or not that works.

    Returns:
        What went wrong and what it means, in words; empty when nothing did.
    """
    try:
        vacuum(engine)
    except HubError as error:
        return (
            f"{error} Everything that was written stands; tables may be slower to read until PostgreSQL tidies them up "
            "itself, or the next run does."
        )
    return ""


def checkpoint(engine: Engine) -> bool:
    """Have the server write all that changed to its tables, after which its log of before is written over in time.

    Returns:
        Whether it did: a user without that right leaves it to the server, which does it every few minutes
        (checkpoint_timeout) where anything was written.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.execute(text("CHECKPOINT"))
        except ProgrammingError:  # not a superuser, nor of pg_checkpoint
            return False
    return True


def analyze(engine: Engine) -> None:
    """Have the statistics of all tables of the hub made anew: they quote values of columns, those of erased rows too.

    ANALYZE leaves those of a table without rows as they were, and those of columns of which none are to be made;
    PostgreSQL 18 takes these away.
    """
    with (
        without_data("making statistics anew"),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        ours = list(connection.scalars(text(_OURS), {"schemas": list(SCHEMAS)}))
        for name in ours:
            connection.execute(text(f"ANALYZE {name}"))
        if connection.scalar(text("SELECT to_regproc('pg_clear_attribute_stats')")) is not None:
            rows = "SELECT EXISTS (SELECT FROM {})"
            empty = [name for name in ours if not connection.scalar(text(rows.format(name)))]
            connection.execute(text(_LEFT_BEHIND), {"schemas": list(SCHEMAS), "empty": empty})
