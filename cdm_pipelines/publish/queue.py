"""The order in which a sink is told, and what becomes of an event that it does not take.

Belongs here: which event may be sent, what is settled and what is a dead letter; no input or output. Does not belong
here: sending (``webhook``), or keeping the outcome (``hub.feed``).

The rules:

1. Events are sent in order of position. One that is given up becomes a dead letter, and so does every later event of
   that customer, unsent, until the first is retried: per customer the order holds. Other customers do not wait.
2. An event that is given up proves nothing while the receiver may be down. Only when it takes another event in the
   same delivery is the event to blame. After several customers in a row the following events are tried once each, to
   find one that is taken; when many are not, delivery stops, and none of these events is a dead letter: they are sent
   again next time.
3. The cursor stands before the first event that is not settled, so that whatever happens nothing is left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from cdm_pipelines.hub.feed import DeadLetter, Entry

_TIMES_DOUBTFUL = 4  # as many customers in a row as make the receiver doubtful, until it is taken to be down
WAITS = "waits behind an earlier event of this customer"


@dataclass(frozen=True)
class Settled:
    """What the sink need not be asked about again: all up to a position, and those that are dead letters."""

    position: int
    dead: tuple[DeadLetter, ...]


@dataclass
class Queue:
    """One delivery to one sink.

    Attributes:
        sink: Its name.
        position: The cursor.
        waiting: Customers whose events are not sent.
        stop_after: Customers given up one after the other that make the receiver doubtful.
        delivered: Events that were taken.
    """

    sink: str
    position: int
    waiting: set[UUID]
    stop_after: int
    delivered: int = 0
    _open: list[DeadLetter] = field(default_factory=list)
    _dead: list[DeadLetter] = field(default_factory=list)
    _in_a_row: int = 0

    @classmethod
    def after(cls, sink: str, position: int, dead: Iterable[DeadLetter], stop_after: int) -> "Queue":
        """Go on where the last delivery ended."""
        return cls(sink, position, {letter.golden_id for letter in dead}, stop_after)

    @property
    def doubtful(self) -> bool:
        """Whether the receiver may be down, so that one attempt at an event is enough."""
        return self._in_a_row >= self.stop_after

    @property
    def receiver_is_down(self) -> bool:
        """Whether to stop for now."""
        return self._in_a_row >= self.stop_after * _TIMES_DOUBTFUL

    def may_be_sent(self, entry: Entry) -> bool:
        """Whether an event is to be sent; when not, it is put aside."""
        if entry.golden_id not in self.waiting:
            return True
        self._put_aside(entry, 0, WAITS)
        if not self._in_a_row:
            self._settle(entry.position)
        return False

    def taken(self, entry: Entry) -> None:
        """The sink took an event."""
        self.delivered += 1
        self._settle(entry.position)

    def withheld(self, entry: Entry) -> None:
        """An event is not for the sink, which proves nothing about the receiver."""
        if not self._open:
            self.position = entry.position

    def given_up(self, entry: Entry, attempts: int, error: str) -> None:
        """The sink did not take an event, however often it was sent."""
        self._put_aside(entry, attempts, error)
        self.waiting.add(entry.golden_id)
        self._in_a_row += 1

    def end(self) -> None:
        """There is no more to send: what is open is settled if the receiver has shown that it is up."""
        if self._open and self.delivered and not self.doubtful:
            self._settle(self._open[-1].position)

    def settled(self) -> Settled:
        """What is settled since this was asked last."""
        dead, self._dead = tuple(self._dead), []
        return Settled(self.position, dead)

    def _put_aside(self, entry: Entry, attempts: int, error: str) -> None:
        self._open.append(DeadLetter(self.sink, entry.position, entry.golden_id, attempts, error))

    def _settle(self, position: int) -> None:
        self._dead += self._open
        self._open, self._in_a_row, self.position = [], 0, position
