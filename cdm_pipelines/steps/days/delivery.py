"""Putting a file that a person holds into landing, where the pipeline finds it.

Belongs here: which entity a file is of, and its name in landing. Does not belong here: reading rows (ingest).
"""

import csv
import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import fsspec
from fsspec.implementations.local import LocalFileSystem

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.catalogue import contract_named, contracts_of
from cdm_pipelines.contracts.model import Format
from cdm_pipelines.settings import Settings
from cdm_pipelines.store.files import whole


class DeliveryError(ValueError):
    """The file cannot be placed; the message says why and what to give."""


@dataclass(frozen=True)
class Placed:
    """Where a file was put, and as what."""

    contract: SourceContract
    path: str


def deliver(settings: Settings, file: Path, source: str, entity: str, date: str) -> Placed:
    """Copy a file into landing under the name its contract expects.

    A file of the same name that was delivered for the same day is replaced: it is a new version of it.

    Raises:
        DeliveryError: The entity is not named and the columns do not tell it.
        UnknownEntityError: There is no such source or entity.
    """
    contract = contract_named(f"{source}/{entity}") if entity else _by_columns(file, source)
    folder_and_name = contract.location.format(date=dt.date.fromisoformat(date))
    path = folder_and_name.replace("*", f"-{file.stem}", 1).replace("*", "")
    filesystem, root = fsspec.core.url_to_fs(settings.landing_url)
    target = str(PurePosixPath(root) / path)
    if isinstance(filesystem, LocalFileSystem):
        with file.open("rb") as given, whole(Path(target)) as sink:
            shutil.copyfileobj(given, sink)
    else:
        filesystem.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
        temporary = f"{target}.part"
        filesystem.put_file(str(file), temporary)
        filesystem.mv(temporary, target)
    return Placed(contract, path)


def _by_columns(file: Path, source: str) -> SourceContract:
    contracts = contracts_of(source)
    if len(contracts) == 1:
        return contracts[0]
    scores = {contract: _share_of_columns(file, contract) for contract in contracts}
    best = max(contracts, key=lambda contract: scores[contract])
    others = [score for contract, score in scores.items() if contract != best]
    if scores[best] < 0.5 or scores[best] == max(others):
        names = ", ".join(contract.entity for contract in contracts)
        raise DeliveryError(
            f"{file.name}: its columns do not tell which entity of {source} it is. Give --entity: {names}."
        )
    return best


def _share_of_columns(file: Path, contract: SourceContract) -> float:
    """The share of the contract's columns that the file's header names."""
    if contract.format is not Format.CSV:
        return 0.0
    dialect = contract.dialect
    try:
        with file.open(encoding=dialect.encoding.replace("utf-8", "utf-8-sig"), newline="") as lines:
            header = next(csv.reader(lines, delimiter=dialect.delimiter), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return 0.0
    return len(set(header) & set(contract.column_names)) / len(contract.columns)
