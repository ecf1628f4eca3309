"""Who is signed in, keys of programs, and kept answers, in PostgreSQL.

Belongs here: reading and writing those rows. Does not belong here: cookies and providers (console), what a role may do
(privacy.roles).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from cdm_pipelines.hub import quick
from cdm_pipelines.hub.schema_console import api_token, kept_answer, session

LINK, SIGNING_IN, SIGNED_IN = "link", "signing in", "signed in"
"""States of a session."""
PREFIX = "cdm_"
"""How keys of programs begin, so that one that leaked is recognised."""
_DAY = dt.timedelta(days=1)
_TOKEN = f"SELECT {', '.join(api_token.c.keys())} FROM {api_token.fullname} WHERE secret = :secret"  # noqa: S608 - ours


@dataclass(frozen=True)
class Session:
    """Somebody who is signed in, or about to be.

    Attributes:
        who: Login name.
        role: In which they act.
        roles: In which they may act.
        noted: What is remembered of the provider while they sign in.
    """

    who: str
    role: str
    roles: tuple[str, ...]
    noted: Mapping[str, Any]


@dataclass(frozen=True)
class ApiToken:
    """A key of a program; see ``schema_console.api_token``."""

    token_id: int
    name: str
    role: str
    scopes: tuple[str, ...]
    per_minute: int
    made_by: str
    made_at: dt.datetime
    ends_at: dt.datetime
    revoked_at: dt.datetime | None

    @property
    def state(self) -> str:
        """``in use``, ``ended`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "in use" if self.ends_at > dt.datetime.now(dt.UTC) else "ended"


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "replace")).digest()


def begin_session(
    connection: Connection,
    state: str,
    lasts: dt.timedelta,
    *,
    who: str = "",
    role: str = "",
    roles: Sequence[str] = (),
    noted: Mapping[str, Any] | None = None,
) -> str:
    """Begin a session, and let those that have ended go; returns the secret by which it is known, which is not kept."""
    now = func.now()
    connection.execute(delete(session).where(session.c.ends_at < now))
    secret = token_urlsafe(32)
    values = {"who": who, "role": role, "roles": list(roles), "noted": dict(noted or {})}
    row = {"secret": _hash(secret), "state": state, "ends_at": now + lasts, **values}
    connection.execute(insert(session).values(row))
    return secret


def session_of(connection: Connection, secret: str, idle: dt.timedelta) -> Session | None:
    """Who is signed in by a secret; None where nobody is, or nothing was heard of them for too long."""
    row = (
        connection.execute(
            select(session).where(
                session.c.secret == _hash(secret),
                session.c.state == SIGNED_IN,
                session.c.ends_at > func.now(),
                session.c.seen_at > func.now() - idle,
            )
        )
        .mappings()
        .first()
    )
    return _session(row) if row is not None else None


def seen(connection: Connection, secret: str) -> None:
    """Note that a session is in use; at most once a minute."""
    stale = session.c.seen_at < func.now() - dt.timedelta(minutes=1)
    connection.execute(
        update(session).where(session.c.secret == _hash(secret), stale).values(seen_at=func.now())
    )


def take_session(connection: Connection, secret: str, state: str) -> Session | None:
    """End a session of a state and return what it was: nobody else can have it after."""
    gone = delete(session).where(session.c.secret == _hash(secret), session.c.state == state)
    row = connection.execute(gone.returning(*session.c)).mappings().first()
    over = row is None or row["ends_at"] <= dt.datetime.now(dt.UTC)
    return None if row is None or over else _session(row)


def end_session(connection: Connection, secret: str) -> None:
    """End a session, whatever its state."""
    connection.execute(delete(session).where(session.c.secret == _hash(secret)))


def act_in(connection: Connection, secret: str, role: str) -> bool:
    """Have a session act in another of its roles; returns whether it may."""
    changed = (
        update(session).where(session.c.secret == _hash(secret), session.c.roles.any(role)).values(role=role)
    )
    return bool(connection.execute(changed).rowcount)


def _session(row: Mapping[Any, Any]) -> Session:
    return Session(row["who"], row["role"], tuple(row["roles"]), row["noted"])


def make_token(
    connection: Connection,
    name: str,
    role: str,
    scopes: Sequence[str],
    *,
    lasts: dt.timedelta,
    per_minute: int,
    made_by: str,
) -> tuple[str, ApiToken]:
    """Make a key for a program; returns it, which is shown this once, and what is kept of it."""
    secret = PREFIX + token_urlsafe(32)
    values = {
        "secret": _hash(secret),
        "name": name,
        "role": role,
        "scopes": list(scopes),
        "per_minute": per_minute,
        "made_by": made_by,
        "ends_at": func.now() + lasts,
    }
    row = connection.execute(insert(api_token).values(values).returning(*api_token.c)).mappings().one()
    return secret, _token(row)


def token_of(connection: Connection, secret: str) -> ApiToken | None:
    """The key that a program came with; None where it is none, has ended, or was taken back."""
    found = quick.mappings(connection, _TOKEN, {"secret": _hash(secret)})
    token = _token(found[0]) if found else None
    return token if token is not None and token.state == "in use" else None


def tokens(connection: Connection) -> list[ApiToken]:
    """All keys, the oldest first."""
    rows = connection.execute(select(api_token).order_by(api_token.c.token_id)).mappings()
    return [_token(row) for row in rows]


def revoke_token(connection: Connection, token_id: int) -> bool:
    """Take a key back; returns whether it was in use."""
    changed = update(api_token).where(api_token.c.token_id == token_id, api_token.c.revoked_at.is_(None))
    return bool(connection.execute(changed.values(revoked_at=func.now())).rowcount)


def _token(row: Mapping[Any, Any]) -> ApiToken:
    names = ("token_id", "name", "role", "per_minute", "made_by", "made_at", "ends_at", "revoked_at")
    return ApiToken(scopes=tuple(row["scopes"]), **{name: row[name] for name in names})


@dataclass(frozen=True)
class KeptAnswer:
    """What is known of a write that was asked before; ``status`` is None while it is worked on."""

    asked: bytes
    status: int | None
    answer: Mapping[str, Any] | None


def begin_answer(connection: Connection, caller: str, key: str, asked: bytes) -> KeptAnswer | None:
    """Take an idempotency key, in the transaction of the write; returns what is kept where it was taken before.

    Somebody else who asks with the same key waits until that transaction ends.
    """
    connection.execute(delete(kept_answer).where(kept_answer.c.asked_at < func.now() - _DAY))
    row = {"caller": caller, "key": key, "asked": asked}
    taken = upsert(kept_answer).values(row).on_conflict_do_nothing().returning(kept_answer.c.key)
    if connection.execute(taken).first() is not None:
        return None
    one = select(kept_answer).where(kept_answer.c.caller == caller, kept_answer.c.key == key)
    found = connection.execute(one).mappings().one()
    return KeptAnswer(bytes(found["asked"]), found["status"], found["answer"])


def keep_answer(
    connection: Connection, caller: str, key: str, status: int, answer: Mapping[str, Any]
) -> None:
    """Keep the answer to a write, in its transaction."""
    mine = update(kept_answer).where(kept_answer.c.caller == caller, kept_answer.c.key == key)
    connection.execute(mine.values(status=status, answer=dict(answer)))
