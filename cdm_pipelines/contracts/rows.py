"""What a row stands for beside the columns that it has: constants, moments, nested records.

Belongs here: reading these properties of a contract, and what they demand of the others. Does not belong here: what
becomes of a row (standardise), or how a nested record is followed (ingest).
"""

from collections.abc import Collection, Sequence

from cdm_pipelines.contracts.canonical import Attribute, Entity, KeptAs, attributes, declaration, targets
from cdm_pipelines.contracts.model import Column, Format, Moment, SourceContract
from cdm_pipelines.contracts.paths import PathError, steps
from cdm_pipelines.contracts.sections import Report, Section
from cdm_pipelines.contracts.statements import StatementOf

_NESTED = (Format.JSONL, Format.JSON)
_OF_STATEMENT = ("consent.purpose", "consent.channel", "consent.state")
_OF_MOMENT = ("interaction.occurred_at", "interaction.kind")


def read_constants(section: Section, mapped: Collection[str]) -> dict[str, str]:
    """Values that are the same in all rows, by canonical path."""
    found = section.codes("constants")
    known = [path for path, target in targets().items() if _may_be_constant(target)]
    for path in found:
        if path not in known:
            section.report.unknown(section.at("constants"), "canonical path", path, known)
        elif path in mapped:
            section.fault("constants", f"{path} is fed by a column", "Keep one of the two.")
    return {path: value for path, value in found.items() if path in known}


def _may_be_constant(target: object) -> bool:
    return isinstance(target, Attribute) and target.entity is not Entity.PARTY and not target.key


def read_only_with(section: Section, columns: Sequence[Column]) -> dict[Entity, str]:
    """Columns without a value in which a row tells of no such entity, by entity."""
    fed = {targets()[path].entity for column in columns for path in column.maps_to} - {Entity.PARTY}
    fed = {entity for entity in fed if declaration(entity).kept is KeptAs.STATE}
    found = {}
    for name, column in section.codes("onlyWith").items():
        if name not in map(str, fed):
            section.report.unknown(section.at("onlyWith"), "entity", name, map(str, fed))
        elif column not in (names := [one.name for one in columns]):
            section.report.unknown(section.at("onlyWith"), "column", column, names)
        else:
            found[Entity(name)] = column
    return found


def read_moments(section: Section, columns: Sequence[str]) -> tuple[Moment, ...]:
    """The interactions that each row tells of."""
    given = section.values.get("moments")
    if given is None:
        return ()
    own = [attribute.name for attribute in attributes(Entity.INTERACTION) if not attribute.key]
    found = []
    for position, entry in enumerate(given if isinstance(given, list) else [given]):
        if not isinstance(entry, dict):
            section.fault("moments", "is not a mapping", "Give it the keys column and kind.")
            continue
        where = f"{section.at('moments')}[{position}]"
        part = Section(entry, ("column", "kind", "bears"), where, section.report)
        column, kind = part.required("column", part.text), part.required("kind", part.text)
        if column and column not in columns:
            part.report.unknown(part.at("column"), "column", column, columns)
        for name in part.texts("bears"):
            if name not in own:
                part.report.unknown(part.at("bears"), "attribute", name, own)
        found.append(Moment(column, kind, part.texts("bears")))
    kinds = [moment.kind for moment in found]
    if len(set(kinds)) < len(kinds):
        section.fault("moments", "has two moments of one kind", "Give each a kind of its own.")
    return tuple(found)


def read_statements(section: Section, columns: Sequence[str]) -> tuple[StatementOf, ...]:
    """The statements of consent that each row tells of."""
    given = section.values.get("statements")
    if given is None:
        return ()
    found = []
    for position, entry in enumerate(given if isinstance(given, list) else [given]):
        if not isinstance(entry, dict):
            section.fault("statements", "is not a mapping", "Give it the keys column and purpose.")
            continue
        where = f"{section.at('statements')}[{position}]"
        part = Section(entry, ("column", "purpose", "channel", "states", "at"), where, section.report)
        column, purpose, at = (
            part.required("column", part.text),
            part.required("purpose", part.text),
            part.text("at"),
        )
        for name, value in (("column", column), ("at", at)):
            if value and value not in columns:
                part.report.unknown(part.at(name), "column", value, columns)
        found.append(StatementOf(column, purpose, part.text("channel") or "", part.codes("states"), at))
    about = [(one.purpose, one.channel) for one in found]
    if len(set(about)) < len(about):
        section.fault("statements", "has two statements about one purpose and channel", "Keep one of them.")
    return tuple(found)


def check_rows(contract: SourceContract, key: str, report: Report) -> None:
    """Note what these properties and the rest of a contract demand of each other."""
    _check_nested(contract, key, report)
    fed = {path for _, path in contract.mapped()}
    for path in contract.constants:
        if targets()[path].entity not in contract.entities:
            report.add(
                f"{key}.constants", f"no column feeds {targets()[path].entity}", "Map its key, or others."
            )
    if contract.moments and Entity.INTERACTION not in contract.entities:
        report.add(f"{key}.moments", "no column feeds interaction", "Map columns to interaction.")
    for path in _OF_MOMENT if contract.moments else ():
        if path in fed or path in contract.constants:
            report.add(f"{key}.moments", f"{path} is mapped as well", "Keep one of the two.")
    _check_consent(contract, key, fed, report)
    days = [entity for entity in contract.entities if declaration(entity).kept is KeptAs.DAYS]
    if contract.refers_to is not None and not days:
        what = "has no meaning for what is not an interaction"
        report.add(f"{key}.refersTo", what, "Remove it.")


def _check_nested(contract: SourceContract, key: str, report: Report) -> None:
    """Paths lead through nested records, which only JSON has here; of a guest the host's format counts."""
    if contract.delivered_with is None and contract.format not in _NESTED:
        for column in contract.columns:
            if column.paths:
                where = f"{key}.properties[{column.name}].path"
                what = f"has no meaning in format {contract.format}"
                report.add(where, what, "Set format: jsonl or json, or remove it.")
        if contract.dialect.rows_at is not None:
            report.add(f"{key}.dialect.rowsAt", f"has no meaning in format {contract.format}", "Remove it.")
    if contract.dialect.rows_at is not None:
        try:
            steps(contract.dialect.rows_at)
        except PathError as error:
            report.add(f"{key}.dialect.rowsAt", str(error), "Write it like activity or report.emails.")


def _check_consent(contract: SourceContract, key: str, fed: Collection[str], report: Report) -> None:
    """A statement needs a purpose and a state, said once, and somebody whom it is about."""
    if Entity.CONSENT not in contract.entities:
        if contract.statements:
            report.add(
                f"{key}.statements", "no column feeds consent", "Map who it is about: consent.party_email, …"
            )
        return
    said = {path for path in _OF_STATEMENT if path in fed or path in contract.constants}
    if contract.statements:
        for path in sorted(said):
            report.add(f"{key}.statements", f"{path} is mapped as well", "Keep one of the two.")
    else:
        for path in ("consent.purpose", "consent.state"):
            if path not in said:
                fix = f"Map a column to {path}, give it in constants, or list the statements of a row."
                report.add(f"{key}.properties", f"feeds consent but not {path}", fix)
    whom = [f"consent.{name}" for name in ("party_id", "party_email", "party_phone", "token")]
    if not set(whom) & set(fed):
        report.add(
            f"{key}.properties", "feeds consent but not whom it is about", f"Map one of {', '.join(whom)}."
        )
