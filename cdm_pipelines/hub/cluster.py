"""One PostgreSQL server of our own: its data folder made, its process started and stopped.

Belongs here: what PostgreSQL needs and tells. Does not belong here: who may start and stop it when (``hub.server``),
which PostgreSQL and as whom (``hub.binaries``).

Nothing may be lost: the server writes through to disk, and its next start repairs what a crash left.
"""

import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from cdm_pipelines.hub.binaries import Launcher, Programs, find_launcher, find_programs
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.store.files import write_whole

DATABASE = "cdm"
_USER = "cdm"
_PORT = 5432  # only a part of the socket's name
_SOCKET = f".s.PGSQL.{_PORT}"
_SOCKET_PATH_LIMIT = 103  # bytes; the shortest limit of the systems we know is 104 with the closing zero
_PATIENCE = 300.0  # seconds; repair after a crash of the machine is what takes long
_PATIENCE_WITH_LEFTOVERS = 20.0  # seconds; a busy process of a killed server ends with its statement
_IN_THE_WAY = ("pre-existing shared memory", "lock file", "Address already in use")
"""What PostgreSQL says of what a killed server left."""
_NO_PROCESS = 2**31 - 1  # a process number that no system gives out
_LOG_BYTES = 5_000_000

_OPTIONS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": str(_PORT),
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",  # disks without arms, or memory
    "wal_level": "minimal",  # no replicas: a table that is made and filled in one transaction skips the log
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",  # leaves out statements' errors, which quote values of customers
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}
"""The server's settings: two cores, modest memory, durable, and no personal data in its log."""


@dataclass(frozen=True)
class Postmaster:
    """The server's process, as its own ``postmaster.pid`` tells."""

    pid: int
    socket_folder: Path
    status: str


class Cluster:
    """A PostgreSQL server with all its files in one folder, reached through a Unix socket only.

    Its methods expect that no other process starts or stops it at the same time.

    Args:
        folder: Existing folder of the server's files, for nothing else.
        programs: Folder of the programs to use; the embedded package's, or an installed PostgreSQL's, when None.
        options: Settings of ``postgresql.conf`` that replace ours; they take effect when the server starts.
    """

    def __init__(self, folder: Path, programs: Path | None, options: Mapping[str, str]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"
        self._chosen = programs
        self._options = {**_OPTIONS, **options}

    def postmaster(self) -> Postmaster | None:
        """The server's process, or None when it does not run."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            pid = int(lines[0])
        except (OSError, ValueError, IndexError):
            return None
        if not _is_postgres(pid):
            return None
        lines += [""] * (8 - len(lines))  # the last lines come when it is ready
        return Postmaster(pid, Path(lines[4]), lines[7].strip() or "starting")

    def start(self) -> None:
        """Start the server unless it runs; returns when it answers and has our database."""
        found = self.postmaster()
        if found and found.status == "stopping":
            self._wait_until_gone(found.pid)
            found = None
        if found is None:
            for leftover in self.folder.glob("new-*"):  # of a first start that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            made_by = self.data / "PG_VERSION"
            major = int(made_by.read_text()) if made_by.exists() else None
            programs = find_programs(self._chosen, major)
            launcher = find_launcher(programs, self.folder)
            self._give(launcher.owner)
            if major is None:
                self._initialise(programs, launcher)
            self._configure(self._socket_folder(launcher.owner))
            self._start_anew(programs, launcher)
        else:
            self._wait_until_ready(found.pid)
        self._create_database()

    def _start_anew(self, programs: Programs, launcher: Launcher) -> None:
        """Start the server; once more where what a killed one left was still in the way.

        A server that was killed leaves files, and processes that work on until they notice: it may take a moment
        before PostgreSQL takes its place.
        """
        deadline = time.monotonic() + _PATIENCE_WITH_LEFTOVERS
        while True:
            self._forget_stale_process()
            for left in self._socket_folder(launcher.owner).glob(f"{_SOCKET}*"):
                left.unlink(missing_ok=True)
            pid = self._launch(programs, launcher)
            try:
                self._wait_until_ready(pid)
            except HubError:
                if time.monotonic() > deadline or not any(sign in self._last_words() for sign in _IN_THE_WAY):
                    raise
                time.sleep(0.5)
            else:
                return

    def _initialise(self, programs: Programs, launcher: Launcher) -> None:
        """Make the data folder beside its place and move it there, so that it is there whole or not at all."""
        failure = ""
        for locale in _locales(programs.major or 0):
            new = Path(tempfile.mkdtemp(prefix="new-", dir=self.folder))
            os.chown(new, launcher.owner, -1)
            command = launcher.command(
                programs.path("initdb"),
                f"--pgdata={new}",
                f"--username={_USER}",
                "--auth=trust",
                "--encoding=UTF8",
                "--data-checksums",
                "--no-instructions",
                *locale,
            )
            answer = subprocess.run(  # noqa: S603 - our own arguments
                command, capture_output=True, text=True, check=False, env=_environment(), cwd=self.folder
            )
            if answer.returncode == 0:
                with (new / "postgresql.conf").open("a", encoding="utf-8") as file:
                    file.write("\ninclude 'cdm.conf'\n")
                new.rename(self.data)
                return
            failure = answer.stderr
            shutil.rmtree(new, ignore_errors=True)
        raise HubError(f"The embedded database could not be made in {self.data}:\n{_last_lines(failure)}")

    def _give(self, owner: int) -> None:
        """Make ``owner`` the owner of the server's own files, where another has them."""
        if self.folder.stat().st_uid == owner or os.geteuid() != 0:
            return
        for base, folders, files in os.walk(self.folder):
            for name in (".", *folders, *files):
                os.chown(Path(base, name), owner, -1, follow_symlinks=False)

    def _configure(self, socket_folder: Path) -> None:
        name = str(socket_folder).replace('"', '""')
        options = {**self._options, "unix_socket_directories": f'"{name}"', "unix_socket_permissions": "0700"}
        lines = [f"{key} = '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in options.items()]
        content = "# Written by cdm_pipelines at every start.\n" + "".join(lines)
        write_whole(self.data / "cdm.conf", content.encode())
        os.chown(self.data / "cdm.conf", self.data.stat().st_uid, -1)

    def _launch(self, programs: Programs, launcher: Launcher) -> int:
        """Start the server, in a session of its own so that Ctrl-C is not for it; returns its process number.

        The shell between lets the system, not this process, look after the server when it ends.
        """
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        script = 'umask 077; log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
        command = launcher.command(programs.path("postgres"), "-D", str(self.data))
        answer = subprocess.run(  # noqa: S603 - our own arguments
            ["/bin/sh", "-c", script, "sh", str(self.log), *command],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            start_new_session=True,
            env=_environment(),
            cwd=self.folder,
        )
        return int(answer.stdout)

    def _wait_until_ready(self, pid: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            found = self.postmaster()
            if found and found.status == "ready":
                return
            if found is None and not _is_alive(pid):
                raise self._failure("The embedded PostgreSQL did not start.")
            time.sleep(0.02)
        raise self._failure(f"The embedded PostgreSQL was not ready after {_PATIENCE:.0f} seconds.")

    def stop(self) -> bool:
        """Stop the server, and wait until it has stopped; returns whether it ran."""
        found = self.postmaster()
        if found is None:
            return False
        try:
            os.kill(found.pid, signal.SIGINT)  # PostgreSQL's fast shutdown
        except ProcessLookupError:
            return False
        except PermissionError:
            raise HubError(
                f"PostgreSQL (process {found.pid}) was started by another user, who must stop it."
            ) from None
        self._wait_until_gone(found.pid)
        with suppress(OSError):
            found.socket_folder.rmdir()
        return True

    def _wait_until_gone(self, pid: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        while _is_postgres(pid):
            if time.monotonic() > deadline:
                raise self._failure(f"The embedded PostgreSQL (process {pid}) does not stop.")
            time.sleep(0.02)

    def _forget_stale_process(self) -> None:
        """Let PostgreSQL see that the process it ran as is gone.

        It would be misled by another process that now has the number, as happens after a restart of the machine,
        and by a dead one that nobody has waited for, as happens in containers. Only the number is replaced:
        PostgreSQL goes on to check that no part of the old server is left. A file without a number is of a server that
        was killed before it had written one, and so before it had touched anything.
        """
        file = self.data / "postmaster.pid"
        if file.exists():
            pid, newline, rest = file.read_text(encoding="utf-8", errors="replace").partition("\n")
            if not newline or not pid.isdecimal():
                file.unlink()
            elif not _is_postgres(int(pid)):
                file.write_text(f"{_NO_PROCESS}{newline}{rest}", encoding="utf-8")

    def _create_database(self) -> None:
        try:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                query = "SELECT FROM pg_database WHERE datname = %s"
                if connection.execute(query, [DATABASE]).fetchone() is None:
                    # What a killed process had asked for may come to its end just before.
                    with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                        connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.OperationalError as error:
            raise self._failure(f"The embedded PostgreSQL runs and cannot be reached: {error}.") from error

    def url(self, database: str = DATABASE) -> str:
        """A ``postgresql://`` URL of the running server, without a password."""
        found = self.postmaster()
        if found is None:
            raise self._failure("The embedded PostgreSQL has stopped.")
        folder = quote(str(found.socket_folder), safe="/")
        return f"postgresql://{_USER}@/{database}?host={folder}&port={_PORT}"

    def _socket_folder(self, owner: int) -> Path:
        """A folder for the socket that only we can enter: our own, or a temporary one where that will not do."""
        own = self.folder / "socket"
        if _can_hold_socket(own):
            os.chown(own, owner, -1)
            return own
        base = Path(tempfile.gettempdir())
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        folder = base / f"cdm-{os.geteuid()}-{name}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        seen = folder.lstat()
        private = stat.S_ISDIR(seen.st_mode) and not seen.st_mode & 0o077
        if not private or seen.st_uid not in {owner, os.geteuid()}:  # somebody else was here first
            folder = Path(tempfile.mkdtemp(prefix="cdm-", dir=base))
        os.chown(folder, owner, -1)
        return folder

    def _last_words(self) -> str:
        return (
            _last_lines(self.log.read_text(encoding="utf-8", errors="replace")) if self.log.exists() else ""
        )

    def _failure(self, what: str) -> HubError:
        return HubError(f"{what} The last lines of {self.log}:\n{self._last_words() or '  (none)'}")


def _locales(major: int) -> list[list[str]]:
    """Ways to ask for UTF-8 text in the order of its code points, the same on every machine; best first."""
    libc = [["--locale=C.UTF-8"], ["--locale=C"]]
    if major < 17:
        return libc
    return [["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"], *libc]


def _environment() -> dict[str, str]:
    """Our environment without what would change how PostgreSQL starts, and with messages in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def _can_hold_socket(folder: Path) -> bool:
    """Whether PostgreSQL can make its socket in ``folder`` and clients can name it; makes the folder."""
    path = folder / _SOCKET
    if len(os.fsencode(path)) > _SOCKET_PATH_LIMIT or "," in str(path):
        return False
    folder.mkdir(mode=0o700, exist_ok=True)
    probe = folder / "probe"
    probe.unlink(missing_ok=True)
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(str(probe))
    except OSError:  # a file system without sockets
        return False
    probe.unlink()
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _process_file(pid, "stat").rpartition(")")[2].split()[:1] != ["Z"]


def _is_postgres(pid: int) -> bool:
    """Whether process ``pid`` is alive and, where the system tells, runs PostgreSQL."""
    if not _is_alive(pid):
        return False
    command = _process_file(pid, "cmdline")
    return "postgres" in command if Path("/proc/self/cmdline").exists() else True


def _process_file(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _last_lines(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines()[-8:])
