"""Packing the small files of past months, and bringing packs up to what lies beside them.

Belongs here: which files of a layer go into which pack, and in which order on the disk. Does not belong here: the form
of a pack (packs), or when files are old enough (the policy of pruning).

A pack is written whole beside its place and moved there; then the files that are in it are removed. Killed at any
moment, there are the files, or the pack, or both with the same bytes, and the files go first. The next compaction
finishes what was begun. A file that has changed since it was packed is not removed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, cast

from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.packs import LARGEST, address, path_of, write_pack

LAYERS = ("raw", "valid", "quarantine", "repairs", "standard")
"""Those whose days are packed. Corrections are few, and nothing else holds them: they stay files."""


@dataclass(frozen=True)
class Packing:
    """What packing one month of a source entity's layer does.

    Attributes:
        pack: Its path.
        files: Files that went into it, or will.
        before: Bytes of those and of the pack that there was.
        after: Bytes of the pack.
        fault: Why it was left as it is; None where it was not.
    """

    pack: str
    files: int
    before: int
    after: int
    fault: DamagedError | None = None


def compact(lake: Lake, due: Callable[[str], bool], *, dry_run: bool = False) -> Iterator[Packing]:
    """Pack what lies alone of months that are due.

    Args:
        lake: The lake.
        due: Whether a month, YYYY-MM, is.
        dry_run: Whether to say what would become of it, and change nothing.
    """
    for pack, names in sorted(_lying_alone(lake, *LAYERS).items()):
        if due(PurePosixPath(pack).stem):
            with suppress(FileNotFoundError):  # another process is packing the same, and goes on with it
                yield _pack(lake, pack, names, dry_run=dry_run)


def without_former(lake: Lake, covers: Callable[[str], bool], folder: str) -> int:
    """Take out of packs what a file beside them has the place of; returns how many files left their packs.

    Args:
        lake: The lake.
        covers: Whether a path is concerned.
        folder: In which all such paths are.
    """
    gone = 0
    for pack, names in sorted(_lying_alone(lake, folder).items()):
        former = sorted(set(names) & set(lake.packed(pack)))
        if any(covers(path_of(pack, name)) for name in former):
            take_out(lake, pack, former)
            gone += len(former)
    return gone


def take_out(lake: Lake, pack: str, names: list[str]) -> None:
    """Write a pack anew without some of its files; one that has no other is removed."""
    stays = sorted(set(lake.packed(pack)) - set(names))
    if stays:
        with lake.file(pack) as sink:
            write_pack(sink, ((name, lake.packed_content(path_of(pack, name))) for name in stays))
    else:
        lake.delete(pack)


def _lying_alone(lake: Lake, *folders: str) -> dict[str, list[str]]:
    """Names of the files below some folders that could be packed, by pack."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder in folders:
        for path in lake.lying_alone(folder):
            at = address(path)
            if at is not None:
                found[at.pack].append(at.name)
    return found


def _pack(lake: Lake, pack: str, names: list[str], *, dry_run: bool) -> Packing:
    small = sorted(name for name in names if lake.size(path_of(pack, name)) < LARGEST)
    stamps = {name: lake.stamp(path_of(pack, name)) for name in small}
    before = sum(lake.size(path_of(pack, name)) for name in small)
    before += lake.size(pack) if lake.lies_alone(pack) else 0
    try:
        held = set(lake.packed(pack)) - set(
            names
        )  # a large file beside a pack takes its own former out of it
        if not small and len(held) == len(lake.packed(pack)):
            return Packing(pack, 0, 0, 0)
        members = (
            (name, (lake.content if name in stamps else lake.packed_content)(path_of(pack, name)))
            for name in sorted(stamps.keys() | held)
        )
        if dry_run:
            counted = _Count()
            write_pack(cast("IO[bytes]", counted), members)
            return Packing(pack, len(small), before, counted.size)
        with lake.file(pack) as sink:
            write_pack(sink, members)
    except DamagedError as damaged:
        return Packing(pack, 0, 0, 0, damaged)
    for name, stamp in stamps.items():
        path = path_of(pack, name)
        with suppress(FileNotFoundError):
            if lake.stamp(path) == stamp:
                lake.delete(path)
    for folder in {str(PurePosixPath(path_of(pack, name)).parent) for name in stamps if "/" in name}:
        lake.delete_if_empty(folder)
    return Packing(pack, len(small), before, lake.size(pack))


class _Count:
    """A file of which only the size is kept."""

    size = 0

    def write(self, data: bytes) -> int:
        """Take the next bytes."""
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing."""
