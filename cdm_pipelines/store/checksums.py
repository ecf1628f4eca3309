"""Checksums in the files of the lake: put there when a file is written, compared when it is read.

Belongs here: where in a file they lie and how they are computed. Does not belong here: opening files (lake), or what
follows from one that does not fit (damage).

Arrow and Parquet files end in a footer, which tells all the rest. A note in the footer holds two CRC-32: of everything
before the footer, and of the footer itself with that one number as zeros. So the schema and the notes of a file are
known to be right after a look at some kilobytes, and no byte of the whole is left out. The files stay what any other
program reads. A JSON object gets a last member with the CRC-32 of the text without it.

CRC-32 finds every change of up to 32 bits in a row, and all but one of four thousand million of any other: enough for
disks, copies and editors, and no protection against somebody who means to deceive. Intel's storage library (``isal``)
computes it from memory at 11.8 GB/s (one core, file cache warm, processor with carry-less multiplication; Python's
``zlib`` at 1.1 to 2.9 GB/s, by how it was built), so that a file is looked through once per process (``Seen``), not
once per read.
"""

import re
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from threading import Lock
from typing import IO

from isal.isal_zlib import crc32

from cdm_pipelines.store.damage import Fault

NOTE = "cdm.checksum"
"""Under which a file's footer holds them."""
UNSEALED = "crc32=00000000 00000000"
"""What stands there until the file is whole."""
_SUMS = re.compile(rb"crc32=([0-9a-f]{8}) ([0-9a-f]{8})")
_MEMBER = re.compile(r',"cdm\.checksum":"crc32=([0-9a-f]{8})"(\}\s*)$')
_NEAR_THE_END = 1 << 16
_KEPT = 20_000


class Kind(Enum):
    """Formats whose files are sealed: how they end, and the bytes between the length of the footer and the end."""

    ARROW = b"ARROW1"
    PARQUET = b"PAR1"

    @property
    def ending(self) -> int:
        """Length of what follows the footer: its own length, and the name of the format."""
        return 4 + len(self.value)


class SealedSink:
    """A file being written, whose footer gets its checksums when it is whole.

    Everything up to the footer goes straight through; what is written after ``footer_follows`` waits for ``seal``.
    """

    closed = False

    def __init__(self, target: IO[bytes], kind: Kind) -> None:
        self._target, self._kind = target, kind
        self._sum, self._size = 0, 0
        self._end: bytearray | None = None

    def writable(self) -> bool:
        """It is."""
        return True

    def readable(self) -> bool:
        """It is not."""
        return False

    def seekable(self) -> bool:
        """It is not."""
        return False

    def tell(self) -> int:
        """Bytes written so far."""
        return self._size

    def flush(self) -> None:
        """Nothing: the file below is flushed when it is whole."""

    def write(self, data: bytes) -> int:
        """Take the next bytes."""
        size = memoryview(data).nbytes
        self._size += size
        if self._end is not None:
            self._end += data
        else:
            self._pass_on(data)
        return size

    def footer_follows(self) -> None:
        """From now on keep what comes: the footer is among it."""
        self._end = bytearray()

    def seal(self) -> None:
        """Write the footer, with the checksums in the place of their note."""
        end = bytes(self._end or b"")
        at = len(end) - footer_size(end, self._kind)
        self._pass_on(end[:at])
        footer = end[at:]
        place = footer.rindex(UNSEALED.encode())
        body = b"crc32=%08x " % self._sum
        footer = footer[:place] + body + footer[place + len(body) :]
        own = b"%08x" % crc32(footer)
        place += len(body)
        self._target.write(footer[:place] + own + footer[place + len(own) :])

    def _pass_on(self, data: bytes) -> None:
        self._sum = crc32(data, self._sum)
        self._target.write(data)


def footer_size(end: bytes, kind: Kind) -> int:
    """Bytes of the footer with what follows it, of a file that ends like this."""
    length = int.from_bytes(end[-kind.ending : -len(kind.value)], "little", signed=True)
    return length + kind.ending


def fault_of(
    kind: Kind,
    size: int,
    last: Callable[[int], bytes],
    body_sum: Callable[[int], int] | None = None,
) -> Fault | None:
    """What is wrong with a file; None when nothing is.

    A file without the note is of an earlier release, which wrote none; only how it ends is looked at.

    Args:
        kind: Its format.
        size: In bytes.
        last: Gives the last bytes, as many as asked for.
        body_sum: Gives the CRC-32 of so many first bytes; None to look at the footer alone.
    """
    if not size:
        return Fault.EMPTY
    near = last(min(size, _NEAR_THE_END))
    if not near.endswith(kind.value):  # a change of the last bytes alone looks like this as well
        return Fault.CUT_OFF
    length = footer_size(near, kind)
    if not kind.ending < length <= size:
        return Fault.ALTERED
    footer = near[-length:] if length <= len(near) else last(length)
    sums = list(_SUMS.finditer(footer))
    if sums:
        body, own = sums[-1].groups()
        place = sums[-1].start(2)
        fits = crc32(footer[:place] + b"0" * len(own) + footer[place + len(own) :]) == int(own, 16)
        fits = fits and (body_sum is None or body_sum(size - length) == int(body, 16))
    else:
        fits = NOTE.encode() not in near and NOTE.encode() not in footer
    return None if fits else Fault.ALTERED


def sealed(text: str) -> str:
    """A JSON object with its checksum as the last member."""
    at = text.rindex("}")
    return f'{text[:at]},"{NOTE}":"crc32={crc32(text.encode()):08x}"{text[at:]}'


def unsealed(content: bytes) -> str | Fault:
    """The text that was ``sealed``, or what is wrong with it; a text of an earlier release comes back as it is."""
    if not content:
        return Fault.EMPTY
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Fault.ALTERED
    found = _MEMBER.search(text)
    if found is None:
        if NOTE in text or "crc32=" in text[-64:]:
            return Fault.ALTERED
        return text if text.rstrip().endswith("}") else Fault.CUT_OFF
    text = text[: found.start()] + found[2]
    return text if crc32(text.encode()) == int(found[1], 16) else Fault.ALTERED


class Seen:
    """Files that this process has looked through, or written, and that have not been written anew since."""

    def __init__(self, most: int = _KEPT) -> None:
        self._stamps: OrderedDict[str, object] = OrderedDict()
        self._most, self._guard = most, Lock()

    def has(self, path: str, stamp: object) -> bool:
        """Whether the file with this stamp (identity, size, times) is known to be right."""
        return self._stamps.get(path) == stamp

    def add(self, path: str, stamp: object) -> None:
        """It is right."""
        with self._guard:
            self._stamps[path] = stamp
            while len(self._stamps) > self._most:
                self._stamps.popitem(last=False)
