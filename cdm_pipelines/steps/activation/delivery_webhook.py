"""Telling a webhook of deliveries that it has not taken yet, the oldest first.

Belongs here: what is sent when, and what becomes of it. Does not belong here: one request and its signature
(publish.webhook), the event (publish.audience_events), who is in an audience (``audiences``).
"""

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from sqlalchemy import Connection

from cdm_pipelines.hub import deliveries, feed
from cdm_pipelines.hub.deliveries import ADDED, REMOVED, UPDATED, Delivery
from cdm_pipelines.publish.audience_events import About, events
from cdm_pipelines.publish.audience_policy import Audience, Target
from cdm_pipelines.publish.events import source_of
from cdm_pipelines.publish.policy import FeedPolicyError, WebhookSink
from cdm_pipelines.publish.webhook import GoneError, NotTakenError, WebhookSender

Connect = Callable[[], Connection]


def tell(connect: Connect, target: Target, name: str, audience: Audience, allowed: Collection[UUID]) -> str:
    """Tell the webhook of an audience what it has not taken, the oldest first; returns what went wrong, in words.

    Args:
        connect: Opens a connection to the hub.
        target: Where the audience goes; nothing is done where that is no webhook.
        name: Of the audience.
        audience: The audience.
        allowed: Who is in it now: nobody else is told of as added, whenever that was decided.
    """
    if target.webhook is None:
        return ""
    with connect() as connection:
        pending = [one for one in deliveries.pending(connection, name) if one.home == target.home]
    for one in pending:
        problem = tell_of(connect, target.webhook, one, audience, allowed)
        with connect() as connection, connection.begin():
            deliveries.taken(connection, one.delivery_id, problem)
        if problem:
            return problem
    return ""


def tell_of(
    connect: Connect, sink: WebhookSink, one: Delivery, audience: Audience, allowed: Collection[UUID]
) -> str:
    """Tell a webhook of one delivery; returns what went wrong, in words."""
    try:
        sender = WebhookSender.of(one.audience, sink)
    except FeedPolicyError as error:
        return str(error)
    with connect() as connection:
        source = source_of(feed.hub_id(connection))
        added, removed = _told(connection, one)
    return _sent(sender, _about(source, audience, one), added, removed, allowed)


def _about(source: str, audience: Audience, one: Delivery) -> About:
    now = dt.datetime.now(dt.UTC)
    return About(source, one.audience, audience.purpose, audience.channel, one.number, one.token, now)


def _told(connection: Connection, one: Delivery) -> tuple[list[UUID], list[UUID]]:
    """Whom a delivery adds, and whom it removes: of who was erased the ledger has nothing but the id to let go of."""
    members = deliveries.members(connection, one.delivery_id)
    erased = [UUID(key) for key in deliveries.gone_in(connection, one.delivery_id)]
    return sorted([*members[ADDED], *members[UPDATED]]), sorted({*members[REMOVED], *erased})


def _sent(
    sender: WebhookSender,
    about: About,
    added: Sequence[UUID],
    removed: Sequence[UUID],
    allowed: Collection[UUID],
) -> str:
    """Send the events of a delivery; returns why one was not taken."""
    try:
        for event in events(about, added, removed, allowed):
            sender.send(event.event_id, event.body)
    except NotTakenError as error:
        return f"The receiver {error}; it is told first the next time."
    except GoneError:
        return "The receiver answered 410 Gone: take the target out of audiences.yaml, or mend it."
    return ""
