"""Entries of the feed as CloudEvents 1.0 in JSON.

Belongs here: the envelope and what is in it. Does not belong here: where an event is sent to.

An event holds ids, names of attributes and salted fingerprints, never a value: who may see a value reads it where
the event refers to.
"""

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from cdm_pipelines.hub.feed import Entry

CONTENT_TYPE = JSONFormat.CONTENT_TYPE
_PREFIX = "cdm."
PROFILE_CHANGED = "customer.profile_changed"
"""The type of an entry that names columns of the profile."""
CONSENT_CHANGED = "customer.consent_changed"
"""The type of an entry that names purposes, and channels of them."""
_SEQUENCE_DIGITS = 19  # of the largest position: as text, sequences sort as their numbers do


def cloud_event(entry: Entry, source: str) -> bytes:
    """One event in the JSON format of CloudEvents, on one line.

    Args:
        entry: What happened.
        source: The hub, as consumers know it.
    """
    attributes = {
        "specversion": "1.0",
        "id": str(entry.event_id),
        "source": source,
        "type": f"{_PREFIX}{entry.type}",
        "subject": str(entry.golden_id),
        "time": entry.published_at,
        "datacontenttype": "application/json",
        "sequence": str(entry.position).zfill(_SEQUENCE_DIGITS),
    }
    return JSONFormat().write(CloudEvent(attributes, _data(entry)))


def source_of(hub_id: object) -> str:
    """The ``source`` of a hub that was given no name of its own."""
    return f"/cdm/hub/{hub_id}"


def _data(entry: Entry) -> dict[str, object]:
    place = f"golden.customer/{entry.golden_id}"
    data: dict[str, object] = {
        "golden_id": str(entry.golden_id),
        "publication": entry.publication_id,
        "customer": place,
    }
    if entry.related_id is not None:
        data["related_id"] = str(entry.related_id)
    if entry.type == PROFILE_CHANGED:
        where = f"profile.customer/{entry.golden_id}"
        data["changes"] = [
            {"attribute": name, "value": f"{where}/{name}"} for name in sorted(entry.changes or {})
        ]
    elif entry.type == CONSENT_CHANGED:
        where = f"privacy.consent/{entry.golden_id}"
        changes = ((name, *name.partition("/")) for name in sorted(entry.changes or {}))
        data["changes"] = [
            {"purpose": purpose, "channel": channel, "value": f"{where}/{name}"}
            for name, purpose, _, channel in changes
        ]
    elif entry.changes is not None:
        data["changes"] = [
            {"attribute": name, "before": before, "after": after, "value": f"{place}/{name}"}
            for name, (before, after) in sorted(entry.changes.items())
        ]
    return data
