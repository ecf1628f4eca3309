"""Serving the console: the process, its port, and the links by which somebody signs in on this machine.

Belongs here: uvicorn, and what is printed. Does not belong here: the application (``app``).
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from urllib.parse import urlsplit

import uvicorn
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from cdm_pipelines.console.app import console
from cdm_pipelines.console.errors import AwayError, ConsoleError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.signin import LINK_LASTS
from cdm_pipelines.hub import console as hub
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.privacy.access import apply, group_of

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LOOK_SECONDS, _LOOKS = 5, 3
_AT_A_TIME = 400


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


def serve(house: House, host: str, port: int, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until the process is told to end.

    Raises:
        ConsoleError: Links may sign in on this machine alone, and another address was named.
    """
    if house.local and host not in LOOPBACK:
        raise ConsoleError("Links sign in on this machine alone: leave --host out, or set up a provider.")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    Thread(target=_load, args=(house,), name="linkage", daemon=True).start()
    _Server(config_of(console(house), host, port), ready).run()


def _load(house: House) -> None:
    """Have the linkage in memory before the first program asks."""
    with suppress(AwayError):
        house.matching.current()


def config_of(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    """How an application is served."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Patient,
        log_level="warning",
        access_log=False,  # a path holds ids, and a query what somebody looked for
        server_header=False,
        timeout_keep_alive=_LOOKS * _LOOK_SECONDS,
        limit_concurrency=_AT_A_TIME,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=32_768,
    )


class Patient(H11Protocol):
    """HTTP/1.1 that lets go of clients who begin a request and do not go on: each would hold a connection for ever."""

    _quiet = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at it."""
        super().connection_made(transport)
        self.loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        self._quiet = 0 if busy else self._quiet + 1
        if self._quiet < _LOOKS and not self.transport.is_closing():
            self.loop.call_later(_LOOK_SECONDS, self._look)
        else:
            self.transport.close()


class _Server(uvicorn.Server):
    """A server that tells when its port answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Open the port, then tell."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            self._ready()


def port_of(settings: Settings) -> int:
    """The port at which browsers reach the console, where none is named."""
    parts = urlsplit(settings.console_url)
    return parts.port or (443 if parts.scheme == "https" else 80)
