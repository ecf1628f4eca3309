"""Orders, their lines and their payments, of the ERP and of the shop.

Belongs here: who orders what, when, and how both systems write that down. Does not belong here: the customers.

All money is whole cents until it is written.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cdm_demo.books import Book
from cdm_demo.dates import clock, sap_day, shop_time
from cdm_demo.draws import Draws, Flags, Ints, Text, Weights, digits, text
from cdm_demo.words import articles
from cdm_demo.writing import Columns

_COUNTS = np.array([0, 1, 2, 3, 4, 5, 7, 10, 16, 28], dtype=np.int64)
_COUNT_WEIGHTS = (705, 170, 64, 26, 12, 8, 7, 4, 2, 2)
_LINE_WEIGHTS = (58, 22, 10, 5, 3, 2)
_HISTORY = 730
_FREE_SHIPPING, _SHIPPING = 5000, 495


@dataclass(slots=True)
class Counters:
    """The last numbers given out, over all blocks of a run."""

    erp_order: int = 20_000_000
    erp_payment: int = 1_400_000_000
    erp_invoice: int = 90_000_000
    erp_refund: int = 60_000_000
    ticket: int = 0
    touch: int = 0
    consent: int = 0
    shop_order: int = 1000


@dataclass(slots=True)
class Orders:
    """Orders of one block and source, in the order in which they were placed, and their lines.

    Attributes:
        owner: Position of the customer's record in its book.
        day: Day number of the order.
        second: Since midnight.
        file_day: Day of the run whose extract holds it.
        line_order: Per line the position of its order.
        line_number: Per line 1, 2, ...
        article: Per line the position of the article.
        quantity: Per line.
        price: Per line, cents for one, tax included.
    """

    owner: Ints
    day: Ints
    second: Ints
    file_day: Ints
    line_order: Ints
    line_number: Ints
    article: Ints
    quantity: Ints
    price: Ints

    def __len__(self) -> int:
        return len(self.owner)

    def totals(self, amounts: Ints) -> Ints:
        """Sum per order of an amount per line."""
        sums = np.zeros(len(self), dtype=np.int64)
        np.add.at(sums, self.line_order, amounts)
        return sums

    def goods(self) -> Ints:
        """Value of the goods per order, tax included."""
        return self.totals(self.price * self.quantity)

    def to_pay(self) -> Ints:
        """Amount to pay in the shop: the goods and, for small orders, their shipping."""
        goods = self.goods()
        return goods + np.where(goods < _FREE_SHIPPING, _SHIPPING, 0)


@dataclass(frozen=True, slots=True)
class Moments:
    """Which records order, and on which days.

    Attributes:
        owner: Position of the customer's record in its book, one per order.
        day: Day number of the order.
        more: Per record by how much its quantities are multiplied.
    """

    owner: Ints
    day: Ints
    more: Ints


def steady(
    draws: Draws, book: Book, *, able: Flags, since: Ints, trade: Flags, start: int, days: int
) -> Moments:
    """Orders of a company that loses nobody: any day of two years, and a few on each later day.

    Args:
        draws: Streams of this use.
        book: Records of the customers.
        able: Which records can order.
        since: Day number from which each record can have ordered.
        trade: Which records buy more often.
        start: Day number of the base day.
        days: Days of the run.
    """
    size = len(book)
    count = _COUNTS[draws.pick("count", size, _COUNT_WEIGHTS)]
    count = np.where(able & (book.first_day == 0), count * np.where(trade, 2, 1), 0)
    past = np.repeat(np.arange(size), count)
    low = np.maximum(since, start - _HISTORY)[past]
    day = low + (draws.uniform("day", len(past)) * (start - low)).astype(np.int64)
    owners, order_days = [past], [day]
    for offset in range(days):
        now = np.flatnonzero(able & (book.first_day <= offset) & draws.chance(f"today {offset}", size, 0.012))
        owners.append(now)
        order_days.append(np.full(len(now), start + offset, dtype=np.int64))
    return Moments(np.concatenate(owners), np.concatenate(order_days), np.ones(size, dtype=np.int64))


def filled(draws: Draws, moments: Moments, *, trade: Flags, start: int) -> Orders:
    """Draw what is ordered.

    Args:
        draws: Streams of this use.
        moments: Who orders when.
        trade: Which records buy more at a time.
        start: Day number of the base day.
    """
    owner, day = moments.owner, moments.day
    second = 7 * 3600 + draws.integers("second", len(owner), 0, 15 * 3600)
    order = np.lexsort((owner, second, day))
    owner, day, second = owner[order], day[order], second[order]
    lines = 1 + draws.pick("lines", len(owner), _LINE_WEIGHTS)
    lines = lines * np.where(trade[owner], 2, 1)
    line_order = np.repeat(np.arange(len(owner)), lines)
    total = len(line_order)
    stock = articles()
    popular = Weights([int(1_000_000 / (rank + 3)) for rank in range(len(stock))])
    rank = popular.at(draws.uniform("article", total))
    article = (rank * 23 + 5) % len(stock)
    quantity = np.array([1, 2, 3, 4, 6, 10])[draws.pick("quantity", total, (74, 14, 5, 3, 2, 2))]
    bulk = np.array([1, 2, 5, 10, 20, 50])[draws.pick("bulk", total, (20, 20, 22, 22, 11, 5))]
    return Orders(
        owner=owner,
        day=day,
        second=second,
        file_day=np.maximum(day - start, 0),
        line_order=line_order,
        line_number=np.arange(total) - np.repeat(np.cumsum(lines) - lines, lines) + 1,
        article=article,
        quantity=np.where(trade[owner][line_order], bulk, quantity) * moments.more[owner][line_order],
        price=np.array([item.price for item in stock], dtype=np.int64)[article],
    )


def money(cents: Ints, mark: str) -> Text:
    """Cents as an amount with two decimals."""
    return text([f"{c // 100}{mark}{c % 100:02d}" for c in cents.tolist()])


def net_of(cents: Ints) -> Ints:
    """Without 21 % value-added tax, rounded half up."""
    return (cents * 200 + 121) // 242


def tax_of(net: Ints) -> Ints:
    """The tax of 21 % on a net amount, rounded half up."""
    return (net * 42 + 100) // 200


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one extract for one day."""

    day: int
    columns: Columns
    size: int


@dataclass(frozen=True, slots=True)
class Booked:
    """What the ERP's books say of orders.

    Attributes:
        number: Of the order.
        customer: Number of the customer.
        net_price: Per line, cents for one, without tax.
        net: Per order, without tax.
        tax: Per order.
        paid: Whether it is paid by the end of the run.
        paid_day: Day number of the payment, of the paid ones.
    """

    number: Text
    customer: Text
    net_price: Ints
    net: Ints
    tax: Ints
    paid: Flags
    paid_day: Ints

    @property
    def gross(self) -> Ints:
        """Amount to pay per order."""
        return self.net + self.tax


def booked(
    draws: Draws, book: Book, orders: Orders, counters: Counters, *, end: int, slow: Flags | None = None
) -> Booked:
    """Number orders, and settle when they are paid.

    Args:
        draws: Streams of this use.
        book: Records of the customers.
        orders: What they ordered.
        counters: Gives the numbers; moved on.
        end: Day number after the last day of the run.
        slow: Records that pay late, the others being in time; all pay alike where it is not given.
    """
    size = len(orders)
    number = digits(counters.erp_order + 1 + np.arange(size), 10)
    counters.erp_order += size
    net_price = net_of(orders.price)
    net = orders.totals(net_price * orders.quantity)
    unpaid = draws.chance("unpaid", size, 0.07)
    term = draws.integers("term", size, 0, 44)
    if slow is not None:
        term = np.where(slow[orders.owner], 25 + term, term // 2)
    paid_day = orders.day + 1 + term
    paid = ~unpaid & (paid_day < end)
    return Booked(number, book.key[orders.owner], net_price, net, tax_of(net), paid, paid_day)


def erp_orders(
    draws: Draws, orders: Orders, books: Booked, counters: Counters, *, start: int, days: int
) -> tuple[list[Batch], list[Batch], list[Batch]]:
    """Orders, lines and payments of the ERP, day by day.

    Args:
        draws: Streams of this use.
        orders: What was ordered.
        books: What the books say of the orders.
        counters: Gives the numbers of payments; moved on.
        start: Day number of the base day.
        days: Days of the run.

    Returns:
        Batches of order, order_line and payment.
    """
    size = len(orders)
    number, customer, net_price = books.number, books.customer, books.net_price
    net, tax, paid, paid_day = books.net, books.tax, books.paid, books.paid_day
    heads, lines, payments = [], [], []
    for day in range(days):
        at = np.flatnonzero(orders.file_day == day)
        settled = paid[at] & (paid_day[at] <= start + day)
        heads.append(Batch(day, {
            "VBELN": number[at],
            "KUNNR": customer[at],
            "ERDAT": sap_day(orders.day[at]),
            "ERZET": clock(orders.second[at], ""),
            "AUDAT": sap_day(orders.day[at]),
            "AUART": "TA",
            "VKORG": "1000",
            "VTWEG": "10",
            "SPART": "00",
            "BSTNK": np.where(draws.chance("reference", size, 0.3)[at], "PO" + number[at], ""),
            "GBSTK": np.where(settled, "C", np.where(orders.day[at] < start - 14, "B", "A")),
            "WAERK": "EUR",
            "NETWR": money(net[at], ","),
            "MWSBP": money(tax[at], ","),
            "BRTWR": money((net + tax)[at], ","),
            "AEDAT": sap_day(np.where(settled, paid_day[at], orders.day[at])),
        }, len(at)))  # fmt: skip
        of = np.flatnonzero(orders.file_day[orders.line_order] == day)
        item = [articles()[a] for a in orders.article[of].tolist()]
        lines.append(Batch(day, {
            "VBELN": number[orders.line_order[of]],
            "POSNR": digits(orders.line_number[of] * 10, 6),
            "MATNR": text([i.code for i in item]),
            "ARKTX": text([i.name for i in item]),
            "MATKL": text([i.group for i in item]),
            "KWMENG": text([f"{q},000" for q in orders.quantity[of].tolist()]),
            "VRKME": "ST",
            "NETPR": money(net_price[of], ","),
            "NETWR": money(net_price[of] * orders.quantity[of], ","),
            "WAERK": "EUR",
        }, len(of)))  # fmt: skip
        due = np.flatnonzero(paid & (np.maximum(paid_day - start, 0) == day))
        document = digits(counters.erp_payment + 1 + np.arange(len(due)), 10)
        counters.erp_payment += len(due)
        payments.append(Batch(day, {
            "BELNR": document,
            "BUKRS": "1000",
            "GJAHR": text([d[:4] for d in sap_day(paid_day[due])]),
            "VBELN": number[due],
            "KUNNR": customer[due],
            "BLDAT": sap_day(paid_day[due]),
            "AUGDT": sap_day(paid_day[due]),
            "DMBTR": money((net + tax)[due], ","),
            "WAERS": "EUR",
            "ZLSCH": text(["U", "E", "I"])[draws.pick("method", size, (60, 25, 15))[due]],
        }, len(due)))  # fmt: skip
    return heads, lines, payments


def shop_names(serial: Ints) -> Text:
    """Names of orders, as #1001."""
    return text([f"#{n}" for n in serial.tolist()])


def bought(orders: Orders, size: int, day: int) -> tuple[Ints, Ints]:
    """Number of orders and amount spent per record of the book, up to a day of the run."""
    by_then = orders.file_day <= day
    count = np.bincount(orders.owner[by_then], minlength=size)
    spent = np.zeros(size, dtype=np.int64)
    np.add.at(spent, orders.owner[by_then], orders.to_pay()[by_then])
    return count, spent


def shop_orders(
    draws: Draws, orders: Orders, customers: dict[str, Text | str], counters: Counters, days: int
) -> Iterator[Batch]:
    """Orders of the shop, day by day; the second and later lines of an order leave its own cells blank.

    Args:
        draws: Streams of this use.
        orders: What was ordered.
        customers: Cells of the customer extract, for every record of the book.
        counters: Gives the numbers; moved on.
        days: Days of the run.
    """
    size = len(orders)
    serial = counters.shop_order + 1 + np.arange(size)
    counters.shop_order += size
    goods, total = orders.goods(), orders.to_pay()
    tax = total - net_of(total)
    paid = ~draws.chance("pending", size, 0.03)
    cancelled = draws.chance("cancelled", size, 0.02)
    method = text(["iDEAL", "Shopify Payments", "PayPal", "Klarna"])[
        draws.pick("method", size, (62, 18, 12, 8))
    ]
    status = np.where(cancelled, "refunded", np.where(paid, "paid", "pending"))
    shipped = np.where(cancelled | ~paid, "unfulfilled", "fulfilled")
    placed = shop_time(orders.day, orders.second)
    settled = shop_time(orders.day, np.minimum(orders.second + 65, 86_399))
    sent = shop_time(orders.day + 1, np.full(size, 10 * 3600 + 754, dtype=np.int64))
    name = shop_names(serial)
    order_id = "'" + digits(serial * 7919 + 5_400_000_000_000, 13)

    def customer(column: str, at: Ints) -> Text:
        cells = customers[column]
        return text([cells] * len(at)) if isinstance(cells, str) else cells[orders.owner[at]]

    for day in range(days):
        line = np.flatnonzero(orders.file_day[orders.line_order] == day)
        at = orders.line_order[line]
        lead = orders.line_number[line] == 1

        def once(values: Text | str, lead: Flags = lead) -> Text:
            return np.where(lead, values, "").astype(object)

        item = [articles()[a] for a in orders.article[line].tolist()]
        goes_out = shipped[at] == "fulfilled"
        person = text(
            [
                f"{a} {b}".strip()
                for a, b in zip(customer("First Name", at), customer("Last Name", at), strict=True)
            ]
        )
        street, second = customer("Default Address Address1", at), customer("Default Address Address2", at)
        phone = np.where(
            customer("Phone", at) != "", customer("Phone", at), customer("Default Address Phone", at)
        )
        address = {
            "Name": person,
            "Street": text([f"{a} {b}".strip() for a, b in zip(street, second, strict=True)]),
            "Address1": street,
            "Address2": second,
            "Company": customer("Default Address Company", at),
            "City": customer("Default Address City", at),
            "Zip": customer("Default Address Zip", at),
            "Country": customer("Default Address Country Code", at),
            "Phone": phone,
        }
        cells: dict[str, Text | str] = {
            "Name": name[at],
            "Email": customer("Email", at),
            "Financial Status": once(status[at]),
            "Paid at": once(np.where(status[at] == "pending", "", settled[at])),
            "Fulfillment Status": once(shipped[at]),
            "Fulfilled at": once(np.where(goes_out, sent[at], "")),
            "Accepts Marketing": once(customer("Accepts Email Marketing", at)),
            "Currency": once("EUR"),
            "Subtotal": once(money(goods[at], ".")),
            "Shipping": once(money((total - goods)[at], ".")),
            "Taxes": once(money(tax[at], ".")),
            "Total": once(money(total[at], ".")),
            "Discount Amount": once("0.00"),
            "Shipping Method": once("PostNL standaard"),
            "Created at": placed[at],
            "Lineitem quantity": text([str(q) for q in orders.quantity[line].tolist()]),
            "Lineitem name": text([i.name for i in item]),
            "Lineitem price": money(orders.price[line], "."),
            "Lineitem sku": text([i.code for i in item]),
            "Lineitem requires shipping": "true",
            "Lineitem taxable": "true",
            "Lineitem fulfillment status": shipped[at],
            "Cancelled at": once(np.where(cancelled[at], settled[at], "")),
            "Payment Method": once(method[at]),
            "Payment Reference": once("c" + digits(serial[at] * 104_729, 12)),
            "Refunded Amount": once(np.where(cancelled[at], money(total[at], "."), "0.00")),
            "Vendor": "Huis & Hof",
            "Outstanding Balance": once(np.where(status[at] == "pending", money(total[at], "."), "0.00")),
            "Id": once(order_id[at]),
            "Risk Level": once("Low"),
            "Source": once("web"),
            "Lineitem discount": "0.00",
            "Tax 1 Name": once("NL btw 21%"),
            "Tax 1 Value": once(money(tax[at], ".")),
        }
        cells |= {f"Billing {part}": once(values) for part, values in address.items()}
        cells |= {f"Shipping {part}": once(values) for part, values in address.items()}
        yield Batch(day, cells, len(line))
