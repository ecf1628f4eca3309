"""Erasing names, reasons, records and values from the log of decisions, on record.

Belongs here: choosing what is erased, and the entry that says so. Does not belong here: when a person is to be erased,
and from which other places (privacy), how a log shows what was erased (identity.chain), removing rows (hub).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from cdm_pipelines.contracts.actor import Actor
from cdm_pipelines.hub import decisions as log
from cdm_pipelines.identity.chain import Place, altered
from cdm_pipelines.identity.decisions import Decision, DecisionError, Draft, Kind, Record
from cdm_pipelines.identity.entries import Detail, Entry, Part
from cdm_pipelines.steps.stewardship.decisions import append, read_entries, read_log


def decisions_naming(connection: Connection, records: Collection[Record]) -> list[int]:
    """Numbers of the decisions that name any of some records, or whose set value overruled one, in order."""
    wanted = set(records)
    return [
        decision.decision_id
        for decision in read_log(connection)
        if not wanted.isdisjoint([*decision.records, *(record for record, _ in decision.overruled)])
    ]


def erase_details(
    connection: Connection,
    decision_ids: Collection[int],
    parts: Collection[Part],
    actor: Actor,
    *,
    records: Collection[Record] | None = None,
    reason: str = "",
) -> Decision | None:
    """Erase parts of decisions for good, and say so in the log.

    All in the caller's transaction, which others who read or add decisions wait for. What is left of a decision keeps
    its effect: without author and reason all of it, without some of its records that on the others.

    Args:
        connection: In a transaction, of a migrated hub.
        decision_ids: The decisions.
        parts: What is erased of them; ``OF_PERSON`` for a person that they are about.
        actor: Who erases; the name can be erased like any other, the role stays on record.
        records: Erase of decisions that name any of these, and of records only these, and of set values only those
            that were set for one of them; None for all.
        reason: Why, such as the number of a request; it can be erased too.

    Returns:
        The entry; None where there was nothing left to erase.

    Raises:
        DecisionError: A decision does not exist, or the log was cut off.
    """
    log.begin_decision(connection)
    entries, details = read_entries(connection)
    asked = set(decision_ids)
    unknown = sorted(asked - {entry.decision_id for entry in entries})
    if unknown:
        raise DecisionError(f"There is no decision {unknown[0]}: see `cdm steward list`.")
    by_number = {entry.decision_id: entry for entry in entries}
    own = [detail for detail in details if detail.decision_id in asked]
    chosen = [
        detail
        for of in _by_decision(own)
        for detail in _chosen(by_number[of[0].decision_id], of, parts, records)
    ]
    if not chosen:
        return None
    chosen += _former_heads(entries, details, min(detail.decision_id for detail in chosen))
    places = {(detail.decision_id, detail.place) for detail in chosen}
    subject = {
        "role": str(actor.role),
        "erased": _grouped(places),
        "altered": _grouped(places.intersection(altered(entries, chosen))),
    }
    entry = append(connection, Draft(Kind.ERASE, subject, actor.name, reason))
    log.remove_details(connection, places)
    return entry


def _by_decision(details: Iterable[Detail]) -> list[list[Detail]]:
    found: defaultdict[int, list[Detail]] = defaultdict(list)
    for detail in details:
        found[detail.decision_id].append(detail)
    return list(found.values())


def _chosen(
    entry: Entry, details: Sequence[Detail], parts: Collection[Part], records: Collection[Record] | None
) -> list[Detail]:
    """What is erased of one decision."""
    part = {detail.place: entry.parts[detail.place] for detail in details if detail.place < len(entry.parts)}
    found = [detail for detail in details if part.get(detail.place) in parts]
    if records is None:
        return found
    named = {detail.place: detail.value for detail in details if part.get(detail.place) == Part.RECORD}
    ours = {place for place, (_, *record) in named.items() if Record(*record[:3]) in records}
    if not ours:
        return []
    set_for = any(named[place][0] == "record" for place in ours)
    spared = {Part.RECORD: named.keys() - ours, Part.VALUE: set() if set_for else part.keys()}
    return [detail for detail in found if detail.place not in spared.get(Part(part[detail.place]), set())]


def _former_heads(entries: Iterable[Entry], details: Iterable[Detail], first: int) -> list[Detail]:
    """Hashes of a former log that held a decision: each is a digest, without salt, of all decisions before it."""
    heads = {
        (entry.decision_id, place)
        for entry in entries
        for place, part in enumerate(entry.parts)
        if part == Part.FORMER and entry.decision_id > first
    }
    return [detail for detail in details if (detail.decision_id, detail.place) in heads]


def _grouped(places: Iterable[Place]) -> list[list[object]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for number, place in sorted(places):
        found[number].append(place)
    return [[number, within] for number, within in found.items()]
