"""The embedded PostgreSQL, shared between processes and stopped by the last of them.

Belongs here: who may start and stop the server, and when. Does not belong here: how (``hub.cluster``), what is in
the database, a server of the user's own (``hub.connection``).

Who uses the server holds a shared lock on one file; who starts or stops it, an exclusive lock on another. Who lets
go and can then take the first lock exclusively was the last user, and stops the server. The kernel frees the locks
of a process that is killed: the next user finds the server running, uses it and stops it.
"""

import fcntl
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cdm_pipelines.hub.cluster import Cluster, Postmaster
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.store.files import make_folder

_PATIENCE = 600.0  # seconds; longer than a start or a stop may take


class EmbeddedServer:
    """A PostgreSQL server with its files in ``<home>/postgres``, reached through a Unix socket only.

    Args:
        home: Folder of the project's own files.
        programs: Folder of another PostgreSQL's programs, instead of the embedded package's.
        options: Settings of ``postgresql.conf`` that replace ours; they take effect when the server starts.
    """

    def __init__(
        self, home: Path, *, programs: Path | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        self.folder = home.resolve() / "postgres"
        self._cluster = Cluster(self.folder, programs, options or {})

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self._cluster.log

    def postmaster(self) -> Postmaster | None:
        """The server's process, or None when it does not run."""
        return self._cluster.postmaster()

    def url(self) -> str:
        """A ``postgresql://`` URL of the running server, without a password.

        Raises:
            HubError: the server does not run.
        """
        return self._cluster.url()

    @contextmanager
    def running(self) -> Iterator[str]:
        """Use the server: start it unless it runs, and stop it afterwards unless another process uses it.

        May be nested, and used from threads, forked children and other processes alike.

        Yields:
            A ``postgresql://`` URL of the database, without a password.

        Raises:
            HubError: the server cannot be started or stopped.
        """
        with _HELD.guard:
            users, lock = _HELD.by_folder.get(self.folder) or (0, self._enter())
            _HELD.by_folder[self.folder] = users + 1, lock
        process = os.getpid()
        try:
            yield self.url()
        finally:
            if os.getpid() == process:  # a child forked in between has nothing to give back
                self._release()

    def stop(self) -> bool:
        """Stop the server whoever uses it; returns whether it ran."""
        if not self.folder.is_dir():
            return False
        with self._control():
            return self._cluster.stop()

    def _release(self) -> None:
        with _HELD.guard:
            users, lock = _HELD.by_folder.pop(self.folder)
            if users > 1:
                _HELD.by_folder[self.folder] = users - 1, lock
            else:
                self._leave(lock)

    def _enter(self) -> int:
        make_folder(self.folder)
        with self._control():
            lock = os.open(self.folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_SH)
                self._cluster.start()
            except BaseException:
                os.close(lock)
                raise
            return lock

    def _leave(self, lock: int) -> None:
        try:
            with self._control():
                fcntl.flock(lock, fcntl.LOCK_UN)
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._cluster.stop()
        finally:
            os.close(lock)

    @contextmanager
    def _control(self) -> Iterator[None]:
        """Be the only process that starts or stops the server."""
        lock = os.open(self.folder / "control.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + _PATIENCE
            while not _try_exclusive(lock):
                if time.monotonic() > deadline:
                    raise HubError(
                        f"Another process has been starting or stopping {self.folder} for minutes."
                    )
                time.sleep(0.02)
            yield
        finally:
            os.close(lock)


def _try_exclusive(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _Held:
    """What this process uses: for each server's folder the number of users and the lock held for them."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self.by_folder: dict[Path, tuple[int, int]] = {}

    def forget(self) -> None:
        """In a forked child: the parent's locks are the parent's; what the child uses it takes by itself."""
        for _, lock in self.by_folder.values():
            os.close(lock)
        self.guard = threading.RLock()
        self.by_folder = {}


_HELD = _Held()
os.register_at_fork(after_in_child=_HELD.forget)


def main(arguments: list[str]) -> int:
    """``python -m cdm_pipelines.hub.server stop HOME``: what ``make clean`` needs before it removes the files."""
    if len(arguments) != 2 or arguments[0] != "stop":
        sys.stderr.write("usage: python -m cdm_pipelines.hub.server stop HOME\n")
        return 2
    EmbeddedServer(Path(arguments[1])).stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
