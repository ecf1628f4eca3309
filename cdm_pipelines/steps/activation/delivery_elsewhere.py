"""Taking an audience out of where it went before: a target names another system, folder or address now.

Belongs here: what is decided of a former place, and telling it. Does not belong here: the place of now
(``deliveries``), one request (publish.webhook), how files are written (``delivery_files``).

Nobody counts as sent to the new place, and everybody is removed at the former one, by a delivery of its own in that
place's form. One that could not be told is tried again with every delivery, for as many days as files are kept; then it
is let go, and what was told to people is all that is left of it.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.hub import deliveries
from cdm_pipelines.hub.deliveries import ELSEWHERE, REMOVED, Delivery, Home
from cdm_pipelines.publish import audience_places as places
from cdm_pipelines.publish.platforms.catalogue import FORMS, WEBHOOK
from cdm_pipelines.steps.activation.audience_book import AudienceError, Book
from cdm_pipelines.steps.activation.audiences import Selection
from cdm_pipelines.steps.activation.delivery_files import Files, lake_at, manifest
from cdm_pipelines.steps.activation.delivery_webhook import tell_of
from cdm_pipelines.store.damage import LakeError

Connect = Callable[[], Connection]
_T = pa.string()


@dataclass(frozen=True)
class Former:
    """Who is at a place that an audience does not go to any more.

    Attributes:
        home: The place.
        members: Golden ids, as they were then.
        gone: By what it knows members who were erased, and of whom it is not told yet.
    """

    home: Home
    members: pa.Array
    gone: Sequence[str]

    @property
    def number(self) -> int:
        """How many are to be removed there."""
        return len(self.members) + len(self.gone)

    @property
    def sentence(self) -> str:
        """What is done there, for people."""
        return f"{self.number:,} removed at {named(self.home)}, where it went before"


def named(home: Home) -> str:
    """A place, for people."""
    return f"{home.place} ({home.platform})"


def formers(
    standing: pa.Table, homes: Mapping[str, Home], gone: Mapping[Home, Sequence[str]], here: Home
) -> list[Former]:
    """The places at which members are, but for the one to which the audience goes now, in order of place.

    Args:
        standing: Who was ever in it, as ``deliveries.STANDING``.
        homes: Where each delivery went, by its id.
        gone: By what systems know who was erased.
        here: Where the audience goes.
    """
    found = []
    for home in sorted({*homes.values(), *gone} - {here}, key=lambda one: (one.place, one.platform)):
        members = at_home(standing, homes, home)["own_id"].combine_chunks()
        one = Former(home, members, gone.get(home, ()))
        if one.number:
            found.append(one)
    return found


def at_home(standing: pa.Table, homes: Mapping[str, Home], home: Home) -> pa.Table:
    """Of who was ever in an audience, who is so at one place."""
    of = pa.array([number for number, one in homes.items() if one == home], _T)
    return standing.filter(pc.and_(standing["sent"], pc.is_in(standing["delivery_id"], value_set=of)))


def record(connection: Connection, book: Book, selection: Selection, former: Former) -> Delivery:
    """Write down that everybody is removed at a former place.

    Args:
        connection: In the transaction in which the audience is chosen.
        book: All that is declared.
        selection: Who is in the audience.
        former: The place.
    """
    audience, form = book.named(selection.name), FORMS.get(former.home.platform)
    made = deliveries.begin(
        connection,
        audience=selection.name,
        purpose=audience.purpose,
        channel=audience.channel,
        platform=former.home.platform,
        form=form.version if form else 0,
        place=former.home.place,
        token=uuid4(),
        counts={**selection.counts, "members": 0},
    )
    why = pa.repeat(pa.scalar(ELSEWHERE, _T), len(former.members))
    deliveries.add_members(connection, made, deliveries.changes(former.members, REMOVED, reasons=why))
    deliveries.tell_gone(connection, made)
    return made


def take_out(connect: Connect, book: Book, name: str, *, back: bool = False) -> list[str]:
    """Tell former places what they have not taken yet; returns what went wrong, in words.

    Args:
        connect: Opens a connection to the hub.
        book: All that is declared.
        name: Of the audience.
        back: Whether to tell the place of now instead, which was a former one before the audience came back to it: that
            comes before anybody is added there again. A webhook is told all in order anyway.
    """
    here = book.home(book.named(name))
    with connect() as connection:
        waiting = [one for one in deliveries.pending(connection, name) if (one.home == here) is back]
    waiting = [one for one in waiting if not (back and one.platform == WEBHOOK)]
    problems: dict[Home, str] = {}
    for one in waiting:
        if one.home in problems:
            continue  # what it is told is in order
        with connect() as connection, connection.begin():
            deliveries.tell_gone(connection, one)  # of who was erased since it was decided
            removed = deliveries.members(connection, one.delivery_id)[REMOVED]
            gone = deliveries.gone_in(connection, one.delivery_id)
        problem = _told(connect, book, one, [str(id_) for id_ in removed], gone)
        late = _is_late(one, book.policy.keep_files)
        with connect() as connection, connection.begin():
            deliveries.taken(connection, one.delivery_id, problem, for_good=late)
        if problem:
            number = len(removed) + len(gone)
            problems[one.home] = _for_people(one, number, problem, book.policy.keep_files, late=late)
    return list(problems.values())


def _told(connect: Connect, book: Book, one: Delivery, removed: Sequence[str], gone: Sequence[str]) -> str:
    """Tell a former place of a delivery; returns why that could not be."""
    if one.platform == WEBHOOK:
        sinks = [target.webhook for target in book.policy.targets.values() if target.webhook]
        sink = next((sink for sink in sinks if sink.url == one.place), None)
        if sink is None:
            return (
                "no target of audiences.yaml names that address any more: declare it until it has been told"
            )
        return tell_of(connect, sink, one, book.named(one.audience), ())
    return _written(book, one, [*book.keys.members(one.audience, removed).to_pylist(), *gone])


def _written(book: Book, one: Delivery, keys: Sequence[str]) -> str:
    """Write the files that remove everybody: a list of nobody, and the keys of who was in it."""
    form = FORMS.get(one.platform)
    if form is None:
        return "there is no such form any more"
    files = Files(lake_at(book.settings, one.place), form, form.headers)
    nobody = pa.schema([(header, _T) for header in form.headers]).empty_table()
    folder, nothing = places.folder_of(one.audience, one.number), pa.array([], pa.int64())
    try:
        files.write(folder, nobody, nothing, pa.array(sorted(keys), _T))
        files.finish(one, manifest(one, book.named(one.audience), form, 0, {REMOVED: len(keys)}))
    except (AudienceError, LakeError) as error:
        return str(error)
    except OSError as error:
        return f"it cannot be written to ({error.strerror or type(error).__name__})"
    return ""


def _is_late(one: Delivery, days: int) -> bool:
    released = one.released_at
    return released is not None and dt.datetime.now(dt.UTC) - released > dt.timedelta(days=days)


def _for_people(one: Delivery, number: int, problem: str, days: int, *, late: bool) -> str:
    then = "It is not tried again" if late else f"It is tried with each delivery, for {days} days"
    return (
        f"{number:,} members could not be removed at {named(one.home)}, where the audience went before: "
        f"{problem.rstrip('.')}. {then}; have them removed there by hand."
    )
