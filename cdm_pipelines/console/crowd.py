"""What becomes of requests when more come than can be answered: few wait, and the others are told so at once.

Belongs here: that. Does not belong here: limits of one caller (``house``).

Whoever waits for half a minute has long asked again. A request that is turned away costs next to nothing, and those
that were let in are answered in time.
"""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cdm_pipelines.console.errors import BusyError, ConsoleError

AT_ONCE = 8
"""Requests that a worker works on side by side: each waits for the database half of its time."""
_WAITING = 40
_ALWAYS = ("/health", "/ready", "/metrics", "/static/")


class Crowd:
    """Middleware that turns requests away where too many wait already.

    Args:
        app: What answers.
        refuse: Makes the answer to a request that is turned away.
        most: Requests that are worked on or wait.
    """

    def __init__(
        self, app: ASGIApp, refuse: Callable[[Scope, ConsoleError], ASGIApp], most: int = AT_ONCE + _WAITING
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._most = most
        self._here = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or turn it away."""
        if scope["type"] != "http" or scope["path"].startswith(_ALWAYS):
            await self._app(scope, receive, send)
            return
        if self._here >= self._most:
            error = BusyError("More is asked than can be answered now; ask again in a second.")
            await self._refuse(scope, error)(scope, receive, send)
            return
        self._here += 1
        inside = True

        async def leaving(message: Message) -> None:
            nonlocal inside
            if inside and message["type"] == "http.response.start":  # a stream waits for nobody from then on
                self._here -= 1
                inside = False
            await send(message)

        try:
            await self._app(scope, receive, leaving)
        finally:
            if inside:
                self._here -= 1
