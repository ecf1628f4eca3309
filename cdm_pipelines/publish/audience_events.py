"""What a webhook is told of an audience: golden ids that came and went, as CloudEvents 1.0 in JSON.

Belongs here: the event. Does not belong here: sending it (``webhook``), who is in it (steps.activation).

As in the change feed no value leaves: the receiver reads what it may see of a customer by its own role.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

TYPE = "cdm.audience.changed"
AT_ONCE = 500
"""Golden ids in one event at most."""


@dataclass(frozen=True)
class Told:
    """One event: its id, the same whenever it is sent again, and its bytes."""

    event_id: str
    body: bytes


@dataclass(frozen=True)
class About:
    """What a delivery is about.

    Attributes:
        source: The hub, as consumers know it.
        audience: Its name.
        purpose: Key of the purpose.
        channel: Through which customers may be approached.
        number: Of the delivery.
        token: Of the delivery; ids of events follow from it, and from what they tell.
        time: When it is told.
    """

    source: str
    audience: str
    purpose: str
    channel: str
    number: int
    token: UUID
    time: dt.datetime


def events(
    about: About, added: Sequence[UUID], removed: Sequence[UUID], allowed: Collection[UUID]
) -> Iterator[Told]:
    """The events of a delivery, removals first: they are what must not wait.

    An event that is sent again as it was has the id that it had. One that tells of others has another: somebody was
    erased or withdrew meanwhile, and a receiver that passes over what it knows must not pass over the rest.

    Args:
        about: The delivery.
        added: Whom it added.
        removed: Whom it removed.
        allowed: Who may be told of now: another added one is left out.
    """
    changes = [("removed", str(one)) for one in removed]
    changes += [("added", str(one)) for one in added if one in allowed]
    for start in range(0, len(changes), AT_ONCE):
        some = changes[start : start + AT_ONCE]
        event_id = str(uuid5(about.token, "\n".join(f"{how} {one}" for how, one in some)))
        attributes = {
            "specversion": "1.0",
            "id": event_id,
            "source": about.source,
            "type": TYPE,
            "subject": about.audience,
            "time": about.time,
            "datacontenttype": "application/json",
        }
        data = {
            "audience": about.audience,
            "purpose": about.purpose,
            "channel": about.channel,
            "delivery": about.number,
            **{what: [one for how, one in some if how == what] for what in ("added", "removed")},
        }
        yield Told(event_id, JSONFormat().write(CloudEvent(attributes, data)))
