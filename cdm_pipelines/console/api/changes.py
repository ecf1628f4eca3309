"""``/changes``: the change feed, a page at a time, and as server-sent events.

Belongs here: what of the feed a role is told. Does not belong here: writing it (hub.outbox), other sinks (publish).

An event names a customer whom the role sees, or one that became one whom it sees; of changes it names those columns
that the role sees.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from cdm_pipelines.console import reads
from cdm_pipelines.console.answers import answer, as_json
from cdm_pipelines.console.api import models
from cdm_pipelines.console.api.asking import REFUSALS, Told, house_of, refusals
from cdm_pipelines.console.caller import Scope
from cdm_pipelines.console.errors import ForgottenError, TooManyError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.hub import feed
from cdm_pipelines.hub.feed import Entry
from cdm_pipelines.privacy.views import CUSTOMER, OF_CONSENT
from cdm_pipelines.publish.events import CONSENT_CHANGED

router = APIRouter(tags=["changes"], responses=REFUSALS, route_class=Told)
After = Annotated[
    int | None,
    Query(
        ge=0,
        le=2**62,
        description="Position of the last event that is known; from the oldest that is kept when left out.",
    ),
]
_GONE = refusals(
    {
        410: "Events after that position are no longer kept, or there never were any: read all customers, and go on "
        "from `oldest`."
    }
)
_LOOK_SECONDS, _LIVE_SECONDS = 2.0, 600.0
MOST_STREAMS = 50
"""That are open at a time; each asks the database every two seconds."""


@router.get("/changes", response_model=models.Changes, responses=_GONE)
def changes(
    request: Request, after: After = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Response:
    """What happened to customers since a position, in order."""
    with house_of(request).eyes(request, Scope.READ, "GET /v1/changes") as eyes:
        found = _since(eyes, after, limit)
    return answer(request, found)


def _since(eyes: Eyes, after: int | None, limit: int) -> dict[str, Any]:
    """A page of events.

    Raises:
        ForbiddenError: The role recognises nobody.
        ForgottenError: Events after that position were pruned, or no event of this hub is at it.
    """
    eyes.sight.see_that_recognises()
    if after is None:
        after = feed.pruned(eyes.connection)
    entries = feed.entries(eyes.connection, after, limit)
    if after < (oldest := feed.pruned(eyes.connection)):  # asked last: they may be pruned meanwhile
        raise ForgottenError(
            f"Events up to position {oldest} are no longer kept. Read all customers, and go on with ?after={oldest}.",
            oldest=oldest,
        )
    if not entries and after > (newest := max(feed.last_position(eyes.connection), oldest)):
        raise ForgottenError(
            f"The newest event of this hub is at {newest}: it was put back to an earlier state, or that position is of "
            f"another hub. Read all customers, and go on with ?after={newest}.",
            oldest=newest,
        )
    ids = {one for entry in entries for one in (entry.golden_id, entry.related_id) if one is not None}
    known = _known(eyes, ids)
    shown = {column for table in eyes.sight.tables for column in eyes.sight.columns(table)}
    sees_consent = OF_CONSENT in eyes.sight.tables
    in_part = bool(eyes.sight.role.rows)  # it is told to let go of whom it sees under another id
    items = [
        _told(
            entry, (entry.changes or ()) if sees_consent and entry.type == CONSENT_CHANGED else shown, known
        )
        for entry in entries
        if entry.golden_id in known or (in_part and entry.related_id in known)
    ]
    if items:
        eyes.note([CUSTOMER], [item["golden_id"] for item in items])
    last = entries[-1].position if entries else after
    return {"items": items, "after": last, "behind": bool(entries) and len(entries) == limit}


def _known(eyes: Eyes, ids: set[UUID]) -> set[UUID]:
    """Of which of some customers the role may be told; of those that are no more, where it sees no part alone."""
    role = eyes.sight.role
    if role.sees_everybody or role.rows:
        return reads.seen(eyes, ids)
    known = (
        "SELECT golden_id, coalesce(alias_of, golden_id) FROM identity.golden_id WHERE golden_id = ANY(:ids)"
    )
    now = dict(eyes.connection.execute(text(known), {"ids": list(ids)}).tuples().all())
    query = text(f"SELECT golden_id FROM {CUSTOMER} WHERE golden_id = ANY(:ids)")  # noqa: S608 - ours
    there = set(eyes.connection.scalars(query, {"ids": list(now.values())}).all())
    hidden = there - reads.seen(eyes, there)
    return {one for one in ids if now.get(one, one) not in hidden}


def _told(entry: Entry, shown: Iterable[str], known: Collection[UUID]) -> dict[str, Any]:
    return {
        "position": entry.position,
        "event_id": entry.event_id,
        "type": entry.type,
        "golden_id": entry.golden_id,
        "related_id": entry.related_id if entry.related_id in known else None,
        "publication": entry.publication_id,
        "published_at": entry.published_at,
        "changed": sorted(set(entry.changes or {}) & set(shown)),
    }


@router.get(
    "/changes/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **_GONE},
)
async def stream(request: Request, after: After = None) -> Response:
    """The same as server-sent events, for ten minutes at a time; a browser goes on by itself where it was."""
    house = house_of(request)
    last = request.headers.get("last-event-id", "")
    start = int(last) if last.isdigit() and len(last) < 19 else after
    await run_in_threadpool(_look, house, request, start, 0)  # who may not is told before the stream begins
    streams: set[object] = request.app.state.streams
    if len(streams) >= MOST_STREAMS:
        raise TooManyError("Too many streams are open; ask for pages of /v1/changes instead.")
    return StreamingResponse(_events(house, request, start, streams), media_type="text/event-stream")


async def _events(
    house: House, request: Request, after: int | None, streams: set[object]
) -> AsyncIterator[bytes]:
    mine, ends = object(), time.monotonic() + _LIVE_SECONDS
    streams.add(mine)
    try:
        yield b"retry: 2000\n\n"
        while time.monotonic() < ends and not await request.is_disconnected():
            found = await run_in_threadpool(_look, house, request, after, 100)
            after = found["after"]
            for item in found["items"]:
                yield b"id: %d\nevent: %b\ndata: %b\n\n" % (
                    item["position"],
                    item["type"].encode(),
                    as_json(item),
                )
            if not found["behind"]:
                yield b": still here\n\n"
                await asyncio.sleep(_LOOK_SECONDS)
    finally:
        streams.discard(mine)


def _look(house: House, request: Request, after: int | None, limit: int) -> dict[str, Any]:
    with house.eyes(request, Scope.READ, "GET /v1/changes/stream") as eyes:
        return _since(eyes, after, limit)
