"""Several processes that answer on one port: forked from one that holds the linkage, and watched by it.

Belongs here: sockets, forking, starting another where one has died, putting new ones in the place of old ones when a
new linkage is published. Does not belong here: what a worker serves (``server``).

The watching process loads the linkage and has no thread of its own, so that it can be forked; its memory is shared with
the workers until somebody writes to it, and nobody does. A worker ends when the watching process is gone, whatever
ended that: a pipe of which nobody holds the other end any more says so.
"""

import gc
import logging
import os
import select
import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from cdm_pipelines.console.errors import ConsoleError
from cdm_pipelines.faults import place

_WAKE_SECONDS, _LOOK_SECONDS, _END_SECONDS = 0.2, 5.0, 15.0
_STARTING_SECONDS = 120.0
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Born:
    """What a worker has of the process that watches it.

    Attributes:
        number: Of its file of figures: of two workers that live at a time, never the same.
        socket: On which it answers; None for one that does not.
        alive: A pipe that can be read once the watching process is gone.
        tell_ready: Called when it answers.
    """

    number: int
    socket: socket.socket | None
    alive: int
    tell_ready: Callable[[], None]

    @property
    def is_orphan(self) -> bool:
        """Whether the watching process is gone."""
        return bool(select.select([self.alive], [], [], 0)[0])


Work = Callable[[Born], None]
"""What a forked process does; it ends when that returns."""


@dataclass
class Workers:
    """Processes that answer, and one beside them.

    Attributes:
        host: Address.
        port: Port.
        number: How many answer.
        serve: What each of them does.
        beside: What the one beside them does.
        newer: Called every few seconds, and before anybody is forked: whether what workers inherit is another now.
    """

    host: str
    port: int
    number: int
    serve: Work
    beside: Work
    newer: Callable[[], bool]
    _sockets: list[socket.socket] = field(default_factory=list)
    _living: dict[int, int] = field(default_factory=dict)
    _leaving: dict[int, float] = field(default_factory=dict)
    _generation: int = 0
    _ended: bool = False

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until told to end, by Ctrl-C or SIGTERM.

        Args:
            ready: Called once all answer.

        Raises:
            OSError: The port cannot be used.
            ConsoleError: No worker came to answer.
        """
        self._sockets = listening(self.host, self.port, self.number)
        self._alive, self._held = os.pipe()
        self._told, self._tell = os.pipe()
        with _told_to_end(self._end):
            try:
                self.newer()
                self._fork(_BESIDE)
                self._fork_all()
                self._await_ready()
                ready()
                self._watch()
            finally:
                self._end_all()

    def _end(self, *_: object) -> None:
        self._ended = True

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._ended:
            time.sleep(_WAKE_SECONDS)
            for slot in self._reaped():
                if not self._ended:
                    _logger.warning("A process of the console ended by itself; another one takes its place.")
                    time.sleep(_WAKE_SECONDS)
                    self._fork(slot)
            self._end_those_who_stay()
            if time.monotonic() > looked + _LOOK_SECONDS:
                looked = time.monotonic()
                if self._is_newer():
                    self._replace_all()

    def _is_newer(self) -> bool:
        try:
            return self.newer()
        except Exception as error:  # the workers that there are go on with what they have
            _logger.warning("What was published cannot be loaded yet: %s", place(error))
            return False

    def _replace_all(self) -> None:
        """Have new workers answer, then let the old ones end what they are at."""
        old = [pid for pid, slot in self._living.items() if slot != _BESIDE]
        self._generation += 1
        self._fork_all()
        self._await_ready()
        for pid in old:
            self._leaving[pid] = time.monotonic() + _END_SECONDS
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _fork_all(self) -> None:
        gc.collect()
        gc.freeze()  # what is here is no garbage, and looking whether it is would copy it into each worker
        for slot in range(self.number):
            self._fork(slot)

    def _fork(self, slot: int) -> None:
        with warnings.catch_warnings():
            # Threads of compiled code sleep between calls, and are made anew in the child where it asks for them.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid:
            self._living[pid] = slot
            return
        code = 1
        try:
            for told in (signal.SIGINT, signal.SIGTERM):
                signal.signal(told, signal.SIG_DFL)
            os.close(self._held)
            answers = slot != _BESIDE
            if not answers:
                for one in self._sockets:
                    one.close()
            number = slot + self.number * (self._generation % 2)
            born = Born(number, self._sockets[slot] if answers else None, self._alive, self._tell_ready)
            (self.serve if answers else self.beside)(born)
            code = 0
        except Exception as error:
            _logger.error("A process of the console failed: %s", place(error))  # noqa: TRY400 - no values in a log
        finally:
            os._exit(code)  # what its parent has begun, its parent ends

    def _tell_ready(self) -> None:
        os.write(self._tell, b".")

    def _await_ready(self) -> None:
        """Wait until as many workers as there should be have told that they answer."""
        left, lost, until = self.number, 0, time.monotonic() + _STARTING_SECONDS
        while left and not self._ended:
            if select.select([self._told], [], [], _WAKE_SECONDS)[0]:
                left -= len(os.read(self._told, left))
            dead = self._reaped()
            lost += len(dead)
            if lost > self.number or time.monotonic() > until:
                raise ConsoleError("The processes of the console end before they answer; see above why.")
            for slot in dead:
                self._fork(slot)

    def _reaped(self) -> list[int]:
        """Slots of those that have ended and should not have."""
        slots = []
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            slot = self._living.pop(pid, None)
            if slot is not None and self._leaving.pop(pid, None) is None:
                slots.append(slot)
        return slots

    def _end_those_who_stay(self) -> None:
        for pid, until in list(self._leaving.items()):
            if time.monotonic() > until:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _end_all(self) -> None:
        for number, seconds in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, 5.0)):
            for pid in self._living:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            until = time.monotonic() + seconds
            while self._living and time.monotonic() < until:
                self._reaped()
                time.sleep(0.02)
        for one in self._sockets:
            one.close()
        for pipe in (self._alive, self._held, self._told, self._tell):
            os.close(pipe)


_BESIDE = -1
"""In the place of a slot, for the process that answers nobody."""


def listening(host: str, port: int, number: int) -> list[socket.socket]:
    """Sockets of one port, among which the system divides those who come.

    Raises:
        OSError: The port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()  # others who share it are none of ours
    made = []
    for _ in range(number):
        one = socket.socket(family, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((host, port))
        one.listen(2048)
        one.set_inheritable(False)
        made.append(one)
    return made


@contextmanager
def _told_to_end(end: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
