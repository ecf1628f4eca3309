"""What the hub's tables need after much of them was written: the space of dead rows back, and what is visible to all.

Belongs here: which tables are due, VACUUM, and the end of the log of before. Does not belong here: publishing.

PostgreSQL's autovacuum looks at them once a minute while the server runs. The embedded server may run for the length of
one command only, and the next reader would do that work row by row.
"""

from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.load import without_data

_DUE = """
    SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables
    WHERE schemaname IN ('golden', 'identity', 'ops', 'privacy', 'dagster')
    AND greatest(n_ins_since_vacuum, n_dead_tup) > 1000 + 0.2 * n_live_tup
    ORDER BY 1"""  # autovacuum's own thresholds
_ANALYZED = """
    SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables
    WHERE schemaname IN ('golden', 'identity', 'ops', 'profile') ORDER BY 1"""


def vacuum(engine: Engine) -> list[str]:
    """Vacuum the tables that are due; returns their names.

    Raises:
        HubError: It failed, which harms nothing that is published.
    """
    with (
        without_data("tidying up after publication"),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        due = list(connection.execute(text(_DUE)).scalars())
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
    """Have the statistics of all tables made anew: they quote common values of columns, those of erased rows too."""
    with (
        without_data("making statistics anew"),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        for name in list(connection.execute(text(_ANALYZED)).scalars()):
            connection.execute(text(f"ANALYZE {name}"))
