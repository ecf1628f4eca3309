"""Delivering the change feed: what each sink has not been told yet, as far as it takes it.

Belongs here: reading the feed, serving the sinks, keeping their cursors. Does not belong here: the form of an event,
one request, or the rules of order (publish).

A cursor moves after its events are taken, never before: a process that dies repeats some events, under the same ids,
and leaves none out. So a delivery is many short transactions beside a lock that is held throughout: its caller gives a
way to connect.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.profile import ProfileTable
from cdm_pipelines.enrichment.catalogue import enrichers
from cdm_pipelines.hub import feed, linked
from cdm_pipelines.hub.feed import Entry, SinkState
from cdm_pipelines.privacy.checks import in_force
from cdm_pipelines.privacy.given import Given
from cdm_pipelines.publish.events import cloud_event, source_of
from cdm_pipelines.publish.leaving import ORIGIN_SCHEMA, Leaving
from cdm_pipelines.publish.policy import FeedPolicy, FeedPolicyError, FileSink
from cdm_pipelines.publish.queue import Queue, Settled
from cdm_pipelines.publish.webhook import GoneError, NotTakenError, WebhookSender
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.consent.off import off_in_use
from cdm_pipelines.steps.profile.enrich import policy_of, tables_of
from cdm_pipelines.store.damage import LakeError
from cdm_pipelines.store.lake import Lake

Connect = Callable[[], Connection]
"""Opens a connection to a migrated hub: ``Engine.connect``."""
POLICY = "change_feed.yaml"
_BATCH = 100  # events of a webhook between two moves of its cursor
_DIGITS = 19


class UnknownSinkError(LookupError):
    """No sink has that name; the message lists those there are."""


class PositionError(ValueError):
    """No delivery can begin at that position; the message names those at which one can."""


@dataclass(frozen=True)
class Served:
    """What a delivery to one sink came to.

    Attributes:
        sink: Its name.
        delivered: Events that it took.
        dead: Its dead letters, old and new.
        behind: Events that it has not been told of yet.
        problem: What is wrong, in words; empty when nothing is.
        withheld: Events that it was not told of, since its purpose does not let them leave.
    """

    sink: str
    delivered: int
    dead: int
    behind: int
    problem: str = ""
    withheld: int = 0

    @property
    def well(self) -> bool:
        """Whether it knows everything."""
        return not (self.problem or self.dead or self.behind)

    @property
    def sentence(self) -> str:
        """What it does not know, and why."""
        counts = f"{self.sink}: {self.behind:,} events behind, {self.dead:,} dead letters"
        return f"{counts}; {self.problem}" if self.problem else counts


def deliver(
    connect: Connect, settings: Settings, only: str = "", *, off: pa.Table | None = None
) -> list[Served]:
    """Tell every sink what it does not know yet; one that fails does not keep the others waiting.

    Args:
        connect: Opens a connection.
        settings: Where policies and the lake are.
        only: Name of the one sink to serve; all when empty.
        off: ``privacy.off.OFF_SCHEMA``: customers of whom a sink of that purpose and channel is told nothing; as
            published consent has it when left out.

    Raises:
        FeedPolicyError: ``change_feed.yaml`` cannot be used.
        PurposesError: The purposes cannot be used, or contracts or enrichers do not keep to them.
        UnknownSinkError: ``only`` is no sink.
    """
    rules = _Rules.load(connect, settings, off)
    return [_serve(connect, settings, rules, name) for name in _chosen(rules.policy, only)]


def replay(
    connect: Connect, settings: Settings, name: str, position: int, *, off: pa.Table | None = None
) -> Served:
    """Deliver everything from a position on to one sink, again; it is taken into use again.

    Raises:
        PositionError: Events from there on are not kept any more, or are still to come.
        FeedPolicyError, PurposesError, UnknownSinkError: As :func:`deliver`.
    """
    rules = _Rules.load(connect, settings, off)
    (name,) = _chosen(rules.policy, name)
    with connect() as connection:
        oldest, newest = feed.pruned(connection) + 1, feed.last_position(connection)
    if not oldest <= position <= newest + 1:
        raise PositionError(
            f"Nothing was changed: events are kept from position {oldest} to {newest}, and {position} is none of "
            f"them. Begin at one of those, or at {newest + 1} for what is still to come."
        )
    return _serve(connect, settings, rules, name, position=position - 1)


def retry(connect: Connect, settings: Settings, name: str, *, off: pa.Table | None = None) -> Served:
    """Send the dead letters of one sink again, then what is new; it is taken into use again.

    Raises:
        FeedPolicyError, PurposesError, UnknownSinkError: As :func:`deliver`.
    """
    rules = _Rules.load(connect, settings, off)
    (name,) = _chosen(rules.policy, name)
    return _serve(connect, settings, rules, name, revive=True)


def status(connection: Connection, settings: Settings) -> list[tuple[SinkState | None, Served]]:
    """How far every sink is, without telling it anything; no state for one that was never served."""
    policy = FeedPolicy.load(settings.policies / POLICY)
    states = {state.name: state for state in feed.sinks(connection)}
    return [
        (states.get(name), _served(connection, name, 0, "" if name in states else "never served"))
        for name in policy.sinks
    ]


def newest(connection: Connection, settings: Settings, number: int) -> list[str]:
    """The newest events as consumers get them, the latest last."""
    policy = FeedPolicy.load(settings.policies / POLICY)
    source = policy.source or source_of(feed.hub_id(connection))
    return [cloud_event(entry, source).decode() for entry in feed.latest(connection, number)]


@dataclass(frozen=True)
class _Rules:
    """Who is told, and what may leave.

    Attributes:
        policy: The sinks.
        given: What values are given for.
        off: ``OFF_SCHEMA``.
        profile: Tables of the enrichers that are switched on.
    """

    policy: FeedPolicy
    given: Given
    off: pa.Table
    profile: Sequence[ProfileTable]

    @classmethod
    def load(cls, connect: Connect, settings: Settings, off: pa.Table | None) -> "_Rules":
        contracts = all_contracts()
        purposes = in_force(settings.policies, contracts, enrichers(settings.policies))
        policy = FeedPolicy.in_force(settings.policies / POLICY, purposes)
        if off is None:
            asked = {(sink.purpose, sink.channel) for sink in policy.sinks.values()}
            with connect() as connection:
                off = off_in_use(connection, purposes, asked)
        return cls(policy, Given.of(contracts, purposes), off, tables_of(policy_of(settings)))

    def leaving(self, name: str) -> Leaving:
        """What leaves for a sink."""
        sink = self.policy.sinks[name]
        return Leaving.for_purpose(sink.purpose, sink.channel, self.given, self.off, self.profile)


def _chosen(policy: FeedPolicy, only: str) -> list[str]:
    if only and only not in policy.sinks:
        names = ", ".join(policy.sinks) or "none"
        raise UnknownSinkError(f"There is no sink {only} in {POLICY}; there are: {names}.")
    return [only] if only else list(policy.sinks)


def _served(connection: Connection, name: str, delivered: int, problem: str) -> Served:
    found = {state.name: state for state in feed.sinks(connection)}.get(name)
    behind = feed.behind(connection, found.position if found else 0)
    dead = feed.dead_counts(connection).get(name, 0)
    return Served(name, delivered, dead, behind, problem or (found.disabled or "" if found else ""))


def _serve(
    connect: Connect,
    settings: Settings,
    rules: _Rules,
    name: str,
    *,
    position: int | None = None,
    revive: bool = False,
) -> Served:
    """Serve one sink; what goes wrong with it is told, not raised.

    Args:
        connect: Opens a connection.
        settings: Where the lake is.
        rules: The sinks, and what may leave.
        name: The one to serve.
        position: Go back to it first.
        revive: Send dead letters first.
    """
    withheld: list[int] = []
    delivered, problem = _tell(
        connect, settings, rules, name, position=position, revive=revive, withheld=withheld
    )
    with connect() as connection:
        return replace(_served(connection, name, delivered, problem), withheld=sum(withheld))


def _tell(
    connect: Connect,
    settings: Settings,
    rules: _Rules,
    name: str,
    *,
    position: int | None,
    revive: bool,
    withheld: list[int],
) -> tuple[int, str]:
    """Serve one sink; returns how many events it took, and what went wrong."""
    policy, sink = rules.policy, rules.policy.sinks[name]
    with feed.alone(connect, name) as alone:
        if not alone:
            return 0, "another process is delivering to it"
        with connect() as connection, connection.begin():
            start = feed.last_position(connection) if sink.start == "now" else 0
            state = feed.state(connection, name, start)
            if position is not None:
                feed.rewind(connection, name, position)
            elif revive:
                feed.disable(connection, name, None)
            elif state.disabled:
                return 0, state.disabled
            source = policy.source or source_of(feed.hub_id(connection))
        since = state.position if position is None else position
        deadline = time.monotonic() + policy.most_seconds
        task = _Task(connect, name, source, deadline, rules.leaving(name), withheld)
        try:
            if isinstance(sink, FileSink):
                lake = Lake(sink.url or f"{settings.lake_url}/publish/feed/{name}")
                return _write(task, lake, since, sink.rows_per_file)
            return _send(task, WebhookSender.of(name, sink), since, revive=revive)
        except FeedPolicyError as error:
            return 0, str(error)


@dataclass(frozen=True)
class _Task:
    """One sink, served by this process alone until a deadline."""

    connect: Connect
    name: str
    source: str
    deadline: float
    leaving: Leaving
    withheld: list[int]

    @property
    def in_time(self) -> bool:
        return time.monotonic() < self.deadline

    def batches(self, position: int, size: int) -> Iterator[list[Entry]]:
        """The entries after a position, some at a time, until there are no more or time is up."""
        while self.in_time:
            with self.connect() as connection:
                batch = feed.entries(connection, position, size)
            if not batch:
                return
            yield batch
            position = batch[-1].position

    def told(self, batch: list[Entry]) -> list[Entry]:
        """What the sink is told of a batch; the others are counted."""
        with self.connect() as connection:
            found = linked.origins(connection, sorted({str(one.golden_id) for one in batch}), ORIGIN_SCHEMA)
        told = self.leaving.events(batch, found)
        self.withheld.append(len(batch) - len(told))
        return told

    def advance(self, settled: Settled) -> None:
        """Move the sink's cursor."""
        with self.connect() as connection, connection.begin():
            feed.advance(connection, self.name, settled.position, settled.dead)


def _write(task: _Task, lake: Lake, position: int, rows: int) -> tuple[int, str]:
    """Write files named after the positions in them; returns the events written, and what went wrong."""
    written = 0
    for batch in task.batches(position, rows):
        first, last = (str(entry.position).zfill(_DIGITS) for entry in (batch[0], batch[-1]))
        told = task.told(batch)
        lines = b"".join(cloud_event(entry, task.source) + b"\n" for entry in told)
        try:
            if told:
                lake.write_text(f"{first}-{last}.jsonl", lines.decode())
        except LakeError as error:
            return written, str(error)
        except OSError as error:  # the connection to it is lost
            return written, f"{lake.url} cannot be written to ({type(error).__name__})"
        task.advance(Settled(batch[-1].position, ()))
        written += len(told)
    return written, ""


def _send(task: _Task, sender: WebhookSender, position: int, *, revive: bool) -> tuple[int, str]:
    """Send events one by one; returns how many were taken, and what went wrong."""
    revived, problem = _revive(task, sender) if revive else (0, "")
    if problem:
        return revived, problem
    with task.connect() as connection:
        dead = feed.dead_letters(connection, task.name)
    queue = Queue.after(task.name, position, dead, sender.policy.stop_after)
    try:
        for batch in task.batches(position, _BATCH):
            told = {entry.position: entry for entry in task.told(batch)}
            for each in batch:
                if not task.in_time or queue.receiver_is_down:
                    break
                entry = told.get(each.position)
                if entry is None:
                    queue.withheld(each)
                elif queue.may_be_sent(entry):
                    problem = _try(task, sender, queue, entry) or problem
            task.advance(queue.settled())
            if queue.receiver_is_down:
                break
        queue.end()
    except GoneError:
        problem = _disabled(task)
    task.advance(queue.settled())
    return revived + queue.delivered, problem


def _try(task: _Task, sender: WebhookSender, queue: Queue, entry: Entry) -> str:
    """Send one event; returns why it was given up, if it was."""
    try:
        sender.send(str(entry.event_id), cloud_event(entry, task.source), once=queue.doubtful)
    except NotTakenError as error:
        queue.given_up(entry, error.attempts, str(error))
        return f"the receiver {error}"
    queue.taken(entry)
    return ""


def _revive(task: _Task, sender: WebhookSender) -> tuple[int, str]:
    """Send dead letters, customer by customer in order; returns how many were taken, and what went wrong."""
    with task.connect() as connection:
        letters = feed.dead_letters(connection, task.name)
    failing: set[UUID] = set()
    taken, problem = 0, ""
    for letter in letters:
        if letter.golden_id in failing or len(failing) >= sender.policy.stop_after or not task.in_time:
            continue
        with task.connect() as connection:
            entry = feed.entry(connection, letter.position)
        if not (told := task.told([entry])):  # it may not leave any more
            with task.connect() as connection, connection.begin():
                feed.forget(connection, letter)
            continue
        (entry,) = told
        try:
            sender.send(str(entry.event_id), cloud_event(entry, task.source))
        except NotTakenError as error:
            failing.add(letter.golden_id)
            problem = f"the receiver {error}"
        except GoneError:
            return taken, _disabled(task)
        else:
            taken += 1
            with task.connect() as connection, connection.begin():
                feed.forget(connection, letter)
    return taken, problem if len(failing) >= sender.policy.stop_after else ""


def _disabled(task: _Task) -> str:
    reason = (
        f"The receiver answered 410 Gone and is sent nothing more. `cdm feed retry --sink {task.name}` takes it into "
        "use again."
    )
    with task.connect() as connection, connection.begin():
        feed.disable(connection, task.name, reason)
    return reason
