"""Made-up customers with what they bought and did, written as the lake and the hub hold them when profiles are due.

Belongs here: a company of any size, always the same for a number of customers: golden customers, their records, orders
with lines, payments, invoices and refunds, days of interactions; and one more night. Does not belong here: measuring
(``profile_stages``).

Linkage is left out, for it is measured elsewhere: customer ``i`` is made of two records whose keys follow from ``i``.
Customers buy at rates of their own and leave at some time, as the models of value expect of them; they live in
households, of which some share an e-mail address; six of ten know the web shop, where a part of their visits names
them and most only a device.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.enrichment.interactions import READ
from cdm_pipelines.golden.survivorship import CUSTOMER_SCHEMA
from cdm_pipelines.identity.registry import golden_ids
from cdm_pipelines.records import records_schema

LAST_DAY = dt.date(2026, 5, 31)
INTERACTION_DAYS = 365
_SMALL = 10_000
_BEGIN = dt.date(2023, 6, 1)
_CHUNK = 50_000
_SPACE = 10_000_000  # numbers of orders that each chunk may give
_PRODUCTS, _CATEGORIES, _BRANDS = 2_000, 40, 60
_SHARES = {"web/event": 0.60, "mail/activity": 0.35, "desk/ticket": 0.05}
STANDARD = pa.schema([(name, pa.bool_() if name == "is_deleted" else pa.string()) for name in READ])
"""What is written of a day of interactions."""

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Rng = np.random.Generator


@dataclass(frozen=True)
class Chunk:
    """Some customers: their rows in the hub, and in the lake by entity."""

    customer: pa.Table
    crosswalk: pa.Table
    states: Mapping[Entity, pa.Table]


@dataclass(frozen=True)
class World:
    """A company of a size.

    Attributes:
        customers: Golden customers; ``orders`` and ``interactions`` there are about five and exactly twenty times as
            many of.
    """

    customers: int

    @property
    def interactions(self) -> int:
        """How many there are in a year."""
        return 20 * self.customers

    @cached_property
    def _in_shop(self) -> Ints:
        everybody = np.arange(self.customers)
        return everybody[_in_shop(everybody)]

    def chunks(self) -> Iterator[Chunk]:
        """All customers, some at a time."""
        for number, first in enumerate(range(0, self.customers, _CHUNK)):
            rng = np.random.default_rng([7, number])
            ids = np.arange(first, min(first + _CHUNK, self.customers))
            parties, customer, crosswalk = _parties(rng, ids)
            yield Chunk(customer, crosswalk, {Entity.PARTY: parties, **_purchases(rng, ids, number)})

    def days(self) -> list[dt.date]:
        """Those of which there are interactions, the one of the night left out."""
        return [LAST_DAY - dt.timedelta(back) for back in reversed(range(self.number_of_days))]

    @property
    def number_of_days(self) -> int:
        """A year of them; of a company as small as those of tests a week."""
        return INTERACTION_DAYS if self.customers > _SMALL else 7

    def interactions_of(self, day: dt.date) -> dict[str, pa.Table]:
        """A standardised day by source and entity, as ``STANDARD`` has it."""
        number = (day - _BEGIN).days
        each = self.interactions // INTERACTION_DAYS
        made = {"web/event": self._visits, "mail/activity": self._mails, "desk/ticket": self._tickets}
        return {
            name: make(np.random.default_rng([8, number, at]), day, int(each * _SHARES[name]))
            for at, (name, make) in enumerate(made.items())
        }

    def _visits(self, rng: Rng, day: dt.date, rows: int) -> pa.Table:
        """Visits of some three pages; who is in the shop is mostly known by a device, strangers never are."""
        visits = max(rows // 3, 1)
        visit = np.sort(rng.integers(0, visits, rows))
        who = self._in_shop[(len(self._in_shop) * rng.random(visits) ** 1.5).astype(np.int64)]
        strange = rng.random(visits) < 0.35
        strangers = rng.integers(0, 2 * self.customers, visits)
        device = 2 * who + (rng.random(visits) < 0.3)
        token = pc.if_else(pa.array(strange), _named("s.", strangers), _named("d.", device))
        login = (rng.random(visits) < 0.12) & ~strange
        kinds = rng.choice(4, rows, p=[0.55, 0.33, 0.06, 0.06])
        product = _skewed(rng, rows, _PRODUCTS)
        second = np.sort(rng.integers(0, 86_400, visits))[visit] + rng.integers(0, 600, rows)
        return _interactions(
            rows,
            record_id=_named(f"w{day:%Y%m%d}-", np.arange(rows)),
            occurred_at=_moments(day, second),
            token=token.take(pa.array(visit)),
            party_id=_where(login[visit] & (rng.random(rows) < 0.5), _named("S", who[visit])),
            channel=_all("web", rows),
            kind=_from(["visit", "product_view", "cart", "search"], kinds),
            direction=_all("in", rows),
            campaign=_where(visit % 9 == 0, _named("campaign ", visit % 30)),
            product_code=_where((kinds == 1) | (kinds == 2), _named("P", product)),
            thread_id=_named(f"v{day:%m%d}.", visit),
            subject=_named("Page ", product // 10),
        )

    def _mails(self, rng: Rng, day: dt.date, rows: int) -> pa.Table:
        who = (self.customers * rng.random(rows) ** 1.2).astype(np.int64)
        kinds = rng.choice(5, rows, p=[0.70, 0.22, 0.06, 0.015, 0.005])
        week = (day - _BEGIN).days // 7
        return _interactions(
            rows,
            record_id=_named(f"m{day:%Y%m%d}-", np.arange(rows)),
            occurred_at=_moments(day, rng.integers(0, 86_400, rows)),
            party_email=_email(who),
            channel=_all("email", rows),
            kind=_from(["sent", "open", "click", "bounce", "unsubscribe"], kinds),
            direction=_from(["out", "in", "in", "out", "in"], kinds),
            campaign=_all(f"week {week}", rows),
            subject=_all(f"News of week {week}", rows),
        )

    def _tickets(self, rng: Rng, day: dt.date, rows: int) -> pa.Table:
        who = rng.integers(0, self.customers, rows)
        kinds = rng.choice(4, rows, p=[0.4, 0.36, 0.18, 0.06])
        score = rng.integers(1, 6, rows)
        return _interactions(
            rows,
            record_id=_named(f"t{day:%Y%m%d}-", np.arange(rows)),
            occurred_at=_moments(day, rng.integers(0, 86_400, rows)),
            party_email=_email(who),
            channel=_from(["email", "phone", "chat"], rng.integers(0, 3, rows)),
            kind=_from(["ticket_opened", "ticket_solved", "ticket_rated", "complaint"], kinds),
            direction=_from(["in", "out", "in", "in"], kinds),
            thread_id=_named(f"T{day:%m}.", who),
            subject=_named("Question ", rng.integers(0, 50, rows)),
            outcome=_where(kinds == 1, _all("solved", rows)),
            score=_where(kinds == 2, _text(score)),
        )


def products() -> pa.Table:
    """The articles, known by one code in all sources."""
    numbers = np.arange(_PRODUCTS)
    return _state(
        Entity.PRODUCT,
        _PRODUCTS,
        source=_all("erp", _PRODUCTS),
        entity=_all("product", _PRODUCTS),
        record_id=_named("P", numbers),
        first_seen=_all("2023-06-01", _PRODUCTS),
        product_code=_named("P", numbers),
        name=_named("Article ", numbers),
        category=_join(_named("Group ", numbers % 8), _named(" > Category ", numbers % _CATEGORIES)),
        brand=_named("Brand ", numbers % _BRANDS),
        price=_money(_prices(numbers)),
        cost=_money(_prices(numbers) * 6 // 10),
    )


# Customers and their records


def _in_shop(customer: Ints) -> Bools:
    return np.asarray((customer * 2_654_435_761 % 2**32) % 10 < 6)


def _is_organisation(customer: Ints) -> Bools:
    return np.asarray(~_in_shop(customer) & (customer % 4 == 0))


def _golden(customer: Ints) -> pa.Array:
    return golden_ids(_named("0|crm|contact|C", customer))


def _email(customer: Ints) -> pa.Array:
    """One in fifty shares the address of the customer before."""
    return _join(_named("p", np.where(customer % 50 == 49, customer - 1, customer)), "@mail.example")


def _parties(rng: Rng, ids: Ints) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Two records of each customer, the golden customers, and their crosswalk."""
    rows = len(ids)
    firm, shop = _is_organisation(ids), _in_shop(ids)
    household = np.repeat(np.arange(rows), rng.choice([1, 2, 3, 4], rows, p=[0.40, 0.32, 0.13, 0.15]))[:rows]
    home, before = rng.integers(0, 2**31, rows)[household], rng.integers(0, 2**31, rows)
    surname = np.where(
        rng.random(rows) < 0.75, _skewed(rng, rows, 20_000)[household], _skewed(rng, rows, 20_000)
    )
    born = np.datetime64("1935-01-01") + rng.integers(0, 25_500, rows)
    moved, seen = rng.random(rows) < 0.08, _day_text(_days(rng, rows))
    same = {
        "given_name": _where(~firm, _named("Voornaam", _skewed(rng, rows, 500))),
        "surname": _where(~firm, _named("Naam", surname)),
        "organisation_name": _where(firm, _named("Bedrijf ", ids)),
        "coc_number": _where(firm, _text(10_000_000 + ids)),
        "birth_date": _where(~firm & (rng.random(rows) < 0.8), pa.array(born).cast(pa.string())),
        "email": _email(ids),
        "phone": _where(rng.random(rows) < 0.4, _named("+3120", 1_000_000 + home % 9_000_000)),
        "mobile": _where(~firm, _named("+316", 10_000_000 + ids)),
        "language": _where(rng.random(rows) < 0.5, _all("nl", rows)),
        "party_kind": _from(["person", "organisation"], firm.astype(np.int64)),
    }
    employer = np.minimum(ids // 4 * 4, ids[-1])
    works = ~firm & (rng.random(rows) < 0.03) & _is_organisation(employer)
    first = _state(
        Entity.PARTY,
        rows,
        source=_all("crm", rows),
        entity=_from(["contact", "account"], firm.astype(np.int64)),
        record_id=_named("C", ids),
        first_seen=seen,
        modified_at=_join(seen, "T09:00:00Z"),
        employer_id=_where(works, _named("C", employer)),
        **same,
        **_address(home),
    )
    second = _state(
        Entity.PARTY,
        rows,
        source=_from(["erp", "shop"], shop.astype(np.int64)),
        entity=_all("customer", rows),
        record_id=pc.if_else(pa.array(shop), _named("S", ids), _named("D", ids)),
        first_seen=seen,
        modified_at=_join(seen, "T08:00:00Z"),
        **same,
        **_address(np.where(moved, before, home)),
    )
    golden = _golden(ids)
    values: dict[str, pa.Array | pa.ChunkedArray] = {
        name: first[name] for name in CUSTOMER_SCHEMA.names if name in first.column_names
    }
    values |= {
        "golden_id": golden,
        "status": _all("active", rows),
        "employer_id": _where(works, _golden(employer)),
        "record_count": pa.array(np.full(rows, 2)),
        "source_count": pa.array(np.full(rows, 2)),
    }
    customer = pa.table({one.name: values[one.name].cast(one.type) for one in CUSTOMER_SCHEMA})
    parties = pa.concat_tables([first, second])
    crosswalk = parties.select(["source", "entity", "record_id", "active"])
    return parties, customer, crosswalk.append_column("golden_id", pa.concat_arrays([golden, golden]))


def _address(home: Ints) -> dict[str, pa.Array]:
    letters = "ABCDEGHJKLMNPRSTVWXZ"
    pairs = pa.array([f" {one}{other}" for one in letters for other in letters])
    code = 1_000 + home % 8_999
    return {
        "street": _named("Straat ", home % 50_000),
        "house_number": _text(1 + home // 9_000 % 150),
        "postcode": _join(_text(code), pairs.take(pa.array(home // 7 % len(pairs)))),
        "city": _named("Plaats ", code // 4),
        "country": _all("NL", len(home)),
    }


# What they bought


def _purchases(rng: Rng, ids: Ints, number: int) -> dict[Entity, pa.Table]:
    """Orders of some customers with what belongs to them: on average five of a customer, with ten lines."""
    window = (LAST_DAY - _BEGIN).days
    began = rng.integers(0, window, len(ids))
    stays = np.minimum(rng.exponential(700, len(ids)), window - began)
    rate = rng.gamma(0.8, 1.0, len(ids))
    more = rng.poisson(rate * stays * (4.88 / (0.8 * stays.mean())))
    counts = np.where(rng.random(len(ids)) < 0.85, 1 + more, 0)
    owner = np.repeat(ids, counts)
    first_of = np.cumsum(counts) - counts
    since = (rng.random(len(owner)) * np.repeat(stays, counts)).astype(np.int64)
    since[first_of[counts > 0]] = 0
    orders = number * _SPACE + np.arange(len(owner))
    day = np.repeat(began, counts) + since
    status = rng.choice(3, len(owner), p=[0.93, 0.05, 0.02])
    return _bought(rng, owner, orders, day, status)


def _bought(rng: Rng, owner: Ints, orders: Ints, day: Ints, status: Ints) -> dict[Entity, pa.Table]:
    rows, shop = len(owner), _in_shop(owner)
    lines = 1 + rng.poisson(1.0, rows)
    product = _skewed(rng, int(lines.sum()), _PRODUCTS)
    quantity = rng.choice([1, 2, 3], len(product), p=[0.8, 0.15, 0.05])
    price = _prices(product)
    total = np.add.reduceat(quantity * price, np.cumsum(lines) - lines)
    source, code = _from(["erp", "shop"], shop.astype(np.int64)), _named("O", orders)
    party = pc.if_else(pa.array(shop), _named("S", owner), _named("D", owner))
    seen, at = _day_text(day), rng.integers(25_000, 80_000, rows)
    known = {"source": source, "order_id": code, "first_seen": seen}
    order = _state(
        Entity.ORDER,
        rows,
        **known,
        entity=_all("order", rows),
        record_id=code,
        party_id=party,
        ordered_at=_stamps(day * 86_400 + at),
        status=_from(["paid", "cancelled", "open"], status),
        currency=_all("EUR", rows),
        total_amount=_money(total),
    )
    order = order.append_column("party_entity", _all("customer", rows)).append_column(
        "party_record_id", party
    )
    of = np.repeat(np.arange(rows), lines)
    place = np.arange(len(of)) - np.repeat(np.cumsum(lines) - lines, lines)
    found = {
        Entity.ORDER: order,
        Entity.ORDER_LINE: _state(
            Entity.ORDER_LINE,
            len(of),
            source=source.take(pa.array(of)),
            entity=_all("order_line", len(of)),
            record_id=_join(_named("O", orders[of]), _named("-", place)),
            first_seen=seen.take(pa.array(of)),
            order_id=code.take(pa.array(of)),
            line_id=_text(place),
            product_code=_named("P", product),
            product_name=_named("Article ", product),
            quantity=_text(quantity),
            unit_price=_money(price),
        ),
    }
    return found | _settled(rng, {"owner": owner, "orders": orders, "day": day, "total": total})


def _settled(rng: Rng, of: Mapping[str, Ints]) -> dict[Entity, pa.Table]:
    """An invoice and a payment of each order that the shop did not take, and a few refunds."""
    billed = np.flatnonzero(~_in_shop(of["owner"]))
    back = np.flatnonzero(rng.random(len(of["owner"])) < 0.03)
    rows, last = len(billed), (LAST_DAY - _BEGIN).days
    orders, day, total = (of[name][billed] for name in ("orders", "day", "total"))
    party, paid = _named("D", of["owner"][billed]), day + rng.gamma(3, 10, rows).astype(np.int64)
    issued = {"first_seen": _day_text(day), "order_id": _named("O", orders)}
    invoice = _state(
        Entity.INVOICE,
        rows,
        **issued,
        source=_all("erp", rows),
        entity=_all("invoice", rows),
        record_id=_named("I", orders),
        invoice_id=_named("I", orders),
        party_id=party,
        issued_on=_day_text(day),
        due_on=_day_text(day + 30),
        settled_on=_where(paid <= last, _day_text(paid)),
        amount=_money(total),
        currency=_all("EUR", rows),
        disputed=_from(["false", "true"], (rng.random(rows) < 0.01).astype(np.int64)),
    )
    invoice = invoice.append_column("party_entity", _all("customer", rows)).append_column(
        "party_record_id", party
    )
    settled = np.flatnonzero(paid <= last)
    payment = _state(
        Entity.PAYMENT,
        len(settled),
        source=_all("erp", len(settled)),
        entity=_all("payment", len(settled)),
        record_id=_named("B", orders[settled]),
        first_seen=_day_text(paid[settled]),
        payment_id=_named("B", orders[settled]),
        order_id=_named("O", orders[settled]),
        paid_at=_stamps(paid[settled] * 86_400 + 36_000),
        amount=_money(total[settled]),
        currency=_all("EUR", len(settled)),
        method=_all("transfer", len(settled)),
    )
    source = _from(["erp", "shop"], _in_shop(of["owner"][back]).astype(np.int64))
    refund = _state(
        Entity.REFUND,
        len(back),
        source=source,
        entity=_all("refund", len(back)),
        record_id=_named("R", of["orders"][back]),
        first_seen=_day_text(of["day"][back]),
        refund_id=_named("R", of["orders"][back]),
        order_id=_named("O", of["orders"][back]),
        refunded_at=_stamps(np.minimum(of["day"][back] + 10, last) * 86_400),
        amount=_money(of["total"][back] // 2),
        currency=_all("EUR", len(back)),
    )
    return {Entity.INVOICE: invoice, Entity.PAYMENT: payment, Entity.REFUND: refund}


# One more night


def ordered_by(customers: Ints, night: int) -> dict[Entity, pa.Table]:
    """An order with its lines of each of some customers, placed on the last day; others on every night."""
    rng = np.random.default_rng([9, night])
    day = np.full(len(customers), (LAST_DAY - _BEGIN).days)
    number = (1_000 + night) * _SPACE + np.arange(len(customers))
    made = _bought(rng, customers, number, day, np.zeros(len(customers), np.int64))
    return {entity: made[entity] for entity in (Entity.ORDER, Entity.ORDER_LINE)}


def golden_of(customers: Ints) -> pa.Array:
    """The golden ids of some customers."""
    return _golden(customers)


# Columns


def _state(of: Entity, rows: int, /, **columns: pa.Array) -> pa.Table:
    """Rows of ``records/<entity>``; what is not given is null, and every record is active."""
    text = {"extract_date": _all(LAST_DAY.isoformat(), rows), "last_seen": _all(LAST_DAY.isoformat(), rows)}
    given = {**text, "active": pa.repeat(pa.scalar(True), rows), **columns}
    schema = records_schema(of)
    return pa.Table.from_arrays(
        [given[one.name].cast(one.type) if one.name in given else pa.nulls(rows, one.type) for one in schema],
        schema=schema,
    )


def _interactions(rows: int, /, **columns: pa.Array) -> pa.Table:
    given = {"is_deleted": pa.repeat(pa.scalar(False), rows), **columns}
    return pa.Table.from_arrays(
        [given[one.name] if one.name in given else pa.nulls(rows, one.type) for one in STANDARD],
        schema=STANDARD,
    )


def _skewed(rng: Rng, rows: int, most: int) -> Ints:
    """Numbers below ``most``, small ones often."""
    return (most * rng.random(rows) ** 3).astype(np.int64)


def _prices(product: Ints) -> Ints:
    """Of articles, in cents."""
    return 250 + product * 7_919 % 12_000


def _days(rng: Rng, rows: int) -> Ints:
    return rng.integers(0, (LAST_DAY - _BEGIN).days, rows)


def _day_text(day: Ints) -> pa.Array:
    return pa.array(np.datetime64(_BEGIN) + day).cast(pa.string())


def _stamps(seconds: Ints) -> pa.Array:
    """Moments in seconds since the beginning, as canonical text."""
    text = pa.array(np.datetime64(_BEGIN, "s") + seconds).cast(pa.string())
    return _join(pc.replace_substring(text, " ", "T"), "Z")


def _moments(day: dt.date, second: Ints) -> pa.Array:
    return _stamps((day - _BEGIN).days * 86_400 + np.minimum(second, 86_399))


def _money(cents: Ints) -> pa.Array:
    return pa.array(cents / 100).cast(pa.string())


def _text(numbers: Ints) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def _named(prefix: str, numbers: Ints) -> pa.Array:
    return _join(prefix, _text(numbers))


def _join(*parts: pa.Array | str) -> pa.Array:
    rows = next(len(part) for part in parts if not isinstance(part, str))
    return pc.binary_join_element_wise(
        *(_all(one, rows) if isinstance(one, str) else one for one in (*parts, ""))
    )


def _all(value: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), rows)


def _from(values: list[str], at: Ints) -> pa.Array:
    return pa.array(values).take(pa.array(at))


def _where(condition: Bools, values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(condition), values, pa.scalar(None, values.type))
