"""Putting a connector's contracts in place for a source, fitted to a file where one is given.

Belongs here: the contract under the source's name, the component beside it, and what an export of the user tells:
delimiter, encoding, form of dates, decimal sign, spellings of null. Does not belong here: the contracts themselves.

Nothing that is there is overwritten: a contract in place may have been edited.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cdm_pipelines.connectors.catalogue import Connector
from cdm_pipelines.contracts import Column, Format, LogicalType, SourceContract
from cdm_pipelines.contracts.odcs import SUFFIX, parse_contract
from cdm_pipelines.contracts.paths import steps
from cdm_pipelines.contracts.sections import Report
from cdm_pipelines.quality.profile import ColumnProfile, FileProfile, profile_file
from cdm_pipelines.store.files import write_whole
from cdm_pipelines.yaml_files import parse_yaml

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_MOMENTS = (LogicalType.DATE, LogicalType.TIMESTAMP)
_STEERED = {
    "modifiedAt": "when a record was changed",
    "deleted": "which records are deleted",
    "mergedInto": "which records were merged",
    "partyKind": "persons from organisations, all are taken for persons",
}
COMPONENT = """\
type: cdm_pipelines.components.CustomerSource

attributes:
  owner: team:unknown # who answers for the source: team:name or a mailbox
  start_date: "{start}" # first day that can be ingested
  schedule: "0 6 * * *" # moment by which a day's extracts should be there
  timezone: Europe/Amsterdam
"""
"""The component of a source, which wants ``start``."""


class PlacingError(Exception):
    """A connector cannot be put in place; the message says why and what to do."""


@dataclass(frozen=True)
class Placed:
    """What was put in place.

    Attributes:
        written: Files that were written.
        kept: Files that were there already and were left alone.
        told: What a person should know, in words.
    """

    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    told: tuple[str, ...]


def place(
    connector: Connector,
    entities: Sequence[str],
    folder: Path,
    *,
    start: str,
    name: str = "",
    file: Path | None = None,
) -> Placed:
    """Write the contracts of some entities, and the component where there is none.

    Args:
        connector: Whose contracts.
        entities: Names of its entities.
        folder: Where sources lie; the source's own folder is made in it.
        start: First day that can be ingested, YYYY-MM-DD.
        name: Name of the source; the connector's when empty.
        file: An export of the one entity, to which its contract is fitted.

    Raises:
        PlacingError: A contract is there already, the name cannot be used, or the file is not one of the entity.
        UnknownConnectorError: The connector has no such entity.
        ExtractError: The file cannot be read.
    """
    source = name or connector.name
    if not _NAME.fullmatch(source):
        raise PlacingError(f"{source!r} cannot be the name of a source: use small letters, digits and _.")
    if file is not None and len(entities) != 1:
        raise PlacingError("A file is of one entity: give one --entity with it.")
    texts = {folder / source / f"{one}{SUFFIX}": _named(connector, one, source) for one in entities}
    there = [str(path) for path in texts if path.exists()]
    if there:
        raise PlacingError(
            f"{', '.join(there)}: there already, and left as it is. Give the source another name (--name), or move it."
        )
    told: tuple[str, ...] = ()
    if file is not None:
        path, text = next(iter(texts.items()))
        texts[path], told = _fitted(text, file)
    component = folder / source / "defs.yaml"
    kept = (component,) if component.exists() else ()
    if not kept:
        texts[component] = COMPONENT.format(start=start)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    return Placed(tuple(texts), kept, told)


def _named(connector: Connector, entity: str, source: str) -> str:
    """The contract under the source's name."""
    text = connector.contract(entity)
    text = re.sub(r"(?m)^dataProduct: .*$", f"dataProduct: {source}", text)
    return re.sub(r"(?m)^id: .*$", f"id: {source.replace('_', '-')}-{entity.replace('_', '-')}", text)


def _fitted(text: str, path: Path) -> tuple[str, tuple[str, ...]]:
    """The contract as the file has it, and what is not in the file or not in the contract."""
    contract = parse_contract(text, Report(path.name))
    file = profile_file(path)
    if file.format != contract.format:
        raise PlacingError(f"{path.name} is {file.format}, but the contract is of {contract.format}.")
    header = [column.name for column in file.columns]
    renamed = contract.renamed(header)
    found = {renamed.get(column.name, column.name): column for column in file.columns}
    there = {
        column.name for column in contract.columns if column.name in found or _leads_somewhere(column, header)
    }
    lacking = [name for name in contract.key if name not in there and not _is_counted(contract, name)]
    if lacking:
        raise PlacingError(
            f"{path.name} lacks the key column {', '.join(map(repr, lacking))}: export it too, or leave --file out and "
            "give the name that it has there as one of the `aliases` of the contract."
        )
    comments = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    document = parse_yaml(text)
    entity = document["schema"][0]
    _fit_dialect(entity, file)
    absent = [name for name in contract.column_names if name not in there and not _is_counted(contract, name)]
    entity["properties"] = [item for item in entity["properties"] if item["name"] not in absent]
    for item in entity["properties"]:
        if item["name"] in found:
            _fit_column(item, contract, found[item["name"]])
    unsteered = _without_steering(entity, absent)
    written = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    fitted = f"{comments}# Fitted to {path.name}.\n{written}"
    parse_contract(fitted, Report(path.name))
    roots = {root for column in contract.columns for root in _roots(column)}
    new = [
        name for name in found if name not in contract.column_names and name.partition(".")[0] not in roots
    ]
    told = []
    if absent:
        told.append(
            f"Left out, for {path.name} has no column {', '.join(absent)}: have them exported if you need them."
        )
    if unsteered:
        told.append(f"So nothing tells {' and '.join(_STEERED[name] for name in unsteered)}.")
    if new:
        told.append(
            f"{len(new)} more columns of {path.name} are not in the contract: `cdm suggest` says what they hold."
        )
    return fitted, tuple(told)


def _roots(column: Column) -> set[str]:
    """The members of a record that the paths of a column go into."""
    return {str(steps(path)[0]) for path in column.paths}


def _leads_somewhere(column: Column, header: Sequence[str]) -> bool:
    """Whether the records have a member that a path of a column goes into; a sample need not have more."""
    return any(name.partition(".")[0] in _roots(column) for name in header)


def _is_counted(contract: SourceContract, name: str) -> bool:
    return contract.fill_down is not None and contract.fill_down.numbered_as == name


def _without_steering(entity: dict[str, Any], absent: Sequence[str]) -> list[str]:
    """Take out what depends on a column that is not there; without it a day would be refused."""
    kept, gone = [], []
    for item in entity["customProperties"]:
        value = item["value"]
        column = value.get("column") if isinstance(value, dict) else value
        if item["property"] not in _STEERED or column not in absent:
            kept.append(item)
            continue
        gone.append(item["property"])
        if item["property"] == "partyKind":
            kept.append({"property": "partyKind", "value": value["otherwise"]})
    entity["customProperties"] = kept
    fill_down = next((item["value"] for item in kept if item["property"] == "fillDown"), None)
    if fill_down is not None:
        fill_down["columns"] = [name for name in fill_down["columns"] if name not in absent]
    return gone


def _fit_dialect(entity: dict[str, Any], file: FileProfile) -> None:
    properties = {item["property"]: item for item in entity["customProperties"]}
    if file.format != Format.CSV or "dialect" not in properties:
        return
    dialect = properties["dialect"]["value"]
    dialect.update(file.sniffed.words())
    if any(column.apostrophe for column in file.columns):
        dialect["leadingApostrophe"] = True


def _fit_column(item: dict[str, Any], contract: SourceContract, profile: ColumnProfile) -> None:
    """Form of dates, decimal sign and spellings of null, as the file has them."""
    column = contract.column(item["name"])
    custom: dict[str, dict[str, Any]] = {one["property"]: one for one in item.get("customProperties", [])}
    fitted: Mapping[str, object] = {}
    if column.logical_type in _MOMENTS and profile.logical_type in _MOMENTS:
        item["logicalType"] = str(profile.logical_type)
        fitted = {"dateFormats": list(profile.date_formats)}
        if not profile.date_formats:
            custom.pop("dateFormats", None)
    elif column.logical_type == LogicalType.NUMBER and profile.logical_type == LogicalType.NUMBER:
        fitted = {"decimal": profile.decimal}
    nulls = [*column.null_values, *(text for text in profile.null_values if text not in column.null_values)]
    for name, value in {**fitted, "nullValues": nulls}.items():
        if value:
            custom[name] = {"property": name, "value": value}
    if custom:
        item["customProperties"] = list(custom.values())
