"""Dagster's storage in the hub's database, for every Dagster program alike.

Belongs here: the class that ``dagster.yaml`` names. With it, programs that know nothing of this project (``dg list
defs``, ``dagster dev``) find or start the same database as ``cdm`` does, with no variable set.

Dagster makes an instance, and with it a storage, for every evaluation of a sensor or schedule, keeps parts of the
storage and drops the whole. So what a storage opens belongs to the process, not to the storage: one pool of
connections for all instances of a process, and one use of the embedded server.
"""

import atexit
import os
import select
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Self

from dagster import DagsterInstance, EventLogEntry
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import AssetKeyTable
from dagster._core.storage.sql import create_engine
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

from cdm_pipelines.components import one_line
from cdm_pipelines.hub.connection import dagster_url, quiet_pool, served
from cdm_pipelines.settings import Settings, load_settings

KEPT_CONNECTIONS = 2
"""Open while nothing is asked; keeping them saves a new one per event."""
MOST_CONNECTIONS = 20
"""Of one process, at its busiest."""
RECYCLE_SECONDS = 3_600
IDLE_SECONDS = 10.0
"""A connection that rested longer is asked whether it lives; of one that rested less, its socket tells."""
STATEMENT_TIMEOUT = "60s"


class _Process:
    """What all storages of this process share, by the database's URL."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._opened = ExitStack()
        self._engines: dict[str, Engine] = {}

    def engine(self, settings: Settings) -> tuple[str, Engine, bool]:
        """URL and pool of Dagster's database, and whether this is the first time that the process asks for it."""
        with self._guard:
            place = f"{settings.home} {settings.database_url and settings.database_url.get_secret_value()}"
            if place in self._engines:
                engine = self._engines[place]
                return engine.url.render_as_string(hide_password=False), engine, False
            one_line.install()
            self._opened.enter_context(served(settings))
            url = dagster_url(settings)
            engine = self._engines[place] = _pool(url)
            self._opened.callback(engine.dispose)
            return url, engine, True

    def close(self) -> None:
        """Close the pools and let go of the server."""
        self._opened.close()

    def forget(self) -> None:
        """In a forked child: connections are the parent's, which it must not use nor close."""
        for engine in self._engines.values():
            engine.dispose(close=False)
        self.__init__()  # type: ignore[misc]


_PROCESS = _Process()
atexit.register(_PROCESS.close)
os.register_at_fork(after_in_child=_PROCESS.forget)


def _pool(url: str) -> Engine:
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        pool_size=KEPT_CONNECTIONS,
        max_overflow=MOST_CONNECTIONS - KEPT_CONNECTIONS,
        pool_recycle=RECYCLE_SECONDS,
    )
    quiet_pool(engine)
    _find_again(engine)

    @event.listens_for(engine, "connect")
    def _limit(connection: Any, _: object) -> None:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)", [STATEMENT_TIMEOUT])

    return engine


def _find_again(engine: Engine) -> None:
    """A database that was away for a while is found again, not an error per kept connection.

    ``pool_pre_ping`` asks before every statement, and so makes two of each. A server that stops says so, or closes:
    there is something to read where nobody asked anything. Only a connection that rested long is asked.
    """

    @event.listens_for(engine, "checkin")
    def _rests(_: object, record: Any) -> None:
        record.info["since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _lives(connection: Any, record: Any, _: object) -> None:
        since = record.info.pop("since", None)
        if since is None:  # it was opened this moment
            return
        try:
            if time.monotonic() - since > IDLE_SECONDS or _has_news(connection):
                engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise InvalidatePoolError from None


def _has_news(connection: Any) -> bool:
    """Whether there is something to read on a connection that asked nothing: a farewell, or its end."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class _Shared:
    """A part of Dagster's storage on the pool of this process."""

    _engine: Engine

    def __init__(self, url: str, pool: Engine, *, first: bool) -> None:
        # Its own engine keeps no connection; only the first of a process looks whether the tables are there.
        super().__init__(url, should_autocreate_tables=first)  # type: ignore[call-arg]
        self._engine = pool

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Nothing: every process has what the web server asks for here."""


class HubRuns(_Shared, PostgresRunStorage):
    """Runs, in the hub's database."""

    _has_run_stats = False

    def has_run_stats_index_cols(self) -> bool:
        """Whether runs have the columns of their start and end; what is there stays, and is looked for once."""
        self._has_run_stats = self._has_run_stats or super().has_run_stats_index_cols()
        return self._has_run_stats


class HubEvents(_Shared, PostgresEventLogStorage):
    """Events of runs, in the hub's database.

    Dagster asks PostgreSQL's catalogue for its own tables and columns at each event of an asset or a check. What is
    there stays, and is looked for once.
    """

    def __init__(self, url: str, pool: Engine, *, first: bool) -> None:
        self._there: set[str] = set()
        super().__init__(url, pool, first=first)

    def has_table(self, table_name: str) -> bool:
        """Whether there is a table."""
        if table_name in self._there or super().has_table(table_name):
            self._there.add(table_name)
        return table_name in self._there

    def has_asset_key_col(self, column_name: str) -> bool:
        """Whether the table of assets has a column."""
        name = f"{AssetKeyTable.name}.{column_name}"
        if name in self._there or super().has_asset_key_col(column_name):
            self._there.add(name)
        return name in self._there

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event as Dagster does in any database: without NOTIFY, to which nobody listens any more."""
        SqlEventLogStorage.store_event(self, event)


class HubSchedules(_Shared, PostgresScheduleStorage):
    """Ticks of schedules and sensors, in the hub's database."""


class HubStorage(DagsterStorage[DagsterInstance], ConfigurableClass):
    """dagster-postgres on the hub; the embedded server runs as long as a process that made one lives."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        url, pool, first = _PROCESS.engine(load_settings())
        self._runs = HubRuns(url, pool, first=first)
        self._events = HubEvents(url, pool, first=first)
        self._schedules = HubSchedules(url, pool, first=first)
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """How Dagster makes this storage again in another process."""
        return self._inst_data

    @property
    def run_storage(self) -> PostgresRunStorage:
        """Runs."""
        return self._runs

    @property
    def event_log_storage(self) -> PostgresEventLogStorage:
        """Events."""
        return self._events

    @property
    def schedule_storage(self) -> PostgresScheduleStorage:
        """Ticks."""
        return self._schedules

    @property
    def run_storage_data(self) -> ConfigurableClassData | None:
        """None: the parts are never made without the whole."""
        return None

    @property
    def event_storage_data(self) -> ConfigurableClassData | None:
        """None: the parts are never made without the whole."""
        return None

    @property
    def schedule_storage_data(self) -> ConfigurableClassData | None:
        """None: the parts are never made without the whole."""
        return None

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure: the settings say where the hub is."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Open the storage; ``config_value`` is empty."""
        del config_value
        return cls(inst_data)
