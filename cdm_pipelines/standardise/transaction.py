"""Orders, order lines and payments from the columns of a source.

Belongs here: their attributes, read by type. Does not belong here: whose order it is (records).
"""

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Attribute, Entity, ValueType, attributes
from cdm_pipelines.standardise import codes, dates, email, numbers
from cdm_pipelines.standardise.columns import Columns
from cdm_pipelines.standardise.party import Standard


def transaction(columns: Columns, entity: Entity, timezone: str) -> Standard:
    """Standardise all targets of one transaction entity that the contract feeds.

    Args:
        columns: The delivered columns.
        entity: Order, order line or payment.
        timezone: IANA name for timestamps that carry no zone.
    """
    standard = Standard({})
    for attribute in attributes(entity):
        standard.values[attribute.name] = _read(columns, attribute, timezone)
    for name in ("ordered_at", "paid_at"):
        if name in standard.values:
            standard.wrong[name] = pc.fill_null(dates.is_sentinel(standard.values[name]), False)
    if entity == Entity.ORDER:
        address, wrong = email.read(columns.code("party_email"))
        standard.values["party_email"] = address
        standard.wrong["party_email"] = wrong
    return standard


def _read(columns: Columns, attribute: Attribute, timezone: str) -> pa.Array:
    code = columns.code(attribute.name)
    column = columns.column(attribute.name)
    if column is None or _is_compared(attribute):
        return code
    match attribute.type:
        case ValueType.TIMESTAMP:
            return dates.timestamp(code, column.date_formats, timezone)
        case ValueType.DECIMAL:
            return numbers.decimal(code, column.decimal)
    if attribute.name == "currency":
        return codes.currency(code)
    return columns.text(attribute.name, placeholders=False)


def _is_compared(attribute: Attribute) -> bool:
    """Whether it must be spelled as another record spells it: a key, or a reference to one."""
    return attribute.key or attribute.type == ValueType.REFERENCE or attribute.name == "order_id"
