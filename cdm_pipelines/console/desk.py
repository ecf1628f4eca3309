"""What waits for a steward, how far they are today, and what they decide about a case.

Belongs here: the next case, progress, from a key to decisions or proposals, taking them back. Does not belong here:
what a case shows (``cases``), recording (``writes``), pages.

What is decided at once (a batch, or both customers of a pair being right) bears one mark in its reason, and is taken
back at once.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any
from uuid import UUID

from cdm_pipelines.console import reads, writes
from cdm_pipelines.console.cases import CONFLICT, PAIR, Key
from cdm_pipelines.console.errors import RefusedError, UnknownError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.proposed import undoes
from cdm_pipelines.console.queue import first_visible, visible
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.console.writes import Wanted
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.hub import proposals, put_off
from cdm_pipelines.hub import review_queue as hub
from cdm_pipelines.hub.proposals import Proposal
from cdm_pipelines.identity.decisions import Decision, DecisionError, Kind
from cdm_pipelines.identity.effective import State, effective
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.standardise.single import read_value
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.steps.stewardship.decisions import Recorded, read_log

KINDS = ("same", "different", "split", "confirm", "set", "undo")
"""What a steward proposes where four eyes decide."""
MOST_AT_ONCE = 100
_MOST_COUNTED = 300
"""Cases that are counted for a role that does not see everybody."""
_DECIDED = frozenset({Kind.SAME, Kind.DIFFERENT, Kind.CONFIRM, Kind.SET})
_MARK = re.compile(r"\[([0-9a-f]{8})\]$")


@dataclass(frozen=True)
class Desk:
    """What lies before a steward.

    Attributes:
        key: Of the case to look at; None where nothing waits.
        item: It, as the queue has it; None where it is not in the queue.
        proposal: It, as somebody proposed it.
        done: What they decided or proposed today.
        waiting: What still waits.
        later: How many of these they put off today.
        proposed: Proposals of others that wait for them.
        log: All decisions.
    """

    key: Key | None
    item: Mapping[str, Any] | None
    proposal: Proposal | None
    done: int
    waiting: int
    later: int
    proposed: int
    log: Sequence[Decision]


def desk(eyes: Eyes, wanted: Key | None = None, *, proposal_from: int | None = None) -> Desk:
    """The next case of somebody, or one that they name.

    Args:
        eyes: Of who decides.
        wanted: The case that they name.
        proposal_from: The next proposal of others in its place: the first from this number on, else the oldest.

    Raises:
        ForbiddenError: The role decides nothing.
    """
    eyes.sight.see_that_may("decisions")
    connection, who = eyes.connection, eyes.caller.who
    log = read_log(connection)
    waits = proposals.open_proposals(connection, KINDS)
    others = [one for one in waits if not one.is_own(who) and _sees(eyes, one)]
    proposed = {str(one.subject.get("case")) for one in waits} - {"None"}
    later = put_off.of(connection, who)
    found = first_visible(eyes, _MOST_COUNTED, {*proposed, *later})
    behind = hub.items(connection, later)
    known = [behind[one] for one in later if one in behind and one not in proposed]
    after = visible(eyes, [one for one in known if one["waits"]])
    count = len(found) if not eyes.sight.role.sees_everybody else hub.count_all_items(connection) - len(after)
    if eyes.sight.role.sees_everybody:
        count -= sum(bool(one["waits"]) for one in hub.items(connection, proposed).values())
    chosen: Mapping[str, Any] | None = next(iter([*found, *after]), None)
    key = None if chosen is None else Key.parse(str(chosen["item_id"]))
    proposal = None
    if proposal_from is not None:
        onward = [one for one in others if one.proposal_id >= proposal_from]
        proposal = next(iter([*onward, *others]), None)
        key = None if proposal is None else _case_of(eyes, proposal, log)
        chosen = None
    elif wanted is not None:
        key, chosen = wanted, hub.items(connection, [wanted.text]).get(wanted.text)
    return Desk(key, chosen, proposal, _done(eyes, log), count + len(after), len(after), len(others), log)


def _case_of(eyes: Eyes, proposal: Proposal, log: Sequence[Decision]) -> Key | None:
    """The case that a proposal is about; None where it names nobody who is there."""
    case, ids = proposal.subject.get("case"), proposal.subject.get(proposals.GOLDEN_IDS, ())
    taken_back = undoes(proposal, log)
    try:
        if case and not str(case).startswith(CONFLICT):
            return Key.parse(str(case))
        if taken_back is not None:
            return _key_of(eyes, taken_back)
        return Key.of(*(UUID(one) for one in ids[:2]))
    except (UnknownError, ValueError):
        return None


def _sees(eyes: Eyes, proposal: Proposal) -> bool:
    """Whether the role sees all customers whom a proposal is about; one that sees everybody sees all proposals."""
    if eyes.sight.role.sees_everybody:
        return True
    ids = [UUID(one) for one in proposal.subject.get(proposals.GOLDEN_IDS, ())]
    return bool(ids) and reads.seen(eyes, ids) == set(ids)


def _today(moment: dt.datetime) -> bool:
    return moment.astimezone(dt.UTC).date() == dt.datetime.now(dt.UTC).date()


def _own(eyes: Eyes, log: Sequence[Decision]) -> list[list[Decision]]:
    """What somebody decided today and still holds: what was decided at once together, the newest last."""
    states = effective(log).states
    acts: dict[str, list[Decision]] = {}
    for one in log:
        mine = one.decided_by == eyes.caller.who and one.kind in _DECIDED and _today(one.decided_at)
        if mine and states[one.decision_id] is not State.UNDONE:
            mark = _MARK.search(one.reason or "")
            acts.setdefault(mark[1] if mark else str(one.decision_id), []).append(one)
    return list(acts.values())


def _done(eyes: Eyes, log: Sequence[Decision]) -> int:
    """What somebody did today."""
    own = sum(len(act) if "alike" in (act[0].reason or "") else 1 for act in _own(eyes, log))
    return own + proposals.number_today(eyes.connection, KINDS, eyes.caller.who)


@dataclass(frozen=True)
class Told:
    """What is said of something that was done.

    Attributes:
        words: English, with names in braces.
        named: What stands for them.
        bad: Whether it went other than somebody may have wanted.
        next: The case to show; the next one of the queue when None.
    """

    words: str
    named: Mapping[str, Any]
    bad: bool = False
    next: Key | None = None


def answer(
    eyes: Eyes, house: House, key: Key, kind: str, *, apart: Sequence[str] = (), reason: str = ""
) -> Told:
    """What a steward says of a case: ``same``, ``different``, ``confirm`` or ``unsure``.

    Raises:
        RefusedError: That cannot be said of it.
        ForbiddenError, UnknownError, DecisionError: As :func:`writes.decide`.
    """
    eyes.sight.see_that_may("decisions")
    item = hub.items(eyes.connection, [key.text]).get(key.text)
    if item is not None and not item["waits"]:
        return Told("That case was decided already.", {})
    if kind == "unsure":
        put_off.note(eyes.connection, eyes.caller.who, key.text)
        return Told("Put off: it comes again after the others.", {})
    return done(eyes, house, _wanted(key, kind, apart, reason), key)


def _wanted(key: Key, kind: str, apart: Sequence[str], reason: str) -> list[Wanted]:
    """The decisions that a key stands for."""
    ids = [str(one) for one in key.ids]
    match key.kind, kind:
        case "pair", "same" | "different":
            return [Wanted(kind, ids[0], ids[1], reason=reason)]
        case "pair", "confirm":
            marked = f"{reason} [{token_hex(4)}]".strip()
            both = [Wanted("confirm", one, reason=marked) for one in ids]
            return [Wanted("different", ids[0], ids[1], reason=marked), *both]
        case "customer", "confirm":
            return [Wanted("confirm", ids[0], reason=reason)]
        case "customer", "different" if apart:
            return [Wanted("split", reason=reason, apart=tuple(apart))]
        case "conflict", "undo":
            return [Wanted("undo", decision=int(key.text.partition("/")[2]), reason=reason)]
        case _:
            raise RefusedError("That cannot be said of this case.")


def pin(eyes: Eyes, house: House, key: Key, wanted: Wanted) -> Told:
    """Set a value of a customer; the case stays.

    Raises:
        ForbiddenError, UnknownError, DecisionError, ValueRefusedError: As :func:`writes.decide`.
    """
    return replace(done(eyes, house, [wanted], key), next=key)


def alike(eyes: Eyes, house: House, keys: Sequence[Key], kind: str) -> Told:
    """Say the same of several pairs at once.

    Raises:
        RefusedError: They are too many, or none.
        ForbiddenError, UnknownError, DecisionError: As :func:`writes.decide`; then nothing is recorded.
    """
    eyes.sight.see_that_may("decisions")
    known = hub.items(eyes.connection, [one.text for one in keys])
    waiting = [one for one in keys if one.kind == PAIR and known.get(one.text, {}).get("waits")]
    if not 0 < len(waiting) <= MOST_AT_ONCE or kind not in {"same", "different"}:
        raise RefusedError(
            f"Choose from 1 to {MOST_AT_ONCE} cases that still wait, and say same or different."
        )
    reason = f"one of {len(waiting)} alike, decided at once [{token_hex(4)}]"
    told = [done(eyes, house, _wanted(one, kind, (), reason), one) for one in waiting]
    bad = next((one for one in told if one.bad), None)
    return bad or Told("{number} cases are decided at once.", {"number": len(waiting)})


def undo(eyes: Eyes, house: House) -> Told:
    """Take back what somebody proposed last and is still open; without any, what they decided last today."""
    eyes.sight.see_that_may("decisions")
    waits = proposals.open_proposals(eyes.connection, KINDS)
    open_ones = [one for one in waits if one.is_own(eyes.caller.who)]
    if open_ones:
        return _withdrawn(eyes, open_ones)
    acts = _own(eyes, read_log(eyes.connection))
    if not acts:
        return Told("You have decided nothing today that could be taken back.", {}, bad=True)
    last = acts[-1]
    key = _key_of(eyes, last[0])
    undone = [Wanted("undo", decision=one.decision_id) for one in reversed(last)]
    told = done(eyes, house, undone, key)
    return replace(told, words=_UNDONE if told.words == _RECORDED else told.words, next=key)


def _withdrawn(eyes: Eyes, own: Sequence[Proposal]) -> Told:
    """Take back the newest of somebody's own proposals, and what they proposed at once with it."""
    last = own[-1]
    mark = _MARK.search(last.reason or "")
    at_once = [one for one in own if one is last or (mark and (one.reason or "").endswith(mark[0]))]
    for one in at_once:
        proposals.reject(eyes.connection, one.proposal_id, eyes.caller.who, KINDS)
    key = _case_of(eyes, last, read_log(eyes.connection))
    return Told("Proposal {number} is taken back.", {"number": last.proposal_id}, next=key)


def done(eyes: Eyes, house: House, wanted: Sequence[Wanted], key: Key | None) -> Told:
    """Record decisions, or propose them where another person has to approve."""
    if "decisions" in eyes.sight.four_eyes:
        for one in wanted:
            _propose(eyes, house, one, key)
        return Told("Proposed: somebody else has to approve it.", {})
    return _told([writes.decided(eyes, house.settings, one) for one in wanted])


_RECORDED = "Decision {number} ({kind}) is recorded; it takes effect with the next run."
_UNDONE = "Decision taken back, as number {number}."


def _told(recorded: Sequence[Recorded]) -> Told:
    last = recorded[-1].decision
    clash = next((one for one in recorded if one.conflict is not None), None)
    if clash is not None and clash.conflict is not None:
        named = {"number": clash.decision.decision_id, "why": clash.conflict.text}
        return Told("Decision {number} is recorded, but has no effect: {why}.", named, bad=True)
    return Told(_RECORDED, {"number": last.decision_id, "kind": str(last.kind)})


def _propose(eyes: Eyes, house: House, wanted: Wanted, key: Key | None) -> None:
    """Write down what somebody wants, for another to approve; whom it is about is seen first."""
    names = [one for one in (wanted.customer, wanted.other, *wanted.apart) if one]
    named = [decisions.find(eyes.connection, writes.seen(eyes, one)) for one in names]
    value = wanted.value
    if wanted.kind == "set" and named:
        value = _read(house, named[0].kind, named[0].country, wanted)
    ids = {str(one.golden_id) for one in named} | {str(one) for one in (key.ids if key is not None else ())}
    subject = {
        proposals.GOLDEN_IDS: sorted(ids),
        proposals.RECORDS: sorted({str(record) for one in named for record in one.customer}),
        "case": None if key is None or wanted.kind in {"set", "undo"} else key.text,
        "apart": list(wanted.apart),
        "customer": wanted.customer,
        "other": wanted.other,
        "attribute": wanted.attribute,
        "value": value,
        "expires": wanted.expires.isoformat() if wanted.expires else None,
        "decision": wanted.decision,
    }
    kept = {name: one for name, one in subject.items() if one is not None}
    proposals.propose(eyes.connection, wanted.kind, kept, eyes.caller.who, wanted.reason)


def _read(house: House, kind: str, country: str | None, wanted: Wanted) -> str:
    """A value as it would be set; encrypted where the policy has it so."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    attribute = wanted.attribute or ""
    found = read_value(attribute, wanted.value or "", kind=kind, country=country, today=today)
    vault = Vault.of(house.settings, house.lake)
    if attribute in vault.protection.standard(Entity.PARTY):
        return vault.with_key(house.settings, house.lake).seal_value(found)
    return found


def settle(eyes: Eyes, house: House, proposal_id: int, *, approved: bool) -> Told:
    """Approve or reject what somebody else proposed; approved, it is recorded in the same transaction.

    Raises:
        ProposalError: It is their own, or decided already.
        ForbiddenError, UnknownError, DecisionError: As :func:`writes.decide`.
    """
    eyes.sight.see_that_may("decisions")
    decide = proposals.approve if approved else proposals.reject
    found = decide(eyes.connection, proposal_id, eyes.caller.who, KINDS)
    if not (_sees(eyes, found) or found.is_own(eyes.caller.who)):
        raise UnknownError("There is no such proposal.")
    if not approved:
        return Told("Proposal {number} is rejected.", {"number": proposal_id})
    subject = house.in_clear(found.subject)
    expires = subject.get("expires")
    wanted = Wanted(
        found.kind,
        subject.get("customer"),
        subject.get("other"),
        subject.get("attribute"),
        subject.get("value"),
        dt.date.fromisoformat(expires) if expires else None,
        subject.get("decision"),
        f"{found.reason or ''} (proposed by {found.proposed_by})".strip(),
        tuple(subject.get("apart", ())),
    )
    return _told([writes.decided(eyes, house.settings, wanted)])


def _key_of(eyes: Eyes, decision: Decision) -> Key | None:
    """The case that a decision was about; None where its customers are no more, or are one."""
    ids: list[UUID] = []
    for record in decision.records:
        try:
            golden_id = decisions.find(eyes.connection, str(record)).golden_id
        except DecisionError:
            continue
        if golden_id not in ids:
            ids.append(golden_id)
    if not 0 < len(ids) <= 2:
        return None
    asked = {str(one) for one in ids}
    for item in hub.items_of(eyes.connection, ids):
        if {str(item[side]) for side in ("left_id", "right_id") if item[side]} == asked:
            return Key.parse(str(item["item_id"]))
    return Key.of(*ids)
