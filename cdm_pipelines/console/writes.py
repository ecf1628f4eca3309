"""Changes that people and programs make: decisions of stewards, requests of persons, what customers say of consent.

Belongs here: that the role may, that it sees whom it is about, and the call of the step. Does not belong here: what a
change does (steps), the form of a request (api, pages).
"""

import datetime as dt
from dataclasses import dataclass

from cdm_pipelines.console import reads
from cdm_pipelines.console.errors import ClashError, UnknownError
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.contracts.actor import Role
from cdm_pipelines.hub import said
from cdm_pipelines.identity.decisions import DecisionError, Record
from cdm_pipelines.privacy.roles import Change
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.consent.said import Statement, TakenDown, say
from cdm_pipelines.steps.rights import limits
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.steps.stewardship.decisions import Recorded


@dataclass(frozen=True)
class Wanted:
    """A decision that somebody wants to make; what its kind does not need is empty.

    ``apart`` names the records that leave their customer (kind ``split``, of pages alone).
    """

    kind: str
    customer: str | None = None
    other: str | None = None
    attribute: str | None = None
    value: str | None = None
    expires: dt.date | None = None
    decision: int | None = None
    reason: str = ""
    apart: tuple[str, ...] = ()


def see_alone(eyes: Eyes, change: Change) -> None:
    """See that one person may make a change without another one.

    Raises:
        ForbiddenError: The role may not change that.
        ClashError: One proposes it and another approves.
    """
    eyes.sight.see_that_may(change)
    if change in eyes.sight.four_eyes:
        raise ClashError(
            "Here one person proposes and another approves (policies/roles.yaml: four_eyes): do it in the console."
        )


def decide(eyes: Eyes, settings: Settings, wanted: Wanted) -> Recorded:
    """Record a decision.

    Raises:
        ForbiddenError: The role may not decide.
        ClashError: Another person has to approve it.
        UnknownError: It is about somebody whom the role does not see.
        DecisionError, ValueRefusedError: It cannot be made; the text says why.
    """
    see_alone(eyes, "decisions")
    return decided(eyes, settings, wanted)


def decided(eyes: Eyes, settings: Settings, wanted: Wanted) -> Recorded:
    """Record a decision that needs nobody else, or that somebody else has approved; see :func:`decide`."""
    eyes.sight.see_that_may("decisions")
    actor = eyes.caller.actor(Role.STEWARD)
    connection, reason = eyes.connection, wanted.reason
    one, other = (seen(eyes, name) for name in (wanted.customer, wanted.other))
    match wanted.kind:
        case "same":
            return decisions.same(connection, one, other, actor, reason)
        case "different":
            return decisions.different(connection, one, other, actor, reason)
        case "split":
            records = [Record.parse(seen(eyes, name)) for name in wanted.apart]
            return decisions.split(connection, [one for one in records if one is not None], actor, reason)
        case "confirm":
            return decisions.confirm(connection, one, actor, reason)
        case "set":
            return decisions.set_value(
                connection,
                settings,
                one,
                wanted.attribute or "",
                wanted.value or "",
                actor=actor,
                reason=reason,
                expires=wanted.expires,
            )
        case _:
            number = wanted.decision or 0
            _see_whom_it_is_about(eyes, number)
            return decisions.undo(connection, number, actor, reason)


def _see_whom_it_is_about(eyes: Eyes, number: int) -> None:
    """See that the role sees everybody whom a decision is about, or whom one is that it takes back.

    Raises:
        UnknownError: It does not, or there is no such decision: the two are told alike.
    """
    if eyes.sight.role.sees_everybody:
        return
    log = {one.decision_id: one for one in decisions.read_log(eyes.connection)}
    decision = log.get(number)
    while decision is not None and decision.undoes is not None:
        decision = log.get(decision.undoes)
    if decision is None or not decision.records:
        raise UnknownError(f"There is no decision {number}, or none about anybody whom your role sees.")
    for record in decision.records:
        seen(eyes, str(record))


def seen(eyes: Eyes, name: str | None) -> str:
    """The name of a customer, or of a record of one, whom the role sees.

    Raises:
        UnknownError: There is none, or none that the role sees; the two are told alike.
    """
    if name is None:
        return ""
    try:
        named = decisions.find(eyes.connection, name)
    except DecisionError:
        raise UnknownError(
            "There is no customer or record of this name, or none that your role sees."
        ) from None
    reads.known(eyes, named.golden_id)
    return name


@dataclass(frozen=True)
class Answered:
    """What was done about a request of a person."""

    request: int | None = None
    records: int | None = None
    decision: int | None = None


def answer_request(eyes: Eyes, settings: Settings, kind: str, wanted: Wanted, purpose: str) -> Answered:
    """Restrict, lift, object or rectify.

    Args:
        eyes: Of who does it.
        settings: Of the deployment.
        kind: ``restrict``, ``lift``, ``object`` or ``rectify``.
        wanted: Whom it is about, and of ``rectify`` the value.
        purpose: Of an objection.

    Raises:
        ForbiddenError: The role may not handle requests.
        UnknownError: It is about somebody whom the role does not see.
        RightsError, DecisionError, ValueRefusedError: It cannot be done; the text says why.
    """
    eyes.sight.see_that_may("requests")
    actor = eyes.caller.actor(Role.PRIVACY_OFFICER)
    customer, connection, reason = seen(eyes, wanted.customer), eyes.connection, wanted.reason
    match kind:
        case "restrict":
            return Answered(request=limits.restrict(connection, settings, customer, actor, reason))
        case "lift":
            lifted = limits.lift(connection, settings, customer, purpose, actor=actor, reason=reason)
            return Answered(records=lifted)
        case "object":
            number = limits.object_to(connection, settings, customer, purpose, actor=actor, reason=reason)
            return Answered(request=number)
        case _:
            values = (wanted.attribute or "", wanted.value or "")
            recorded = limits.rectify(connection, settings, customer, values, actor=actor, reason=reason)
            return Answered(decision=recorded.decision.decision_id)


def take_down(eyes: Eyes, settings: Settings, statement: Statement) -> TakenDown:
    """Take down what a customer says about consent.

    Raises:
        ForbiddenError: The role may not.
        UnknownError: It is about somebody whom the role does not see.
        StatementError: Nobody can say that; the text says why.
        HubError: Customers are being published.
    """
    eyes.sight.see_that_may("consent")
    said.begin(eyes.connection)
    seen(eyes, statement.customer)
    return say(eyes.connection, settings, statement, who=eyes.caller.who, role=eyes.sight.name)
