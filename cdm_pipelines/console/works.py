"""What takes longer than a page waits: commands of ours that run beside the console, one after the other.

Belongs here: starting them, and how they went. Does not belong here: what they do (commands), who may ask for it.

Each is a process of its own, which goes on when the console is stopped or killed. What is still waiting then is not
done: whoever asks for something writes down first what is to be done (a correction, an approved proposal), and the page
offers to go on with it.
"""

import datetime as dt
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread
from typing import IO

from cdm_pipelines.settings import Settings

WAITS, RUNS, DONE, FAILED = "waits", "is under way", "is done", "failed"
"""States of a work."""
_KEPT = 100
_LINES = 12


@dataclass
class Work:
    """One command that was asked for.

    Attributes:
        key: What it is about: of two with one key that both wait, one is run.
        who: Who asked for it.
        arguments: Of ``cdm``.
        asked_at: When.
        state: See above.
        told: The last lines that it printed; our commands print no personal value.
        printed: All that it printed to standard output.
        folder: What it reads, made for it alone and removed when it has ended.
    """

    key: str
    who: str
    arguments: tuple[str, ...]
    asked_at: dt.datetime
    state: str = WAITS
    told: str = ""
    printed: str = ""
    folder: "tempfile.TemporaryDirectory[str] | None" = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in (DONE, FAILED)


@dataclass
class Works:
    """All that was asked for since the console began.

    Attributes:
        settings: Of the deployment.
    """

    settings: Settings
    _works: list[Work] = field(default_factory=list)
    _waiting: "SimpleQueue[Work]" = field(default_factory=SimpleQueue)
    _lock: Lock = field(default_factory=Lock)
    _thread: Thread | None = None

    def start(
        self,
        key: str,
        who: str,
        arguments: Sequence[str],
        folder: "tempfile.TemporaryDirectory[str] | None" = None,
    ) -> Work:
        """Have a command run, as soon as those before it have ended; returns at once.

        Args:
            key: What it is about.
            who: Who asks for it.
            arguments: Of ``cdm``.
            folder: What it reads, removed when it has ended.
        """
        with self._lock:
            for work in self._works:
                if work.key == key and work.state == WAITS and folder is None:
                    return work
            work = Work(key, who, tuple(arguments), dt.datetime.now(dt.UTC), folder=folder)
            self._works = [*self._works[-_KEPT:], work]
            self._waiting.put(work)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="works", daemon=True)
                self._thread.start()
        return work

    def of(self, key: str) -> Work | None:
        """The last one of a key; None where there was none since the console began."""
        return next((work for work in reversed(self._works) if work.key == key), None)

    def _run(self) -> None:
        while True:
            work = self._waiting.get()
            try:
                self._one(work)
            except (OSError, ValueError) as error:  # whoever asks next is not kept from it
                work.told, work.state = f"The command could not be run: {type(error).__name__}.", FAILED

    def _one(self, work: Work) -> None:
        work.state = RUNS
        with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
            done = subprocess.run(  # noqa: S603 - our own command, and its arguments are no shell's
                [sys.executable, "-m", "cdm_pipelines.cli", *work.arguments],
                env={**os.environ, **self.settings.environment(), "COLUMNS": "160", "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=said,
                start_new_session=True,  # Ctrl-C of the console does not end it
                check=False,
            )
            work.printed, told = _text(printed), _text(said)
        work.told = "\n".join(f"{work.printed}\n{told}".strip().splitlines()[-_LINES:])
        if work.folder is not None:
            work.folder.cleanup()
        work.state = FAILED if done.returncode else DONE


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
