"""Reaching the hub: a server of the user's own, or else the embedded one.

Belongs here: URLs, the engine, and what is said when the database cannot be reached. Does not belong here: starting
a server (``hub.server``), the schema (``hub.schema``, ``hub.migrate``).
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError
from sqlalchemy.schema import CreateSchema

from cdm_pipelines.faults import database_fault
from cdm_pipelines.hub.binaries import OLDEST
from cdm_pipelines.hub.errors import HubAwayError, HubError
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
            url,
            pool_pre_ping=True,
            hide_parameters=True,  # an error's text is not told, and yet: rows are people
            connect_args={"application_name": "cdm_pipelines", "connect_timeout": 10},
        )
        quiet_pool(engine)
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
    unreadable = (
        "CDM_DATABASE_URL cannot be read: use postgresql://user:password@host:5432/database, with special "
        "characters of the password percent-encoded (@ is %40, / is %2F, : is %3A)."
    )
    try:
        url = make_url(given).set(drivername=DRIVER)
    except (ArgumentError, ValueError):
        raise HubError(unreadable) from None
    if server is None and "@" in f"{url.host}{url.database}":  # the rest of a password
        raise HubError(unreadable)
    return url


class _OneLine(logging.Filter):
    """Leaves out the traceback of a connection that was lost: who needed it says so."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is worth a line."""
        return record.exc_info is None


_ONE_LINE = _OneLine()


def quiet_pool(engine: Engine) -> None:
    """Have the pool of an engine not log tracebacks of its own; asked twice, it does so once."""
    logger = logging.getLogger(f"{type(engine.pool).__module__}.{type(engine.pool).__name__}")
    logger.addFilter(_ONE_LINE)


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
            except ProgrammingError:
                raise HubError(
                    f"The schema {DAGSTER_SCHEMA} for Dagster's storage cannot be made: the user lacks the right. Let "
                    "the database's owner run CREATE SCHEMA dagster AUTHORIZATION and the name of your user."
                ) from None
    url = database_url(settings).set(drivername="postgresql")
    options = url.query.get("options", "")
    given = options if isinstance(options, str) else " ".join(options)
    # Dagster commits once per event. On a server of our own it need not wait for the disk each time: at worst a
    # crash of the machine forgets the last moments of a run's log, never anything of the hub.
    hurry = "" if settings.database_url else "-csynchronous_commit=off"
    own = url.update_query_dict({"options": f"{given} -csearch_path={DAGSTER_SCHEMA} {hurry}".strip()})
    return in_full(own)


def in_full(url: URL) -> str:
    """A URL with its password, as PostgreSQL's own library reads it too: there ``+`` is itself, and a blank ``%20``.

    SQLAlchemy writes blanks of the query as ``+``, and blanks and ``+`` of user and password as they are.
    """
    place, mark, query = url.render_as_string(hide_password=False).partition("?")
    return f"{place.replace(' ', '%20')}{mark}{query.replace('+', '%20')}"


_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


def _place(url: URL) -> str:
    """Host, port and database as far as they are plain names: nothing that could be a part of a password."""
    parts = [text if text and _PLAIN.fullmatch(text) else "…" for text in (url.host, url.database)]
    host = parts[0] if url.host else "on this machine"
    return f"{host}{f':{url.port}' if url.port and url.host else ''}/{parts[1]}"


def _check(engine: Engine) -> None:
    """Connect once, so that what is wrong is said here and not in the middle of a run."""
    place = _place(engine.url)
    try:
        with engine.connect() as connection:
            version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    except (DBAPIError, UnicodeError) as error:
        fault = database_fault(error)
        kind = HubAwayError if fault is not None and fault.passes else HubError
        raise kind(
            f"The database {place} cannot be reached: {fault or type(error).__name__} Check CDM_DATABASE_URL."
        ) from None
    if version < OLDEST * 10_000:
        raise HubError(
            f"The database {place} is PostgreSQL {version // 10_000}; version {OLDEST} or later is needed."
        )
