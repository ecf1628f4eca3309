"""Access and erasure with four eyes: one asks, another approves, and then it is done.

Belongs here: that the role may, proposals of these two kinds, and what begins when one is approved. Does not belong
here: doing it (steps.rights), what needs nobody else (``writes``), pages.

What was approved is written down before anything is done. A killed erasure is gone on with by whoever may handle
requests: from the proposal where it had not begun, from the request where it had.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from cdm_pipelines.console import reads
from cdm_pipelines.console.errors import RefusedError, UnknownError
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.console.works import Work, Works
from cdm_pipelines.hub import proposals
from cdm_pipelines.hub.proposals import APPROVED, OF_PERSONS, Proposal
from cdm_pipelines.identity.decisions import DecisionError
from cdm_pipelines.privacy.roles import RolesPolicy
from cdm_pipelines.privacy.words import Language
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.rights import archive, erasure
from cdm_pipelines.steps.rights.requests import Receipt, proposed
from cdm_pipelines.steps.stewardship import decisions

ACCESS, ERASE = KINDS = OF_PERSONS
_ONGOING = "privacy resume"
_MOST = 200


@dataclass(frozen=True)
class Waiting:
    """A proposal as its page shows it.

    Attributes:
        proposal: Itself.
        golden_id: Whom it is about; None once nobody is named by it any more.
        due_on: When the person is to be answered at the latest, by the policy of the day of the proposal.
        late: Whether that is past.
        own: Whether whoever looks proposed it.
        work: The command that does it, where it was started since the console began.
    """

    proposal: Proposal
    golden_id: str | None
    due_on: dt.date
    late: bool
    own: bool
    work: Work | None


def waiting(eyes: Eyes, works: Works) -> list[Waiting]:
    """Proposals that wait for somebody, and approved ones that are not done, the oldest first.

    Raises:
        ForbiddenError: The role may not handle requests.
    """
    eyes.sight.see_that_may("requests")
    found = []
    for each in proposed(eyes.connection, dt.datetime.now(dt.UTC).date()):
        one = each.proposal
        named = one.subject.get(proposals.GOLDEN_IDS) or [None]
        if not _may_settle(eyes, one):
            continue
        work = works.of(_key(one.proposal_id))
        found.append(Waiting(one, named[0], each.due_on, each.late, one.is_own(eyes.caller.who), work))
    return found


def needs_another(settings: Settings) -> bool:
    """Whether somebody else has to approve (``four_eyes`` in policies/roles.yaml)."""
    return "requests" in RolesPolicy.load(settings.policies).four_eyes


@dataclass(frozen=True)
class Asked:
    """What somebody asks for.

    Attributes:
        kind: ``access`` or ``erase``.
        customer: Golden id, alias or source record.
        checked_by: Who made sure that the person is who asks; whoever is signed in when empty.
        reason: Number or words of the request, without values.
    """

    kind: str
    customer: str
    checked_by: str = ""
    reason: str = ""


def ask(eyes: Eyes, settings: Settings, asked: Asked) -> Proposal:
    """Ask for access or erasure; somebody else approves. The policy of now is what it is handled under.

    Raises:
        ForbiddenError: The role may not handle requests.
        UnknownError: It is about somebody whom the role does not see.
        RefusedError: There is no such kind, or a text is too long.
    """
    named, receipt = _asked(eyes, asked), Receipt.now(settings)
    subject = {
        proposals.GOLDEN_IDS: [str(named)],
        proposals.RECORDS: [],
        proposals.CHECKED_BY: asked.checked_by.strip() or eyes.caller.who,
        proposals.POLICY: receipt.policy.frozen,
        proposals.DUE_ON: receipt.due_on.isoformat(),
    }
    return proposals.propose(eyes.connection, asked.kind, subject, eyes.caller.who, asked.reason.strip())


def _asked(eyes: Eyes, asked: Asked) -> UUID:
    eyes.sight.see_that_may("requests")
    if asked.kind not in KINDS:
        raise RefusedError("Ask for access or erasure.")
    if len(asked.reason) > _MOST or len(asked.checked_by) > _MOST:
        raise RefusedError("Write at most 200 characters.")
    return whom(eyes, asked.customer)


def whom(eyes: Eyes, name: str) -> UUID:
    """The customer that somebody names, where the role sees them.

    Raises:
        UnknownError: There is none, or none that the role sees; the two are told alike.
    """
    try:
        return reads.known(eyes, decisions.find(eyes.connection, name.strip()).golden_id)
    except DecisionError:
        raise UnknownError(
            "There is no customer or record of this name, or none that your role sees."
        ) from None


def approve(eyes: Eyes, number: int) -> Proposal:
    """Approve what somebody else asked for; what is to be done then, the caller starts when this is committed.

    Raises:
        ForbiddenError: The role may not handle requests.
        ProposalError: There is none, it is decided already, or it is one's own.
        UnknownError: It is about somebody whom the role does not see.
    """
    eyes.sight.see_that_may("requests")
    found = proposals.approve(eyes.connection, number, eyes.caller.who, KINDS)
    _see(eyes, found)
    return found


def reject(eyes: Eyes, number: int) -> Proposal:
    """Reject what somebody asked for, or take back one's own.

    Raises:
        ForbiddenError: The role may not handle requests.
        ProposalError: There is none, or it is decided already.
        UnknownError: It is about somebody whom the role does not see.
    """
    eyes.sight.see_that_may("requests")
    found = proposals.reject(eyes.connection, number, eyes.caller.who, KINDS)
    if not _may_settle(eyes, found):
        raise UnknownError("There is no such request, or it is about somebody whom your role does not see.")
    return found


def begin(works: Works, found: Proposal, who: str) -> Work | None:
    """Begin an erasure that was approved, as ``cdm privacy erase`` does; None for what is no erasure or has nobody.

    It is a process of its own: it goes on when the console is stopped.
    """
    named = found.subject.get(proposals.GOLDEN_IDS) or ()
    if found.kind != ERASE or found.state != APPROVED or not named:
        return None
    checked_by = str(found.subject.get(proposals.CHECKED_BY) or found.proposed_by)
    reason = found.reason or f"proposal {found.proposal_id}"
    arguments = _erase(found.decided_by or who, checked_by, reason, f"--proposal={found.proposal_id}")
    return works.start(_key(found.proposal_id), who, arguments, given="\n".join(named))


def _erase(by: str, checked_by: str, reason: str, *more: str) -> list[str]:
    """Golden ids come by standard input: everybody on the machine sees the arguments of a process."""
    return [
        "privacy",
        "erase",
        f"--by={by}",
        f"--checked-by={checked_by}",
        f"--reason={reason}",
        *more,
        "--yes",
        "-",
    ]


def erase_now(eyes: Eyes, works: Works, asked: Asked) -> Work:
    """Erase somebody, where the policy wants no second pair of eyes.

    Raises:
        ForbiddenError, UnknownError, RefusedError: As :func:`ask`.
    """
    golden_id = _asked(eyes, asked)
    checked_by = asked.checked_by.strip() or eyes.caller.who
    arguments = _erase(eyes.caller.who, checked_by, asked.reason.strip())
    key = f"erase {sha256(golden_id.bytes).hexdigest()[:16]}"
    return works.start(key, eyes.caller.who, arguments, given=str(golden_id))


def hand_over_now(eyes: Eyes, settings: Settings, asked: Asked, language: Language) -> tuple[int, bytes]:
    """The archive of everything that is known of somebody, where the policy wants no second pair of eyes.

    Raises:
        ForbiddenError, UnknownError, RefusedError: As :func:`ask`.
        RightsError: Who is meant was erased.
    """
    golden_id = _asked(eyes, asked)
    checked_by = asked.checked_by.strip() or eyes.caller.who
    return _archive(eyes, settings, golden_id, checked_by, language)


def go_on(eyes: Eyes, works: Works, number: int) -> Work:
    """Go on with an erasure that was approved and is not done, wherever it was cut short.

    Args:
        eyes: Of who does it.
        works: Commands that run beside.
        number: Of the proposal; 0 for all requests that were begun.

    Raises:
        ForbiddenError: The role may not handle requests.
        RefusedError: There is nothing to go on with.
    """
    eyes.sight.see_that_may("requests")
    if erasure.begun(eyes.connection):
        key = _key(number) if number else _ONGOING
        return works.start(key, eyes.caller.who, ["privacy", "resume", f"--by={eyes.caller.who}"])
    for one in proposals.approved(eyes.connection, [ERASE]):
        if one.proposal_id == number and (work := begin(works, one, eyes.caller.who)) is not None:
            return work
    raise RefusedError("There is nothing to go on with: it is done, or nobody approved it.")


def ongoing(works: Works) -> Work | None:
    """The last command that went on with begun erasures."""
    return works.of(_ONGOING)


def handed_over(eyes: Eyes, settings: Settings, number: int, language: Language) -> tuple[int, bytes]:
    """The archive of an access that was approved, once; returns the number of its request and the archive.

    Raises:
        ForbiddenError: The role may not handle requests.
        ProposalError: It is not approved, or was handed over.
        UnknownError: It is about somebody whom the role does not see.
        RightsError: Who is meant was erased.
    """
    eyes.sight.see_that_may("requests")
    found = proposals.finish(eyes.connection, number, [ACCESS])
    golden_id = _see(eyes, found)
    checked_by = str(found.subject.get(proposals.CHECKED_BY) or found.proposed_by)
    return _archive(eyes, settings, golden_id, checked_by, language, receipt=Receipt.of(found, settings))


def _archive(
    eyes: Eyes,
    settings: Settings,
    golden_id: UUID,
    checked_by: str,
    language: Language,
    *,
    receipt: Receipt | None = None,
) -> tuple[int, bytes]:
    made = archive.answered(
        settings, eyes.connection, str(golden_id), language=language, checked_by=checked_by, receipt=receipt
    )
    eyes.note(eyes.sight.tables, [golden_id])
    return made


def _see(eyes: Eyes, found: Proposal) -> UUID:
    named: Sequence[str] = found.subject.get(proposals.GOLDEN_IDS) or ()
    if not named:
        raise UnknownError("Nobody is named by that proposal any more.")
    return reads.known(eyes, UUID(named[0]))


def _may_settle(eyes: Eyes, found: Proposal) -> bool:
    """Whether somebody may: of whom their role sees, of nobody any more, or what they asked for themselves."""
    if eyes.sight.role.sees_everybody or found.is_own(eyes.caller.who):
        return True
    try:
        return not found.subject.get(proposals.GOLDEN_IDS) or bool(_see(eyes, found))
    except UnknownError:
        return False


def _key(number: int) -> str:
    return f"proposal {number}"
