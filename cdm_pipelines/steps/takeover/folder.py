"""A folder of another company's extracts: which files can be read, with which contract, and under which name.

Belongs here: contracts given beside the files or suggested for them, under the name of the new source. Does not belong
here: suggesting (quality.suggest), running days (``assess``), putting things in place (``placing``).

A contract ``klanten.odcs.yaml`` is of the file ``klanten.csv`` (or ``klanten-2026-06.csv``) beside it; a file without
one gets the contract that ``cdm suggest`` would write.
"""

import datetime as dt
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cdm_pipelines.contracts import ContractError, SourceContract, load_contracts
from cdm_pipelines.contracts.odcs import SUFFIX
from cdm_pipelines.ingest import ExtractError
from cdm_pipelines.quality.suggest import suggest_all
from cdm_pipelines.store.file_store import FileStore

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_READABLE = (".csv", ".txt", ".tsv", ".xlsx", ".json", ".jsonl", ".ndjson", ".parquet")
_PACKED = ".gz"
_TAKEN = ("customers", "operations", "golden", "profile", "publish", "records", "link")
"""Names of folders under ``defs`` and layers of assets that are no sources."""


class TakeoverError(Exception):
    """The folder or the name cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Extract:
    """A file with the contract that it is read by.

    Attributes:
        file: The file.
        contract: Its contract, under the new name.
        suggested: Whether nobody wrote the contract.
        doubts: Lines of a suggested contract that say they are unsure.
    """

    file: Path
    contract: SourceContract
    suggested: bool
    doubts: int


@dataclass(frozen=True)
class Folder:
    """What a folder holds.

    Attributes:
        name: Of the new source.
        extracts: Files that can be read.
        texts: The contracts as they would be put in place, by entity.
        contracts: The same, read; more than there are files where one file holds several entities.
        problems: Files that cannot be read, in words.
    """

    name: str
    extracts: tuple[Extract, ...]
    texts: dict[str, str]
    contracts: tuple[SourceContract, ...]
    problems: tuple[str, ...]


def check_name(name: str, known: Sequence[str]) -> None:
    """See that a source may have this name.

    Raises:
        TakeoverError: It may not.
    """
    if not _NAME.fullmatch(name):
        raise TakeoverError(
            f"{name!r} cannot be the name of a source: begin with a small letter and use small letters, digits and _ "
            "(at most 40)."
        )
    if name in _TAKEN or name in known:
        raise TakeoverError(
            f"{name} is taken: there is a source or a folder of that name. Give another one with --name. A source that "
            f"was taken over leaves with `cdm takeover divest {name}`."
        )


def read_folder(folder: Path, name: str, beside: Path) -> Folder:
    """Look at every file of a folder.

    Args:
        folder: With the extracts, and contracts for some of them.
        name: Of the new source.
        beside: An empty folder for contracts while they are read.

    Raises:
        TakeoverError: There is no such folder, it is empty, nothing in it can be read, or a contract has faults.
    """
    files = list(_files(folder))
    given = {path.name.removesuffix(SUFFIX): path for path in sorted(folder.rglob(f"*{SUFFIX}"))}
    texts: dict[str, str] = {}
    of: dict[Path, tuple[str, bool, int]] = {}
    problems = []
    for file in files:
        stem = _stem(file)
        own = max((one for one in given if stem == one or stem.startswith(f"{one}-")), key=len, default=None)
        if own is not None:
            text = named(_text(given[own]), name)
            entity = own
            texts[entity] = text
            of[file] = entity, False, 0
            continue
        entity = _entity(stem, texts)
        try:
            found = suggest_all(file, source=name, entity=entity)
        except (ExtractError, ContractError, OSError, UnicodeError) as error:
            problems.append(f"{file.relative_to(folder)}: {_told(error, file)}")
            continue
        for one in found:
            if one.entity in texts:
                continue
            texts[one.entity] = text = one.to_yaml()
        main = texts[found[0].entity]
        of[file] = found[0].entity, True, main.count("# ?")
    if not of:
        raise TakeoverError(
            f"{folder}: no file of it can be read. {' '.join(problems)} Put extracts there as "
            f"{', '.join(_READABLE)}, or write a contract beside them (`cdm suggest FILE` writes a first one)."
        )
    contracts = _contracts(texts, name, beside)
    by_entity = {one.entity: one for one in contracts}
    extracts = []
    for file, (entity, suggested, doubts) in of.items():
        contract = by_entity.get(entity)
        if contract is None:
            raise TakeoverError(
                f"{given[entity]}: its schema has another name than the file; call it {entity}."
            )
        extracts.append(Extract(file, contract, suggested, doubts))
    return Folder(name, tuple(extracts), texts, contracts, tuple(problems))


def place_extracts(found: Folder, landing_url: str, date: str) -> list[str]:
    """Copy the files into landing, as of one day; returns where they are below it.

    A file is there whole or not at all; placed again it is replaced by the same.
    """
    landing, placed = FileStore(landing_url), []
    for one in found.extracts:
        path = landing_path(one, date)
        with one.file.open("rb") as given, landing.file(path) as sink:
            shutil.copyfileobj(given, sink)
        placed.append(path)
    return placed


def landing_path(one: Extract, date: str) -> str:
    """Where an extract of a day lies below landing."""
    path = one.contract.location.format(date=dt.date.fromisoformat(date))
    packed = _PACKED if one.file.name.lower().endswith(_PACKED) and not path.endswith(_PACKED) else ""
    return path.replace("*", f"-{_slug(_stem(one.file))}", 1).replace("*", "") + packed


def named(text: str, source: str) -> str:
    """A contract under the name of the source."""
    text = re.sub(r"(?m)^dataProduct: .*$", f"dataProduct: {source}", text)
    return re.sub(r"(?m)^id: ([\w-]+).*$", rf"id: {source.replace('_', '-')}-\1", text, count=1)


def _contracts(texts: dict[str, str], name: str, beside: Path) -> tuple[SourceContract, ...]:
    beside.mkdir(parents=True, exist_ok=True)
    for entity, text in texts.items():
        (beside / f"{entity}{SUFFIX}").write_text(text, encoding="utf-8")
    try:
        contracts = load_contracts(beside)
    except ContractError as error:
        raise TakeoverError(str(error).replace(str(beside), "contract of the folder")) from None
    for one in contracts:
        if one.source != name or PurePosixPath(one.location).parts[0] != name:
            raise TakeoverError(
                f"The contract of {one.entity} says where its file lands or whose it is: leave `location` out, so that "
                f"it lands under {name}/."
            )
    return contracts


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise TakeoverError(
            f"{folder}: there is no such folder. Name the one with the other company's extracts."
        )
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    readable = [path for path in found if _plain(path).suffix.lower() in _READABLE]
    if not readable:
        raise TakeoverError(
            f"{folder}: holds no extract. Put the other company's files there, as {', '.join(_READABLE)}."
        )
    yield from readable


def _plain(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == _PACKED else path


def _stem(path: Path) -> str:
    return _plain(path).name.partition(".")[0].lower()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _entity(stem: str, taken: dict[str, str]) -> str:
    """A name for what a file holds that no other file has."""
    slug = _slug(re.sub(r"[-_ ]*\d{4}-?\d{2}-?\d{2}.*", "", stem)) or "entity"
    slug = slug if slug[0].isalpha() else f"e_{slug}"
    name, number = slug, 2
    while name in taken:
        name, number = f"{slug}_{number}", number + 1
    return name


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise TakeoverError(f"{path}: cannot be read as a contract. Save it as UTF-8.") from None


def _told(error: Exception, file: Path) -> str:
    """Why a file cannot be read, without its path and without a value of it."""
    if isinstance(error, ExtractError):
        return str(error).replace(str(file), file.name)
    return f"cannot be read ({type(error).__name__})."
