"""Delivering an audience: who is in it now, what changed since the last time, as files or to a webhook, in a ledger.

Belongs here: the order of the steps, and what is done when a process died between them. Does not belong here: who is in
an audience (``audiences``), the SQL of the ledger (hub.deliveries), forms (publish.platforms).

One transaction holds what customers say, decides, writes the files and the ledger. Then the delivery's own file is
written, which says that it is whole, and then the ledger says that it counts. A process that is killed leaves either
nothing that counts, and the next one undoes the rest and decides anew, or a delivery whose own file is there, which
then counts. So nobody who withdrew in between is in what is released, and the outcome is the same.

A webhook is told after the ledger. What it did not take is sent first the next time, without those who may not be told
of any more; whom it may have taken already the next delivery removes. So is a former place of an audience that goes
elsewhere now (``delivery_elsewhere``).
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.hub import access_log, deliveries, said
from cdm_pipelines.hub.access_log import Reading
from cdm_pipelines.hub.deliveries import ADDED, CONTROL, REMOVED, UPDATED, Delivery
from cdm_pipelines.publish import audience_places as places
from cdm_pipelines.publish.audience_policy import Audience
from cdm_pipelines.publish.platforms.catalogue import WEBHOOK
from cdm_pipelines.steps.activation import delivery_elsewhere as elsewhere
from cdm_pipelines.steps.activation.audience_book import AudienceError, Book
from cdm_pipelines.steps.activation.audiences import Selection, choose
from cdm_pipelines.steps.activation.delivery_elsewhere import Former
from cdm_pipelines.steps.activation.delivery_files import Files, is_whole, lake_at, manifest
from cdm_pipelines.steps.activation.delivery_webhook import tell
from cdm_pipelines.store.damage import LakeError

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
        problem: What a webhook, or a place where it went before, has not taken, and why; empty when all was.
        former: What is done at places where it went before, a sentence each.
    """

    audience: str
    counts: Mapping[str, int]
    added: int = 0
    updated: int = 0
    removed: int = 0
    number: int = 0
    where: str = ""
    problem: str = ""
    former: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What was done, for people."""
        if not self.number and not (self.added or self.updated or self.removed or self.former):
            empty = " Nobody is in it." if not self.counts["members"] else ""
            return f"{self.audience}: nothing has changed, so nothing was written.{empty}"
        what = f"{self.added:,} added, {self.updated:,} updated, {self.removed:,} removed"
        made = f"delivery {self.number}" if self.number else "would be"
        told = f"{self.audience}: {'; '.join((f'{made}: {what}', *self.former))}; {self.counts['members']:,} members"
        return f"{told}. {self.problem}" if self.problem else told


@dataclass(frozen=True)
class _Changes:
    """What a delivery does: rows of the ledger, and positions of the selection's rows that are new or other.

    At places where the audience went before, everybody is removed.
    """

    ledger: pa.Table
    changed: pa.Array
    removed: pa.Array
    gone: Sequence[str]
    formers: Sequence[Former]

    @property
    def numbers(self) -> dict[str, int]:
        """How many are added, updated and removed."""
        actions = self.ledger["action"]
        found = {one: int(pc.sum(pc.equal(actions, one)).as_py() or 0) for one in (ADDED, UPDATED, REMOVED)}
        return {**found, REMOVED: found[REMOVED] + len(self.gone)}

    @property
    def any(self) -> bool:
        return bool(self.ledger.num_rows or self.gone)

    @property
    def told(self) -> list[str]:
        """Of whom there is a row that is new or other."""
        of = pc.is_in(self.ledger["action"], value_set=pa.array([ADDED, UPDATED]))
        found: list[str] = self.ledger["golden_id"].filter(of).to_pylist()
        return found


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
            _settle(connection, book, files, name)
        elsewhere.take_out(connect, book, name, back=True)
        decided = _decided(connect, book, name, files, noted)
        return _released(connect, book, files, decided)


@dataclass(frozen=True)
class _Decided:
    """A delivery that is in the ledger; none where nothing changed. With those that count when it does."""

    selection: Selection
    changes: "_Changes"
    made: Delivery | None
    with_it: Sequence[Delivery]


def _decided(connect: Connect, book: Book, name: str, files: Files, noted: Reading) -> _Decided:
    """Decide who is in an audience, and write that down."""
    audience = book.named(name)
    with connect() as connection, connection.begin():
        said.wait(connection)  # what is said from here on is said after this delivery
        selection = choose(connection, book, name)
        changes = _changes(connection, book, audience, selection)
        with_it = [elsewhere.record(connection, book, selection, one) for one in changes.formers]
        made = _record(connection, book, selection, changes, files) if changes.any else None
        if made is None or files.form is None:
            for one in (*with_it, *([made] if made else [])):
                deliveries.release(connection, one.delivery_id, taken=False)
        if told := changes.told:
            access_log.note(connection, noted, book.categories(audience), golden_ids=told)
        return _Decided(selection, changes, made, with_it)


def _released(connect: Connect, book: Book, files: Files, decided: _Decided) -> Delivered:
    """Have a delivery count, and let go what has been kept long enough."""
    selection, changes, made = decided.selection, decided.changes, decided.made
    audience = book.named(selection.name)
    target = book.target(audience)
    done = _told(selection, changes)
    if made is not None:
        done = replace(done, number=made.number, where=made.place if target.webhook else files.lake.url)
        if form := target.made_by:
            files.finish(made, manifest(made, audience, form, selection.members, changes.numbers))
            with connect() as connection, connection.begin():
                deliveries.release(connection, made.delivery_id, taken=True)
                for one in decided.with_it:
                    deliveries.release(connection, one.delivery_id, taken=False)
    with connect() as connection, connection.begin():
        _let_go(connection, book, selection.name)
    allowed = {UUID(one) for one in selection.rows["golden_id"].to_pylist()} if target.webhook else ()
    problems = elsewhere.take_out(connect, book, selection.name)
    problems.append(tell(connect, target, selection.name, audience, allowed))
    return replace(done, problem=" ".join(filter(None, problems)))


def _told(selection: Selection, changes: _Changes) -> Delivered:
    former = tuple(one.sentence for one in changes.formers)
    added, updated, removed = (changes.numbers[what] for what in (ADDED, UPDATED, REMOVED))
    return Delivered(selection.name, selection.counts, added, updated, removed, former=former)


# What changes


def _changes(connection: Connection, book: Book, audience: Audience, selection: Selection) -> _Changes:
    """What is other than at the last delivery that counts."""
    rows, standing = selection.rows, selection.standing
    members = rows["golden_id"].combine_chunks()
    form = book.target(audience).made_by
    digests = book.keys.rows(rows.select(list(form.headers))) if form else pa.nulls(len(members), _T)
    homes, gone = deliveries.homes(connection, selection.name), deliveries.gone(connection, selection.name)
    here = book.home(audience)
    sent = elsewhere.at_home(standing, homes, here)
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
        deliveries.changes(members.filter(new), ADDED, digests.filter(new)),
        deliveries.changes(members.filter(updated), UPDATED, digests.filter(updated)),
        deliveries.changes(gone_ids, REMOVED, reasons=why),
        deliveries.changes(control, CONTROL),
    ]
    changed = pc.indices_nonzero(pc.or_(new, updated))
    formers = elsewhere.formers(standing, homes, gone, here)
    return _Changes(pa.concat_tables(pieces), changed, gone_ids, gone.get(here, []), formers)


def _why_removed(selection: Selection, ids: pa.Array, now: pa.Array, members: pa.Array) -> pa.Array:
    """Why each of those who were in it is no longer."""
    if not len(ids):  # or all who are not in it would be gone through for nobody
        return pa.array([], _T)
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
    deliveries.add_members(connection, made, changes.ledger)
    deliveries.tell_gone(connection, made)
    keys = [*book.keys.members(selection.name, changes.removed.to_pylist()).to_pylist(), *changes.gone]
    folder = places.folder_of(selection.name, made.number)
    files.write(folder, selection.rows, changes.changed, pa.array(sorted(keys), _T))
    return made


def _settle(connection: Connection, book: Book, files: Files, name: str) -> None:
    """Deliveries that were cut short count where the last one's own file is there, and never were where it is not.

    Those before it are of places that the audience went to before, and count with it.
    """
    unreleased = deliveries.unreleased(connection, name)
    whole = bool(unreleased) and is_whole(book.settings, unreleased[-1])
    for one in unreleased:
        if whole:
            deliveries.release(connection, one.delivery_id, taken=one is unreleased[-1])
        else:
            deliveries.undo(connection, one.delivery_id)
    if files.form is not None:  # files of a delivery of which the ledger knows nothing
        newest = places.folder_of(name, deliveries.newest(connection, name)).rpartition("/")[2]
        for number in files.lake.folders(name):
            if number > newest:
                files.lake.delete_folder(f"{name}/{number}")


def _let_go(connection: Connection, book: Book, name: str) -> None:
    """Remove files and rows of the ledger that have been kept long enough."""
    here = book.home(book.named(name))
    for one in deliveries.numbers(connection, name, dt.timedelta(days=book.policy.keep_files)):
        if one.platform == WEBHOOK:
            continue
        with suppress(*(() if one.home == here else (LakeError, OSError))):  # a former place may be gone
            lake_at(book.settings, one.place).delete_folder(places.folder_of(name, one.number))
    deliveries.forget(connection, name, book.policy.keep_ledger)
