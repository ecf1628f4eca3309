"""A console on a real port, for as long as a test asks it.

Belongs here: starting and stopping the server. Does not belong here: what is served, what is tried.
"""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from cdm_pipelines.console.server import config_of


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(app: ASGIApp, port: int, proxies: Sequence[str] = ()) -> Iterator[None]:
    """Serve an application, from the moment that it answers."""
    server = uvicorn.Server(config_of(app, "127.0.0.1", port, proxies))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield
    finally:  # a test that failed would wait for the thread else
        server.should_exit = True
        thread.join(30)
