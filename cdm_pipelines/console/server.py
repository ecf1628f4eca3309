"""Serving the console: its processes, its port, and the links by which somebody signs in on this machine.

Belongs here: uvicorn, what each process does, and what is printed. Does not belong here: the application (``app``),
watching processes (``workers``).
"""

import asyncio
import gc
import logging
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from anyio import to_thread
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cdm_pipelines.console.app import console
from cdm_pipelines.console.counting import SharedCounts
from cdm_pipelines.console.crowd import AT_ONCE
from cdm_pipelines.console.errors import ConsoleError
from cdm_pipelines.console.guard import MOST_BYTES
from cdm_pipelines.console.house import House, Shared
from cdm_pipelines.console.matching import Held, held
from cdm_pipelines.console.metrics import Metrics, share
from cdm_pipelines.console.signin import LINK_LASTS
from cdm_pipelines.console.workers import Born, Workers
from cdm_pipelines.console.works import Works
from cdm_pipelines.hub import console as hub
from cdm_pipelines.linkage import LinkageError
from cdm_pipelines.parallel import cores
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.linking.match import NotReadyError
from cdm_pipelines.steps.privacy.access import apply, group_of
from cdm_pipelines.store.lake import Lake

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LOOK_SECONDS, _LOOKS = 5, 3
_AT_A_TIME = 400
_MOST_WORKERS = 4
_MOST_HEAD = 32_768
_NEW_OBJECTS = 10_000
"""After how many that were made, and are still there, garbage is looked for."""


def links(engine: Engine, settings: Settings, roles: list[str]) -> dict[str, str]:
    """One-time links that sign in on this machine, by role."""
    found = {}
    with engine.begin() as connection:
        for role in roles:
            secret = hub.begin_session(
                connection, hub.LINK, LINK_LASTS, who=f"local {role}", role=role, roles=[role]
            )
            found[role] = f"{settings.console_url}/sign-in/link/{secret}"
    return found


def prepare(engine: Engine, settings: Settings) -> list[str]:
    """Make what roles see, and let the pipeline's user act in them; returns what an administrator has to do."""
    todo = []
    with engine.begin() as connection:
        todo += [step.finding for step in apply(connection, settings)]
    house = House(settings, engine)
    for name in house.sights.names:
        group = group_of(settings, name)
        try:
            with engine.begin() as connection:
                may = connection.scalar(
                    text("SELECT pg_has_role(current_user, :group, 'MEMBER')"), {"group": group}
                )
                if not may:
                    connection.exec_driver_sql(f'GRANT "{group}" TO CURRENT_USER')
                connection.execute(text("SELECT set_config('role', :group, true)"), {"group": group})
        except DBAPIError:
            todo.append(f'the pipeline may not act in {group}: GRANT "{group}" TO its user')
    return todo


def serve(
    engine: Engine,
    settings: Settings,
    where: tuple[str, int],
    *,
    local: bool = False,
    workers: int | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until the process is told to end.

    Args:
        engine: Of the hub.
        settings: Of the deployment.
        where: Address and port.
        local: Whether one-time links sign in, on this machine alone.
        workers: Processes that answer; as the settings have it when left out.
        ready: Called once they answer.

    Raises:
        ConsoleError: Links may sign in on this machine alone, and another address was named; or the port cannot be
            used.
    """
    host, port = where
    if local and host not in LOOPBACK:
        raise ConsoleError("Links sign in on this machine alone: leave --host out, or set up a provider.")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    number = workers or settings.console_workers or min(_MOST_WORKERS, cores())
    with tempfile.TemporaryDirectory(prefix="cdm-console-") as folder:
        crew = _Crew(engine, settings, local, Path(folder))
        every = Workers(host, port, number, crew.answer, crew.work, crew.newer)
        try:
            every.run(ready)
        except OSError as error:
            raise ConsoleError(f"Port {port} of {host} cannot be used: {error.strerror}.") from None


class _Crew:
    """What the processes of a console do, and what they inherit."""

    def __init__(self, engine: Engine, settings: Settings, local: bool, folder: Path) -> None:
        self._engine, self._settings, self._local, self._folder = engine, settings, local, folder
        self._counts = SharedCounts()
        self._held: Held | None = None

    def newer(self) -> bool:
        """Load the linkage where another was published; returns whether it was."""
        before = self._held
        if before is not None and not before.matcher.stale(Lake(self._settings.lake_url)):
            return False  # what stewards decide is followed by the workers themselves
        try:
            self._held = held(self._engine, self._settings, before)
        except (NotReadyError, LinkageError):
            return False  # whoever asks is told what to run
        finally:
            self._engine.dispose()  # a connection is nobody's who is forked
        return True

    def answer(self, born: Born) -> None:
        """Be one of those that answer."""
        share(self._folder, born.number)
        house = House(self._settings, self._engine, self._local, Shared(self._counts, self._held))
        app = console(house, Metrics(self._folder))
        gc.freeze()  # what serves is no garbage, and an answer makes hardly any: it is looked for less often
        gc.set_threshold(_NEW_OBJECTS)
        _Server(config_of(app, "", 0, self._settings.console_proxies), born).run(
            [born.socket] if born.socket else None
        )

    def work(self, born: Born) -> None:
        """Be the one that works through what is asked for."""
        beside = create_engine(self._engine.url, poolclass=NullPool, hide_parameters=True)
        Works(self._settings, beside).go_on(lambda: born.is_orphan)


def config_of(app: ASGIApp, host: str, port: int, proxies: Sequence[str] = ()) -> uvicorn.Config:
    """How an application is served; ``proxies`` are believed when they say where a request comes from."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Patient,
        log_level="warning",
        access_log=False,  # a path holds ids, and a query what somebody looked for
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=[*proxies],
        timeout_keep_alive=_LOOKS * _LOOK_SECONDS,
        limit_concurrency=_AT_A_TIME,
        timeout_graceful_shutdown=5,
    )


class Patient(HttpToolsProtocol):
    """HTTP/1.1 that lets go of clients who begin a request and do not go on: each would hold a connection for ever."""

    _quiet = 0
    _head = 0  # bytes of a request whose headers are not whole

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at it."""
        super().connection_made(transport)
        self.loop.call_later(_LOOK_SECONDS, self._look)

    def data_received(self, data: bytes) -> None:
        """Read on, unless headers do not end; nor does what follows an answer that came before the end of a body."""
        body = self.cycle is not None and self.cycle.more_body
        self._head += 0 if body and not self.cycle.response_complete else len(data)
        super().data_received(data)
        most = _MOST_HEAD + (MOST_BYTES if body else 0)
        if self._head > most and not self.transport.is_closing():
            self.send_400_response("The headers are too long.")

    def on_headers_complete(self) -> None:
        """What comes from here on is no header."""
        self._head = 0
        super().on_headers_complete()

    def _look(self) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        self._quiet = 0 if busy else self._quiet + 1
        if self._quiet < _LOOKS and not self.transport.is_closing():
            self.loop.call_later(_LOOK_SECONDS, self._look)
        else:
            self.transport.close()


class _Server(uvicorn.Server):
    """A server that tells when its port answers, and ends when nobody watches it any more."""

    def __init__(self, config: uvicorn.Config, born: Born) -> None:
        super().__init__(config)
        self._born = born

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port, then tell."""
        to_thread.current_default_thread_limiter().total_tokens = AT_ONCE
        asyncio.get_running_loop().add_reader(self._born.alive, self._end)
        await super().startup(sockets)
        if self.started:
            self._born.tell_ready()

    def _end(self) -> None:
        self.should_exit = True


def port_of(settings: Settings) -> int:
    """The port at which browsers reach the console, where none is named."""
    parts = urlsplit(settings.console_url)
    return parts.port or (443 if parts.scheme == "https" else 80)
