"""Values of the lake as a role would see them in the published customer: in clear, masked, or not at all.

Belongs here: that, column by column, with the role's own masks run by PostgreSQL as the role. Does not belong here:
which columns a role sees (``sight``), masks (privacy.masks).
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import text

from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.privacy.views import CUSTOMER

Opener = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Gives a row with its encrypted values in clear."""
_TRUE = "true"


def seen_values(
    eyes: Eyes, rows: Sequence[Mapping[str, Any]], names: Sequence[str], in_clear: Opener
) -> list[dict[str, Any]]:
    """Rows with canonical values as text, in the columns of the golden customer that the role sees.

    Args:
        eyes: Of who reads.
        rows: As the lake has them.
        names: The columns that are wanted.
        in_clear: Opens what is encrypted; of columns that the role reads in clear only.
    """
    seen = eyes.sight.tables.get(CUSTOMER)
    columns = {one.column.name: one for one in seen.columns} if seen is not None else {}
    found: list[dict[str, Any]] = [{} for _ in rows]
    clear = [name for name in names if name in columns and columns[name].shown.mask is None]
    opened = in_clear({f"{at}/{name}": row.get(name) for at, row in enumerate(rows) for name in clear})
    for name in names:
        if name not in columns:
            continue
        shown, of_type = columns[name].shown, columns[name].column.type
        values = [row.get(name) for row in rows]
        if shown.mask is None:
            values = [_typed(opened[f"{at}/{name}"], of_type) for at in range(len(rows))]
        else:
            values = _masked(eyes, shown.mask.expression(f"CAST(t.value AS {of_type})"), values)
        for row, value in zip(found, values, strict=True):
            row[name] = value
    return found


def _masked(eyes: Eyes, expression: str, values: Sequence[Any]) -> list[Any]:
    if not any(values):
        return [None] * len(values)
    query = (
        f"SELECT {expression} FROM unnest(CAST(:values AS text[])) WITH ORDINALITY AS t(value, n) ORDER BY n"  # noqa: S608 - a mask of ours
    )
    with eyes.as_role() as connection:
        return list(connection.scalars(text(query), {"values": list(values)}))


def _typed(value: Any, of_type: str) -> Any:
    """A canonical value as PostgreSQL would give it; as it is where it is of another form."""
    if not isinstance(value, str):
        return value
    if of_type == "boolean":
        return value == _TRUE
    if of_type == "date":
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            return value
    return value
