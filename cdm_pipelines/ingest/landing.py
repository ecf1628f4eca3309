"""The landing root: which files are there, of which day, and what are their bytes.

Belongs here: listing, dates, checksums, and a local copy of a remote file. Does not belong here: what is in a
file.
"""

import hashlib
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date as calendar_date
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.errors import Refusal, Refuser

_DATE = re.compile(r"\{date(?::([^}]+))?\}")
_UNFINISHED = (".done", ".ok", ".tmp", ".part", ".filepart", ".sha256", ".md5")
_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True, order=True)
class LandingFile:
    """One file that was delivered.

    Attributes:
        path: Below the landing root.
        size: In bytes.
        modified: Stamp that changes when the file is written anew, as the file system tells it; may be empty.
    """

    path: str
    size: int
    modified: str = ""


def find_files(landing_url: str, contract: SourceContract, date: str) -> list[LandingFile]:
    """The files of a contract for a day (YYYY-MM-DD), in the order of their names, those that are joined too.

    A name that goes on where another ends comes after it, whatever the sign (``day.csv``, ``day-corrected.csv``), and
    numbers count as such (``day_2.csv``, ``day_10.csv``): of a corrected delivery the later rows win.
    """
    locations = [contract.location, *(joined.location for joined in contract.joined)]
    found = {file for location in locations for file in files_at(landing_url, location, date)}
    return sorted(found, key=_in_order)


def own_files(landing_url: str, contract: SourceContract, date: str) -> list[LandingFile]:
    """The files of a contract for a day, in the same order, without those that are joined to them."""
    joined = {file for other in contract.joined for file in files_at(landing_url, other.location, date)}
    return [file for file in files_at(landing_url, contract.location, date) if file not in joined]


def files_at(landing_url: str, location: str, date: str) -> list[LandingFile]:
    """The files that fit a location for a day (YYYY-MM-DD), in the same order; of no location none."""
    if not location:
        return []
    stamp = calendar_date.fromisoformat(date).strftime(_layout(location))
    return sorted((file for file, found in _listing(landing_url, location) if found == stamp), key=_in_order)


def _in_order(file: LandingFile) -> tuple[object, ...]:
    folder, _, name = file.path.rpartition("/")
    stem, dot, ending = name.partition(".")
    parts = re.split(r"(\d+)", stem)
    numbered = tuple((int(part), part) if part.isdigit() else (-1, part) for part in parts)
    return folder, numbered, dot + ending, file.path


def landing_dates(landing_url: str, contract: SourceContract) -> list[str]:
    """The days (YYYY-MM-DD) for which there is at least one file, in order."""
    layout = _layout(contract.location)
    dates = set()
    for _, stamp in _listing(landing_url, contract.location):
        try:
            dates.add(datetime.strptime(stamp, layout).date().isoformat())  # noqa: DTZ007 - a calendar day
        except ValueError:
            continue  # digits that happen to stand where the date should
    return sorted(dates)


def dated_files(landing_url: str, contract: SourceContract) -> list[tuple[LandingFile, str]]:
    """All files of a contract, those that are joined too, each with its day (YYYY-MM-DD); each once, by path."""
    found: dict[LandingFile, str] = {}
    for location in (contract.location, *(joined.location for joined in contract.joined)):
        for file, stamp in _listing(landing_url, location):
            try:
                day = datetime.strptime(stamp, _layout(location)).date()  # noqa: DTZ007 - a calendar day
            except ValueError:
                continue  # digits that happen to stand where the date should
            found[file] = day.isoformat()
    return sorted(found.items())


def checksum(path: Path | str) -> str:
    """SHA-256 of the bytes of a local file, in hexadecimal; read as a stream."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def local_copy(landing_url: str, path: str, refuser: Refuser) -> Iterator[Path]:
    """The file as a local path: itself where landing is a folder, else a temporary copy.

    Raises:
        ExtractError: The file cannot be read, is no regular file, or lies elsewhere.
    """
    filesystem, root = fsspec.core.url_to_fs(landing_url)
    full = str(PurePosixPath(root) / path)
    if _is_local(filesystem):
        check_place(Path(full), Path(root), refuser)
        yield Path(full)
        return
    with tempfile.TemporaryDirectory(prefix="cdm-extract-") as folder:
        copy = Path(folder) / PurePosixPath(path).name
        try:
            with filesystem.open(full, "rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, _BLOCK)
        except OSError as error:
            refuser.refuse(
                Refusal.UNREADABLE,
                f"cannot be fetched ({type(error).__name__})",
                "Check the landing address and its access rights.",
            )
        yield copy


def check_place(path: Path, root: Path | None, refuser: Refuser) -> None:
    """Refuse what is no file, such as a pipe, which would be waited for, and links to files outside of landing.

    Raises:
        ExtractError: It is refused.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        what = "is a link to nothing" if path.is_symlink() else f"cannot be opened ({type(error).__name__})"
        refuser.refuse(Refusal.UNREADABLE, what, "Check that it is there, and its access rights.")
    if not stat.S_ISREG(mode):
        refuser.refuse(
            Refusal.PLACE, "is no file but a folder, a pipe or a device", "Take it away and deliver a file."
        )
    if root is not None and not path.resolve().is_relative_to(root.resolve()):
        refuser.refuse(
            Refusal.PLACE,
            "is a link that leads out of landing, or lies in a folder that is one",
            "Deliver the file itself, or let CDM_LANDING_URL name the folder where the files are.",
        )


def _is_local(filesystem: Any) -> bool:
    protocols = filesystem.protocol
    return "file" in ((protocols,) if isinstance(protocols, str) else protocols)


def _layout(location: str) -> str:
    found = _DATE.search(location)
    return (found[1] if found else None) or "%Y-%m-%d"


def _listing(landing_url: str, location: str) -> Iterator[tuple[LandingFile, str]]:
    """Every file that fits the location for some day, with the date part of its name."""
    if not location:
        return
    filesystem, root = fsspec.core.url_to_fs(landing_url)
    base = PurePosixPath(root)
    folder = str(base / PurePosixPath(re.split(r"[*?{]", location)[0] + "x").parent)
    if not filesystem.exists(folder):
        return
    expression = re.compile(_expression(location))
    filesystem.invalidate_cache(folder)
    for path, info in sorted(filesystem.find(folder, detail=True).items()):
        relative = str(PurePosixPath(path).relative_to(base))
        found = expression.fullmatch(relative)
        if found and not relative.lower().endswith(_UNFINISHED):
            yield LandingFile(relative, int(info.get("size") or 0), _modified(info)), found[1]


def _expression(location: str) -> str:
    before, _, after = _DATE.split(location)
    digits = {"%Y": r"\d{4}", "%j": r"\d{3}"}
    parts = re.split(r"(%.)", _layout(location))
    stamp = "".join(digits.get(part, r"\d{2}") if part[:1] == "%" else re.escape(part) for part in parts)
    name, extension = re.fullmatch(r"(.*?)((?:\.\w+)?)", after, re.DOTALL).groups()  # type: ignore[union-attr]
    packed = f"(?i:{_glob(extension)}(?:\\.gz|\\.zip)?|\\.zip)" if extension else "(?i:\\.gz|\\.zip)?"
    return f"{_glob(before)}({stamp}){_glob(name)}{packed}"


def _glob(text: str) -> str:
    return "".join("[^/]*" if sign == "*" else "[^/]" if sign == "?" else re.escape(sign) for sign in text)


def _modified(info: dict[str, Any]) -> str:
    for name in ("mtime", "LastModified", "last_modified", "created", "ETag"):
        if info.get(name) is not None:
            return str(info[name])
    return ""
