"""Counts by key that end after a while, in memory which all workers of a console share: limits hold over all of them.

Belongs here: the storage that ``limits`` counts in. Does not belong here: what is limited (``house``).

The memory is mapped before the workers are forked. A lock of the operating system keeps counts exact, and is let go
when a worker is killed. Keys are kept as keyed hashes; when no place is left, the count that ends first goes.
"""

import fcntl
import mmap
import os
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from secrets import token_bytes
from threading import Lock

import numpy as np
from limits.storage import Storage

_PLACES, _NEAR = 1 << 15, 32
_COUNT = np.dtype([("key", np.uint64), ("ends", np.float64), ("count", np.int64)])


class SharedCounts(Storage):
    """Counts in memory that forked processes share; safe for threads, too."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._file, path = tempfile.mkstemp(prefix="cdm-counts-")
        Path(path).unlink()  # whoever is forked has it open
        weakref.finalize(self, os.close, self._file)
        os.truncate(self._file, _PLACES * _COUNT.itemsize)
        self._counts = np.frombuffer(mmap.mmap(self._file, 0), _COUNT)
        self._secret = token_bytes(16)
        self._lock = Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a storage fails with."""
        return OSError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and return the count; the first one begins a window of ``expiry`` seconds."""
        with self._locked():
            at, number = self._place(key)
            one, now = self._counts[at], time.time()
            if one["key"] != number or one["ends"] <= now:
                self._counts[at] = (number, now + expiry, 0)
            self._counts["count"][at] += amount
            return int(self._counts["count"][at])

    def get(self, key: str) -> int:
        """The count of a key."""
        with self._locked():
            at, number = self._place(key)
            one = self._counts[at]
            return int(one["count"]) if one["key"] == number and one["ends"] > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """When the window of a key ends."""
        with self._locked():
            at, number = self._place(key)
            one = self._counts[at]
            return float(one["ends"]) if one["key"] == number else time.time()

    def check(self) -> bool:
        """Whether counts can be kept."""
        return True

    def reset(self) -> int | None:
        """Forget all counts."""
        with self._locked():
            self._counts[:] = 0
        return None

    def clear(self, key: str) -> None:
        """Forget the count of a key."""
        with self._locked():
            at, number = self._place(key)
            if self._counts["key"][at] == number:
                self._counts[at] = 0

    def _place(self, key: str) -> tuple[int, int]:
        """Where a key is counted, or would be; and its number."""
        digest = blake2b(key.encode(), digest_size=8, key=self._secret).digest()
        number = int.from_bytes(digest, "little") or 1
        near = (number + np.arange(_NEAR, dtype=np.uint64)) % _PLACES
        found = np.flatnonzero(self._counts["key"][near] == number)
        return int(near[found[0] if len(found) else np.argmin(self._counts["ends"][near])]), number

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
