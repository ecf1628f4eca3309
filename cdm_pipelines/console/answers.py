"""How answers are written: JSON of what the database holds, ETags, pages.

Belongs here: the form. Does not belong here: what is answered.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from cdm_pipelines.console.errors import ClashError

MOST_A_PAGE = 500
CURSOR = r"^([1-9][0-9]{0,8}-[0-9a-f]{12})?$"
"""The form of a cursor: a place in a list, and what lies there."""


def _plain(value: object) -> object:
    match value:
        case UUID() | Decimal():
            return str(value)
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        case dt.date():
            return value.isoformat()
        case bytes() | memoryview():
            return bytes(value).hex()
        case set() | frozenset():
            return sorted(value)
        case _:
            raise TypeError(type(value).__name__)


def as_json(content: object) -> bytes:
    """JSON in UTF-8; decimals as text, so that no cent is lost."""
    return json.dumps(content, default=_plain, ensure_ascii=False, separators=(",", ":")).encode()


def answer(request: Request, content: object, status: int = 200) -> Response:
    """An answer with its ETag, or that it is still what the caller has."""
    body = as_json(content)
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    if request.method == "GET" and tag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers={"etag": tag})
    return Response(body, status, {"etag": tag, "cache-control": "private, no-cache"}, "application/json")


def _tags(header: str) -> set[str]:
    return {part.strip().removeprefix("W/") for part in header.split(",")}


def page(rows: Sequence[Mapping[str, Any]], cursor: str, limit: int) -> dict[str, Any]:
    """One page of rows that are in an order, with the cursor of the next one.

    Args:
        rows: All of them.
        cursor: As ``next`` gave it out: after which row the page begins; empty for the first page.
        limit: Rows of a page.

    Raises:
        ClashError: That row is gone, or has changed.
    """
    place, mark = _read(cursor)
    if not place:
        return page_from(rows, cursor, limit)
    likely = range(place - 1, min(place, len(rows)))  # rows that came or went before it have moved it
    at = next((one for one in (*likely, *range(len(rows))) if _mark(rows[one]) == mark), len(rows))
    return page_from(rows[at:], f"{at + 1}-{mark}", limit)


def window(cursor: str, limit: int) -> dict[str, int]:
    """Which rows of a list are to be read for ``page_from``."""
    place, _ = _read(cursor)
    return {"limit": limit + 1 + bool(place), "offset": max(place - 1, 0)}


def page_from(rows: Sequence[Mapping[str, Any]], cursor: str, limit: int) -> dict[str, Any]:
    """One page of the rows of its window: the last one of the page before, its own, and one more if it goes on.

    Raises:
        ClashError: The last row of the page before lies elsewhere now: rows would be left out, or come twice.
    """
    place, mark = _read(cursor)
    if place and not (rows and _mark(rows[0]) == mark):
        raise ClashError("The list has changed since the page before: begin again without a cursor.")
    own = list(rows[bool(place) :])
    shown, more = own[:limit], len(own) > limit
    return {"items": shown, "next": f"{place + limit}-{_mark(shown[-1])}" if more else None}


def _read(cursor: str) -> tuple[int, str]:
    """How many rows lie before a page, and the mark of the last one of them."""
    place, _, mark = cursor.partition("-")
    return int(place or 0), mark


def _mark(row: Mapping[str, Any]) -> str:
    return sha256(as_json(row)).hexdigest()[:12]
