"""A place beside the lake for work that leaves nothing behind: the lake as it is, and what is written goes elsewhere.

Belongs here: making such a place, filling it with the lake's own files, sweeping what a killed process left of one.
Does not belong here: what is worked on in it (steps.plan).

A place is a folder under ``CDM_HOME`` and a file beside it that its process holds locked. The lock goes with the
process, however that ends, so that whoever finds the file unlocked may sweep the folder.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from cdm_pipelines.store.files import make_folder
from cdm_pipelines.store.lake import Lake

FOLDER = "plan"
"""Its name under ``CDM_HOME``."""
_LOCK = ".lock"
_BLOCK = 1 << 22


@contextmanager
def place_beside(home: Path) -> Iterator[Path]:
    """An empty folder of one's own, which is gone when the block ends; what killed processes left goes before.

    Args:
        home: ``CDM_HOME``.

    Yields:
        The folder, readable by its owner alone.
    """
    sweep(home)
    folder = home / FOLDER / uuid4().hex
    make_folder(folder.parent)
    lock = folder.with_suffix(_LOCK)
    descriptor = _locked(lock)
    try:
        make_folder(folder)  # after the lock: a folder without one is nobody's
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(descriptor)
        with suppress(OSError):  # another is there
            folder.parent.rmdir()


def sweep(home: Path) -> int:
    """Remove places whose process is no more; returns how many."""
    found = home / FOLDER
    if not found.is_dir():
        return 0
    swept = 0
    for one in sorted({path.with_suffix("") for path in found.iterdir()}):
        lock = one.with_suffix(_LOCK)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            swept += one.is_dir()
            shutil.rmtree(one, ignore_errors=True)
            lock.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
    with suppress(OSError):
        found.rmdir()
    return swept


def lake_beside(lake: Lake, folder: Path, parts: Sequence[str]) -> Lake:
    """A lake in a folder that has some parts of another, and that takes what is written.

    Files on this machine are linked to and not copied: files of a lake are only ever replaced whole, and a file that is
    replaced takes the place of the link. Files elsewhere are copied.

    Args:
        lake: The lake, which is only read.
        folder: To lie in.
        parts: Folders of the lake.
    """
    beside = Lake(str(folder))
    for part in parts:
        for path in lake.lying_alone(part, ""):
            here = lake.here_at(path)
            if here is None:
                with lake.open(path) as source, beside.file(path) as copy:
                    while block := source.read(_BLOCK):
                        copy.write(block)
            else:
                link = folder / path
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(here)
    return beside


def _locked(lock: Path) -> int:
    """The lock, made and held; a sweeper that takes a new one for an old one makes us make it again."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        os.close(descriptor)
