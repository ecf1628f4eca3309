"""Backups: lake, hub and secret as they were at one moment, in one folder that can be checked and restored.

Belongs here: taking, checking and keeping so many of them. Does not belong here: restoring (``restore``), whether what
a backup shows is right (``verify``), PostgreSQL's programs (``hub.dump``).

Lake and hub belong together: the hub says who everybody is, the lake what is known of them. So both are copied as they
were at one moment, while the pipeline goes on. Files of the lake are only ever replaced whole. They are copied, then
those that have changed meanwhile once more, until nothing changed during a round; the hub is dumped at a snapshot taken
in that round. The manifest is written last: a folder without one is no backup.

A backup holds what the lake and the hub hold, in clear, and the secret: keep it as they are kept.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version as release_of
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Engine

from cdm_pipelines.hub import dump as dumps
from cdm_pipelines.hub.connection import database_url
from cdm_pipelines.privacy import backups as noted
from cdm_pipelines.privacy.log import erasures
from cdm_pipelines.settings import Settings
from cdm_pipelines.store.file_store import lies_within
from cdm_pipelines.store.lake import DamagedError, Lake
from cdm_pipelines.store.packs import SUFFIX, path_of
from cdm_pipelines.store.secret import FILE as SECRET
from cdm_pipelines.store.secret import Secret

MANIFEST, SUMS, DUMP, LAKE = "manifest.json", "SHA256SUMS", "hub.dump", "lake/"
_NAME = "%Y%m%dT%H%M%SZ"
_BLOCK = 1 << 22
_SEALED = (".parquet", ".arrow")
_PAUSE = 5.0  # seconds between rounds
Progress = Callable[[str], None]
"""Is told in a few words what is going on."""


class BackupError(Exception):
    """A backup cannot be made, read or restored; the message says why and what to do."""


class Manifest(BaseModel):
    """What a backup is of.

    Attributes:
        made_at: When, in UTC.
        release: Of cdm_pipelines.
        hub: Version of the hub's schema.
        postgres: Major version of the server.
        publication: Number of the newest publication in it; None before the first.
        files: How many.
        size: All of them together, in bytes.
        sums: SHA-256 of the file of sums.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    made_at: dt.datetime
    release: str
    hub: str
    postgres: int
    publication: int | None
    files: int
    size: int
    sums: str


@dataclass(frozen=True)
class Backup:
    """A finished backup: where it is, and what is in it."""

    place: Lake
    manifest: Manifest
    sums: Mapping[str, str]

    @property
    def lake_sums(self) -> dict[str, str]:
        """SHA-256 of each file of the lake, by its path in the lake."""
        return {path.removeprefix(LAKE): each for path, each in self.sums.items() if path.startswith(LAKE)}


def back_up(
    settings: Settings,
    engine: Engine,
    to: str,
    *,
    patience: float = 1800.0,
    progress: Progress = lambda _: None,
) -> Backup:
    """Make a backup in a new folder, named by the time, and read it back.

    Args:
        settings: Of the deployment.
        engine: Of its migrated hub.
        to: Folder or fsspec URL that backups lie in.
        patience: Seconds to wait for a moment in which no run writes.
        progress: Told what is going on.

    Raises:
        BackupError, HubError, LakeError: It cannot be made, or what is to be copied is damaged. No manifest is left.
    """
    _refuse_within(settings, to)
    now = dt.datetime.now(dt.UTC)
    place = Lake(f"{to.rstrip('/')}/{now:{_NAME}}")
    if place.stamps():
        raise BackupError(f"{place.url} is there already: try again in a second.")
    lake = Lake(settings.lake_url)
    copied = _Copied(lake, place)
    with engine.connect() as connection:
        postgres, schemas = dumps.server_major(connection), dumps.schemas_there(connection)
    programs = dumps.client_programs(settings.postgres_bin, postgres)
    deadline = time.monotonic() + patience
    while True:
        before = lake.stamps()
        with dumps.snapshot(engine) as taken:
            progress(f"copying the lake: {len(copied.due(before)):,} files")
            copied.follow(before)
            if lake.stamps() == before and _newest(engine) == taken.publication:
                progress("dumping the hub")
                with place.file(DUMP) as file:
                    dumped = Hashing(file)
                    dumps.dump(database_url(settings), programs, taken, schemas, dumped)
                break
        if time.monotonic() > deadline:
            raise BackupError(
                f"For {patience / 60:.0f} minutes some run was writing: no moment was found at which lake and hub "
                "belong together. Try again at a quieter time, or with more --patience."
            )
        progress("a run is writing: once more what it has changed")
        time.sleep(_PAUSE)
    sums = {DUMP: dumped.sum, **copied.sums}
    secret = Secret.of(settings.home).key
    with place.file(SECRET) as file:
        file.write(secret)
    sums[SECRET] = sha256(secret).hexdigest()
    listed = "".join(f"{each}  {path}\n" for path, each in sorted(sums.items()))
    place.write_text(SUMS, listed)
    manifest = Manifest(
        made_at=now,
        release=release_of("cdm_pipelines"),
        hub=taken.version or "",
        postgres=postgres,
        publication=taken.publication,
        files=len(sums),
        size=place.total_size(),
        sums=sha256(listed.encode()).hexdigest(),
    )
    made = Backup(place, manifest, sums)
    progress("reading it back")
    problems = list(faults(made))
    if problems:
        raise BackupError(
            f"The backup {place.url} is not what was copied: {problems[0]} It counts for nothing."
        )
    place.write_text(MANIFEST, manifest.model_dump_json(indent=1) + "\n")
    noted.note(settings.home, place.url, now)  # so that certificates of erasures can name it
    if erasures(settings.home):
        noted.copy_log(settings.home)
    return made


def _refuse_within(settings: Settings, to: str) -> None:
    """A copy of what holds the copy never ends, and an erasure would find everybody in it."""
    own = {"the lake": settings.lake_url, "CDM_HOME": str(settings.home), "landing": settings.landing_url}
    for name, url in own.items():
        if lies_within(to, url):
            raise BackupError(
                f"{to} lies within {name} ({url}), of which it would be a copy, and is lost with it. Nothing was "
                "written: name a place outside of lake, landing and CDM_HOME."
            )


class _Copied:
    """Copies of a lake's files, which follow the lake."""

    def __init__(self, lake: Lake, place: Lake) -> None:
        self._lake, self._place = lake, place
        self._stamps: dict[str, object] = {}
        self.sums: dict[str, str] = {}

    def due(self, there: Mapping[str, object]) -> list[str]:
        """Paths of files that have no copy, or one of a former state."""
        return [path for path, stamp in there.items() if self._stamps.get(path) != stamp]

    def follow(self, there: Mapping[str, object]) -> None:
        """Copy what is due, and drop copies of what is there no more.

        Raises:
            DamagedError: A file is not what was written: it must not take the place of a good copy.
        """
        for gone in set(self._stamps) - set(there):
            self._place.delete(LAKE + gone)
            del self._stamps[gone], self.sums[LAKE + gone]
        for path in self.due(there):
            with suppress(FileNotFoundError):  # gone since: the next round knows
                self._copy(path)
                self._stamps[path] = there[path]

    def _copy(self, path: str) -> None:
        try:
            with self._lake.open(path) as source, self._place.file(LAKE + path) as file:
                copy = Hashing(file)
                copy.take(source)
            check_file(self._place, LAKE + path)
        except DamagedError as error:
            if not self._lake.exists(path):
                raise FileNotFoundError(path) from None
            raise self._lake.damaged(path, error.fault) from None
        self.sums[LAKE + path] = copy.sum


def check_file(lake: Lake, path: str) -> None:
    """Compare a file of a lake with the checksum in it, where its kind has one.

    Raises:
        DamagedError: It is not what was written.
    """
    if path.endswith(_SEALED):
        lake.verify(path)
    elif path.endswith(".json"):
        lake.read_json(path)
    elif path.endswith(SUFFIX):
        for name in lake.packed(path):
            lake.packed_content(path_of(path, name))


class Hashing:
    """A file being written, whose SHA-256 is computed on the way."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = sha256()

    def write(self, block: bytes) -> int:
        """Write the next bytes."""
        self._digest.update(block)
        return self._file.write(block)

    def take(self, source: IO[bytes]) -> None:
        """Write everything that a file holds."""
        while block := source.read(_BLOCK):
            self.write(block)

    @property
    def sum(self) -> str:
        """SHA-256 of what was written so far, in hexadecimal."""
        return self._digest.hexdigest()


def _newest(engine: Engine) -> int | None:
    with engine.connect() as connection:
        return dumps.newest_publication(connection)


def backups(where: str) -> list[str]:
    """Names of the finished backups in a folder, oldest first."""
    folder = Lake(where)
    return [name for name in folder.folders("") if folder.exists(f"{name}/{MANIFEST}")]


def open_backup(where: str) -> Backup:
    """A backup, or the newest of a folder of them.

    Raises:
        BackupError: There is none, or it cannot be read.
    """
    place = Lake(where)
    if not place.exists(MANIFEST):
        found = backups(where)
        if not found:
            raise BackupError(
                f"There is no finished backup in {where}: one has a {MANIFEST}, or lies in a folder below."
            )
        place = Lake(f"{where.rstrip('/')}/{found[-1]}")
    listed = place.read_text(SUMS) if place.exists(SUMS) else ""
    try:
        manifest = Manifest.model_validate_json(place.read_text(MANIFEST))
    except ValidationError:
        raise BackupError(f"{place.url}/{MANIFEST} is not what a backup has: use another backup.") from None
    if sha256(listed.encode()).hexdigest() != manifest.sums:
        raise BackupError(f"{place.url}/{SUMS} has been altered or is missing: use another backup.")
    sums = {path: each for each, _, path in (line.partition("  ") for line in listed.splitlines())}
    return Backup(place, manifest, sums)


def faults(backup: Backup) -> Iterator[str]:
    """What differs from what the sums say, in sentences."""
    for path, wanted in backup.sums.items():
        if not backup.place.exists(path):
            yield f"{path} is missing."
        elif sum_of(backup.place, path) != wanted:
            yield f"{path} has been altered: its checksum does not fit."


def sum_of(place: Lake, path: str) -> str:
    """SHA-256 of a file."""
    digest = sha256()
    with place.open(path) as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def keep_newest(where: str, number: int) -> list[str]:
    """Remove all but so many finished backups, and what was left unfinished before them; returns their names."""
    folder, kept = Lake(where), backups(where)[-number:]
    gone = [name for name in folder.folders("") if _is_name(name) and kept and name < kept[0]]
    for name in gone:
        folder.delete_folder(name)
    return gone


def _is_name(name: str) -> bool:
    try:
        dt.datetime.strptime(name, _NAME)  # noqa: DTZ007 - it is UTC, and only its form matters
    except ValueError:
        return False
    return True
