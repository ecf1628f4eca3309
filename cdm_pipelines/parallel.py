"""Work on several cores with results that do not show it.

Belongs here: threads and the order of their results. Does not belong here: what the work is.

Compiled code (numpy, Arrow, rapidfuzz) lets other threads run while it works, so threads are enough, and share the
encoded records.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many threads are of use."""
    return os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[Result]:
    """``function`` of each item, in the order of the items; at most ``threads`` results wait to be taken.

    Args:
        function: Pure; called in any thread.
        items: Taken one by one, as results are.
        threads: How many at a time; as many as there are cores by default.
    """
    threads = threads or cores()
    if threads == 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    rest = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        try:
            waiting.extend(pool.submit(function, item) for item in islice(rest, threads))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(rest, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
