"""Faults as a person should see them, and retries for transient ones only.

Belongs here: which faults pass by themselves (a lost connection is tried again, a wrong file or a bug is not), and
that no exception carries a personal value into the event log (R6).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.exc import OperationalError

from cdm_pipelines.faults import database_fault, describe, place
from cdm_pipelines.hub.errors import HubAwayError

TRANSIENT = (ConnectionError, TimeoutError, OperationalError, HubAwayError)


def transient_retry_policy() -> dg.RetryPolicy:
    """Three more tries, 2, 4 and 8 seconds apart, with jitter."""
    return dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


class ToldFailure(dg.Failure):
    """A failure whose text is also shown where there is no step: in the tick of a sensor or schedule."""

    def __str__(self) -> str:
        return self.description or ""


@contextmanager
def told_to_people(*expected: type[Exception]) -> Iterator[None]:
    """Turn faults into failures a person can read, and that hold no value.

    The project's own errors are written for people and hold no values: their text is the failure. Of anything else
    the place is told, not the text, which may quote a value: a database quotes rows, a parser what it cannot parse.
    Transient faults are tried again, by Dagster's retry policy. The caller deals with ``expected`` errors itself.
    """
    passed_on: tuple[type[Exception], ...] = (*expected, dg.Failure)
    try:
        yield
    except passed_on:
        raise
    except Exception as error:
        if _passes(error):
            known = isinstance(error, HubAwayError) or database_fault(error) is not None
            told = describe(error) if known else f"A connection failed, which may pass: {place(error)}"
            raise ToldFailure(description=told, allow_retries=True) from None
        raise ToldFailure(description=describe(error), allow_retries=False) from None


def _passes(error: Exception) -> bool:
    fault = database_fault(error)
    if fault is not None:
        return fault.passes
    return isinstance(error, TRANSIENT)
