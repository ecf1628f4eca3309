"""What every source knows of a person, before the source's own layout.

Belongs here: which name, address, phone and mailbox a record shows, with its errors. Does not belong here: columns
and file formats (crm, erp, shop).
"""

from dataclasses import dataclass

import numpy as np

from cdm_pipelines.demo import spelling
from cdm_pipelines.demo.books import Book
from cdm_pipelines.demo.dates import sap_day
from cdm_pipelines.demo.draws import Flags, Ints, Text, constant, styled, text
from cdm_pipelines.demo.people import Persons, family_name


@dataclass(frozen=True, slots=True)
class Habits:
    """How a source's users write; all values are shares of records.

    Attributes:
        given: Weights of call name, official name, initials, all official names, nothing.
        prefix: Weights of the spellings of ``spelling.surname``.
        number: Weights of the spellings of ``spelling.street_line``.
        postcode: Weights of the spellings of ``spelling.postcode``.
        phone: Weights of the spellings of ``spelling.phone``.
        typing: Share of typing errors per name; other values have a part of it.
        email: Share of records with a mailbox.
        mobile: Share with a mobile number.
        landline: Share with a landline number.
        birth_date: Share with a birth date.
        address: Share with an address among those whose address may be missing.
    """

    given: tuple[int, ...]
    prefix: tuple[int, ...]
    number: tuple[int, ...]
    postcode: tuple[int, ...]
    phone: tuple[int, ...]
    typing: float
    email: float
    mobile: float
    landline: float
    birth_date: float
    address: float


@dataclass(slots=True)
class Shown:
    """What records of persons show, one array per value; empty text where they show nothing.

    Attributes:
        rows: Positions in the book.
        party: Positions of the persons.
        home: Positions of the addresses shown.
        given: Given name or initials.
        initials: Initials with full stops.
        prefix: Surname prefix.
        rest: Surname without prefix, with its typing errors.
        family: Surname with prefix, as written.
        street: Street line.
        postcode: Postal code.
        city: Town.
        has_address: Whether there is an address.
        email: Mailbox.
        mobile: Mobile number as written.
        landline: Landline number as written.
        birth_date: YYYYMMDD.
    """

    rows: Ints
    party: Ints
    home: Ints
    given: Text
    initials: Text
    prefix: Text
    rest: Text
    family: Text
    street: Text
    postcode: Text
    city: Text
    has_address: Flags
    email: Text
    mobile: Text
    landline: Text
    birth_date: Text


def shown(book: Book, people: Persons, rows: Ints, day: int, habits: Habits) -> Shown:
    """What records show on a day.

    Args:
        book: The source's records of persons.
        people: The persons of the block.
        rows: Positions of the records.
        day: 0 is the base day.
        habits: Of the source.
    """
    party = book.party[rows]
    error = _error(book, rows, day, habits)
    given, initials = _given(book, people, rows, habits), people.initials[party]
    given = _slip(book, rows, "given slip", given, error * 0.7)
    prefix, rest = _surname(book, people, rows)
    rest = _slip(book, rows, "surname slip", rest, error)
    rest = spelling.damaged(
        rest, book.chance("mojibake", rows, 0.012), np.zeros(len(rows)), spelling.mojibake
    )
    home = np.where(book.outdated(rows, day), people.old_address[party], people.address[party])
    has_address = ~(people.sparse[party] & ~book.chance("address", rows, habits.address))
    street, postcode, city = _address(book, people, rows, home, habits, error)
    mobile, landline = _phones(book, people, rows, home, habits, error)
    return Shown(
        rows=rows,
        party=party,
        home=home,
        given=given,
        initials=initials,
        prefix=prefix,
        rest=rest,
        family=spelling.surname(prefix, rest, book.style("prefix", rows, habits.prefix)),
        street=np.where(has_address, street, ""),
        postcode=np.where(has_address, postcode, ""),
        city=np.where(has_address, city, ""),
        has_address=has_address,
        email=_email(book, people, rows, habits, error),
        mobile=mobile,
        landline=landline,
        birth_date=_birth_date(book, people, rows, habits, error),
    )


def mailbox(book: Book, people: Persons, rows: Ints, habits: Habits, day: int) -> Text:
    """Mailboxes that records show on a day; empty where they show none."""
    return _email(book, people, rows, habits, _error(book, rows, day, habits))


def _error(book: Book, rows: Ints, day: int, habits: Habits) -> spelling.Floats:
    """Share of typing errors per record; duplicates are made in haste and carry more of them."""
    haste = np.where(book.copy[rows] > 0, 2.0, 1.0)
    error: spelling.Floats = habits.typing * haste * book.erring(rows, day)
    return error


def _slip(book: Book, rows: Ints, step: str, values: Text, share: spelling.Floats) -> Text:
    return spelling.damaged(
        values, book.chance(step, rows, share), book.uniform(f"{step} kind", rows), spelling.mistype
    )


def _given(book: Book, people: Persons, rows: Ints, habits: Habits) -> Text:
    party = book.party[rows]
    call, official, initials = people.call[party], people.given[party], people.initials[party]
    further = people.further[party]
    return styled(
        book.style("given", rows, habits.given),
        [
            lambda i: call[i],
            lambda i: official[i],
            lambda i: initials[i],
            lambda i: text([f"{a} {b}".strip() for a, b in zip(official[i], further[i], strict=True)]),
            lambda i: constant("", len(i)),
        ],
    )


def _surname(book: Book, people: Persons, rows: Ints) -> tuple[Text, Text]:
    """Prefix and surname: the own one or the one of the marriage."""
    party = book.party[rows]
    other = (people.other_surname[party] != "") & book.chance("married name", rows, 0.55)
    prefix = np.where(other, people.other_prefix[party], people.prefix[party])
    return prefix, np.where(other, people.other_surname[party], people.surname[party])


def _address(
    book: Book, people: Persons, rows: Ints, home: Ints, habits: Habits, error: spelling.Floats
) -> tuple[Text, Text, Text]:
    homes = people.addresses
    street = spelling.street_line(homes, home, book.style("number", rows, habits.number))
    street = _slip(book, rows, "street slip", street, error * 0.8)
    code = spelling.postcode(homes, home, book.style("postcode", rows, habits.postcode))
    wrong = book.chance("postcode slip", rows, error * 0.3)
    code = spelling.damaged(code, wrong, book.uniform("postcode kind", rows), spelling.slip_digit)
    city = _slip(book, rows, "city slip", homes.town[home], error * 0.4)
    short = book.chance("city spelling", rows, 0.3)
    city = np.where((city == "'s-Hertogenbosch") & short, "Den Bosch", city)
    return street, code, np.where((city == "Den Haag") & short, "'s-Gravenhage", city)


def _phones(
    book: Book, people: Persons, rows: Ints, home: Ints, habits: Habits, error: spelling.Floats
) -> tuple[Text, Text]:
    party, homes = book.party[rows], people.addresses
    certain = people.certain[party]
    partner = (people.partner_mobile[party] != "") & ~certain & book.chance("partner phone", rows, 0.5)
    number = np.where(partner, people.partner_mobile[party], people.mobile[party])
    wrong = book.chance("mobile slip", rows, error * 0.5)
    number = spelling.damaged(number, wrong, book.uniform("mobile kind", rows), spelling.slip_digit)
    has_mobile = certain | book.chance("mobile", rows, habits.mobile)
    style = book.style("phone", rows, habits.phone)
    mobile = spelling.phone(
        style,
        homes.country[home],
        text([n[:2] for n in number]),
        np.where(has_mobile, text([n[2:] for n in number]), ""),
    )
    # A home has a landline or not, whoever writes it down; the older the person the more likely.
    wired = people.birth_day[party] < 27_000
    known = book.chance("landline", rows, np.where(wired, habits.landline, habits.landline * 0.25))
    subscriber = np.where(known, homes.subscriber[home], "")
    wrong = book.chance("landline slip", rows, error * 0.4)
    subscriber = spelling.damaged(subscriber, wrong, book.uniform("landline kind", rows), spelling.slip_digit)
    return mobile, spelling.phone(style, homes.country[home], homes.area[home], subscriber)


def _email(book: Book, people: Persons, rows: Ints, habits: Habits, error: spelling.Floats) -> Text:
    party = book.party[rows]
    certain, employed = people.certain[party], people.employer[party] >= 0
    has = (certain & ~employed) | book.chance("email", rows, habits.email)
    email = people.email[party]
    second = (people.second_email[party] != "") & ~certain & book.chance("second email", rows, 0.35)
    family = (people.family_email[party] != "") & (~certain | employed) & book.chance("family", rows, 0.6)
    email = np.where(second, people.second_email[party], email)
    email = np.where(family, people.family_email[party], email)
    wrong = book.chance("email slip", rows, error * 0.5)
    email = spelling.damaged(email, wrong, book.uniform("email kind", rows), spelling.slip_mailbox)
    return np.where(has, email, "")


def _birth_date(book: Book, people: Persons, rows: Ints, habits: Habits, error: spelling.Floats) -> Text:
    party = book.party[rows]
    private = people.employer[party] < 0
    has = private & (people.certain[party] | book.chance("birth date", rows, habits.birth_date))
    born = sap_day(people.birth_day[party])
    wrong = book.chance("birth slip", rows, error * 0.6)
    born = spelling.damaged(born, wrong, book.uniform("birth kind", rows), spelling.slip_birth_date)
    return np.where(has, born, "")


def language(people: Persons, party: Ints) -> Text:
    """Language of persons, ISO 639-1, by the country they live in; some immigrants have their own."""
    country = people.addresses.country[people.address[party]]
    own = np.array(["nl", "nl", "tr", "nl", "nl", "pl", "de", "nl"], dtype=object)[people.origin[party]]
    elderly = people.birth_day[party] < 23_000
    at_home = np.where(elderly & np.isin(people.origin[party], (2, 5)), own, "nl")
    return np.where(country == "DE", "de", at_home)


def whole_name(given: Text, family: Text) -> Text:
    """Given and family name in one value."""
    return text([f"{a} {b}".strip() for a, b in zip(given, family, strict=True)])


__all__ = ["Habits", "Shown", "family_name", "language", "shown", "whole_name"]
