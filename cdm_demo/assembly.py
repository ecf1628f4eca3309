"""Making one block: parties, the books that know them, their orders.

Belongs here: the order in which things are made, because later ones refer to earlier ones. Does not belong here: how
each is made (companies, people, books, orders) or written (crm, erp, shop).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cdm_demo import books, crm, erp, flaws, orders, shop, structure
from cdm_demo.blocks import Block, Shelf
from cdm_demo.books import Book, Membership
from cdm_demo.companies import Organisations, contacts, organisations
from cdm_demo.draws import Draws, Flags, Ints, Text, constant
from cdm_demo.headers import (
    CRM_ACCOUNT,
    CRM_CONTACT,
    ERP_CUSTOMER,
    ERP_ORDER,
    ERP_ORDER_LINE,
    ERP_PAYMENT,
    SHOP_CUSTOMER,
    SHOP_ORDER,
    Extract,
)
from cdm_demo.mailboxes import Registry
from cdm_demo.people import Persons, consumers, merged

ORGANISATION_SHARE, CONTACT_SHARE = 0.2, 0.12
"""Shares of the parties; the rest are private persons."""


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
    """

    seed: int
    start: int
    days: int
    registry: Registry
    domains: Registry
    counters: orders.Counters


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
    shelves, batches = _shelves(run, draws, companies, people, len(private))
    labels = structure.rows(people, companies)
    return Block(draws, run.days, shelves, batches, labels, len(people), len(companies))


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
) -> tuple[tuple[Shelf, ...], tuple[tuple[Extract, list[orders.Batch]], ...]]:
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
    bought = _shop_orders(run, draws, in_shop, people)
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
    return shelves, _batches(run, draws, (debtors, in_erp), bought, customers(np.arange(len(in_shop)), 0))


def _shop_orders(run: Run, draws: Draws, book: Book, people: Persons) -> orders.Orders:
    """Orders of the shop; only of customers whose record has a mailbox, which is all that an order names."""
    everything = np.arange(len(book))
    mailbox = shop.shown_mailbox(book, people, everything)
    since = np.full(len(book), run.start - 1000, dtype=np.int64)
    trade = people.employer[book.party] >= 0
    return orders.place(
        draws.below("shop orders"), book, able=mailbox != "", since=since, trade=trade, start=run.start,
        days=run.days,
    )  # fmt: skip


def _batches(
    run: Run,
    draws: Draws,
    erp_books: tuple[Book, Book],
    bought: orders.Orders,
    customers: dict[str, Text | str],
) -> tuple[tuple[Extract, list[orders.Batch]], ...]:
    batches: list[tuple[Extract, list[orders.Batch]]] = []
    for book, trade in zip(erp_books, (True, False), strict=True):
        stream = draws.below("erp trade orders" if trade else "erp orders")
        placed = orders.place(
            stream, book, able=book.end == 0, since=erp.made(book, run.start), trade=np.full(len(book), trade),
            start=run.start, days=run.days,
        )  # fmt: skip
        rows = orders.erp_orders(stream, book, placed, run.counters, start=run.start, days=run.days)
        batches += list(zip((ERP_ORDER, ERP_ORDER_LINE, ERP_PAYMENT), rows, strict=True))
    shop_rows = orders.shop_orders(draws.below("shop order rows"), bought, customers, run.counters, run.days)
    return (*batches, (SHOP_ORDER, list(shop_rows)))
