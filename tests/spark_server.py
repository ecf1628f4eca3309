"""A Spark Connect server in this process, without Java, for tests that link on a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from pysail.spark import SparkConnectServer


@contextmanager
def served() -> Iterator[str]:
    """Its address, for as long as it runs."""
    server = SparkConnectServer()
    server.start(background=True)
    try:
        yield f"sc://127.0.0.1:{server.listening_address[1]}"
    finally:
        server.stop()
