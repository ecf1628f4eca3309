"""The hub as one file, and a hub from such a file: PostgreSQL's own ``pg_dump``, ``pg_restore`` and ``psql``.

Belongs here: calling these programs, and the snapshot that a dump is taken at. Does not belong here: what else a backup
holds, and when it is consistent (steps.operate.backup).

A dump can be read by any later major version of PostgreSQL, and holds no owners and no rights: whoever restores owns
what is there. Passwords go to the programs in their environment, never on their command line, which others can see.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

from sqlalchemy import URL, Connection, Engine, text

from cdm_pipelines.hub.binaries import Programs, find_programs
from cdm_pipelines.hub.connection import in_full
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.migrate import version
from cdm_pipelines.hub.role_rights import OURS

"""What a dump holds, where it is there: everything of the hub and of Dagster, nothing of others in the database."""
_EXTENSIONS = ("pg_trgm", "unaccent")
_NEEDED = ("pg_dump", "pg_restore", "psql")
_BLOCK = 1 << 20
_UNKNOWN_BEFORE_17 = b"SET transaction_timeout"
_SETTINGS_END = 100  # lines; those that set up the session are among them


class Sink(Protocol):
    """Takes the bytes of a dump."""

    def write(self, block: bytes, /) -> int:
        """Take the next ones."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a hub that a dump will show, however long it takes; it lasts as long as its transaction."""

    name: str
    publication: int | None
    version: str | None


@contextmanager
def snapshot(engine: Engine) -> Iterator[Snapshot]:
    """Hold on to the state of a migrated hub as it is now."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        name = str(connection.scalar(text("SELECT pg_export_snapshot()")))
        yield Snapshot(name, newest_publication(connection), version(connection))


def newest_publication(connection: Connection) -> int | None:
    """Number of the last publication; None where there is none."""
    number = connection.scalar(text("SELECT max(publication_id) FROM ops.publication"))
    return None if number is None else int(number)


def client_programs(chosen: Path | None, server: int) -> Programs:
    """PostgreSQL's client programs, no older than the server.

    Args:
        chosen: Folder that the user named (``CDM_POSTGRES_BIN``).
        server: Major version of the server.

    Raises:
        HubError: They are not there, or too old.
    """
    programs = find_programs(chosen)
    missing = [name for name in _NEEDED if not programs.path(name).exists()]
    if missing:
        raise HubError(
            f"{programs.folder} has no {', '.join(missing)}, which backups are made and restored with: install "
            "PostgreSQL's client programs, or name a folder that has them in CDM_POSTGRES_BIN."
        )
    if programs.major is not None and programs.major < server:
        raise HubError(
            f"The server is PostgreSQL {server}, and {programs.folder} has the programs of {programs.major}: name the "
            f"folder of those of {server} in CDM_POSTGRES_BIN."
        )
    return programs


def server_major(connection: Connection) -> int:
    """Major version of the server."""
    return int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000


def schemas_there(connection: Connection) -> list[str]:
    """Which of our schemas the database has."""
    found = text("SELECT nspname FROM pg_namespace WHERE nspname = ANY(:names) ORDER BY 1")
    return list(connection.execute(found, {"names": list(OURS)}).scalars())


def dump(url: URL, programs: Programs, taken: Snapshot, schemas: Sequence[str], sink: Sink) -> None:
    """Write the hub as it was at a snapshot, in PostgreSQL's custom format, compressed.

    Raises:
        HubError: It failed.
    """
    wanted = [f"--schema={name}" for name in schemas] + [f"--extension={name}" for name in _EXTENSIONS]
    # What is staged comes and goes with runs, and is staged anew.
    options = (
        "--format=custom",
        "--compress=1",
        "--no-owner",
        "--no-privileges",
        "--exclude-table=staging.*",
    )
    command = [str(programs.path("pg_dump")), *options, f"--snapshot={taken.name}", *wanted, *_at(url)]
    with _running(command, url) as process:
        while block := process.read(_BLOCK):
            sink.write(block)


def restore(url: URL, programs: Programs, archive: Path, *, replacing: Sequence[str]) -> None:
    """Put the hub of a dump into a database, in one transaction: all of it or nothing.

    Args:
        url: Of the database.
        programs: PostgreSQL's.
        archive: The dump.
        replacing: Schemas to drop first.

    Raises:
        HubError: It failed, and the database is as it was.
    """
    listed = _output([str(programs.path("pg_restore")), "--list", str(archive)], url)
    with TemporaryFile() as script:
        dropped = "".join(f"DROP SCHEMA IF EXISTS {name} CASCADE;\n" for name in replacing)
        script.write(f"SET client_min_messages = warning;\n{dropped}".encode())
        # Whoever restores need not own extensions that are there already; only their owner may comment on them.
        kept = [line for line in listed.splitlines() if " COMMENT - EXTENSION " not in line]
        with _list_file(archive, kept) as chosen:
            command = [str(programs.path("pg_restore")), "--no-owner", "--no-privileges", "--file=-"]
            with _running([*command, f"--use-list={chosen}", str(archive)], url) as process:
                for line in islice(process, _SETTINGS_END):
                    if not line.startswith(_UNKNOWN_BEFORE_17):
                        script.write(line)
                shutil.copyfileobj(process, script, _BLOCK)
        script.write(b"DELETE FROM ops.staged;\n")
        script.seek(0)
        quiet = (
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            "--output=/dev/null",
        )
        _output([str(programs.path("psql")), *quiet, *_at(url)], url, script)


@contextmanager
def _list_file(archive: Path, lines: Sequence[str]) -> Iterator[Path]:
    path = archive.with_name(f"{archive.name}.list")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        yield path
    finally:
        path.unlink()


def _at(url: URL) -> list[str]:
    return [f"--dbname={in_full(url.set(drivername='postgresql', password=None))}"]


def _environment(url: URL) -> dict[str, str]:
    own = {**os.environ, "LC_ALL": "C", "PGAPPNAME": "cdm_pipelines"}
    return {**own, "PGPASSWORD": str(url.password)} if url.password else own


@contextmanager
def _running(command: list[str], url: URL) -> Iterator[IO[bytes]]:
    """What a program writes; raises when it ends badly."""
    with TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=_environment(url))  # noqa: S603 - our own arguments
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()
            code = process.wait()
        if code:
            raise _failed(command, said)


def _output(command: list[str], url: URL, given: IO[bytes] | None = None) -> str:
    with TemporaryFile() as said:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, stdin=given, stdout=subprocess.PIPE, stderr=said, env=_environment(url), check=False
        )
        if done.returncode:
            raise _failed(command, said)
        return done.stdout.decode(errors="replace")


def _failed(command: list[str], said: IO[bytes]) -> HubError:
    """What went wrong: the first line that names an error. Its details may quote values, and are left out (R6)."""
    said.seek(0)
    lines = said.read().decode(errors="replace").splitlines()
    errors = [line for line in lines if "error:" in line.lower()] or lines[:1] or ["without a word"]
    reason = errors[0].rpartition("ERROR:")[2].strip()
    return HubError(f"{Path(command[0]).name} failed: {reason}.")
