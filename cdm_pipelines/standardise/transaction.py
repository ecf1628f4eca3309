"""Entities other than the party (orders, payments, …) from the columns of a source.

Belongs here: their attributes, read by their declared type. Does not belong here: whose a row is (records).
"""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Attribute, Entity, ValueType, declaration
from cdm_pipelines.contracts.entity import SemanticType
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.standardise import codes, dates, email, numbers, phone
from cdm_pipelines.standardise.columns import Columns
from cdm_pipelines.standardise.party import Standard

_UNREAD: dict[object, Rule] = {
    SemanticType.EMAIL: Rule.NOT_EMAIL,
    SemanticType.CURRENCY: Rule.UNKNOWN_CODE,
    SemanticType.PHONE: Rule.NOT_PHONE,
    ValueType.TIMESTAMP: Rule.NOT_DATE,
    ValueType.DATE: Rule.NOT_DATE,
    ValueType.DECIMAL: Rule.NOT_NUMBER,
    ValueType.INTEGER: Rule.NOT_INTEGER,
    ValueType.BOOLEAN: Rule.NOT_BOOLEAN,
}
"""What a value breaks that cannot be read as its attribute asks."""
NO_CURRENCY = "XXX"
"""What ISO 4217 has for no currency: of an amount in one that is not known. Empty would be the company's own."""
_WORDS = (
    SemanticType.TOKEN,
    SemanticType.CHANNEL,
    SemanticType.INTERACTION_KIND,
    SemanticType.DIRECTION,
    SemanticType.PURPOSE,
    SemanticType.CONSENT_CHANNEL,
    SemanticType.CONSENT_STATE,
)
"""Read by `interaction` and `consent`, for what one means depends on the others."""


def transaction(columns: Columns, entity: Entity, timezone: str) -> Standard:
    """Standardise all targets of an entity that the contract feeds.

    Args:
        columns: The delivered columns.
        entity: Any but the party.
        timezone: IANA name for timestamps that carry no zone.
    """
    standard = Standard({})
    declared = declaration(entity)
    for attribute in declared.attributes:
        if attribute.name in declared.compared:
            standard.values[attribute.name] = columns.code(attribute.name)
        else:
            value, wrong = _read(columns, attribute, timezone)
            rule = _UNREAD.get(attribute.semantic) or _UNREAD.get(attribute.type)
            if rule is not None:
                columns.unread(attribute.name, rule, value)
            if attribute.semantic is SemanticType.CURRENCY:
                unknown = pc.and_(pc.is_valid(columns.code(attribute.name)), pc.is_null(value))
                value = pc.if_else(unknown, pa.scalar(NO_CURRENCY, value.type), value)
            standard.values[attribute.name] = value
            if wrong is not None:
                standard.wrong[attribute.name] = wrong
    return standard


def read(
    table: pa.Table, contract: SourceContract, entity: Entity, names: Collection[str]
) -> dict[str, pa.Array]:
    """Some attributes of rows as delivered, fit or not, row by row.

    Args:
        table: All text; columns that it lacks are null.
        contract: Of the source entity.
        entity: Any but the party.
        names: Of attributes; moments without a zone are read as UTC.
    """
    columns = Columns(table, contract, entity)
    own = (attribute for attribute in declaration(entity).attributes if attribute.name in names)
    return {attribute.name: _read(columns, attribute, "UTC")[0] for attribute in own}


def _read(columns: Columns, attribute: Attribute, timezone: str) -> tuple[pa.Array, pa.Array | None]:
    """The canonical values, and which of them cannot be right."""
    code = columns.code(attribute.name)
    column = columns.column(attribute.name)
    if column is None or attribute.semantic in _WORDS:
        return code, None
    wrong: pa.Array | None = None
    match attribute.semantic or attribute.type:
        case SemanticType.EMAIL | SemanticType.PHONE:
            values, wrong = _contact_point(columns, attribute, code)
        case SemanticType.CURRENCY:
            values = codes.currency(code)
        case ValueType.TIMESTAMP:
            values, wrong = _not_a_sentinel(dates.timestamp(code, column.date_formats, timezone), timezone)
        case ValueType.DATE:
            values, wrong = _not_a_sentinel(dates.date(code, column.date_formats))
        case ValueType.DECIMAL:
            values = numbers.decimal(code, column.decimal)
        case ValueType.INTEGER:
            values = _whole(numbers.decimal(code, column.decimal))
        case ValueType.BOOLEAN:
            values = numbers.boolean(code)
        case _:
            values = columns.text(attribute.name, placeholders=False)
    return values, wrong


def _contact_point(columns: Columns, attribute: Attribute, code: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Addresses or numbers; a number is read as the source's own country dials it."""
    if attribute.semantic is SemanticType.EMAIL:
        values, wrong = email.read(code)
        return values, wrong
    home = pa.repeat(pa.scalar(columns.contract.default_country, pa.string()), columns.length)
    values, _, wrong = phone.read(code, home)
    return values, pc.and_(wrong, pc.is_valid(values))


def _not_a_sentinel(moments: pa.Array, timezone: str | None = None) -> tuple[pa.Array, pa.Array]:
    return moments, pc.fill_null(dates.is_sentinel(moments, timezone), False)


def _whole(decimals: pa.Array) -> pa.Array:
    return pc.if_else(pc.match_substring(decimals, "."), pa.scalar(None, decimals.type), decimals)
