"""Requests of persons, and which of them are late.

Belongs here: looking at them all. Does not belong here: answering one (``access``, ``erasure``, ``limits``).
"""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection

from cdm_pipelines.hub import rights as hub


@dataclass(frozen=True)
class Tracked:
    """A request, and whether it should have been answered by now."""

    request: hub.Request
    late: bool


def tracked(connection: Connection, today: dt.date) -> list[Tracked]:
    """All requests, oldest first."""
    late = set(hub.late(connection, today))
    return [Tracked(one, late=one.request_id in late) for one in hub.requests(connection)]
