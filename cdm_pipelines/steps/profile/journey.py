"""A customer's journey: every touch in order, whatever it was.

Belongs here: bringing touches of all kinds into one order, and telling them. Does not belong here: whose a touch is
(``touches``, publication), or what follows from it (enrichers).
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from heapq import nlargest
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.hub.transactions import Transaction, transactions_of

_PARTS = ("subject", "campaign", "product_code", "outcome")


class Touch(NamedTuple):
    """One touch, or several that are alike, of one day.

    Attributes:
        day: Local; None where the source gives none that can be believed.
        at: Local moment of the first; None where only the day is known.
        what: order, invoice, payment, refund, a kind of interaction, or what else is joined.
        source: Where it is known from.
        channel: Of an interaction.
        number: Of the order, invoice, payment, refund or thread.
        detail: What it was about, in the source's words.
        amount: In ``currency``.
        currency: ISO 4217.
        times: How many there were.
        until: Local moment of the last.
    """

    day: dt.date | None
    at: dt.datetime | None
    what: str
    source: str
    channel: str | None = None
    number: str | None = None
    detail: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    times: int = 1
    until: dt.datetime | None = None


@dataclass(frozen=True)
class Journey:
    """The newest touches of a customer, oldest first, and how many there are in all."""

    touches: Sequence[Touch]
    total: int


def journey(
    connection: Connection,
    golden_id: UUID,
    attached: pa.Table,
    *,
    timezone: str,
    limit: int,
    more: Iterable[Touch] = (),
) -> Journey:
    """The journey of a customer.

    Args:
        connection: Of the hub.
        golden_id: Of a current customer.
        attached: Its interactions as ``inputs.ATTACHED``; rows of others are left out.
        timezone: In which moments are told.
        limit: How many touches, the newest.
        more: What else happened, such as changes of stage.
    """
    own = (row for row in attached.to_pylist() if row["golden_id"] == str(golden_id))
    touches = [
        *(of_transaction(one, timezone) for one in transactions_of(connection, golden_id)),
        *(of_interaction(row) for row in own),
        *more,
    ]
    return in_order(touches, limit)


def in_order(touches: Sequence[Touch], limit: int) -> Journey:
    """The newest touches, oldest first. A day without a moment begins its day; what has no day comes first of all."""
    newest = nlargest(limit, touches, key=_place)
    return Journey(newest[::-1], sum(touch.times for touch in touches))


def _place(touch: Touch) -> tuple[object, ...]:
    day = touch.day or dt.date.min
    rest = (touch.what, touch.source, touch.channel, touch.number, touch.detail, touch.amount, touch.times)
    return (
        day,
        touch.at is not None,
        touch.at or dt.datetime.combine(day, dt.time.min),
        *(str(part or "") for part in rest),
    )


def of_transaction(one: Transaction, timezone: str) -> Touch:
    """An order, invoice, payment or refund as a touch; what belongs to an order says so."""
    local = (
        one.at.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
        if isinstance(one.at, dt.datetime)
        else None
    )
    of_order = f"order {one.order_id}" if one.order_id not in (None, one.number) else None
    return Touch(
        day=local.date() if local else one.at,
        at=local,
        what=str(one.kind),
        source=one.source,
        number=one.number,
        detail=", ".join(filter(None, (of_order, one.detail))) or None,
        amount=one.amount,
        currency=one.currency,
    )


def of_interaction(row: Mapping[str, Any]) -> Touch:
    """A row of ``inputs.ATTACHED`` as a touch."""
    about = [str(row[name]) for name in _PARTS if row[name]]
    return Touch(
        day=row["day"],
        at=row["first_at"],
        what=row["kind"],
        source=row["source"],
        channel=row["channel"],
        number=row["thread_id"],
        detail=", ".join(about) or None,
        times=row["touches"],
        until=row["last_at"],
    )


HEADINGS = ("when", "what", "where", "about", "amount")


def told(found: Journey) -> Iterator[tuple[str, ...]]:
    """A journey in words, a row of ``HEADINGS`` for each touch."""
    for touch in found.touches:
        what = touch.what.replace("_", " ")
        yield (
            _when(touch),
            f"{what} x {touch.times}" if touch.times > 1 else what,
            ", ".join(filter(None, (touch.channel, touch.source))),
            " ".join(filter(None, (touch.number, touch.detail))),
            "" if touch.amount is None else f"{touch.amount:,.2f} {touch.currency or ''}".rstrip(),
        )


def _when(touch: Touch) -> str:
    if touch.day is None:
        return "no date"
    if touch.at is None:
        return touch.day.isoformat()
    until = (
        f"-{touch.until:%H:%M}" if touch.until and touch.until - touch.at >= dt.timedelta(minutes=1) else ""
    )
    return f"{touch.at:%Y-%m-%d %H:%M}{until}"
