"""Which month is meant, and one view of the hub for all figures of it.

Belongs here: asking the hub which days it knows; a transaction that sees one version. Does not belong here: figures.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from cdm_pipelines.hub.kpi_history import days_known
from cdm_pipelines.insight.report_months import Period, period_of


@contextmanager
def one_version(engine: Engine) -> Iterator[Connection]:
    """A transaction in which every query sees the same published version, committed with the block."""
    with (
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        connection.begin(),
    ):
        yield connection


def period(connection: Connection, asked: str | None, today: dt.date | None = None) -> Period:
    """The month that is meant; see ``period_of``.

    Raises:
        InsightError: Nothing can be known of it.
    """
    known = days_known(connection)
    return period_of(asked, known.first, known.last, today or dt.datetime.now(dt.UTC).date())
