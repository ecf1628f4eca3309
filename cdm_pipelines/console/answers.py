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

MOST_A_PAGE = 500


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
        cursor: The place of the first one, as ``next`` gave it out; empty for the first page.
        limit: Rows of a page.
    """
    return page_from(rows[start_of(cursor) :], cursor, limit)


def start_of(cursor: str) -> int:
    """How many rows lie before a page."""
    return int(cursor or 0)


def page_from(rows: Sequence[Mapping[str, Any]], cursor: str, limit: int) -> dict[str, Any]:
    """The same, of rows that begin with those of the page; one more than these tells that it goes on."""
    more = len(rows) > limit
    return {"items": list(rows[:limit]), "next": str(start_of(cursor) + limit) if more else None}
