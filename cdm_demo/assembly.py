"""Making one block: parties, the books that know them, their orders.

Belongs here: the order in which things are made, because later ones refer to earlier ones. Does not belong here: how
each is made (companies, people, books, orders) or written (crm, erp, shop).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import numpy as np

from cdm_demo import (
    behaviour,
    books,
    consents,
    crm,
    desk,
    erp,
    flaws,
    invoices,
    mail,
    orders,
    sales,
    shop,
    structure,
)
from cdm_demo.behaviour import Behaviour
from cdm_demo.blocks import Block, Shelf, Traces
from cdm_demo.books import Book, Membership
from cdm_demo.companies import Organisations, contacts, organisations
from cdm_demo.draws import Draws, Flags, Ints, Text, constant
from cdm_demo.headers import (
    CRM_ACCOUNT,
    CRM_CONTACT,
    ERP_CUSTOMER,
    ERP_INVOICE,
    ERP_ORDER,
    ERP_ORDER_LINE,
    ERP_PAYMENT,
    ERP_REFUND,
    SHOP_CUSTOMER,
    SHOP_ORDER,
    Extract,
)
from cdm_demo.mailboxes import Registry
from cdm_demo.people import Persons, consumers, merged
from cdm_demo.sales import Till
from cdm_demo.touches import Audience, Stage, Window
from cdm_demo.web import ShopOrders, web

ORGANISATION_SHARE, CONTACT_SHARE = 0.2, 0.12
"""Shares of the parties; the rest are private persons."""

_SHARES = (0.5, 0.44, 0.06)
"""Shares of the interactions: events of the web, mails, changes of tickets."""


@dataclass(frozen=True, slots=True)
class Run:
    """What all blocks of a run have in common.

    Attributes:
        seed: Of all chance.
        start: Day number of the base day.
        days: Days of the run.
        registry: Keeps mailboxes apart.
        domains: Keeps the domains of companies apart.
        counters: Order and payment numbers.
        lifelike: Whether customers buy as they behave, and leave; otherwise on any day of two years.
        interactions: Events, mails and tickets per party, about.
    """

    seed: int
    start: int
    days: int
    registry: Registry
    domains: Registry
    counters: orders.Counters
    lifelike: bool
    interactions: float


@dataclass(frozen=True, slots=True)
class Doings:
    """What the parties of a block do.

    Attributes:
        audience: Who can be met.
        behaviour: How they behave.
        booked: Orders of the ERP, of companies and of persons.
        bought: Orders of the shop.
    """

    audience: Audience
    behaviour: Behaviour
    booked: tuple[orders.Orders, ...]
    bought: ShopOrders


def block(run: Run, first: int, size: int) -> Block:
    """Make one block.

    Args:
        run: Common to all blocks.
        first: Number of its first party.
        size: Number of its parties.
    """
    draws = Draws(run.seed, first)
    numbers = first + np.arange(size, dtype=np.int64)
    firms, staff = int(size * ORGANISATION_SHARE), int(size * CONTACT_SHARE)
    companies = organisations(draws.below("companies"), run.domains, numbers[:firms])
    private = consumers(draws.below("consumers"), run.registry, numbers[firms + staff :], run.days)
    acting = contacts(draws.below("contacts"), run.registry, numbers[firms : firms + staff], companies)
    people = merged(private, acting)
    shelves, batches, doings = _shelves(run, draws, companies, people, len(private))
    labels = structure.rows(people, companies)
    traces = _traces(run, draws.below("interactions"), doings, first, size)
    return Block(draws, run.days, shelves, batches, labels, traces, len(people), len(companies))


def _traces(run: Run, draws: Draws, doings: Doings, first: int, size: int) -> Traces:
    """Interactions of one block, and their truth."""
    seen, behaves = doings.audience, doings.behaviour
    lines = behaviour.rows(behaves, seen.truth)
    if not run.interactions:
        return Traces(iter(()), lines, [], [], [])
    stage = Stage(draws, seen, behaves, Window(run.start, run.days), run.counters)
    events, mails, updates = (int(size * run.interactions * share) for share in _SHARES)
    visits = web(stage.below("web"), doings.bought, events=events, block=first)
    mailed = mail.activity(stage.below("mail"), rows=mails)
    asked = desk.tickets(stage.below("desk"), rows=updates)
    said, consent = consents.statements(stage.below("consent"))
    chunks = chain(visits.chunks, mailed, asked, said)
    return Traces(chunks, lines, visits.tokens, visits.visits, consent)


def _membership(run: Run, draws: Draws, private: int, acting: int) -> Membership:
    """Sources of private persons and, after them, of contact persons."""
    first = books.consumer_membership(draws.below("consumers"), private, run.days)
    second = books.contact_membership(draws.below("contacts"), acting, run.days)
    return Membership(
        {s: np.concatenate([first.sources[s], second.sources[s] + private]) for s in first.sources},
        {s: np.concatenate([first.first_day[s], second.first_day[s]]) for s in first.sources},
    )


def _ids_by_party(book: Book, size: int) -> Text:
    """Key of the first record of each party, if it is there from the base day and stays."""
    ids = constant("", size)
    lasting = np.flatnonzero((book.copy == 0) & (book.first_day == 0) & (book.end != books.ABSENT))
    ids[book.party[lasting]] = book.key[lasting]
    return ids


def _shelves(
    run: Run, draws: Draws, companies: Organisations, people: Persons, private: int
) -> tuple[tuple[Shelf, ...], tuple[tuple[Extract, list[orders.Batch]], ...], Doings]:
    start, days = run.start, run.days
    member = _membership(run, draws.below("membership"), private, len(people) - private)
    firms = books.company_membership(draws.below("membership/companies"), len(companies), days)
    stay = np.full(len(companies), -1, dtype=np.int64)

    def opened(name: str, source: int, membership: Membership, numbers: Ints, move_day: Ints) -> Book:
        return books.open_book(
            draws.below(name), source, membership, numbers=numbers, move_day=move_day, days=days
        )

    accounts = opened(flaws.CRM_ACCOUNTS, books.CRM, firms, companies.number, stay)
    accounts = books.with_keys(accounts, crm.keys(accounts, crm.ACCOUNT_PREFIX))
    in_crm = opened(flaws.CRM_CONTACTS, books.CRM, member, people.number, people.move_day)
    in_crm = books.with_keys(in_crm, crm.keys(in_crm, crm.CONTACT_PREFIX))
    debtors = opened(flaws.ERP_COMPANIES, books.ERP, firms, companies.number, stay)
    debtors = books.with_keys(debtors, erp.keys(debtors, person=False))
    in_erp = opened(flaws.ERP_PERSONS, books.ERP, member, people.number, people.move_day)
    in_erp = books.with_keys(in_erp, erp.keys(in_erp, person=True))
    in_shop = opened(flaws.SHOP_CUSTOMERS, books.SHOP, member, people.number, people.move_day)
    in_shop = books.with_keys(in_shop, shop.keys(in_shop))

    ids = _ids_by_party(accounts, len(companies))
    tills = _tills(run, draws, (debtors, in_erp, in_shop), people)
    sell = sales.lifelike if run.lifelike else sales.steady
    sold, behaves = sell(
        tills, draws.below("behaviour"), len(people) + len(companies), start=start, days=days
    )
    bought = sold[-1]
    company_truth, person_truth = (
        structure.organisation_id(companies.number),
        structure.person_id(people.number),
    )
    all_firms, robust = np.ones(len(companies), dtype=bool), ~people.certain

    def never(book: Book) -> Callable[[int], Flags]:
        return lambda _day: np.zeros(len(book), dtype=bool)

    def customers(rows: Ints, day: int) -> dict[str, Text | str]:
        totals = orders.bought(bought, len(in_shop), day)
        return shop.customers(in_shop, people, rows, day, companies=companies, bought=totals)

    shelves = (
        Shelf(
            flaws.CRM_CONTACTS, CRM_CONTACT, in_crm, person_truth, robust,
            lambda rows, day: crm.contacts(in_crm, people, rows, day, start=start, accounts=ids), never(in_crm),
        ),
        Shelf(
            flaws.CRM_ACCOUNTS, CRM_ACCOUNT, accounts, company_truth, all_firms,
            lambda rows, day: crm.accounts(accounts, companies, rows, day, start=start, parents=ids), never(accounts),
        ),
        Shelf(
            flaws.ERP_COMPANIES, ERP_CUSTOMER, debtors, company_truth, all_firms,
            lambda rows, day: erp.organisations(debtors, companies, rows, day, start), never(debtors),
        ),
        Shelf(
            flaws.ERP_PERSONS, ERP_CUSTOMER, in_erp, person_truth, robust,
            lambda rows, day: erp.persons(in_erp, people, rows, day, start), never(in_erp),
        ),
        Shelf(
            flaws.SHOP_CUSTOMERS, SHOP_CUSTOMER, in_shop, person_truth, robust, customers,
            lambda day: np.bincount(bought.owner[bought.file_day == day], minlength=len(in_shop)) > 0,
        ),
    )  # fmt: skip
    seen = _audience(in_shop, people, companies)
    names = orders.shop_names(run.counters.shop_order + 1 + np.arange(len(bought)))
    doings = Doings(seen, behaves, tuple(sold[:-1]), ShopOrders(bought, in_shop.party[bought.owner], names))
    return shelves, _batches(run, draws, tills, doings, customers(np.arange(len(in_shop)), 0)), doings


def _tills(
    run: Run, draws: Draws, three: tuple[Book, Book, Book], people: Persons
) -> tuple[Till, Till, Till]:
    """The books that can order: companies and persons of the ERP, and the shop."""
    debtors, in_erp, in_shop = three
    # All that an order of the shop names is the mailbox of the customer's record.
    mailbox = shop.shown_mailbox(in_shop, people, np.arange(len(in_shop)))
    any_time = np.full(len(in_shop), run.start - 1000, dtype=np.int64)

    def owed(name: str, book: Book, party: Ints, trade: bool) -> Till:
        since = erp.made(book, run.start)
        return Till(draws.below(name), book, party, book.end == 0, since, np.full(len(book), trade))

    return (
        owed("erp trade orders", debtors, len(people) + debtors.party, trade=True),
        owed("erp orders", in_erp, in_erp.party, trade=False),
        Till(
            draws.below("shop orders"), in_shop, in_shop.party, mailbox != "", any_time,
            people.employer[in_shop.party] >= 0,
        ),
    )  # fmt: skip


def _audience(in_shop: Book, people: Persons, companies: Organisations) -> Audience:
    """Persons and organisations as those who meet them know them."""
    lasting = np.flatnonzero((in_shop.copy == 0) & (in_shop.first_day == 0))
    party = in_shop.party[lasting]
    mailbox, subscribed = people.email.copy(), np.zeros(len(people), dtype=bool)
    shown = shop.shown_mailbox(in_shop, people, lasting)
    mailbox[party] = np.where(shown == "", mailbox[party], shown)
    subscribed[party] = shop.accepts_mail(in_shop, lasting) & (shown != "")
    none = constant("", len(companies))
    numbers = np.concatenate([people.number, companies.number])
    return Audience(
        number=numbers,
        truth=np.concatenate(
            [structure.person_id(people.number), structure.organisation_id(companies.number)]
        ),
        persons=len(people),
        household=np.concatenate(
            [np.where(people.employer >= 0, -1, people.household), np.full(len(companies), -1)]
        ),
        account=np.concatenate([_ids_by_party(in_shop, len(people)), none]),
        mailbox=np.concatenate([mailbox, companies.email]),
        subscribed=np.concatenate([subscribed, np.zeros(len(companies), dtype=bool)]),
        phone=np.concatenate([people.mobile_prefix + people.mobile, none]),
    )


def _batches(
    run: Run, draws: Draws, tills: tuple[Till, ...], doings: Doings, customers: dict[str, Text | str]
) -> tuple[tuple[Extract, list[orders.Batch]], ...]:
    """Rows of orders and of what follows from them; the last till is the shop's."""
    start, days, counters = run.start, run.days, run.counters
    batches: list[tuple[Extract, list[orders.Batch]]] = []
    for till, placed, trade in zip(tills[:2], doings.booked, (True, False), strict=True):
        slow = doings.behaviour.slow[till.party] if run.lifelike else None
        books = orders.booked(till.draws, till.book, placed, counters, end=start + days, slow=slow)
        rows = orders.erp_orders(till.draws, placed, books, counters, start=start, days=days)
        batches += list(zip((ERP_ORDER, ERP_ORDER_LINE, ERP_PAYMENT), rows, strict=True))
        own = till.draws.below("documents")
        billed = invoices.invoices(own, till.book, placed, books, counters, start=start, days=days)
        back = invoices.refunds(own, placed, books, counters, trade=trade, start=start, days=days)
        batches += [(ERP_INVOICE, billed), (ERP_REFUND, back)]
    shop_rows = orders.shop_orders(
        draws.below("shop order rows"), doings.bought.orders, customers, counters, days
    )
    return (*batches, (SHOP_ORDER, list(shop_rows)))
