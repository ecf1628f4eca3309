"""Customers as Shopify exports them.

Belongs here: the columns of the customer extract and the habits of people who type their own data on a phone.
Does not belong here: who exists (people), orders (orders).
"""

import numpy as np

from cdm_demo import spelling
from cdm_demo.books import Book
from cdm_demo.companies import Organisations
from cdm_demo.draws import Flags, Ints, Text, text
from cdm_demo.identifiers import shopify
from cdm_demo.people import Persons
from cdm_demo.persons import Habits, mailbox, shown

HABITS = Habits(
    given=(82, 6, 9, 1, 2),
    prefix=(60, 30, 2, 0, 8),
    number=(42, 38, 6, 14),
    postcode=(34, 46, 20),
    phone=(12, 40, 6, 2, 30, 4, 3, 1, 2),
    typing=0.028,
    email=0.975,
    mobile=0.58,
    landline=0.14,
    birth_date=0.0,
    address=0.3,
)


def quoted(values: Text) -> Text:
    """Values with the apostrophe that Shopify puts before long numbers."""
    return np.where(values == "", "", "'" + values)


def customers(
    book: Book, people: Persons, rows: Ints, day: int, *, companies: Organisations, bought: tuple[Ints, Ints]
) -> dict[str, Text | str]:
    """Cells of the customer extract.

    Args:
        book: The shop's records of persons.
        people: The persons of the block.
        rows: Positions of the records wanted.
        day: 0 is the base day.
        companies: Employers of the contact persons.
        bought: Per record of the book the number of orders up to that day and their total in cents.
    """
    view = shown(book, people, rows, day, HABITS)
    small, shouting = book.chance("small", rows, 0.06), book.chance("capitals", rows, 0.015)
    given = spelling.upper(spelling.lower(view.given, small), shouting)
    family = spelling.upper(spelling.lower(view.family, small), shouting)
    employer = people.employer[view.party]
    company = np.where(employer >= 0, companies.name[np.maximum(employer, 0)] if len(companies) else "", "")
    phone = np.where(view.mobile != "", view.mobile, view.landline)
    phone = np.where(
        (phone == "") & (view.email == ""),
        people.mobile_prefix[view.party] + people.mobile[view.party],
        phone,
    )
    orders, spent = bought[0][rows], bought[1][rows]
    country = people.addresses.country[view.home]
    street, second = _two_lines(book, rows, view.street)
    account_phone = book.chance("account phone", rows, 0.3)
    return {
        "Customer ID": quoted(book.key[rows]),
        "First Name": given,
        "Last Name": family,
        "Email": spelling.lower(view.email, book.chance("mail small", rows, 0.9)),
        "Accepts Email Marketing": np.where(accepts_mail(book, rows), "yes", "no"),
        "Default Address Company": company,
        "Default Address Address1": street,
        "Default Address Address2": second,
        "Default Address City": spelling.lower(view.city, small),
        "Default Address Country Code": np.where(view.has_address, country, ""),
        "Default Address Zip": quoted(view.postcode),
        "Default Address Phone": np.where(account_phone, "", quoted(phone)),
        "Phone": np.where(account_phone, quoted(phone), ""),
        "Accepts SMS Marketing": np.where(book.chance("accepts sms", rows, 0.1), "yes", "no"),
        "Total Spent": text([f"{cents // 100}.{cents % 100:02d}" for cents in spent.tolist()]),
        "Total Orders": text([str(count) for count in orders.tolist()]),
        "Tax Exempt": "no",
        "Tags": np.where(
            employer >= 0, "zakelijk", np.where(book.chance("tag", rows, 0.12), "nieuwsbrief", "")
        ),
    }


def shown_mailbox(book: Book, people: Persons, rows: Ints) -> Text:
    """Mailboxes that the records show on the base day."""
    return mailbox(book, people, rows, 0, HABITS)


def accepts_mail(book: Book, rows: Ints) -> Flags:
    """Whether the customers of the records want mailings."""
    return book.chance("accepts", rows, 0.44)


def _two_lines(book: Book, rows: Ints, street: Text) -> tuple[Text, Text]:
    """Some people put the house number's addition in the second address line."""
    split = book.chance("split address", rows, 0.25)
    first, second = street.copy(), text([""] * len(street))
    for at in np.flatnonzero(split):
        head, _, tail = street[at].rpartition(" ")
        if head and head[-1].isdigit():
            first[at], second[at] = head, tail
    return first, second


def keys(book: Book) -> Text:
    """Shopify ids of the records, without the apostrophe."""
    return shopify(book.serial)
