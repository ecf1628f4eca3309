"""Work on several cores with results that do not show it.

Belongs here: how many threads may be used, and the order of their results. Does not belong here: what the work is.

Compiled code (numpy, Arrow, rapidfuzz) lets other threads run while it works, so threads are enough, and share the
encoded records.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


_MOST: ContextVar[int] = ContextVar("most_threads")


def cores() -> int:
    """How many threads are of use."""
    return os.cpu_count() or 1


def allowed() -> int:
    """How many threads work may use here: as ``at_most`` says, else as many as there are cores."""
    return _MOST.get(0) or cores()


@contextmanager
def at_most(threads: int | None) -> Iterator[int]:
    """Let what runs within a block use no more threads than these, down to compiled code; None changes nothing.

    Returns:
        How many it may use.
    """
    token = _MOST.set(threads or allowed())
    try:
        yield allowed()
    finally:
        _MOST.reset(token)


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[Result]:
    """``function`` of each item, in the order of the items; at most ``threads`` results wait to be taken.

    Args:
        function: Pure; called in any thread.
        items: Taken one by one, as results are.
        threads: How many at a time; as many as are allowed by default. What runs within is allowed as many.
    """
    threads = threads or allowed()

    def within(item: Item) -> Result:
        with at_most(threads):
            return function(item)

    if threads == 1:
        yield from map(within, items)
        return
    waiting: deque[Future[Result]] = deque()
    rest = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        try:
            waiting.extend(pool.submit(within, item) for item in islice(rest, threads))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(within, item) for item in islice(rest, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()


class Beside:
    """Work that goes on beside whoever hands it over, one piece at a time; as a context manager, none outlasts it.

    What goes wrong in a piece is raised where it is waited for: by ``wait``, the next piece, or the end of the block.

    Attributes:
        failed: Whether that happened.
    """

    def __init__(self) -> None:
        self.failed = False
        self._begun: Future[None] | None = None

    def __enter__(self) -> "Beside":
        self._pool = ThreadPoolExecutor(1)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(wait=True)
        if kind is None:
            self.wait()

    def do(self, work: Callable[[], None]) -> None:
        """Begin a piece of work, once the one before it has ended."""
        self.wait()
        self._begun = self._pool.submit(work)

    def wait(self) -> None:
        """Wait until what was begun has ended."""
        begun, self._begun = self._begun, None
        if begun is not None:
            self.failed = True
            begun.result()
            self.failed = False
