"""Requests of persons: those that are handled, those that wait for a second pair of eyes, and which of them are late.

Belongs here: looking at them all, and under which policy and since when one is handled. Does not belong here: answering
one (``access``, ``erasure``, ``limits``).
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from cdm_pipelines.hub import proposals
from cdm_pipelines.hub import rights as hub
from cdm_pipelines.hub.proposals import DUE_ON, OF_PERSONS, POLICY, Proposal
from cdm_pipelines.privacy.policy import RightsPolicy, due
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.rights.subject import RightsError

_A_YEAR = dt.timedelta(days=366)
_NOON = dt.time(12, tzinfo=dt.UTC)
"""When a request was received of which only the day is known: so it is of that day wherever it is read."""


@dataclass(frozen=True)
class Tracked:
    """A request, and whether it should have been answered by now."""

    request: hub.Request
    late: bool


@dataclass(frozen=True)
class Proposed:
    """What a person asked for that is not begun: it waits for somebody who approves it, or is approved.

    Attributes:
        proposal: Itself.
        due_on: When the person is to be answered at the latest.
        late: Whether that is past.
    """

    proposal: Proposal
    due_on: dt.date
    late: bool


@dataclass(frozen=True)
class Receipt:
    """That a request was received: when, and under which policy it is handled.

    Attributes:
        policy: That was in force when it was asked.
        received_at: When it was received.
    """

    policy: RightsPolicy
    received_at: dt.datetime

    @property
    def due_on(self) -> dt.date:
        """The day by which it is to be answered."""
        return due(self.received_at.date(), self.policy.answer_within)

    @classmethod
    def now(cls, settings: Settings, received: dt.date | None = None) -> "Receipt":
        """Of a request that is asked now, or was received on a day.

        Raises:
            RightsError: Nobody can have received it then.
            PrivacyPolicyError: The policy cannot be used.
        """
        policy, now = RightsPolicy.load(settings.policies), dt.datetime.now(dt.UTC)
        if received is None or received == now.date():
            return cls(policy, now)
        if received > now.date():
            raise RightsError(f"{received} is yet to come: say on which day the request was received.")
        if received < now.date() - _A_YEAR:
            raise RightsError(
                f"{received} is more than a year ago, and a request is to be answered within months: is the year right?"
            )
        return cls(policy, dt.datetime.combine(received, _NOON))

    @classmethod
    def of(cls, proposal: Proposal, settings: Settings) -> "Receipt":
        """Of what was proposed: as it was then."""
        frozen = proposal.subject.get(POLICY)
        policy = RightsPolicy.model_validate(frozen) if frozen else RightsPolicy.load(settings.policies)
        return cls(policy, proposal.proposed_at)


def receipt_of(connection: Connection, settings: Settings, number: int) -> Receipt:
    """Of what was proposed in the console and approved.

    Raises:
        RightsError: There is no such proposal.
    """
    for one in proposals.approved(connection, OF_PERSONS):
        if one.proposal_id == number:
            return Receipt.of(one, settings)
    raise RightsError(f"There is no proposal {number} that was approved.")


def tracked(connection: Connection, today: dt.date) -> list[Tracked]:
    """All requests that are handled, oldest first."""
    return [
        Tracked(one, late=one.state != hub.DONE and one.due_on < today) for one in hub.requests(connection)
    ]


def proposed(connection: Connection, today: dt.date) -> list[Proposed]:
    """Requests that wait for somebody, and approved ones that are not begun, the oldest first."""
    waiting = [
        *proposals.open_proposals(connection, OF_PERSONS),
        *proposals.approved(connection, OF_PERSONS),
    ]
    return [
        Proposed(one, until, until < today)
        for one in sorted(waiting, key=lambda one: one.proposal_id)
        for until in [_due_on(one)]
    ]


def _due_on(one: Proposal) -> dt.date:
    told = one.subject.get(DUE_ON)
    return dt.date.fromisoformat(told) if told else due(one.proposed_at.date(), 1)


def late(connection: Connection, today: dt.date) -> list[str]:
    """What should have been answered by a day: numbers of requests, and of proposals that wait."""
    return list(_late(connection, today))


def _late(connection: Connection, today: dt.date) -> Iterator[str]:
    yield from (str(one.request.request_id) for one in tracked(connection, today) if one.late)
    yield from (f"proposal {one.proposal.proposal_id}" for one in proposed(connection, today) if one.late)
