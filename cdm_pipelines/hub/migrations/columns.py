"""Columns as generated migrations spell them: a line each, with what the comment says of meaning and privacy.

Belongs here: that spelling, both ways. Does not belong here: which columns there are. A migration that was released is
history: what :func:`column` makes of its arguments must stay as it is.
"""

import re
from typing import Any

import sqlalchemy as sa

_COMMENT = re.compile(r"(.+) Privacy category: ([a-z_.]+)\.", re.DOTALL)


def column(
    name: str,
    kind: sa.types.TypeEngine[Any],
    description: str,
    privacy: str = "system.operations",
    *,
    nullable: bool = True,
) -> sa.Column[Any]:
    """A column with the comment that ``hub.schema`` gives it."""
    return sa.Column(name, kind, nullable=nullable, comment=f"{description} Privacy category: {privacy}.")


def spelled(declared: sa.Column[Any]) -> str | None:
    """The call of :func:`column` that makes this column; None for what it cannot make (defaults, dialect types)."""
    comment = _COMMENT.fullmatch(declared.comment or "")
    plain = type(declared.type).__module__ == "sqlalchemy.sql.sqltypes"
    made_by_server = declared.server_default is not None or declared.computed is not None
    if comment is None or made_by_server or declared.identity is not None or not plain:
        return None
    privacy = [] if comment[2] == "system.operations" else [repr(comment[2])]
    null = [] if declared.nullable else ["nullable=False"]
    return f"column({', '.join([repr(declared.name), f'sa.{declared.type!r}', repr(comment[1]), *privacy, *null])})"
