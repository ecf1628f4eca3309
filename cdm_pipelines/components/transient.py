"""Faults as a person should see them, and retries for transient ones only.

Belongs here: which faults pass by themselves (a lost connection is tried again, a wrong file or a bug is not), and
that no exception carries a personal value into the event log (R6).
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.exc import DBAPIError, OperationalError

TRANSIENT = (ConnectionError, TimeoutError, OperationalError)


def transient_retry_policy() -> dg.RetryPolicy:
    """Three more tries, 2, 4 and 8 seconds apart, with jitter."""
    return dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def told_to_people(*expected: type[Exception]) -> Iterator[None]:
    """Turn faults into failures a person can read.

    Transient faults reach Dagster's retry policy as they are. The project's own errors are written for people and
    hold no values: their text is the failure. Anything else is a bug: its place is told, not its text, which may
    quote a value. The caller deals with ``expected`` errors itself.
    """
    passed_on: tuple[type[Exception], ...] = (*TRANSIENT, *expected, dg.Failure)
    try:
        yield
    except passed_on:
        raise
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        raise dg.Failure(description=describe(error), allow_retries=False) from None


def describe(error: Exception) -> str:
    """The text of an error of the project, or the place of any other."""
    if type(error).__module__.startswith("cdm_pipelines."):
        return str(error)
    frames = [
        f"{frame.filename.rpartition('cdm_pipelines/')[2]}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "/cdm_pipelines/" in frame.filename
    ]
    return f"Unexpected {type(error).__name__} at " + ", called from ".join(reversed(frames[-3:]))
