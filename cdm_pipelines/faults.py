"""What may be told of a fault: its place, and its text only where that was written for people.

Belongs here: exceptions as text without a personal value (R6), faults of a database in words. Does not belong here: who
is told, or what is tried again (components.transient, commands.terminal).
"""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass

PACKAGE = "cdm_pipelines"
_DRIVERS = ("psycopg", "psycopg2", "sqlalchemy")


@dataclass(frozen=True)
class DatabaseFault:
    """What is wrong with the database: a sentence, what to do, and whether it may pass by itself."""

    what: str
    fix: str
    passes: bool = False

    def __str__(self) -> str:
        return f"{self.what} {self.fix}"


_AGAIN = "Nothing half-done was kept. Run it again when the database is back."
_LOST = DatabaseFault("The connection to the database was lost.", _AGAIN, passes=True)
_USER = (
    "Correct the user and password in CDM_DATABASE_URL; special characters are percent-encoded (@ is %40)."
)
_BY_STATE = {
    "08": _LOST,
    "28": DatabaseFault("The database does not let this user in.", _USER),
    "3D": DatabaseFault("The server has no database of that name.", "Correct CDM_DATABASE_URL, or make it."),
    "42501": DatabaseFault(
        "The database user lacks a right.",
        "Let the database's owner run GRANT CREATE ON DATABASE (its name) TO (the user), and give the user what was "
        "made before: docs/how-to/own-postgresql.md.",
    ),
    "25006": DatabaseFault(
        "The database can only be read.",
        "Name the primary server in CDM_DATABASE_URL, or lift default_transaction_read_only.",
    ),
    "53100": DatabaseFault("The database's disk is full.", "Make room on it. " + _AGAIN),
    "53200": DatabaseFault("The database ran out of memory.", "Give the server more. " + _AGAIN, passes=True),
    "53300": DatabaseFault(
        "The database has no connection left.",
        "Raise max_connections, or end idle ones. " + _AGAIN,
        passes=True,
    ),
    "53": DatabaseFault("The database lacks a resource.", "See the server's log. " + _AGAIN, passes=True),
    "57014": DatabaseFault(
        "The database cancelled a statement.", "Look at statement_timeout. " + _AGAIN, passes=True
    ),
    "57": DatabaseFault("The database is starting or was shut down.", _AGAIN, passes=True),
    "55P03": DatabaseFault("Another process holds what is needed in the database.", _AGAIN, passes=True),
    "40": DatabaseFault("Another process changed the same in the database.", "Run it again.", passes=True),
    "58": DatabaseFault("The database cannot read or write its files.", "See the server's log and its disk."),
    "XX": DatabaseFault(
        "The database found its own files damaged.", "See the server's log; restore a backup."
    ),
}
"""By SQLSTATE, or its class (appendix A of PostgreSQL's manual)."""
_BY_TEXT = (
    (("password", "authentication", "no pg_hba.conf entry", "role"), _BY_STATE["28"]),
    (("too many clients", "remaining connection slots", "too many connections"), _BY_STATE["53300"]),
    (
        (
            "resolve host",
            "translate host",
            "name or service not known",
            "name resolution",
            "nodename nor servname",
        ),
        DatabaseFault("The name of the database's host is unknown.", "Correct the host in CDM_DATABASE_URL."),
    ),
    (
        ("connection refused",),
        DatabaseFault(
            "The database refused the connection.", "Check that the server is up, and its port.", passes=True
        ),
    ),
    (
        ("timeout", "timed out"),
        DatabaseFault(
            "The database does not answer.", "Check host, port and the network between.", passes=True
        ),
    ),
    (("starting up", "shutting down", "recovery"), _BY_STATE["57"]),
    (
        ("ssl", "certificate"),
        DatabaseFault("The database and this machine agree on no TLS.", "Check sslmode."),
    ),
    (
        ("no such file",),
        DatabaseFault("The database's socket is not there.", "Check that the server is up.", passes=True),
    ),
)
"""What a connection that was never made is told by, where the driver gives no SQLSTATE."""


def database_fault(error: BaseException) -> DatabaseFault | None:
    """What is wrong with the database, where that is what an error comes from; None for any other, and for a bug."""
    for one in _chain(error):
        if type(one).__module__.partition(".")[0] not in _DRIVERS:
            continue
        state = getattr(one, "sqlstate", None) or getattr(one, "pgcode", None)
        if state and (known := _BY_STATE.get(state) or _BY_STATE.get(state[:2])):
            return known
        if state:
            break
        if type(one).__name__ == "OperationalError" and getattr(one, "orig", None) is None:
            return fault_of_text(str(one))
    return _LOST if getattr(error, "connection_invalidated", False) else None


def fault_of_text(text: str) -> DatabaseFault:
    """What a driver's own words mean, where there is no SQLSTATE; a lost connection where they tell nothing else."""
    text = text.lower()
    if 'database "' in text and "does not exist" in text:
        return _BY_STATE["3D"]
    return next((fault for words, fault in _BY_TEXT if any(word in text for word in words)), _LOST)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, what the driver said of it, and what it was raised from; the driver's own comes first."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        nested = (
            getattr(one, "orig", None),
            one.__cause__,
            None if one.__suppress_context__ else one.__context__,
        )
        waiting += [other for other in nested if isinstance(other, BaseException)]
        yield one


def describe(error: BaseException) -> str:
    """The text of an error of the project, a database's fault in words, or kind and place of any other.

    The text of any other may quote a value.
    """
    if type(error).__module__.startswith(f"{PACKAGE}."):
        return str(error)
    fault = database_fault(error)
    return f"Unexpected {place(error)}" if fault is None else str(fault)


def place(error: BaseException) -> str:
    """The kind of an error, and the project's own lines that led to it."""
    frames = [
        f"{frame.filename.rpartition(f'{PACKAGE}/')[2]}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if f"/{PACKAGE}/" in frame.filename
    ]
    return f"{type(error).__name__} at " + ", called from ".join(reversed(frames[-3:]))
