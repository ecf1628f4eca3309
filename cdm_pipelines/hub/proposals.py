"""What one person proposes and another approves, in PostgreSQL.

Belongs here: reading and writing proposals, and that nobody approves their own. Does not belong here: what needs one
(privacy.roles), doing what was approved (console).

A subject names whom it is about by ``golden_ids`` and ``records``, so that an erasure finds it; what else it holds is
for whoever proposes. What a person asked for also has the policy that was in force then and the day by which it is to
be answered, and waits until somebody decides.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql import ColumnElement, cast, literal
from sqlalchemy.types import Text

from cdm_pipelines.hub.schema_console import proposal
from cdm_pipelines.store.register import Persons

OPEN, APPROVED, REJECTED, EXPIRED = "open", "approved", "rejected", "expired"
"""States of a proposal."""
LASTS = dt.timedelta(days=30)
"""An open one that is older has expired: what it was about has changed since."""
GOLDEN_IDS, RECORDS = "golden_ids", "records"
"""Keys of a subject: golden ids as text, and records as ``source/entity/record_id``."""
CHECKED_BY, POLICY, DUE_ON = "checked_by", "policy", "due_on"
"""Keys of what a person asked for: who made sure that it is they, the policy of then, the day by which to answer."""
OF_PERSONS = ("access", "erase")
"""Kinds that a person asked for: who asks has to be answered, so that they do not expire."""


class ProposalError(Exception):
    """A proposal cannot be decided; the text says why."""


@dataclass(frozen=True)
class Proposal:
    """A proposal; see ``schema_console.proposal``."""

    proposal_id: int
    kind: str
    subject: Mapping[str, Any]
    proposed_by: str
    proposed_at: dt.datetime
    state: str
    decided_by: str | None
    decided_at: dt.datetime | None
    reason: str | None

    def is_own(self, who: str) -> bool:
        """Whether it is this person who proposed it."""
        return self.proposed_by.lower() == who.lower()


def propose(
    connection: Connection, kind: str, subject: Mapping[str, Any], who: str, reason: str = ""
) -> Proposal:
    """Write a proposal down; one that is open and says the same, whenever, is returned in its place.

    Args:
        connection: In the caller's transaction.
        kind: See the table.
        subject: Whom it is about (``golden_ids``, ``records``), and what.
        who: Login name.
        reason: Why.
    """
    expire(connection)
    alike = (
        (proposal.c.kind == kind)
        & (proposal.c.state == OPEN)
        & (_said(proposal.c.subject) == _said(cast(subject, proposal.c.subject.type)))
    )
    there = connection.execute(select(proposal).where(alike)).mappings().first()
    if there is not None:
        return _proposal(there)
    values = {
        "kind": kind,
        "subject": dict(subject),
        "proposed_by": who,
        "state": OPEN,
        "reason": reason or None,
    }
    return _proposal(
        connection.execute(insert(proposal).values(values).returning(*proposal.c)).mappings().one()
    )


def open_proposals(connection: Connection, kinds: Collection[str]) -> list[Proposal]:
    """Those of some kinds that wait for somebody, the oldest first."""
    waits = proposal.c.kind.in_(kinds) & (proposal.c.state == OPEN) & ~_too_old()
    rows = connection.execute(select(proposal).where(waits).order_by(proposal.c.proposal_id)).mappings()
    return [_proposal(row) for row in rows]


def approved(connection: Connection, kinds: Collection[str]) -> list[Proposal]:
    """Those of some kinds that were approved and are not done, the oldest first."""
    waits = proposal.c.kind.in_(kinds) & (proposal.c.state == APPROVED)
    rows = connection.execute(select(proposal).where(waits).order_by(proposal.c.proposal_id)).mappings()
    return [one for one in map(_proposal, rows) if one.subject]


def number_today(connection: Connection, kinds: Collection[str], who: str) -> int:
    """How many of some kinds somebody proposed today (UTC), and did not take back."""
    own = proposal.c.kind.in_(kinds) & (func.lower(proposal.c.proposed_by) == who.lower())
    today = proposal.c.proposed_at >= func.date_trunc("day", func.now(), "UTC")
    by_themselves = func.lower(func.coalesce(proposal.c.decided_by, "")) == who.lower()
    taken_back = (proposal.c.state == REJECTED) & by_themselves
    return int(connection.scalar(select(func.count()).where(own & today & ~taken_back)) or 0)


def approve(connection: Connection, proposal_id: int, who: str, kinds: Collection[str]) -> Proposal:
    """Approve a proposal, in the transaction that does what it says: of two who approve at once one does it.

    Raises:
        ProposalError: There is none of these kinds that is open, or it is their own.
    """
    return _decide(connection, proposal_id, who, APPROVED, kinds)


def reject(connection: Connection, proposal_id: int, who: str, kinds: Collection[str]) -> Proposal:
    """Reject a proposal; whoever made it may take it back so.

    Raises:
        ProposalError: There is none of these kinds that is open.
    """
    return _decide(connection, proposal_id, who, REJECTED, kinds)


def finish(connection: Connection, proposal_id: int, kinds: Collection[str]) -> Proposal:
    """Have an approved proposal done, once, in the transaction that does it: nobody is named by it any more.

    Returns:
        What it was.

    Raises:
        ProposalError: There is none of these kinds that is approved, or it was done.
    """
    one = (proposal.c.proposal_id == proposal_id) & proposal.c.kind.in_(kinds)
    row = connection.execute(select(proposal).where(one).with_for_update()).mappings().first()
    if row is None:
        raise ProposalError(f"There is no proposal {proposal_id}.")
    found = _proposal(row)
    if found.state != APPROVED:
        raise ProposalError(f"Proposal {proposal_id} is {found.state}: somebody else approves it first.")
    if not found.subject:
        raise ProposalError(f"Proposal {proposal_id} was done: once is enough. Propose it anew.")
    connection.execute(update(proposal).where(one).values(subject={}, reason=None))
    return found


def expire(connection: Connection) -> int:
    """Have those that nobody decided in time expire; returns their number."""
    old = (proposal.c.state == OPEN) & _too_old()
    return int(
        connection.execute(update(proposal).where(old).values(state=EXPIRED, decided_at=func.now())).rowcount
    )


def about(persons: Persons) -> ColumnElement[bool]:
    """The condition that a proposal is about any of these persons."""
    named = {
        GOLDEN_IDS: [str(one) for one in sorted(persons.golden_ids)],
        RECORDS: ["/".join(key) for key in sorted(persons.keys)],
    }
    return or_(
        *(proposal.c.subject[key].has_any(literal(names, ARRAY(Text))) for key, names in named.items())
    )


def forget(connection: Connection, persons: Persons) -> int:
    """Empty the subjects and reasons of proposals about persons; returns their number.

    That something was proposed, and who approved it, stays; what is still open has nobody any more, and expires.
    """
    emptied = update(proposal).where(about(persons)).values(subject={}, reason=None)
    rows = connection.execute(emptied.returning(proposal.c.proposal_id)).scalars().all()
    still_open = (proposal.c.proposal_id.in_(rows)) & (proposal.c.state == OPEN)
    connection.execute(update(proposal).where(still_open).values(state=EXPIRED, decided_at=func.now()))
    return len(rows)


def _too_old() -> ColumnElement[bool]:
    return (proposal.c.proposed_at < func.now() - LASTS) & proposal.c.kind.not_in(OF_PERSONS)


def _said(subject: ColumnElement[Any]) -> ColumnElement[Any]:
    """What a subject says whenever it is said."""
    return subject.op("-", return_type=JSONB())(literal([POLICY, DUE_ON], ARRAY(Text)))


def _decide(
    connection: Connection, proposal_id: int, who: str, state: str, kinds: Collection[str]
) -> Proposal:
    expire(connection)
    one = (proposal.c.proposal_id == proposal_id) & proposal.c.kind.in_(kinds)
    row = connection.execute(select(proposal).where(one).with_for_update()).mappings().first()
    if row is None:
        raise ProposalError(f"There is no proposal {proposal_id}.")
    found = _proposal(row)
    if found.state != OPEN:
        raise ProposalError(f"Proposal {proposal_id} is {found.state} already.")
    if state == APPROVED and found.is_own(who):
        raise ProposalError("Somebody else approves what you proposed: four eyes see more than two.")
    values = {"state": state, "decided_by": who, "decided_at": func.now()}
    changed = update(proposal).where(one).values(values).returning(*proposal.c)
    return _proposal(connection.execute(changed).mappings().one())


def _proposal(row: Mapping[Any, Any]) -> Proposal:
    return Proposal(**{name: row[name] for name in Proposal.__dataclass_fields__})
