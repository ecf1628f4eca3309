"""A database that is away is told in one line by Dagster's own processes, not in a traceback per tick.

Belongs here: the records of Dagster's log about such a fault, shortened. Does not belong here: what a fault is called
(faults), or what our own steps tell (transient).

The daemon goes on by itself: each of its loops waits and asks again. Only what it logs meanwhile is changed.
"""

import logging
from collections.abc import Callable
from typing import Any

from dagster_shared.error import SerializableErrorInfo

from cdm_pipelines.faults import database_fault, fault_of_text

_LOGGERS = ("dagster.daemon", "dagster.code_server")
_AWAY = ("OperationalError", "InterfaceError", "HubAwayError", "PoolTimeout")
_TOLD = ("ToldFailure", "HubError", "HubAwayError")
_Factory = Callable[..., logging.LogRecord]


def install() -> None:
    """Have records of Dagster's loggers shortened in this process; asked twice, it does so once."""
    root = logging.getLogger()
    if not root.handlers:
        # Dagster's storage tells each attempt to connect anew by ``logging.warning``. Where the root has no handler yet
        # that gives it one, and from then on every line of every logger is printed twice.
        root.addHandler(logging.NullHandler())
    current = logging.getLogRecordFactory()
    if not isinstance(current, _Shortening):
        logging.setLogRecordFactory(_Shortening(current))


class _Shortening:
    """Makes records as another factory does, and shortens those about a database that is away."""

    def __init__(self, other: _Factory) -> None:
        self._other = other

    def __call__(self, *args: Any, **more: Any) -> logging.LogRecord:
        record = self._other(*args, **more)
        if str(record.name).startswith(_LOGGERS) and record.levelno >= logging.WARNING:
            shorten(record)
        return record


def shorten(record: logging.LogRecord) -> None:
    """Put a sentence in the place of a traceback, where that is about the database or was written for people."""
    told = _of_exception(record) or _of_arguments(record)
    if told:
        first = str(record.msg).partition("%s")[0].partition("\n")[0].strip().rstrip(":")
        record.msg, record.args = f"{first}: {told}", ()
        record.exc_info = record.exc_text = None


def _of_exception(record: logging.LogRecord) -> str:
    given = record.exc_info() if callable(record.exc_info) else record.exc_info
    error = given[1] if given else None
    fault = database_fault(error) if error is not None else None
    return "" if fault is None else str(fault)


def _of_arguments(record: logging.LogRecord) -> str:
    arguments = record.args if isinstance(record.args, tuple) else ()
    for argument in arguments:
        if isinstance(argument, SerializableErrorInfo):
            return _of_info(argument)
    return ""


def _of_info(info: SerializableErrorInfo | None) -> str:
    while info is not None:
        if info.cls_name in _TOLD:
            return info.message.strip().partition(": ")[2].partition("\n")[0]
        if info.cls_name in _AWAY:
            return str(fault_of_text(info.message))
        info = info.cause or info.context
    return ""
