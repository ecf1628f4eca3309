"""Which backups there are, so that a certificate can name those that still hold a person.

Belongs here: the list under ``CDM_HOME``, and what lies beside backups so that restoring one erases again. Does not
belong here: making backups (steps.operate.backup).
"""

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path

from cdm_pipelines.privacy import log
from cdm_pipelines.store import files
from cdm_pipelines.store import keyring as keys
from cdm_pipelines.store.lake import Lake

FILE = "privacy/backups.json"
"""Its name under ``CDM_HOME``."""
_MANIFEST = "manifest.json"
_BESIDE = ("erasures.jsonl", "tombstone.keys")


_RESTORED = "restored "
"""Before the moment of a backup that was made elsewhere and restored here."""


def note(home: Path, url: str, made_at: dt.datetime, *, made_here: bool = True) -> None:
    """Write down that there is a backup; those that are gone are forgotten.

    Args:
        home: ``CDM_HOME``.
        url: Where it lies.
        made_at: When it was made.
        made_here: Whether by this installation. Beside one that was restored only, another keeps its log: it is read,
            and not written.
    """
    there = _noted(home)
    if made_here or url not in there:
        there[url] = f"{'' if made_here else _RESTORED}{made_at.isoformat()}"
    files.write_whole(home / FILE, json.dumps(there, indent=1).encode())


def known(home: Path) -> Mapping[str, str]:
    """The backups that are there: address, and when each was made."""
    return {url: made.removeprefix(_RESTORED) for url, made in _noted(home).items()}


def _noted(home: Path) -> dict[str, str]:
    path = home / FILE
    noted: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {url: made for url, made in noted.items() if _is_there(url)}


def _is_there(url: str) -> bool:
    try:
        return Lake(url).lies_alone(_MANIFEST)
    except Exception:  # each kind of storage has its own errors
        return True  # what cannot be reached may well be there


def beside(url: str) -> Lake:
    """The folder that a backup lies in."""
    return Lake(url.rstrip("/").rpartition("/")[0])


def copy_log(home: Path) -> list[str]:
    """Put the log of erasures and its keys beside every backup made here; returns folders that could not be reached.

    What another installation wrote there, which was restored from the same backups, stays.
    """
    here, ring, away = log.erasures(home), keys.Keyring.of(home), []
    made_here = (url for url, made in _noted(home).items() if not made.startswith(_RESTORED))
    for url in sorted({beside(one).url for one in made_here}):
        try:
            folder = Lake(url)
            there, others = _readable(folder)
            every = [*here, *(one for one in there if one not in here)]
            folder.write_text(_BESIDE[0], "".join(one.line for one in every))
            folder.write_text(_BESIDE[1], ring.with_others(others).text)
        except Exception:  # the same
            away.append(url)
    return away


def take_over(home: Path, backup: str) -> None:
    """Take what lies beside a backup and the log here does not know.

    Raises:
        KeyringError: What lies there cannot be read.
    """
    there, ring = _lying_in(beside(backup))
    here, own = log.erasures(home), keys.Keyring.of(home)
    if set(ring.keys) - set(own.keys):
        own.with_others(ring).write(home)
    if more := [one for one in there if one not in here]:
        log.put(home, [*here, *more])


def _readable(folder: Lake) -> tuple[list[log.Erasure], keys.Keyring]:
    """What lies in a folder of backups; nothing where that is damaged: it is written anew."""
    try:
        return _lying_in(folder)
    except keys.KeyringError:
        return [], keys.Keyring()


def _lying_in(folder: Lake) -> tuple[list[log.Erasure], keys.Keyring]:
    """The log and the keys that lie beside backups; none where there are none.

    Raises:
        KeyringError: They cannot be read.
    """
    if not all(folder.lies_alone(name) for name in _BESIDE):
        return [], keys.Keyring()
    lines, ring = (folder.read_text(name) for name in _BESIDE)
    return (
        log.read_log(lines, f"{folder.url}/{_BESIDE[0]}"),
        keys.Keyring.parsed(ring, f"{folder.url}/{_BESIDE[1]}"),
    )
