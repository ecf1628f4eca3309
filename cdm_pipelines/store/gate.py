"""While a person is erased or keys are changed no run writes: what it had read would come back with what it writes.

Belongs here: closing the gate and waiting at it. Does not belong here: what is done while it is closed (steps.rights).

The gate is a file under ``CDM_HOME`` that is locked while it is closed. Where its process was killed the file stays and
the lock goes: then nothing runs until the erasure was ended.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cdm_pipelines.store.files import make_folder

FILE = "privacy/erasing.lock"
"""Its name under ``CDM_HOME``."""
_PAUSE, _PATIENCE = 0.2, 3600.0  # seconds


class GateError(Exception):
    """The gate is closed; the message says what to do."""


@contextmanager
def closed(home: Path) -> Iterator[None]:
    """Have no run write in the block.

    Raises:
        GateError: Another process has closed it.
    """
    path = home / FILE
    make_folder(path.parent)
    descriptor = _locked(path)
    try:
        yield
    except Exception:
        path.unlink(missing_ok=True)
        raise
    else:
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def pass_through(home: Path, patience: float = _PATIENCE) -> None:
    """Wait until no person is being erased.

    Raises:
        GateError: An erasure was cut short, or takes longer than so many seconds.
    """
    path, deadline = home / FILE, time.monotonic() + patience
    while path.exists():
        if _abandoned(path):
            raise GateError(
                "An erasure, or a change of keys, was cut short, and until it has ended nothing runs: "
                "`cdm privacy resume` goes on with the one, `cdm privacy rotate-keys` with the other."
            )
        if time.monotonic() > deadline:
            raise GateError("An erasure, or a change of keys, is under way: run again when it has ended.")
        time.sleep(_PAUSE)


def _locked(path: Path) -> int:
    """The file, made where it is not there, open and locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise GateError(
                "Another erasure, or a change of keys, is under way: wait until it has ended."
            ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)  # whoever had closed it has just opened it, and taken the file away


def _abandoned(path: Path) -> bool:
    """Whether nobody holds the lock of a file that is there."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return path.exists()
    finally:
        os.close(descriptor)
