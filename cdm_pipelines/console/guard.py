"""What every request passes before it is looked at, and every answer after: hosts, origins, sizes, headers.

Belongs here: middleware that knows nothing of customers. Does not belong here: who asks (``house``), what they may do.

A write with a cookie comes from a page of ours, or is refused: by ``Sec-Fetch-Site``, which browsers send and pages
cannot change, and by ``Origin`` where a browser does not send it. A program sends a key with each request instead,
which no browser does by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cdm_pipelines.console.errors import ConsoleError, ForbiddenError, SlowError, TooLargeError
from cdm_pipelines.console.problems import problem

MOST_BYTES = 1_000_000
BODY_SECONDS = 20.0
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
Respond = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """Middleware around the whole console.

    Args:
        app: What is guarded.
        origin: Where browsers reach the console.
        refuse: Makes the answer to a request that is refused here; a page or a problem.
    """

    def __init__(
        self, app: ASGIApp, origin: str, refuse: Callable[[Scope, ConsoleError], ASGIApp] | None = None
    ) -> None:
        self._app = app
        self._origin = origin
        parts = urlsplit(origin)
        self._hosts = {parts.netloc.lower()}
        self._secure = parts.scheme == "https"
        self._refuse = refuse or (lambda _, error: problem(error))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        fresh = not scope["path"].startswith("/static/")
        started = False

        async def told(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._add_headers(MutableHeaders(scope=message), fresh=fresh)
            await send(message)

        body = _Body(receive, headers)
        try:
            self._see_host(headers)
            self._see_origin(scope["method"], headers)
            body.see_length()
            await self._app(scope, body.receive, told)
        except ConsoleError as error:
            if started:
                raise
            await self._refuse(scope, error)(scope, receive, told)

    def _add_headers(self, headers: MutableHeaders, *, fresh: bool) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if fresh:
            headers.setdefault("cache-control", "no-store")
        if self._secure:
            headers["strict-transport-security"] = "max-age=31536000"

    def _see_host(self, headers: Headers) -> None:
        """A name that leads here and is not ours may be another site's: it could read answers as its own."""
        if headers.get("host", "").lower() not in self._hosts:
            raise ForbiddenError(
                f"The console is at {self._origin} (CDM_CONSOLE_URL), and answers to no other name."
            )

    def _see_origin(self, method: str, headers: Headers) -> None:
        if method in _SAFE or headers.get("authorization"):
            return
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        same = (
            origin == self._origin
            if site is None
            else site == "same-origin" and origin in {None, self._origin}
        )
        if not same:
            raise ForbiddenError(
                "A change has to come from a page of this console. Open it there, and try again."
            )


class _Body:
    """What a client sends, no more than is read, and not slower than a person would wait."""

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive = receive
        self._length = headers.get("content-length", "")
        self._read = 0
        self._whole = False

    def see_length(self) -> None:
        if self._length.isdigit() and int(self._length) > MOST_BYTES:
            raise TooLargeError(f"Send at most {MOST_BYTES:,} bytes.")

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), BODY_SECONDS)
        except TimeoutError:
            raise SlowError(f"The request was not whole after {BODY_SECONDS:.0f} seconds.") from None
        self._read += len(message.get("body", b""))
        if self._read > MOST_BYTES:
            raise TooLargeError(f"Send at most {MOST_BYTES:,} bytes.")
        self._whole = not message.get("more_body", False)
        return message
