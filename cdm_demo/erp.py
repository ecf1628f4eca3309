"""Customers as SAP keeps them in table KNA1, persons and organisations together.

Belongs here: the columns of the customer extract and the habits of the back office. Does not belong here: who exists
(people, companies), orders (orders).
"""

import numpy as np

from cdm_demo import spelling
from cdm_demo.books import DELETED, Book
from cdm_demo.companies import Organisations
from cdm_demo.crm import company_name
from cdm_demo.dates import sap_day
from cdm_demo.draws import Ints, Text, digits, styled, text
from cdm_demo.identifiers import sap
from cdm_demo.people import Persons
from cdm_demo.persons import Habits, shown
from cdm_demo.writing import Columns

HABITS = Habits(
    given=(34, 6, 56, 4, 0),
    prefix=(100, 0, 0, 0, 0),
    number=(45, 30, 5, 20),
    postcode=(85, 15, 0),
    phone=(30, 34, 14, 6, 6, 4, 4, 0, 2),
    typing=0.02,
    email=0.5,
    mobile=0.55,
    landline=0.62,
    birth_date=0.6,
    address=0.75,
)
NO_DATE = "00000000"
_NAME_LENGTH = 35


def _cut(values: Text, length: int) -> Text:
    return text([value[:length].rstrip() for value in values])


def made(book: Book, start: int) -> Ints:
    """Day number on which each record of the book was made."""
    age = book.draws.uniform("age", len(book))
    before = start - 1 - (age * age * 4200).astype(np.int64)
    return np.where(book.first_day > 0, start + book.first_day, before)


def _housekeeping(book: Book, rows: Ints, day: int, start: int) -> dict[str, Text | str]:
    """Key, client, deletion flag and dates."""
    event = book.last_event(rows, day)
    since_when = made(book, start)[rows]
    since = (book.uniform("modified", rows) * (start - since_when)).astype(np.int64)
    edited = book.chance("edited", rows, 0.6)
    changed = np.where(event > 0, start + event, np.maximum(since_when, since_when + since))
    clerk = text(["JBAKKER", "MVISSER", "RDEJONG", "BATCH", "IMPORT"])[
        (book.uniform("clerk", rows) * 5).astype(np.int64)
    ]
    return {
        "KUNNR": book.key[rows],
        "MANDT": "100",
        "XCPDK": "",
        "ADRNR": digits(book.serial[rows] % 100_000_000 + 20_000_000, 10),
        "ERDAT": sap_day(since_when),
        "ERNAM": clerk,
        "LOEVM": np.where(book.ended(rows, day, DELETED), "X", ""),
        "LZONE": "0000000001",
        "AEDAT": np.where(edited | (event > 0), sap_day(changed), NO_DATE),
    }


def _search_terms(name: Text, city: Text) -> dict[str, Text]:
    return {
        "SORTL": _cut(text([n.upper().replace(" ", "") for n in name]), 10),
        "MCOD1": _cut(text([n.upper() for n in name]), 25),
        "MCOD3": _cut(text([c.upper() for c in city]), 25),
    }


def persons(book: Book, people: Persons, rows: Ints, day: int, start: int) -> Columns:
    """Cells of the customer extract for natural persons.

    Args:
        book: The ERP's records of persons.
        people: The persons of the block.
        rows: Positions of the records wanted.
        day: 0 is the base day.
        start: Day number of the base day.
    """
    view = shown(book, people, rows, day, HABITS)
    homes = people.addresses
    family = spelling.surname(view.prefix, view.rest, book.style("prefix", rows, HABITS.prefix))
    small = text([r.lower() for r in view.prefix])
    inverted = text(
        [
            f"{rest}, {given} {prefix}".strip()
            for rest, given, prefix in zip(view.rest, view.given, small, strict=True)
        ]
    )
    name = styled(
        book.style("order", rows, (84, 16)),
        [lambda i: view.given[i] + " " + family[i], lambda i: inverted[i]],
    )
    shouting = book.chance("capitals", rows, 0.3)
    name = _cut(spelling.upper(name, shouting), _NAME_LENGTH)
    city = spelling.upper(view.city, shouting)
    # The first phone field holds what there is; the second one holds the mobile next to a landline.
    first = np.where(view.landline != "", view.landline, view.mobile)
    second = np.where(view.landline != "", view.mobile, "")
    female = people.female[view.party]
    style = book.style("title", rows, (40, 24, 12, 24))
    cells: dict[str, Text | str] = {
        "LAND1": homes.country[view.home],
        "NAME1": name,
        "ORT01": city,
        "PSTLZ": view.postcode,
        "STRAS": _cut(spelling.upper(view.street, shouting), _NAME_LENGTH),
        "TELF1": first,
        "TELF2": second,
        "ANRED": np.where(
            female,
            text(["Mevrouw", "Mevr.", "Mw.", ""])[style],
            text(["De heer", "Dhr.", "Hr.", ""])[style],
        ),
        "KTOKD": "ZPAR",
        "SPRAS": np.where(homes.country[view.home] == "DE", "D", "N"),
        "STKZN": "X",
        "ZZGBDAT": np.where(view.birth_date == "", NO_DATE, view.birth_date),
        "ZZSMTP": spelling.upper(view.email, book.chance("mail capitals", rows, 0.08)),
        "ZZIBAN": np.where(book.chance("iban", rows, 0.6), people.iban[view.party], ""),
    }
    return cells | _search_terms(name, city) | _housekeeping(book, rows, day, start)


def organisations(book: Book, companies: Organisations, rows: Ints, day: int, start: int) -> Columns:
    """Cells of the customer extract for organisations.

    Args:
        book: The ERP's records of organisations.
        companies: The organisations of the block.
        rows: Positions of the records wanted.
        day: 0 is the base day.
        start: Day number of the base day.
    """
    party = book.party[rows]
    homes, home = companies.addresses, companies.address[party]
    error = 0.018 * np.where(book.copy[rows] > 0, 2.0, 1.0) * book.erring(rows, day)
    shouting = book.chance("capitals", rows, 0.3)
    name = _cut(
        spelling.upper(company_name(book, companies, rows, error, trades=0.0), shouting), _NAME_LENGTH
    )
    city = spelling.upper(homes.town[home], shouting)
    street = spelling.street_line(homes, home, book.style("number", rows, HABITS.number))
    phone = spelling.phone(
        book.style("phone", rows, HABITS.phone), homes.country[home], homes.area[home], homes.subscriber[home]
    )
    country = homes.country[home]
    cells: dict[str, Text | str] = {
        "LAND1": country,
        "NAME1": name,
        "NAME2": np.where(book.chance("trade name", rows, 0.7), companies.trade_name[party], ""),
        "ORT01": city,
        "PSTLZ": spelling.postcode(homes, home, book.style("postcode", rows, HABITS.postcode)),
        "STRAS": _cut(spelling.upper(street, shouting), _NAME_LENGTH),
        "TELF1": np.where(book.chance("has phone", rows, 0.85), phone, ""),
        "ANRED": np.where(book.chance("title", rows, 0.7), "Firma", ""),
        "BRSCH": "",
        "KTOKD": "ZORG",
        "SPRAS": np.where(country == "DE", "D", "N"),
        "STCD1": np.where(book.chance("coc", rows, 0.72), companies.coc[party], ""),
        "STCEG": np.where(book.chance("vat", rows, 0.8), companies.vat[party], ""),
        "ZZGBDAT": NO_DATE,
        "ZZSMTP": np.where(book.chance("email", rows, 0.55), companies.email[party], ""),
        "ZZIBAN": np.where(book.chance("iban", rows, 0.55), companies.iban[party], ""),
    }
    return cells | _search_terms(name, city) | _housekeeping(book, rows, day, start)


def keys(book: Book, *, person: bool) -> Text:
    """SAP customer numbers of the records."""
    return sap(book.serial, person=person)
