"""A session with a Spark cluster, and what may go wrong with one, in words.

Belongs here: connecting, and errors. Does not belong here: what the cluster is asked (spark). PySpark is imported when
a session is asked for, never before: it is an extra.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cdm_pipelines.linkage.errors import LinkageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CONNECT = "sc"
_PORT = 15002
_LOADED_LATER = tuple(f"pyspark.sql.connect.{name}" for name in ("functions", "group", "readwriter", "udf"))
_WAIT = 5.0  # seconds for a server to answer at all


@contextmanager
def session(url: str) -> Iterator["SparkSession"]:
    """A session at a Spark Connect server (``sc://host:port``), or at a master with a server of its own (``local[2]``).

    Raises:
        LinkageError: PySpark is not installed, nothing answers there, or a job failed.
    """
    try:
        from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra
        from pyspark.sql import SparkSession  # noqa: PLC0415
        from pyspark.util import is_remote_only  # noqa: PLC0415
    except ImportError as error:
        raise LinkageError(
            f"engine spark: a package is missing ({error.name}); install it with: pip install 'cdm-pipelines[spark]'"
        ) from None
    if urlsplit(url).scheme == _CONNECT:
        _answers(url)
        builder = SparkSession.builder.remote(url)
    elif is_remote_only():
        raise LinkageError(
            "engine spark: a master asks for Spark on this machine, and only its client is installed; name a Spark "
            "Connect server (--remote sc://host:15002), or install pyspark in place of pyspark-client, and Java"
        )
    else:
        if url.startswith("local"):  # workers of this machine are this Python, not the first on the path
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.remote(url)
    try:
        with _known_main():
            for name in _LOADED_LATER:
                import_module(name)
            found = builder.create() if urlsplit(url).scheme == _CONNECT else builder.getOrCreate()
        found.version  # noqa: B018 - asks the server
    except Exception as error:
        raise LinkageError(
            f"engine spark: no session at {_place(url)} ({type(error).__name__}); check the address, and that "
            "the server speaks Spark Connect 4"
        ) from None
    try:
        yield found
    except PySparkException as error:
        raise LinkageError(f"engine spark: {_why(str(error))}") from None
    finally:
        found.stop()


@contextmanager
def _known_main() -> Iterator[None]:
    """Let PySpark's client load in a process that runs no file, as workers of other libraries do.

    Its modules take such a process for their own doctests when they are loaded (4.2), and end it.
    """
    main = sys.modules["__main__"]
    if hasattr(main, "__file__") or main.__spec__ is not None:
        yield
        return
    main.__file__ = "<string>"
    try:
        yield
    finally:
        del main.__file__


def _answers(url: str) -> None:
    """Look whether anything listens: the client itself would go on trying for ten minutes."""
    asked = urlsplit(url)
    try:
        place = (asked.hostname or "localhost", asked.port or _PORT)
        socket.create_connection(place, _WAIT).close()
    except (OSError, ValueError):
        raise LinkageError(
            f"engine spark: nothing answers at {_place(url)}; start Spark's Connect server there, or "
            "check the address"
        ) from None


def _place(url: str) -> str:
    """An address without what follows it, or stands before it, which may be a token, however it is mistyped."""
    asked = urlsplit(url)
    if asked.netloc:
        return f"{asked.scheme}://{asked.netloc.rpartition('@')[2].partition(';')[0]}"
    return url.partition(";")[0].rpartition("@")[2]


def _why(told: str) -> str:
    """What is known of a failed job. Its own text is not told: it may quote a value."""
    if "No module named" in told:
        return "the workers lack a package; install the same cdm-pipelines on every worker as here"
    return "a job failed; the cluster's log tells why"
