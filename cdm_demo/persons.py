"""What every source knows of a person, before the source's own layout.

Belongs here: which name, address, phone and mailbox a record shows, with its errors. Does not belong here: columns
and file formats (crm, erp, shop).
"""

from dataclasses import dataclass

import numpy as np

from cdm_demo import spelling
from cdm_demo.books import Book
from cdm_demo.dates import sap_day
from cdm_demo.draws import Flags, Floats, Ints, Text, constant, styled, text
from cdm_demo.people import Persons


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


@dataclass(frozen=True, slots=True)
class _Pen:
    """Who writes: the records being written, and how carefully.

    Attributes:
        book: The source's records of persons.
        people: The persons of the block.
        rows: Positions of the records.
        party: Positions of their persons.
        habits: Of the source.
        error: Share of typing errors per record.
    """

    book: Book
    people: Persons
    rows: Ints
    party: Ints
    habits: Habits
    error: Floats

    def chance(self, step: str, probability: float | Floats) -> Flags:
        return self.book.chance(step, self.rows, probability)

    def style(self, step: str, weights: tuple[int, ...]) -> Ints:
        return self.book.style(step, self.rows, weights)

    def slipped(self, step: str, values: Text, share: float, slip: spelling.Slip = spelling.mistype) -> Text:
        """Values of which some, ``share`` times the typing errors of the record, went through ``slip``."""
        wrong = self.chance(f"{step} slip", self.error * share)
        return spelling.damaged(values, wrong, self.book.uniform(f"{step} kind", self.rows), slip)


def _pen(book: Book, people: Persons, rows: Ints, day: int, habits: Habits) -> _Pen:
    # Duplicates are made in haste and carry more errors.
    haste = np.where(book.copy[rows] > 0, 2.0, 1.0)
    return _Pen(book, people, rows, book.party[rows], habits, habits.typing * haste * book.erring(rows, day))


def shown(book: Book, people: Persons, rows: Ints, day: int, habits: Habits) -> Shown:
    """What records show on a day.

    Args:
        book: The source's records of persons.
        people: The persons of the block.
        rows: Positions of the records.
        day: 0 is the base day.
        habits: Of the source.
    """
    pen = _pen(book, people, rows, day, habits)
    party = pen.party
    prefix, rest = _surname(pen)
    home = np.where(book.outdated(rows, day), people.old_address[party], people.address[party])
    has_address = ~(people.sparse[party] & ~pen.chance("address", habits.address))
    street, postcode, city = _address(pen, home)
    mobile, landline = _phones(pen, home)
    return Shown(
        rows=rows,
        party=party,
        home=home,
        given=pen.slipped("given", _given(pen), 0.7),
        prefix=prefix,
        rest=rest,
        family=spelling.surname(prefix, rest, pen.style("prefix", habits.prefix)),
        street=np.where(has_address, street, ""),
        postcode=np.where(has_address, postcode, ""),
        city=np.where(has_address, city, ""),
        has_address=has_address,
        email=_email(pen),
        mobile=mobile,
        landline=landline,
        birth_date=_birth_date(pen),
    )


def mailbox(book: Book, people: Persons, rows: Ints, day: int, habits: Habits) -> Text:
    """Mailboxes that records show on a day; empty where they show none."""
    return _email(_pen(book, people, rows, day, habits))


def _given(pen: _Pen) -> Text:
    people, party = pen.people, pen.party
    call, official, initials = people.call[party], people.given[party], people.initials[party]
    further = people.further[party]
    return styled(
        pen.style("given", pen.habits.given),
        [
            lambda i: call[i],
            lambda i: official[i],
            lambda i: initials[i],
            lambda i: text([f"{a} {b}".strip() for a, b in zip(official[i], further[i], strict=True)]),
            lambda i: constant("", len(i)),
        ],
    )


def _surname(pen: _Pen) -> tuple[Text, Text]:
    """Prefix and surname: the own one or the one of the marriage, with their errors."""
    people, party = pen.people, pen.party
    other = (people.other_surname[party] != "") & pen.chance("married name", 0.55)
    prefix = np.where(other, people.other_prefix[party], people.prefix[party])
    rest = pen.slipped("surname", np.where(other, people.other_surname[party], people.surname[party]), 1.0)
    broken = pen.chance("mojibake", 0.012)
    return prefix, spelling.damaged(rest, broken, np.zeros(len(rest)), spelling.mojibake)


def _address(pen: _Pen, home: Ints) -> tuple[Text, Text, Text]:
    """Street line, postal code and town."""
    homes = pen.people.addresses
    street = spelling.street_line(homes, home, pen.style("number", pen.habits.number))
    code = spelling.postcode(homes, home, pen.style("postcode", pen.habits.postcode))
    city = pen.slipped("city", homes.town[home], 0.4)
    other = pen.chance("city spelling", 0.3)
    city = np.where((city == "'s-Hertogenbosch") & other, "Den Bosch", city)
    city = np.where((city == "Den Haag") & other, "'s-Gravenhage", city)
    return pen.slipped("street", street, 0.8), pen.slipped("postcode", code, 0.3, spelling.slip_digit), city


def _phones(pen: _Pen, home: Ints) -> tuple[Text, Text]:
    """Mobile and landline number."""
    people, party, homes = pen.people, pen.party, pen.people.addresses
    certain = people.certain[party]
    partner = (people.partner_mobile[party] != "") & ~certain & pen.chance("partner phone", 0.5)
    number = np.where(partner, people.partner_mobile[party], people.mobile[party])
    number = pen.slipped("mobile", number, 0.5, spelling.slip_digit)
    has_mobile = certain | pen.chance("mobile", pen.habits.mobile)
    style = pen.style("phone", pen.habits.phone)
    mobile = spelling.phone(
        style,
        homes.country[people.address[party]],
        people.mobile_prefix[party],
        np.where(has_mobile, number, ""),
    )
    # Who was born before 1974 gives a landline four times as often.
    elder = people.birth_day[party] < 27_000
    known = pen.chance("landline", np.where(elder, pen.habits.landline, pen.habits.landline * 0.25))
    subscriber = np.where(known, homes.subscriber[home], "")
    subscriber = pen.slipped("landline", subscriber, 0.4, spelling.slip_digit)
    return mobile, spelling.phone(style, homes.country[home], homes.area[home], subscriber)


def _email(pen: _Pen) -> Text:
    people, party = pen.people, pen.party
    certain, employed = people.certain[party], people.employer[party] >= 0
    has = (certain & ~employed) | pen.chance("email", pen.habits.email)
    second = (people.second_email[party] != "") & ~certain & pen.chance("second email", 0.35)
    family = (people.family_email[party] != "") & (~certain | employed) & pen.chance("family", 0.6)
    email = np.where(second, people.second_email[party], people.email[party])
    email = np.where(family, people.family_email[party], email)
    return np.where(has, pen.slipped("email", email, 0.5, spelling.slip_mailbox), "")


def _birth_date(pen: _Pen) -> Text:
    people, party = pen.people, pen.party
    has = people.certain[party] | pen.chance("birth date", pen.habits.birth_date)
    born = pen.slipped("birth", sap_day(people.birth_day[party]), 0.6, spelling.slip_birth_date)
    return np.where(has & (people.employer[party] < 0), born, "")


def whole_name(given: Text, family: Text) -> Text:
    """Given and family name in one value."""
    return text([f"{a} {b}".strip() for a, b in zip(given, family, strict=True)])
