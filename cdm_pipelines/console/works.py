"""What takes longer than a page waits: commands of ours that run beside the console, one after the other.

Belongs here: starting them, and how they went. Does not belong here: their rows (hub.works), what they do (commands),
who may ask for it.

Each is a process of its own, which goes on when the console is stopped or killed. What still waits then is run when the
console is there again; what was under way is told as stopped, and whoever asked for it asks again. Golden ids reach a
command by its standard input: everybody on the machine sees its arguments.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import IO

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from cdm_pipelines.hub import works as hub
from cdm_pipelines.hub.works import DONE, FAILED, RUNS, STOPPED, WAITS, Work
from cdm_pipelines.settings import Settings

__all__ = ["DONE", "FAILED", "RUNS", "STOPPED", "WAITS", "Work", "Works"]
FILES = "{files}"
"""Stands in an argument for the folder of a work's files."""
_LINES = 12
_CUT_SHORT = (
    "The console was stopped meanwhile. What had begun goes on by itself, or is gone on with: ask again."
)
_LOOK_SECONDS, _REST_SECONDS = 5.0, 5.0


@dataclass
class Works:
    """All that was asked for within a week.

    Attributes:
        settings: Of the deployment.
        engine: Of the hub, of which no connection is held for long.
        here: Whether this process works through them; else another one does (``go_on``).
    """

    settings: Settings
    engine: Engine
    here: bool = True
    _lock: Lock = field(default_factory=Lock)
    _thread: Thread | None = None

    def start(
        self,
        key: str,
        who: str,
        arguments: Sequence[str],
        *,
        given: str | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Work:
        """Have a command run, as soon as those before it have ended; returns at once.

        Args:
            key: What it is about; it tells of nobody.
            who: Who asks for it.
            arguments: Of ``cdm``.
            given: What it reads from standard input, such as golden ids.
            files: Texts by their path in a folder, which ``FILES`` stands for in the arguments.
        """
        with self.engine.begin() as connection:
            work = hub.ask(connection, key, who, arguments, given=given, files=files)
        if self.here:
            with self._lock:
                if self._thread is None:
                    self._thread = Thread(target=self._beside, name="works", daemon=True)
                    self._thread.start()
        return work

    def of(self, key: str) -> Work | None:
        """The last one of a key; None where there was none within a week."""
        with self.engine.connect() as connection:
            return hub.last(connection, key)

    def go_on(self, ended: Callable[[], bool]) -> None:
        """Work through them until told to end: a process of its own, beside those that answer."""
        while not ended():
            try:
                self._until(ended)
            except DBAPIError:  # the hub is away: whoever asks is told so
                time.sleep(_REST_SECONDS)

    def _until(self, ended: Callable[[], bool]) -> None:
        with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as waiting:
            waiting.exec_driver_sql(f"LISTEN {hub.CHANNEL}")
            driver = waiting.connection.driver_connection
            assert driver is not None  # noqa: S101 - it has just answered
            while not ended():
                self._all()
                next(iter(driver.notifies(timeout=_LOOK_SECONDS, stop_after=1)), None)

    def _beside(self) -> None:
        """In a thread: all that waits; another thread is started for what is asked for after."""
        try:
            while True:
                self._all()
                with self._lock, self.engine.connect() as connection:
                    if not hub.waiting(connection):
                        self._thread = None
                        return
        finally:  # also where the hub is away
            self._thread = None

    def _all(self) -> None:
        """Run all that wait, where it is this process's turn."""
        with self._turn():
            while (work := self._next()) is not None:
                try:
                    state, told, printed = self._run(work)
                except (OSError, ValueError) as error:  # whoever asks next is not kept from it
                    state, told, printed = (
                        FAILED,
                        f"The command could not be run: {type(error).__name__}.",
                        "",
                    )
                with self.engine.begin() as connection:
                    hub.end(connection, work.work_id, state, told, printed)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as held:
            hub.take_turn(held)
            hub.note_stopped(held, _CUT_SHORT)
            try:
                yield
            finally:
                hub.end_turn(held)

    def _next(self) -> Work | None:
        with self.engine.begin() as connection:
            return hub.begin_next(connection)

    def _run(self, work: Work) -> tuple[str, str, str]:
        """Run one; returns its state, the last lines that it printed, and its standard output."""
        with (
            tempfile.TemporaryDirectory(prefix="cdm-work-") as folder,
            tempfile.TemporaryFile() as printed,
            tempfile.TemporaryFile() as said,
        ):
            for name, content in work.files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
            arguments = [one.replace(FILES, folder) for one in work.arguments]
            done = subprocess.run(  # noqa: S603 - our own command, and its arguments are no shell's
                [sys.executable, "-m", "cdm_pipelines.cli", *arguments],
                env={**os.environ, **self.settings.environment(), "COLUMNS": "160", "NO_COLOR": "1"},
                input=(work.given or "").encode(),
                stdout=printed,
                stderr=said,
                start_new_session=True,  # Ctrl-C of the console does not end it
                check=False,
            )
            out, err = _text(printed), _text(said)
        told = "\n".join(f"{out}\n{err}".strip().splitlines()[-_LINES:])
        return FAILED if done.returncode else DONE, told, out


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace").replace("\x00", "")
