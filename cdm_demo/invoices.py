"""Invoices and credit memos of the ERP.

Belongs here: what is billed, when it is due, which reminders follow, what is taken back. Does not belong here: what was
ordered and when it was paid (orders).
"""

import numpy as np

from cdm_demo.books import Book
from cdm_demo.dates import sap_day
from cdm_demo.draws import Draws, Ints, constant, digits, text
from cdm_demo.orders import Batch, Booked, Counters, Orders, money, tax_of

NO_DATE = "00000000"
_TERMS = np.array([14, 30, 60], dtype=np.int64)
_TERM_NAMES = ("N014", "N030", "N060")
_REMINDERS = (14, 28, 42)
"""Days after the due date on which an open invoice is dunned."""

_REASONS = (
    ("003", "Niet naar wens", 46),
    ("002", "Verkeerd artikel", 18),
    ("001", "Beschadigd", 22),
    ("004", "Te laat geleverd", 14),
)
_GOODWILL = ("009", "Coulance")


def invoices(
    draws: Draws, book: Book, orders: Orders, books: Booked, counters: Counters, *, start: int, days: int
) -> list[Batch]:
    """An invoice per order, delivered when it is issued and again when it is dunned or settled.

    Args:
        draws: Streams of this use.
        book: Records of the customers; each has a term of its own.
        orders: What was ordered.
        books: What the books say of the orders.
        counters: Gives the numbers; moved on.
        start: Day number of the base day.
        days: Days of the run.
    """
    size = len(orders)
    number = digits(counters.erp_invoice + 1 + np.arange(size), 10)
    counters.erp_invoice += size
    # Nothing is paid before it is billed.
    latest = np.where(books.paid, books.paid_day, orders.day + 2)
    issued = np.minimum(orders.day + draws.integers("issued", size, 0, 3), latest)
    term = draws.pick("term of customer", len(book), (22, 60, 18))[orders.owner]
    due = issued + _TERMS[term]
    never = ~books.paid & (orders.day < start - 60)
    disputed = draws.chance("disputed", size, np.where(never, 0.3, 0.008))
    batches, before = [], np.full(size, -1, dtype=np.int64)
    for day in range(days):
        today = start + day
        settled = books.paid & (books.paid_day <= today)
        level = _reminders(due, np.where(books.paid, np.minimum(books.paid_day, today), today))
        # What can be told of an invoice by a day, as one number: it is delivered when that differs.
        state = np.where(issued > today, -1, level * 2 + settled)
        at = np.flatnonzero(state != before)
        before = state
        dunned = due[at] + np.array([0, *_REMINDERS])[level[at]]
        changed = np.maximum(
            np.where(level[at] > 0, dunned, issued[at]), np.where(settled[at], books.paid_day[at], 0)
        )
        batches.append(Batch(day, {
            "VBELN": number[at],
            "AUBEL": books.number[at],
            "KUNRG": books.customer[at],
            "FKART": "F2",
            "FKDAT": sap_day(issued[at]),
            "ZTERM": text(_TERM_NAMES)[term[at]],
            "NETDT": sap_day(due[at]),
            "AUGDT": np.where(settled[at], sap_day(np.where(settled, books.paid_day, issued)[at]), NO_DATE),
            "NETWR": money(books.net[at], ","),
            "MWSBK": money(books.tax[at], ","),
            "WRBTR": money(books.gross[at], ","),
            "WAERK": "EUR",
            "MANST": text([str(n) for n in level[at].tolist()]),
            "MADAT": np.where(level[at] > 0, sap_day(dunned), NO_DATE),
            "ZZBETW": np.where(disputed[at] & ~settled[at], "X", ""),
            "AEDAT": sap_day(changed),
        }, len(at)))  # fmt: skip
    return batches


def _reminders(due: Ints, until: Ints) -> Ints:
    """How many reminders were sent by a day."""
    sent = np.zeros(len(due), dtype=np.int64)
    for after in _REMINDERS:
        sent += until >= due + after
    return sent


def refunds(
    draws: Draws, orders: Orders, books: Booked, counters: Counters, *, trade: bool, start: int, days: int
) -> list[Batch]:
    """Credit memos: lines sent back, and now and then something paid back of a whole order.

    Args:
        draws: Streams of this use.
        orders: What was ordered.
        books: What the books say of the orders.
        counters: Gives the numbers; moved on.
        trade: Whether the customers are companies, who send less back.
        start: Day number of the base day.
        days: Days of the run.
    """
    lines = len(orders.line_order)
    back = np.flatnonzero(draws.chance("returned", lines, 0.02 if trade else 0.06))
    goodwill = np.flatnonzero(draws.chance("goodwill", len(orders), 0.01))
    order = np.concatenate([orders.line_order[back], goodwill])
    kept = (draws.uniform("pieces", lines)[back] * orders.quantity[back]).astype(np.int64)
    pieces = orders.quantity[back] - kept
    net = np.concatenate([books.net_price[back] * pieces, (books.net[goodwill] * 10 + 50) // 100])
    tax = tax_of(net)
    day = orders.day[order] + 4 + draws.integers("when", lines + len(orders), 0, 24)[: len(order)]
    code = draws.pick("reason", lines, [weight for *_, weight in _REASONS])[back]
    reason = np.concatenate([text([r for r, *_ in _REASONS])[code], constant(_GOODWILL[0], len(goodwill))])
    words = np.concatenate([text([w for _, w, _ in _REASONS])[code], constant(_GOODWILL[1], len(goodwill))])
    position = np.concatenate([digits(orders.line_number[back] * 10, 6), constant("000000", len(goodwill))])
    count = np.concatenate([text([f"{n},000" for n in pieces.tolist()]), constant("0,000", len(goodwill))])
    batches = []
    for offset in range(days):
        at = np.flatnonzero(np.maximum(day - start, 0) == offset)
        at = at[np.lexsort((at, day[at]))]
        number = digits(counters.erp_refund + 1 + np.arange(len(at)), 10)
        counters.erp_refund += len(at)
        batches.append(Batch(offset, {
            "VBELN": number,
            "AUBEL": books.number[order[at]],
            "AUPOS": position[at],
            "KUNRG": books.customer[order[at]],
            "FKART": "RE",
            "FKDAT": sap_day(day[at]),
            "AUGRU": reason[at],
            "BEZEI": words[at],
            "FKIMG": count[at],
            "NETWR": money(net[at], ","),
            "MWSBK": money(tax[at], ","),
            "WRBTR": money((net + tax)[at], ","),
            "WAERK": "EUR",
        }, len(at)))  # fmt: skip
    return batches
