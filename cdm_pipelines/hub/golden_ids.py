"""A golden id as people write it: whole, or its beginning from eight characters on.

Belongs here: reading and writing that. Does not belong here: finding customers by anything else (``search``).
"""

import re
from uuid import UUID

from sqlalchemy import Connection, text

_BEGINS_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F-]{0,27})?")
_DIGITS, _TOLD = 32, 3
_SHORT = len("5f0c1a2b-3c4d")  # twelve digits: of a million ids no two begin so, but once in hundreds of hubs


def short(golden_id: str) -> str:
    """An id as a narrow table shows it, and as every command takes it."""
    return golden_id[:_SHORT]


def as_uuid(typed: str) -> UUID | None:
    """A whole id; None for other text."""
    try:
        return UUID(typed)
    except ValueError:
        return None


def ends(typed: str) -> tuple[UUID, UUID] | None:
    """The lowest and the highest id with a beginning; None where the text can be none."""
    if not _BEGINS_ID.fullmatch(typed):
        return None
    digits = typed.replace("-", "")
    if len(digits) > _DIGITS:
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def meant(connection: Connection, typed: str) -> UUID | None:
    """The golden id that a person wrote, whole or in part; None where the text is no id.

    Raises:
        LookupError: No golden id begins so, or several do; says which.
    """
    typed = typed.strip()
    whole, between = as_uuid(typed), ends(typed)
    if whole is not None or between is None:
        return whole
    query = "SELECT golden_id FROM identity.golden_id WHERE golden_id BETWEEN :low AND :high ORDER BY 1 LIMIT :most"
    low, high = between
    found = connection.scalars(text(query), {"low": low, "high": high, "most": _TOLD + 1}).all()
    if not found:
        raise LookupError(f"No golden id begins with {typed}.")
    if len(found) > 1:
        more = ", …" if len(found) > _TOLD else ""
        raise LookupError(
            f"Several golden ids begin with {typed}: {', '.join(map(str, found[:_TOLD]))}{more}. Write more of it."
        )
    only: UUID = found[0]
    return only
