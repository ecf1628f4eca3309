"""The view ``profile.customer``: golden customers joined with the tables of the profile.

Belongs here: its columns and comments, and making it anew where they are others. Does not belong here: the tables
(``profile``).
"""

from collections.abc import Sequence
from hashlib import sha256

from sqlalchemy import Connection, Text, inspect, text

from cdm_pipelines.contracts.profile import ProfileTable
from cdm_pipelines.hub.load import without_data
from cdm_pipelines.hub.schema import column

SCHEMA, VIEW = "profile", "customer"


def make_view(connection: Connection, declared: Sequence[ProfileTable]) -> None:
    """Make ``profile.customer`` anew where it is another one: golden customers, and the columns of each wide table."""
    golden = [one["name"] for one in inspect(connection).get_columns("customer", schema="golden")]
    columns = [(f'c."{name}"', name, "") for name in golden]
    joins = []
    for one in (one for one in declared if one.wide):
        joins.append(f'LEFT JOIN {SCHEMA}."{one.name}" ON "{one.name}".golden_id = c.golden_id')
        privacy = {output.name: output.privacy for output in one.columns}
        for output in one.columns:
            comment = column(output.name, Text, output.description, output.privacy).comment
            columns.append((f'"{one.name}"."{output.name}"', f"{one.name}_{output.name}", comment or ""))
        for age in one.ages:
            comment = column(age.name, Text, age.description, privacy[age.of]).comment
            days = f'(CURRENT_DATE - "{one.name}"."{age.of}"::date)'
            columns.append((days, f"{one.name}_{age.name}", comment or ""))
    selected = ",\n  ".join(f'{value} AS "{name}"' for value, name, _ in columns)
    made = f"SELECT {selected}\nFROM golden.customer AS c\n" + "\n".join(joins)
    remembered = f"One row per golden customer with all that the profile says. Made as {_digest(made)}."
    there = connection.scalar(text("SELECT obj_description(to_regclass('profile.customer'), 'pg_class')"))
    if there == remembered:
        return
    try:
        with connection.begin_nested():
            connection.execute(text(f"CREATE OR REPLACE VIEW {SCHEMA}.{VIEW} AS {made}"))
    except Exception:
        with without_data("making the view profile.customer anew"):
            connection.execute(text(f"DROP VIEW IF EXISTS {SCHEMA}.{VIEW}"))
            connection.execute(text(f"CREATE VIEW {SCHEMA}.{VIEW} AS {made}"))
    connection.execute(text(f"COMMENT ON VIEW {SCHEMA}.{VIEW} IS {_quoted(remembered)}"))
    for _, name, comment in columns:
        if comment:
            connection.execute(text(f'COMMENT ON COLUMN {SCHEMA}.{VIEW}."{name}" IS {_quoted(comment)}'))


def _digest(sql: str) -> str:
    return sha256(sql.encode()).hexdigest()[:16]


def _quoted(words: str) -> str:
    escaped = words.replace("'", "''")
    return f"'{escaped}'"
