"""A receiver of webhooks, for the tests of audiences: it knows events by their ids, and by them who is in one."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

_VARIABLE = "AUDIENCE_SECRET"


@dataclass
class Receiver:
    """Takes what it is sent, or answers 500 or 410.

    Attributes:
        url: Its address.
        down: Whether it takes nothing.
        takes: How many events it takes before it is down; None for all.
        gone: Whether it wants no more.
        taken: Events that it took.
        members: Golden ids that are in the audience for it.
    """

    url: str = ""
    down: bool = False
    takes: int | None = None
    gone: bool = False
    taken: list[dict[str, Any]] = field(default_factory=list)
    members: set[str] = field(default_factory=set)

    @property
    def webhook(self) -> dict[str, Any]:
        """How a target declares it."""
        return {"kind": "webhook", "url": self.url, "secret_variable": _VARIABLE, "attempts": 1}

    def take(self, body: bytes) -> int:
        """What it answers; an event that it took before it takes for done."""
        if self.gone:
            return 410
        if self.down or self.takes == 0:
            return 500
        self.takes = None if self.takes is None else self.takes - 1
        event = json.loads(body)
        if event["id"] not in {one["id"] for one in self.taken}:
            self.taken.append(event)
            self.members -= set(event["data"]["removed"])
            self.members |= set(event["data"]["added"])
        return 200


@contextmanager
def receiving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that listens, with the secret that its target names."""
    monkeypatch.setenv(_VARIABLE, "whsec_" + b64encode(b"a secret of the test, 32 bytes..").decode())
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["webhook-signature"]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.take(body))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/audience"
        yield receiver
        server.shutdown()
