"""Sending events to a web address, by Standard Webhooks.

Belongs here: one request, its signature, what an answer means, and the attempts that an event is given. Does not
belong here: the order of events, and what becomes of one that is given up (``queue``).
"""

import binascii
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from threading import Event, Timer

import urllib3
from standardwebhooks.webhooks import Webhook
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from cdm_pipelines.publish.events import CONTENT_TYPE
from cdm_pipelines.publish.policy import FeedPolicyError, WebhookSink

_GONE = 410
_MOST_BYTES_OF_AN_ANSWER = 65_536


class NotTakenError(Exception):
    """The receiver did not take an event; the text says how it answered, without anything of its content.

    Attributes:
        attempts: How often it was sent.
        wait: Seconds that the receiver asks to wait.
    """

    def __init__(self, text: str, wait: float = 0) -> None:
        super().__init__(text)
        self.attempts = 1
        self.wait = wait


class GoneError(Exception):
    """The receiver does not want events any more."""


@dataclass(frozen=True)
class WebhookSender:
    """A receiver with its connection and secrets."""

    policy: WebhookSink
    secrets: tuple[Webhook, ...]
    pool: urllib3.PoolManager

    @classmethod
    def of(cls, name: str, policy: WebhookSink) -> "WebhookSender":
        """Prepare to send.

        Raises:
            FeedPolicyError: The variable with the secret is not set, or holds none.
        """
        given = os.environ.get(policy.secret_variable, "").split()
        if not given:
            raise FeedPolicyError(
                f"Sink {name}: {policy.secret_variable} is not set; it must hold the signing secret (whsec_…)."
            )
        try:
            secrets = tuple(Webhook(secret) for secret in given)
        except (binascii.Error, ValueError):
            raise FeedPolicyError(
                f"Sink {name}: {policy.secret_variable} holds no signing secret; it is whsec_ and base64."
            ) from None
        return cls(policy, secrets, _pool())

    def send(self, event_id: str, body: bytes, *, once: bool = False) -> None:
        """Send an event until it is taken, or only once.

        Raises:
            NotTakenError: All attempts failed.
            GoneError: The receiver answered 410.
        """
        policy, most = self.policy, 1 if once else self.policy.attempts
        grow = wait_exponential(policy.first_wait, policy.longest_wait) + wait_random(0, policy.first_wait)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait if isinstance(error, NotTakenError) else 0
            return max(grow(state), min(asked, policy.longest_wait))

        attempts = Retrying(
            stop=stop_after_attempt(most),
            wait=wait,
            retry=retry_if_exception_type(NotTakenError),
            reraise=True,
        )
        try:
            attempts(self._once, event_id, body)
        except NotTakenError as error:
            error.attempts = most
            raise

    def _once(self, event_id: str, body: bytes) -> None:
        now, ends = datetime.now(UTC), time.monotonic() + self.policy.timeout
        headers = {
            "Content-Type": CONTENT_TYPE,
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(s.sign(event_id, now, body.decode()) for s in self.secrets),
        }
        try:
            answer = self.pool.request(
                "POST",
                self.policy.url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(total=self.policy.timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise NotTakenError(_failure(error)) from None
        _leave(answer, ends - time.monotonic())
        if answer.status == _GONE:
            raise GoneError
        if not 200 <= answer.status < 300:
            raise NotTakenError(f"answered {answer.status}", _seconds(answer.headers.get("Retry-After")))


@contextmanager
def _cut_after(seconds: float, cut: Callable[[], object]) -> Iterator[Event]:
    """Cut a connection when the block takes longer; yields whether that was done.

    A timeout of a socket is one of each read: whoever sends a byte now and then is never late by it.
    """
    late = Event()

    def end() -> None:
        late.set()
        with suppress(OSError, ValueError, RuntimeError):  # it was closed meanwhile
            cut()

    timer = Timer(max(seconds, 0), end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


class _Bounded(urllib3.connection.HTTPConnection):
    """A connection whose answer begins, with all its headers, within the timeout."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's own
        seconds, held = self.timeout, self.sock
        assert isinstance(seconds, float | int)  # noqa: S101 - what is left of the total
        with _cut_after(seconds, lambda: socket.socket.shutdown(held, socket.SHUT_RDWR)) as late:
            try:
                answer = super().getresponse()
            except (OSError, ValueError, HTTPException) as error:
                if late.is_set():
                    raise TimeoutError from error
                raise
        if late.is_set():  # headers that were cut off look like whole ones
            answer.close()
            raise TimeoutError
        return answer


class _BoundedTls(_Bounded, urllib3.connection.HTTPSConnection):
    """The same, encrypted."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Bounded


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _BoundedTls


def _pool() -> urllib3.PoolManager:
    pool = urllib3.PoolManager(maxsize=1)
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return pool


def _leave(answer: urllib3.BaseHTTPResponse, seconds: float) -> None:
    """Pass over what else an answer says, which means nothing; read whole, its connection serves the next event."""
    with _cut_after(seconds, answer.shutdown), suppress(urllib3.exceptions.HTTPError, OSError, ValueError):
        answer.read(_MOST_BYTES_OF_AN_ANSWER)
    answer.close()


def _failure(error: urllib3.exceptions.HTTPError) -> str:
    if isinstance(error, urllib3.exceptions.SSLError):
        return "has no valid certificate"
    late = isinstance(error, urllib3.exceptions.TimeoutError)
    if late and not isinstance(error, urllib3.exceptions.NewConnectionError):
        return "did not answer in time"
    return f"could not be reached ({type(error).__name__})"


def _seconds(retry_after: str | None) -> float:
    """What the header Retry-After asks for; 0 when it gives a date or nothing."""
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0
