"""What of Dagster is used before it is settled.

Belongs here: the one place that silences Dagster's word of warning about such a function. ``make canary`` tells when
the next version of Dagster has changed one.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def early() -> Iterator[None]:
    """Use functions in beta or preview in the block."""
    with warnings.catch_warnings():
        for category in (dg.BetaWarning, dg.PreviewWarning):
            warnings.simplefilter("ignore", category)
        yield
