"""Files on this machine: written whole, kept through a crash, and readable by their owner alone.

Belongs here: the one way in which the project writes a file that holds data. Does not belong here: what is in it, or
files elsewhere (lake).

A file is written beside its place, flushed to the disk and moved there, and then the folder is flushed, so that after
a loss of power there is the former file or the new one. Files get mode 0600 and folders 0700 whatever the umask says.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

FILE_MODE, FOLDER_MODE = 0o600, 0o700
UNFINISHED = ".tmp-"
"""How names of files begin that are being written."""


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file piece by piece; it appears when the block ends, and not when the block raises."""
    make_folder(path.parent)
    temporary = path.with_name(f"{UNFINISHED}{uuid4().hex}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            os.fchmod(sink.fileno(), FILE_MODE)
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file; where it has that content already it is left alone."""
    if path.is_file() and path.read_bytes() == content:
        if path.stat().st_mode & 0o777 != FILE_MODE:
            path.chmod(FILE_MODE)
        return
    with whole(path) as sink:
        sink.write(content)


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Wait until no other thread or process of this machine is in the block of the same lock.

    Args:
        lock: A file that holds nothing. It stays; the lock goes with the block, and with its process.
    """
    make_folder(lock.parent)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_once(path: Path, content: bytes) -> None:
    """Write a small file whole, unless it is there; of several processes one is first, and its content stays."""
    make_folder(path.parent)
    beside = path.with_name(f"{UNFINISHED}{uuid4().hex}")
    try:
        write_whole(beside, content)
        with suppress(FileExistsError):
            os.link(beside, path)
            sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, where they are not there; one that is there keeps its mode.

    Raises:
        NotADirectoryError: A file is there.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        try:
            one.mkdir(FOLDER_MODE)
        except FileExistsError:
            if not one.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(one)) from None
        else:
            one.chmod(FOLDER_MODE)
            sync_folder(one.parent)


def make_private(folder: Path) -> None:
    """Make a folder of the project's own, or take away what others may do in it.

    Where an account of its own serves the database in the folder, which root has it do, it may be passed through.
    """
    make_folder(folder)
    found = folder.stat()
    if found.st_uid != os.geteuid():
        return
    with os.scandir(folder) as inside:
        of_another = any(one.stat(follow_symlinks=False).st_uid != found.st_uid for one in inside)
    mode = FOLDER_MODE | (0o011 if of_another else 0)
    if found.st_mode & 0o777 != mode:
        folder.chmod(mode)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems know no such thing
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
