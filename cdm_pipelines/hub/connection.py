"""Reaching the hub: a server of the user's own, or else the embedded one.

Belongs here: URLs, the engine, and what is said when the database cannot be reached. Does not belong here: starting
a server (``hub.server``), the schema (``hub.schema``, ``hub.migrate``).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError
from sqlalchemy.schema import CreateSchema

from cdm_pipelines.hub.binaries import OLDEST
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.hub.unfinished import refuse_half_restored
from cdm_pipelines.settings import Settings

DRIVER = "postgresql+psycopg"
DAGSTER_SCHEMA = "dagster"


@contextmanager
def open_hub(settings: Settings, *, restoring: bool = False) -> Iterator[Engine]:
    """Open the hub; the embedded server runs at least as long as the block.

    Args:
        settings: Where it is.
        restoring: Whether the caller ends a restore, for which alone a hub that is half restored is opened.

    Yields:
        An engine, whose connections are closed with the block.

    Raises:
        HubError: the database cannot be started or reached, is too old, or is half restored.
    """
    if not restoring:
        refuse_half_restored(settings.home)
    with served(settings):
        url = database_url(settings)
        engine = create_engine(
            url, pool_pre_ping=True, connect_args={"application_name": "cdm_pipelines", "connect_timeout": 10}
        )
        try:
            _check(engine)
            yield engine
        finally:
            engine.dispose()


@contextmanager
def served(settings: Settings) -> Iterator[None]:
    """Have a server in the block: the embedded one is started where none is configured; no connection is made."""
    server = embedded_server(settings)
    if server is None:
        yield
        return
    with server.running():
        yield


def embedded_server(settings: Settings) -> EmbeddedServer | None:
    """The embedded server of these settings; None when they name a server of the user's own."""
    if settings.database_url is not None:
        return None
    options: dict[str, str] = {"wal_level": settings.wal_level}
    if settings.wal_level != "minimal":
        options["max_wal_senders"] = "10"  # PostgreSQL's default: base backups and replicas
    if settings.archive_command:
        options |= {"archive_mode": "on", "archive_command": settings.archive_command}
    return EmbeddedServer(settings.home, programs=settings.postgres_bin, options=options)


def database_url(settings: Settings) -> URL:
    """The URL of the hub for SQLAlchemy, with the driver written out, however the user spelled it.

    Raises:
        HubError: the embedded server does not run (it does inside ``open_hub``), or the URL cannot be read.
    """
    server = embedded_server(settings)
    given = server.url() if server else ""
    if settings.database_url is not None:
        given = settings.database_url.get_secret_value()
    try:
        return make_url(given).set(drivername=DRIVER)
    except (ArgumentError, ValueError):
        raise HubError(
            "CDM_DATABASE_URL cannot be read: use postgresql://user:password@host:5432/database, with special "
            "characters of the password percent-encoded."
        ) from None


def dagster_url(settings: Settings) -> str:
    """The URL for Dagster's own storage: a schema of its own in the hub's database, which is made when missing.

    It holds the password, and is meant for the environment of Dagster's processes.

    Raises:
        HubError: as ``open_hub``.
    """
    with open_hub(settings) as engine, engine.begin() as connection:
        exists = text("SELECT FROM pg_namespace WHERE nspname = :name")
        if connection.execute(exists, {"name": DAGSTER_SCHEMA}).first() is None:
            try:
                connection.execute(CreateSchema(DAGSTER_SCHEMA, if_not_exists=True))
            except ProgrammingError as error:
                raise HubError(
                    f"The schema {DAGSTER_SCHEMA} for Dagster's storage cannot be made: {error.orig}. Let the "
                    "database's owner run CREATE SCHEMA dagster AUTHORIZATION and the name of your user."
                ) from None
    url = database_url(settings).set(drivername="postgresql")
    options = url.query.get("options", "")
    given = options if isinstance(options, str) else " ".join(options)
    # Dagster commits once per event. On a server of our own it need not wait for the disk each time: at worst a
    # crash of the machine forgets the last moments of a run's log, never anything of the hub.
    hurry = "" if settings.database_url else "-csynchronous_commit=off"
    own = url.update_query_dict({"options": f"{given} -csearch_path={DAGSTER_SCHEMA} {hurry}".strip()})
    return own.render_as_string(hide_password=False).replace("+", "%20")


def _check(engine: Engine) -> None:
    """Connect once, so that what is wrong is said here and not in the middle of a run."""
    place = engine.url.set(query={}, password=None).render_as_string()
    try:
        with engine.connect() as connection:
            version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    except OperationalError as error:
        raise HubError(
            f"The database {place} cannot be reached: {str(error.orig).strip()}\nCheck CDM_DATABASE_URL, and that "
            "the server is up and lets this machine and user in."
        ) from None
    if version < OLDEST * 10_000:
        raise HubError(
            f"The database {place} is PostgreSQL {version // 10_000}; version {OLDEST} or later is needed."
        )
