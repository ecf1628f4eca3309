"""What all requests share: the hub, what roles see, the models of search, limits, and who asks.

Belongs here: one object that is made when the process starts, and from a request to a caller. Does not belong here:
what is asked (api, pages), the protocol of signing in (``signin``).
"""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, TypeVar

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import Connection, Engine, NullPool, create_engine
from starlette.requests import HTTPConnection

from cdm_pipelines.console.caller import Caller, Scope
from cdm_pipelines.console.errors import ForbiddenError, SignInError, TooManyError
from cdm_pipelines.console.matching import Held, Matching
from cdm_pipelines.console.sight import Eyes, Sights
from cdm_pipelines.console.works import Works
from cdm_pipelines.hub import console as hub
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.search.weigh import Models
from cdm_pipelines.store.lake import Lake

_Kept = TypeVar("_Kept")
IDLE, LASTS = dt.timedelta(hours=1), dt.timedelta(hours=10)
"""A session ends when nothing was heard of somebody for the one, and after the other at the latest."""
PER_MINUTE = 600
"""Requests of somebody who is signed in."""
_WRONG_A_QUARTER = 20
"""Wrong keys and links from one address, before it is locked out for the rest of the quarter of an hour."""
_SIGN_INS_A_MINUTE = 60
"""Sign-ins that are begun from one address, which may be that of an office."""
_KEPT_SECONDS = 60.0


@dataclass(frozen=True)
class Shared:
    """What the workers of a console share with each other.

    Attributes:
        counts: Of requests and of wrong keys.
        linkage: In memory since before they were forked; None where nothing is linked yet.
    """

    counts: Storage
    linkage: Held | None


@dataclass
class House:
    """What all requests share.

    Attributes:
        settings: Of the deployment.
        engine: Of the hub.
        local: Whether one-time links sign in, on this machine alone.
        shared: What the workers of a console share; None where one process answers alone.
        sights: What each role sees.
        matching: The linkage in memory.
        works: Commands that run beside.
    """

    settings: Settings
    engine: Engine
    local: bool = False
    shared: Shared | None = None
    sights: Sights = field(init=False)
    matching: Matching = field(init=False)
    works: Works = field(init=False)
    _limiter: FixedWindowRateLimiter = field(init=False)
    _keeping: Lock = field(init=False, default_factory=Lock)
    _kept: dict[str, tuple[float, Any]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Make what follows from the rest."""
        beside = create_engine(self.engine.url, poolclass=NullPool, hide_parameters=True)
        self.sights = Sights(beside, self.settings)
        shared = self.shared
        self.matching = Matching(beside, self.settings, None if shared is None else shared.linkage)
        self.works = Works(self.settings, beside, here=shared is None)
        self._limiter = FixedWindowRateLimiter(MemoryStorage() if shared is None else shared.counts)

    @property
    def secure(self) -> bool:
        """Whether browsers reach the console over TLS."""
        return self.settings.console_url.startswith("https:")

    @property
    def cookie(self) -> str:
        """Name of the cookie; with its prefix no other site of the domain can set it."""
        return "__Host-cdm" if self.secure else "cdm"

    @property
    def lake(self) -> Lake:
        """The lake."""
        return Lake(self.settings.lake_url)

    def models(self) -> Models:
        """The kept linkage models."""
        return self.kept("models", lambda: Models.load(self.lake, self.settings))

    def kept(self, name: str, make: Callable[[], _Kept]) -> _Kept:
        """What takes long to read, such as policies; read again once a minute, beside the requests that ask for it."""
        with self._keeping:
            if name not in self._kept:
                self._kept[name] = (time.monotonic() + _KEPT_SECONDS, make())
            until, found = self._kept[name]
            if until < time.monotonic():
                self._kept[name] = (time.monotonic() + _KEPT_SECONDS, found)
                Thread(target=self._keep_again, args=(name, make), daemon=True).start()
            made: _Kept = found
            return made

    def _keep_again(self, name: str, make: Callable[[], Any]) -> None:
        """Read something again; where it cannot be read, whoever asks next is told why."""
        try:
            kept = (time.monotonic() + _KEPT_SECONDS, make())
        except Exception:
            with self._keeping:
                self._kept.pop(name, None)
        else:
            with self._keeping:
                self._kept[name] = kept

    def in_clear(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with what is encrypted at rest in clear, as the role's views have let it through."""
        return self.kept("vault", lambda: Vault.of(self.settings, self.lake)).open_row(row)

    def caller(self, connection: Connection, request: HTTPConnection) -> Caller:
        """Who asks, by the key or the cookie of a request.

        Raises:
            SignInError: Nobody is signed in.
            TooManyError: Too many wrong keys came from there, or the caller asks too often.
        """
        address = address_of(request)
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        if kind:
            found, counted = self._program(connection, kind, key.strip(), address)
        else:
            found = self._person(connection, request.cookies.get(self.cookie, ""))
            counted = ("person", found.who)
        if not self._limiter.hit(RateLimitItemPerMinute(found.per_minute), *counted):
            raise TooManyError(f"More than {found.per_minute} requests a minute; wait for the next one.")
        return found

    def _program(
        self, connection: Connection, kind: str, key: str, address: str
    ) -> tuple[Caller, tuple[str, str]]:
        """Who has a key, and what its requests are counted by: names are no one's own."""
        if kind.lower() != "bearer" or not key:
            raise SignInError("Send the key as `Authorization: Bearer cdm_…`.")
        # Before the lock: others may come from the same address, which is a proxy's.
        token = hub.token_of(connection, key)
        if token is None:
            self.see_not_locked(address)
            self.was_wrong(address)
            raise SignInError("The key is none of ours, has ended, or was taken back: `cdm token list`.")
        scopes = frozenset(Scope(one) for one in token.scopes)
        found = Caller(token.name, token.role, (token.role,), scopes, token.per_minute)
        return found, ("key", str(token.token_id))

    def _person(self, connection: Connection, secret: str) -> Caller:
        session = hub.session_of(connection, secret, IDLE) if secret else None
        if session is None:
            raise SignInError("Sign in first: nobody is signed in, or the session has ended.")
        hub.seen(connection, secret)
        return Caller(session.who, session.role, session.roles, frozenset(Scope), PER_MINUTE, secret)

    @contextmanager
    def eyes(self, request: HTTPConnection, scope: Scope, tool: str) -> Iterator[Eyes]:
        """A transaction in which whoever asks reads, committed at its end.

        Raises:
            SignInError, TooManyError, ForbiddenError: Nobody is signed in; they ask too often; they may not.
        """
        with self.engine.begin() as connection:
            caller = self.caller(connection, request)
            caller.see_that_may(scope)
            yield Eyes(connection, self.sights.of(caller.role), caller, tool)

    def see_not_locked(self, address: str) -> None:
        """See that not too many wrong keys came from an address.

        Raises:
            TooManyError: They did.
        """
        if not self._limiter.test(_WRONG, "wrong", address):
            raise TooManyError("Too many wrong keys came from there; wait a quarter of an hour.")

    def see_not_too_often(self, address: str) -> None:
        """See that not too many sign-ins are begun from an address: each is a row, and a call to the provider.

        Raises:
            TooManyError: They are.
        """
        if not self._limiter.hit(_SIGN_INS, "sign-in", address):
            raise TooManyError("Too many sign-ins were begun from there; wait a minute.")

    def was_wrong(self, address: str) -> None:
        """Count a wrong key or link."""
        self._limiter.hit(_WRONG, "wrong", address)

    def roles_named(self, claimed: object) -> tuple[str, ...]:
        """The roles that a provider's claim names, by their names here or in PostgreSQL; others are left out.

        Raises:
            ForbiddenError: It names none.
        """
        listed = claimed if isinstance(claimed, list | tuple) else str(claimed or "").split()
        known = {name: name for name in self.sights.names}
        known |= {f"{self.settings.role_prefix}_{name}": name for name in self.sights.names}
        found = tuple(dict.fromkeys(known[str(one)] for one in listed if str(one) in known))
        if not found:
            raise ForbiddenError(
                f"Your sign-in names no role of this console: its administrator gives you one in the claim "
                f"{self.settings.oidc_role_claim}, by a name of policies/roles.yaml."
            )
        return found


_WRONG = RateLimitItemPerMinute(_WRONG_A_QUARTER, 15)
_SIGN_INS = RateLimitItemPerMinute(_SIGN_INS_A_MINUTE)


def address_of(request: HTTPConnection) -> str:
    """Where a request comes from; where a trusted proxy has passed it on, what that says (``CDM_CONSOLE_PROXIES``)."""
    return request.client.host if request.client is not None else ""
