"""What Alembic runs for every command: the connection and the part of the database that is ours.

Belongs here: how migrations meet the database. Does not belong here: the steps themselves (``versions``).
"""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Column, Connection

from cdm_pipelines.hub.every_table import every_table
from cdm_pipelines.hub.migrate import VERSION_SCHEMA, VERSION_TABLE
from cdm_pipelines.hub.migrations.columns import spelled

metadata = every_table()
_OURS = frozenset(table.schema for table in metadata.tables.values())


def _is_ours(name: str | None, type_: str, _parents: Any) -> bool:
    """Look at the schemas that ``hub.schema`` declares and at no other (Dagster's lives beside them)."""
    return type_ != "schema" or name in _OURS


def _short(_type: str, item: Any, autogenerating: AutogenContext) -> str | Literal[False]:
    """A column in one line; everything else as Alembic writes it."""
    text = spelled(item) if isinstance(item, Column) else None
    if text is None:
        return False
    autogenerating.imports.add("from cdm_pipelines.hub.migrations.columns import column")
    return text


def _run() -> None:
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        version_table_schema=VERSION_SCHEMA,
        include_schemas=True,
        include_name=_is_ours,
        compare_type=True,
        compare_server_default=True,
        render_item=_short,
    )
    context.run_migrations()


_run()
