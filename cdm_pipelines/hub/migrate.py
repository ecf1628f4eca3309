"""Bring the hub's schema to the version of this code.

Belongs here: applying, inspecting and writing migrations. Does not belong here: the schema (``hub.schema``),
the steps (``hub.migrations.versions``), Dagster's own tables (Dagster migrates those).

The version is kept in a schema of its own, so that the schemas which departments read hold only their tables.
Every command goes through here: Alembic, which takes a third of a second to load, is loaded where there is work for it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.schema import CreateSchema

from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.role_schemas import drop_views
from cdm_pipelines.settings import load_settings

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

VERSION_SCHEMA = "migration"
VERSION_TABLE = "hub_version"
VERSIONS = Path(__file__).with_name("migrations") / "versions"
_LOCK = 0x63646D  # "cdm": the key of the advisory lock under which one process at a time migrates


def migrate(
    engine: Engine, folder: Path = VERSIONS, then: Callable[[Connection], object] = lambda _: None
) -> bool:
    """Bring the hub to the newest version; does nothing when it is there already.

    Views of roles go before the first step, which may change what they read: whoever migrates makes them anew
    (``steps.privacy.migrated``).

    Safe to call from several processes at once: one migrates, the others wait and find the work done. All
    steps, and what follows them, run in one transaction, so a failure leaves the database as it was.

    Args:
        engine: Of the hub.
        folder: Of migrations beside the project's own.
        then: Done after the last step, where there was one.

    Returns:
        Whether there was anything to do.

    Raises:
        HubError: the database was made by a newer version of this project.
    """
    with _exclusive(engine) as connection:
        current, known = version(connection), _known(folder)
        if current == max(known):
            return False
        if current is not None and current not in known:
            raise HubError(
                f"The hub is at version {current}, which this installation of cdm_pipelines does not know "
                f"(its newest is {max(known)}). Install the version that made the hub, or a "
                "newer one, or name another database in CDM_DATABASE_URL."
            )
        from alembic import command  # noqa: PLC0415 - see above

        drop_views(connection)
        command.upgrade(_config(connection, folder), "head")
        then(connection)
        return True


def knows(revision: str, folder: Path = VERSIONS) -> bool:
    """Whether this release can bring a hub of that version to its own."""
    return revision in _known(folder)


def _known(folder: Path = VERSIONS) -> set[str]:
    """All versions that there is a step to, by the names of their files."""
    files = (path for one in {VERSIONS, folder} for path in one.glob("v*.py"))
    return {path.name.partition("_")[0].removeprefix("v") for path in files}


def version(connection: Connection) -> str | None:
    """The version that the hub is at, or None before its first migration."""
    table = f"{VERSION_SCHEMA}.{VERSION_TABLE}"
    if connection.scalar(text("SELECT to_regclass(:table)"), {"table": table}) is None:
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {table}"))  # noqa: S608 - our own names
    return found


def newest() -> str:
    """The version to which this release brings a hub."""
    return max(_known())


def differences(engine: Engine) -> list[Any]:
    """What ``hub.schema`` declares and the migrated database lacks, or the other way round; empty when equal.

    Each difference is Alembic's own description of it. A test keeps this empty, so that a change of the
    schema cannot be committed without its migration.
    """
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - see above
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    found: list[Any] = []

    def compare(_revision: object, context: "MigrationContext") -> list[Any]:
        metadata = context.opts["target_metadata"]
        found.extend(compare_metadata(context, metadata))
        return []

    with _exclusive(engine) as connection:
        config = _config(connection)
        script = ScriptDirectory.from_config(config)
        with EnvironmentContext(config, script, fn=compare):
            script.run_env()
    return found


def write_revision(engine: Engine, message: str, folder: Path = VERSIONS) -> Path:
    """Write the next migration from the differences between a migrated database and ``hub.schema``.

    To be read and completed by a person before it is committed: a renamed column, for one, looks like a
    dropped and an added one. On the command line: ``make migration NAME="What it does"``.
    """
    from alembic import command  # noqa: PLC0415 - see above

    with _exclusive(engine) as connection:
        config = _config(connection, folder)
        number = f"{max(map(int, _known(folder)), default=0) + 1:04d}"
        if find_spec("ruff"):  # part of the development environment
            _formatted_by_ruff(config)
        command.revision(config, message, autogenerate=True, rev_id=number, version_path=str(folder))
    return next(folder.glob(f"v{number}_*.py"))


def _formatted_by_ruff(config: "Config") -> None:
    """Lay out what is written as the project does."""
    config.set_section_option("post_write_hooks", "hooks", "order,layout")
    for hook, options in (("order", "check --select I --fix"), ("layout", "format")):
        for name, value in (
            ("type", "module"),
            ("module", "ruff"),
            ("options", f"{options} --quiet REVISION_SCRIPT_FILENAME"),
        ):
            config.set_section_option("post_write_hooks", f"{hook}.{name}", value)


def _config(connection: Connection, folder: Path = VERSIONS) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - see above

    options = {
        "script_location": VERSIONS.parent,
        "version_locations": VERSIONS if folder == VERSIONS else f"{VERSIONS}\n{folder}",
        "path_separator": "newline",
        "file_template": "v%(rev)s_%(slug)s",
    }
    config = Config(config_args={name: str(value).replace("%", "%%") for name, value in options.items()})
    config.attributes["connection"] = connection
    return config


@contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    """One transaction in which no other process migrates."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(CreateSchema(VERSION_SCHEMA, if_not_exists=True))
        yield connection


def main(arguments: list[str], folder: Path = VERSIONS) -> int:
    """Write a migration against the hub of the settings: what a change of ``hub.schema`` ends with."""
    if len(arguments) != 1 or not arguments[0].strip():
        sys.stderr.write('usage: make migration NAME="What the migration does"\n')
        return 2
    with open_hub(load_settings()) as engine:
        migrate(engine, folder)
        if not differences(engine):
            sys.stderr.write("hub.schema and the migrations agree: there is nothing to write.\n")
            return 1
        sys.stdout.write(f"{write_revision(engine, arguments[0], folder)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
