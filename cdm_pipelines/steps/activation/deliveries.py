"""Delivering an audience: who is in it now, what changed since the last time, as files or to a webhook, in a ledger.

Belongs here: the order of the steps, and what is done when a process died between them. Does not belong here: who is in
an audience (``audiences``), the SQL of the ledger (hub.deliveries), forms (publish.platforms).

One transaction holds what customers say, decides, writes the files and the ledger. Then the delivery's own file is
written, which says that it is whole, and then the ledger says that it counts. A process that is killed leaves either
nothing that counts, and the next one undoes the rest and decides anew, or a delivery whose own file is there, which
then counts. So nobody who withdrew in between is in what is released, and the outcome is the same.

A webhook is told after the ledger. What it did not take is sent first the next time, without those who may not be told
of any more; whom it may have taken already the next delivery removes.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.hub import access_log, deliveries, said
from cdm_pipelines.hub.access_log import Reading
from cdm_pipelines.hub.deliveries import ADDED, CONTROL, REMOVED, UPDATED, Delivery
from cdm_pipelines.publish import audience_places as places
from cdm_pipelines.publish.audience_policy import Audience, Target
from cdm_pipelines.steps.activation.audience_book import AudienceError, Book
from cdm_pipelines.steps.activation.audiences import Selection, choose
from cdm_pipelines.steps.activation.delivery_files import Files
from cdm_pipelines.steps.activation.delivery_webhook import tell

Connect = Callable[[], Connection]
"""Opens a connection to a migrated hub: ``Engine.connect``."""
NOT_MEANT, MERGED, NO_CUSTOMER = (
    "the filter does not find them",
    "merged into another",
    "no customer any more",
)
ERASED = "erased"
_T = pa.string()


@dataclass(frozen=True)
class Delivered:
    """What came of delivering an audience.

    Attributes:
        audience: Its name.
        counts: Found, left out by reason, members.
        added: Who is new in it.
        updated: Who has other values than before, or is another's successor.
        removed: Who is no longer in it.
        number: Of the delivery; 0 where nothing changed, and on a dry run.
        where: Where its files are, or the address; empty where there is nothing.
        problem: Why a webhook has not taken it; empty when it did.
    """

    audience: str
    counts: Mapping[str, int]
    added: int = 0
    updated: int = 0
    removed: int = 0
    number: int = 0
    where: str = ""
    problem: str = ""

    @property
    def sentence(self) -> str:
        """What was done, for people."""
        if not self.number and not (self.added or self.updated or self.removed):
            empty = " Nobody is in it." if not self.counts["members"] else ""
            return f"{self.audience}: nothing has changed, so nothing was written.{empty}"
        what = f"{self.added:,} added, {self.updated:,} updated, {self.removed:,} removed"
        made = f"delivery {self.number}" if self.number else "would be"
        told = f"{self.audience}: {made}: {what}; {self.counts['members']:,} members"
        return f"{told}. {self.problem}" if self.problem else told


@dataclass(frozen=True)
class _Changes:
    """What a delivery does: rows of the ledger, and positions of the selection's rows that are new or other."""

    ledger: pa.Table
    changed: pa.Array
    removed: pa.Array
    gone: list[str]

    def number(self, action: str) -> int:
        return int(pc.sum(pc.equal(self.ledger["action"], action)).as_py() or 0)

    @property
    def any(self) -> bool:
        return bool(self.ledger.num_rows or self.gone)

    @property
    def told(self) -> list[UUID]:
        """Of whom there is a row that is new or other."""
        of = pc.is_in(self.ledger["action"], value_set=pa.array([ADDED, UPDATED]))
        return [UUID(one) for one in self.ledger["golden_id"].filter(of).to_pylist()]


def deliver(connect: Connect, book: Book, name: str, noted: Reading, *, dry_run: bool = False) -> Delivered:
    """Deliver an audience as it is now; who is told of is in the access log before anything of it counts.

    Args:
        connect: Opens a connection to a migrated hub.
        book: All that is declared.
        name: Of the audience.
        noted: Who delivers it.
        dry_run: Whether to say what would be done, and do nothing.

    Raises:
        AudienceError: There is none of that name, its template is another form's, or its place cannot be used.
        LakeError: Its files cannot be written; nothing of it counts.
    """
    audience = book.named(name)
    target = book.target(audience)
    files = Files.of(book.settings, target)
    if dry_run:
        with connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
            selection = choose(connection, book, name)
            return _told(selection, _changes(connection, book, audience, selection))
    with deliveries.alone(connect, name) as alone:
        if not alone:
            raise AudienceError(f"Another process is delivering {name}: wait until it has ended.")
        with connect() as connection, connection.begin():
            _settle(connection, files, name)
        decided = _decided(connect, book, name, files, noted)
        return _released(connect, book, files, decided)


@dataclass(frozen=True)
class _Decided:
    """A delivery that is in the ledger; none where nothing changed."""

    selection: Selection
    changes: "_Changes"
    made: Delivery | None


def _decided(connect: Connect, book: Book, name: str, files: Files, noted: Reading) -> _Decided:
    """Decide who is in an audience, and write that down."""
    audience = book.named(name)
    with connect() as connection, connection.begin():
        said.wait(connection)  # what is said from here on is said after this delivery
        selection = choose(connection, book, name)
        changes = _changes(connection, book, audience, selection)
        made = _record(connection, book, selection, changes, files) if changes.any else None
        if told := changes.told:
            access_log.note(connection, noted, book.categories(audience), golden_ids=told)
        return _Decided(selection, changes, made)


def _released(connect: Connect, book: Book, files: Files, decided: _Decided) -> Delivered:
    """Have a delivery count, and let go what has been kept long enough."""
    selection, changes, made = decided.selection, decided.changes, decided.made
    audience = book.named(selection.name)
    target = book.target(audience)
    done = _told(selection, changes)
    if made is not None:
        done = replace(done, number=made.number, where=made.place if target.webhook else files.lake.url)
        if target.webhook is None:
            files.finish(made, _manifest(audience, target, made, selection, changes))
        if target.webhook is None:
            with connect() as connection, connection.begin():
                deliveries.release(connection, made.delivery_id, taken=True)
    with connect() as connection, connection.begin():
        _let_go(connection, files, book, selection.name)
    if target.webhook is None:
        return done
    allowed = {UUID(one) for one in selection.rows["golden_id"].to_pylist()}
    return replace(done, problem=tell(connect, target.webhook, selection.name, audience, allowed))


def _told(selection: Selection, changes: _Changes) -> Delivered:
    added, updated, removed = (changes.number(what) for what in (ADDED, UPDATED, REMOVED))
    return Delivered(selection.name, selection.counts, added, updated, removed + len(changes.gone))


# What changes


def _changes(connection: Connection, book: Book, audience: Audience, selection: Selection) -> _Changes:
    """What is other than at the last delivery that counts."""
    rows, standing = selection.rows, selection.standing
    members = rows["golden_id"].combine_chunks()
    form = book.target(audience).made_by
    digests = book.keys.rows(rows.select(list(form.headers))) if form else pa.nulls(len(members), _T)
    sent = standing.filter(standing["sent"])
    own, now = sent["own_id"].combine_chunks(), sent["golden_id"].combine_chunks()
    at = pc.index_in(members, value_set=own)
    before = sent["row_digest"].combine_chunks().take(at)
    is_in, is_known = pc.is_valid(at), pc.is_in(members, value_set=now)
    other = pc.and_(is_in, pc.fill_null(pc.not_equal(before, digests), False))
    successor = pc.and_(pc.invert(is_in), is_known)
    new = pc.and_(pc.invert(is_in), pc.invert(is_known))
    updated = pc.or_(other, successor)
    gone_ids = own.filter(pc.invert(pc.is_in(own, value_set=members)))
    gone_now = now.filter(pc.invert(pc.is_in(own, value_set=members)))
    held = standing["own_id"].filter(standing["control"]).combine_chunks()
    control = selection.control.filter(pc.invert(pc.is_in(selection.control, value_set=held)))
    why = _why_removed(selection, gone_ids, gone_now, members)
    both = pc.index_in(
        control, value_set=gone_ids
    )  # one row a customer: who is removed for it is held by that row
    control = control.filter(pc.is_null(both))
    pieces = [
        _ledger(members.filter(new), ADDED, digests.filter(new)),
        _ledger(members.filter(updated), UPDATED, digests.filter(updated)),
        _ledger(gone_ids, REMOVED, None, why),
        _ledger(control, CONTROL, None),
    ]
    gone = deliveries.gone(connection, selection.name).get(book.home(audience), [])
    changed = pc.indices_nonzero(pc.or_(new, updated))
    return _Changes(pa.concat_tables(pieces), changed, gone_ids, gone)


def _ledger(
    ids: pa.Array, action: str, digests: pa.Array | None, reasons: pa.Array | None = None
) -> pa.Table:
    nothing = pa.nulls(len(ids), _T)
    return pa.table(
        {
            "golden_id": ids,
            "action": pa.repeat(pa.scalar(action, _T), len(ids)),
            "reason": nothing if reasons is None else reasons,
            "row_digest": nothing if digests is None else digests,
        }
    )


def _why_removed(selection: Selection, ids: pa.Array, now: pa.Array, members: pa.Array) -> pa.Array:
    """Why each of those who were in it is no longer."""
    at = pc.index_in(now, value_set=selection.reasons["golden_id"].combine_chunks())
    why = selection.reasons["reason"].combine_chunks().take(at)
    why = pc.fill_null(why, NOT_MEANT)
    merged = pc.and_(pc.not_equal(ids, now), pc.is_in(now, value_set=members))
    return pc.if_else(merged, pa.scalar(MERGED, _T), why)


def _record(
    connection: Connection, book: Book, selection: Selection, changes: _Changes, files: Files
) -> Delivery:
    """Write the ledger and the files of a delivery; it counts when it is released."""
    audience = book.named(selection.name)
    target = book.target(audience)
    form, home = target.made_by, book.home(audience)
    made = deliveries.begin(
        connection,
        audience=selection.name,
        purpose=audience.purpose,
        channel=audience.channel,
        platform=home.platform,
        form=form.version if form else 0,
        place=home.place,
        token=uuid4(),
        counts=selection.counts,
    )
    rows, count = changes.ledger, changes.ledger.num_rows
    rows = rows.append_column("delivery_id", pa.repeat(pa.scalar(made.delivery_id, pa.int64()), count))
    rows = rows.append_column("audience", pa.repeat(pa.scalar(selection.name, _T), count))
    deliveries.add_members(connection, rows.select(deliveries.MEMBERS.names))
    deliveries.tell_gone(connection, made)
    keys = [*book.keys.members(selection.name, changes.removed.to_pylist()).to_pylist(), *changes.gone]
    folder = places.folder_of(selection.name, made.number)
    files.write(folder, selection.rows, changes.changed, pa.array(sorted(keys), _T))
    if form is None:
        deliveries.release(connection, made.delivery_id, taken=False)
    return made


def _manifest(
    audience: Audience, target: Target, made: Delivery, selection: Selection, changes: _Changes
) -> dict[str, Any]:
    form = target.made_by
    removed = changes.number(REMOVED) + len(changes.gone)
    return {
        "audience": made.audience,
        "delivery": made.number,
        "token": str(made.token),
        "purpose": audience.purpose,
        "channel": audience.channel,
        "platform": target.platform,
        "form": form.version if form else 0,
        "members": selection.members,
        "added": changes.number(ADDED),
        "updated": changes.number(UPDATED),
        "removed": removed,
        "take": f"{places.ADDED} and {places.REMOVED}, or {places.MEMBERS} in the place of the whole list"
        if form and form.key
        else f"{places.MEMBERS} in the place of the whole list: the form has no column by which somebody is removed",
    }


def _settle(connection: Connection, files: Files, name: str) -> None:
    """Deliveries that were cut short count where their own file is there, and never were where it is not."""
    for one in deliveries.unreleased(connection, name):
        if files.is_whole(one):
            deliveries.release(connection, one.delivery_id, taken=True)
        else:
            deliveries.undo(connection, one.delivery_id)
    if files.form is not None:  # files of a delivery of which the ledger knows nothing
        newest = places.folder_of(name, deliveries.newest(connection, name)).rpartition("/")[2]
        for number in files.lake.folders(name):
            if number > newest:
                files.lake.delete_folder(f"{name}/{number}")


def _let_go(connection: Connection, files: Files, book: Book, name: str) -> None:
    """Remove files and rows of the ledger that have been kept long enough."""
    for one in deliveries.numbers(connection, name, dt.timedelta(days=book.policy.keep_files)):
        files.lake.delete_folder(places.folder_of(name, one.number))
    deliveries.forget(connection, name, book.policy.keep_ledger)
