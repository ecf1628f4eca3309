"""Rectify, restrict and object: what a person may ask short of erasure.

Belongs here: what each does, and the request that it leaves. Does not belong here: erasing (``erasure``), or how a
purpose that is off binds (steps.consent.off and who reads it).
"""

import datetime as dt

from sqlalchemy import Connection

from cdm_pipelines.contracts.actor import Actor
from cdm_pipelines.hub import rights as hub
from cdm_pipelines.privacy.policy import RightsPolicy, due
from cdm_pipelines.privacy.purposes import POLICY, Purposes
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.rights.subject import RightsError, named
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.steps.stewardship.decisions import Recorded

_SET = "value set above that of every source, and told to their owners"


class ObjectionError(RightsError):
    """An objection to what nobody can object to; the message says why."""


def restrict(connection: Connection, settings: Settings, customer: str, actor: Actor, reason: str) -> int:
    """Keep a customer's records and use them for nothing; returns the number of the request.

    Raises:
        ErasedError, UnknownError: Who is meant was erased, or is nobody.
    """
    persons = named(settings, connection, customer)
    number = _asked(connection, settings, "restrict", actor, reason=reason)
    hub.restrict(connection, number, persons.keys)
    hub.close_request(connection, number)
    return number


def lift(
    connection: Connection, settings: Settings, customer: str, purpose: str = "", *, actor: Actor, reason: str
) -> int:
    """Take a restriction for every purpose back, or an objection to one; returns how many records it was of.

    That is a request of its own, of the kind of what is taken back: who did it can be told.

    Raises:
        RightsError: There is nothing to take back.
        ErasedError, UnknownError: Who is meant was erased, or is nobody.
    """
    records = hub.lift_restriction(connection, named(settings, connection, customer).keys, purpose)
    if not records:
        raise RightsError(
            f"The customer has not objected to {purpose}: there is nothing to lift."
            if purpose
            else "The customer is not restricted: there is nothing to lift."
        )
    said = f"taken back: {reason}" if reason else "taken back"
    number = _asked(connection, settings, "object" if purpose else "restrict", actor, reason=said)
    hub.close_request(connection, number)
    return records


def object_to(
    connection: Connection, settings: Settings, customer: str, purpose: str, *, actor: Actor, reason: str
) -> int:
    """Have a purpose off for a customer, whatever sources say about it; returns the number of the request.

    It binds the next publication and delivery.

    Raises:
        PurposesError: The purposes cannot be used.
        ObjectionError: There is no such purpose, or nobody can object to it.
        ErasedError, UnknownError: Who is meant was erased, or is nobody.
    """
    purposes = Purposes.load(settings.policies / POLICY)
    if purpose not in purposes.by_key:
        raise ObjectionError(f"There is no purpose {purpose}; there are {', '.join(purposes.by_key)}.")
    if not purposes[purpose].can_be_refused:
        basis = str(purposes[purpose].basis).replace("_", " ")
        raise ObjectionError(f"Nobody can object to {purpose}: it rests on {basis} (policies/{POLICY}).")
    persons = named(settings, connection, customer)
    number = _asked(connection, settings, "object", actor, reason=reason)
    hub.restrict(connection, number, persons.keys, purpose)
    hub.close_request(connection, number)
    return number


def rectify(
    connection: Connection,
    settings: Settings,
    customer: str,
    values: tuple[str, str],
    *,
    actor: Actor,
    reason: str,
) -> Recorded:
    """Set a value whatever the sources say; the next publication tells their owners what to correct.

    They are told of a customer who is restricted too, of this value alone (GDPR articles 16 and 19).

    Args:
        connection: In a transaction.
        settings: Of the deployment.
        customer: Golden id, alias or source record.
        values: The attribute and its value.
        actor: Who does it.
        reason: Why.

    Raises:
        DecisionError, ValueRefusedError: There is no such customer; the value is none of its kind.
    """
    attribute, value = values
    recorded = decisions.set_value(
        connection, settings, customer, attribute, value, actor=actor, reason=reason
    )
    number = _asked(connection, settings, "rectify", actor)
    hub.step_is_done(connection, number, f"{hub.DECISION}{recorded.decision.decision_id}", 1, _SET)
    hub.close_request(connection, number)
    return recorded


def _asked(
    connection: Connection,
    settings: Settings,
    kind: str,
    actor: Actor,
    *,
    reason: str = "",
) -> int:
    policy = RightsPolicy.load(settings.policies)
    return hub.add_request(
        connection,
        kind=kind,
        due_on=due(dt.datetime.now(dt.UTC).date(), policy.answer_within),
        checked_by=actor.name,
        state=hub.OPEN,
        reason=reason,
        policy=policy.frozen,
    )
