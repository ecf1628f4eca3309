"""Contract files (Open Data Contract Standard v3) become `SourceContract` objects.

Belongs here: loading, and the rules that span columns: keys, deletions, mapping of a whole entity. Does not
belong here: the standard's own rules (standard) or a single column (columns).

The source is the contract's ``dataProduct``, the entity the name of its one schema object. What the standard
has no word for stands in ``customProperties`` (`ENTITY_PROPERTIES`, `columns.COLUMN_PROPERTIES`).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject

from cdm_pipelines.contracts.canonical import Entity, KeptAs, attributes, declaration
from cdm_pipelines.contracts.columns import read_column
from cdm_pipelines.contracts.delivery import delivered_with, read_dialect, read_joined, read_location
from cdm_pipelines.contracts.errors import ContractError, Problem
from cdm_pipelines.contracts.model import (
    Column,
    Deletion,
    Delivery,
    FillDown,
    Format,
    KindRule,
    PartyKind,
    Query,
    RepeatedKey,
    ServiceLevel,
    SourceContract,
)
from cdm_pipelines.contracts.rows import (
    check_rows,
    read_constants,
    read_moments,
    read_only_with,
    read_statements,
)
from cdm_pipelines.contracts.sections import Report, Section
from cdm_pipelines.contracts.standard import parse

SUFFIX = ".odcs.yaml"
ENTITY_PROPERTIES = (
    "delivery",
    "format",
    "location",
    "dialect",
    "query",
    "urlVariable",
    "partyKind",
    "modifiedAt",
    "deleted",
    "mergedInto",
    "fillDown",
    "repeatedKey",
    "deliveredWith",
    "joined",
    "defaultCountry",
    "constants",
    "onlyWith",
    "moments",
    "statements",
    "refersTo",
)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_COUNTRY = re.compile(r"[A-Z]{2}")
ORIGIN_COLUMNS = ("_file", "_row", "_sha256")
"""Columns that every raw row gets at ingest."""
RESERVED_COLUMNS = (*ORIGIN_COLUMNS, "_defect", "_reasons", "_quarantine")
"""Names that no source column may have."""


def load_contract(path: Path | str) -> SourceContract:
    """Load one contract.

    Raises:
        ContractError: The file is not there or has faults; all of them are named.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(str(path), [Problem("file", "cannot be read", f"{error}.")]) from None
    return _read(str(path), text)


@lru_cache(maxsize=1000)
def _read(file: str, text: str) -> SourceContract:
    """The contract of a file that says this: a process asks for all of them several times."""
    return replace(parse_contract(text, Report(file)), file=file)


def load_contracts(folder: Path | str) -> tuple[SourceContract, ...]:
    """Load every ``*.odcs.yaml`` in a folder and below, by source and entity.

    Raises:
        ContractError: A contract has faults, there is none, or two describe the same entity.
    """
    paths = sorted(Path(folder).rglob(f"*{SUFFIX}"))
    if not paths:
        fix = f"Put one <entity>{SUFFIX} per entity there; `cdm suggest FILE` writes a first one."
        raise ContractError(str(folder), [Problem("folder", "holds no contract", fix)])
    seen: dict[str, Path] = {}
    contracts = []
    for path in paths:
        contract = load_contract(path)
        if contract.name in seen:
            what = f"{contract.name} is described by {seen[contract.name].name} already"
            raise ContractError(str(path), [Problem("schema", what, "Keep one of them.")])
        seen[contract.name] = path
        contracts.append(contract)
    resolved = delivered_with(contracts, {name: str(path) for name, path in seen.items()})
    return tuple(sorted(resolved, key=lambda contract: (contract.source, contract.entity)))


def parse_contract(text: str, report: Report) -> SourceContract:
    """Turn the text of a contract into its typed form.

    Raises:
        ContractError: The text has faults; all of them are named.
    """
    document = parse(text, report)
    if len(document.schema_ or []) != 1:
        report.add(
            "schema", f"holds {len(document.schema_ or [])} entities", "Write one contract file per entity."
        )
        report.stop_if_faulty()
    entity = (document.schema_ or [SchemaObject()])[0]
    _check_name(document.dataProduct, "dataProduct", report)
    _check_name(entity.name, "schema.name", report)
    contract = _contract(document, entity, f"schema[{entity.name}]", report)
    report.stop_if_faulty()
    return contract


def _contract(
    document: OpenDataContractStandard, entity: SchemaObject, key: str, report: Report
) -> SourceContract:
    section = Section.of_properties(entity.customProperties, ENTITY_PROPERTIES, key, report)
    for rule in entity.quality or ():
        if rule.type not in ("text", "custom"):
            report.add(f"{key}.quality", "rules of a whole entity are not run", "Give it to a column.")
    columns = _columns(entity, key, report)
    names = _Names(columns)
    source_format = section.choice("format", Format, Format.CSV)
    if "delivery" not in section.values:
        section.fault(
            "delivery", "is missing", "Add snapshot (every record, every time) or delta (changes only)."
        )
    contract = SourceContract(
        source=document.dataProduct or "",
        entity=entity.name or "",
        version=document.version or "",
        owner=_owner(document, report),
        description=" ".join((entity.description or "").split()),
        location=read_location(section, f"{document.dataProduct}/{entity.name}", source_format),
        format=source_format,
        delivery=section.choice("delivery", Delivery, Delivery.SNAPSHOT),
        columns=columns,
        dialect=read_dialect(section),
        query=_query(section, source_format),
        default_country=_country(section),
        party_kind=_party_kind(section, names),
        modified_at=names.of(section, "modifiedAt"),
        deleted=_deletion(section, names),
        merged_into=names.of(section, "mergedInto"),
        fill_down=_fill_down(section, names),
        repeated_key=_repeated_key(section),
        delivered_with=_delivered_with(section, entity.name or ""),
        joined=read_joined(section, [column.name for column in columns]),
        constants=read_constants(section, [path for column in columns for path in column.maps_to]),
        only_with=read_only_with(section, columns),
        moments=read_moments(section, [column.name for column in columns]),
        statements=read_statements(section, [column.name for column in columns]),
        refers_to=section.text("refersTo"),
        sla=tuple(
            ServiceLevel(level.property or "", str(level.value), level.unit)
            for level in document.slaProperties or ()
        ),
    )
    _check_entity(contract, key, report)
    check_rows(contract, key, report)
    return contract


def _check_name(name: str | None, key: str, report: Report) -> None:
    if not name or not _NAME.fullmatch(name):
        what = "is missing" if not name else f"{name!r} cannot be part of a table name"
        report.add(key, what, "Use small letters, digits and _, beginning with a letter.")


def _owner(document: OpenDataContractStandard, report: Report) -> str:
    team = document.team
    name = team.name if team is not None and not isinstance(team, list) else None
    members = team if isinstance(team, list) else (team.members or []) if team is not None else []
    owner = name or next((member.username or member.name for member in members), None)
    if not owner:
        report.add("team.name", "is missing", "Name the team that answers for the data.")
    return owner or ""


def _columns(entity: SchemaObject, key: str, report: Report) -> tuple[Column, ...]:
    columns: list[Column] = []
    for position, item in enumerate(entity.properties or ()):
        where = f"{key}.properties[{item.name or position}]"
        column = read_column(item, where, report)
        if not column.name:
            report.add(f"{where}.name", "is missing", "Give the column's name as it stands in the header.")
        elif column.name in RESERVED_COLUMNS:
            report.add(
                f"{where}.name", "is a name that ingest uses itself", "Rename the column at the source."
            )
        elif any(column.name == other.name for other in columns):
            report.add(f"{where}.name", "stands there twice", "Keep one of them.")
        else:
            columns.append(column)
    if not columns:
        report.add(f"{key}.properties", "holds no column", "List the columns.")
    _check_aliases(columns, key, report)
    return tuple(columns)


def _check_aliases(columns: Sequence[Column], key: str, report: Report) -> None:
    """Each name of a header means one column."""
    owner = {column.name: column.name for column in columns}
    for column in columns:
        for alias in column.aliases:
            where = f"{key}.properties[{column.name}].aliases"
            if alias in RESERVED_COLUMNS:
                report.add(where, f"{alias!r} is a name that ingest uses itself", "Remove it.")
            elif alias in owner:
                report.add(where, f"{alias!r} is a name of {owner[alias]!r} already", "Keep one of them.")
            owner.setdefault(alias, column.name)


class _Names:
    """Reads properties whose value is the name of a column."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]

    def of(self, section: Section, name: str) -> str | None:
        """The column that ``name`` names, or None when it is not given."""
        column = section.text(name)
        return None if column is None else self.known(section, name, column)

    def known(self, section: Section, name: str, column: str) -> str:
        """The same name; noted as a fault when there is no such column."""
        if column not in self._names:
            section.report.unknown(section.at(name), "column", column, self._names)
        return column


def _query(section: Section, source_format: Format) -> Query | None:
    if source_format != Format.SQL:
        for name in ("query", "urlVariable"):
            if name in section.values:
                section.fault(name, "has no meaning for a file", "Set format: sql, or remove it.")
        return None
    return Query(
        text=section.required("query", section.text),
        url_variable=section.required("urlVariable", section.text),
    )


def _party_kind(section: Section, names: _Names) -> KindRule | None:
    value = section.values.get("partyKind")
    if not isinstance(value, dict):
        return (
            KindRule(section.choice("partyKind", PartyKind, PartyKind.PERSON)) if value is not None else None
        )
    part = section.part("partyKind", ("column", "values", "otherwise"))
    if part is None:
        return None
    known = [str(kind) for kind in PartyKind]
    values = {}
    for code, kind in part.codes("values").items():
        if kind in known:
            values[code] = PartyKind(kind)
        else:
            section.report.unknown(part.at("values"), "kind", kind, known)
    if "otherwise" not in part.values:
        part.fault("otherwise", "is missing", "Say what every other record is: person or organisation.")
    column = part.required("column", part.text)
    return KindRule(
        otherwise=part.choice("otherwise", PartyKind, PartyKind.PERSON),
        column=names.known(part, "column", column) if column else None,
        values=values,
    )


def _country(section: Section) -> str | None:
    countries = section.matching("defaultCountry", _COUNTRY, "a country", 'Write its ISO code, such as "NL".')
    return countries[0] if countries else None


def _delivered_with(section: Section, entity: str) -> str | None:
    other = section.text("deliveredWith")
    if other is None:
        return None
    for name in ("location", "format", "dialect", "query", "joined"):
        if name in section.values:
            section.fault(name, f"is that of {other}, whose files hold this entity", "Remove one of the two.")
    if other == entity:
        section.fault("deliveredWith", "is the entity itself", "Name another entity, or remove it.")
        return None
    return other


def _deletion(section: Section, names: _Names) -> Deletion | None:
    part = section.part("deleted", ("column", "values"))
    if part is None:
        return None
    column, values = part.required("column", part.text), part.texts("values")
    if not values:
        part.fault("values", "is empty", "List the values that mean deleted.")
    return Deletion(names.known(part, "column", column), values) if column else None


def _fill_down(section: Section, names: _Names) -> FillDown | None:
    part = section.part("fillDown", ("key", "columns", "numberedAs"))
    if part is None:
        return None
    key, columns = part.required("key", part.text), part.texts("columns")
    if not key:
        return None
    return FillDown(
        key=names.known(part, "key", key),
        columns=tuple(names.known(part, "columns", column) for column in columns),
        numbered_as=names.of(part, "numberedAs"),
    )


def _repeated_key(section: Section) -> RepeatedKey | None:
    return (
        section.choice("repeatedKey", RepeatedKey, RepeatedKey.LAST)
        if "repeatedKey" in section.values
        else None
    )


def _check_entity(contract: SourceContract, key: str, report: Report) -> None:
    _check_key(contract, key, report)
    fed: dict[str, str] = {}
    for column, path in contract.mapped():
        if path in fed:
            where = f"{key}.properties[{column.name}].mapsTo"
            report.add(where, f"{path} is fed by {fed[path]!r} already", "Map one of them.")
        fed.setdefault(path, column.name)
    if Entity.PARTY in contract.entities and contract.party_kind is None:
        report.add(f"{key}.partyKind", "is missing", "Say whether the records are persons or organisations.")
    for entity in contract.entities:
        if declaration(entity).kept is not KeptAs.STATE:
            continue  # where its rows have no number, the key of the source's rows is theirs
        keys = [attribute.path for attribute in attributes(entity) if attribute.key]
        for path in keys:
            if path not in fed:
                report.add(f"{key}.properties", f"feeds {entity} but not its key", f"Map a column to {path}.")


def _check_key(contract: SourceContract, key: str, report: Report) -> None:
    if not contract.key:
        what = "has no key"
        report.add(f"{key}.properties", what, "Set primaryKey: true on the columns that identify a record.")
    positions = [c.key_position for c in contract.columns if c.key_position is not None]
    if len(positions) != len(set(positions)):
        what = "has two key columns in one place"
        report.add(f"{key}.properties", what, "Number them with primaryKeyPosition.")
    for column in contract.columns:
        if column.unique and contract.key != (column.name,):
            where = f"{key}.properties[{column.name}].unique"
            report.add(
                where, "is only checked on a key of one column", "Remove it, or make the column the key."
            )
