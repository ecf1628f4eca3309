"""What was typed beside who was found by it: what of it is nobody's, and whether the rest tells one from others.

Belongs here: that, for customers whom ``search`` found. Does not belong here: finding or ranking them.
"""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from cdm_pipelines.hub import quick
from cdm_pipelines.hub.load import without_data
from cdm_pipelines.hub.search import IDS, SHORTEST_NUMBER, Query, Words, significant, words_meant

_YEAR = len("1980")
_AS_TYPED = ("equal", "begins")  # how a word is found that was typed without an error
_HELD = """
    SELECT c.golden_id, c.postcode, c.house_number, to_char(c.birth_date, 'YYYYMMDD') AS birth,
        array_remove(ARRAY[c.email, c.phone, c.mobile], NULL) AS contacts, coalesce(s.terms, '{}') AS terms,
        ARRAY(SELECT unnest(golden.search_words(c.city)) EXCEPT SELECT unnest(golden.search_words(
            concat_ws(' ', c.given_name, c.surname, c.organisation_name, c.trade_name)))) AS town
    FROM golden.customer c LEFT JOIN golden.search s USING (golden_id) WHERE c.golden_id = ANY(:ids)"""


class _Held(NamedTuple):
    """What the hub knows of a customer, golden or lost."""

    golden_id: UUID
    postcode: str | None
    house_number: str | None
    birth: str | None
    contacts: list[str]
    terms: list[str]
    town: list[str]


class Agreement(NamedTuple):
    """What was typed beside one customer.

    Attributes:
        missed: What of it nothing of the customer is, golden or lost, or as to words is like; a date is the golden one.
        tells: Whether what agrees tells a customer from others, as do an id, an e-mail address, a number, an address, a
            date of birth, a word of a name. Many have the same year, initial, postcode, town, or a word like it.
    """

    missed: tuple[str, ...]
    tells: bool


def agreement(
    connection: Connection, query: Query, found: Mapping[UUID, set[str]], words: Words | None = None
) -> dict[UUID, Agreement]:
    """What was typed beside each customer who was found; who was found by an id is known by all of it.

    Args:
        connection: Of a migrated hub.
        query: What was typed.
        found: Customers, with what each was found by.
        words: Those that may be meant, where they have been looked up.
    """
    with without_data("searching"):
        words = words or words_meant(connection, query)
        rows = [_Held(*row) for row in quick.rows(connection, _HELD, {"ids": list(found)})]
    by_id = {one: Agreement((), tells=bool(reasons & IDS)) for one, reasons in found.items()}
    beside = {row.golden_id: _beside(row, query, words) for row in rows}
    return by_id | {one: told for one, told in beside.items() if not by_id[one].tells}


def _beside(row: _Held, query: Query, words: Words) -> Agreement:
    terms = set(row.terms)
    mine = {word: [one for one in like if one.text in terms] for word, like in words.meant.items()}
    values = [*_contacts(row, query), *_address(row, query), _birth(row, query)]
    missed = (
        *(word for word, like in mine.items() if not like),
        *words.unread,
        *(letter for letter in query.initials if f".{letter.lower()}" not in terms),
        *(typed for typed, agrees, _ in values if typed and not agrees),
    )
    named = any(one.kind in _AS_TYPED and one.text not in row.town for like in mine.values() for one in like)
    return Agreement(missed, named or any(typed and agrees and tells for typed, agrees, tells in values))


_Value = tuple[str, bool, bool]
"""What was typed, whether it is the customer's, and whether it tells one customer from others."""


def _contacts(row: _Held, query: Query) -> list[_Value]:
    held = {*row.contacts, *(term[1:] for term in row.terms if term.startswith(("@", "+")))}
    whole, digits = query.phone.startswith("+"), significant(query.phone)
    ends = len(digits) >= SHORTEST_NUMBER and any(one.endswith(digits) for one in held)
    return [
        (query.email, query.email in held, True),
        (query.phone, query.phone in held if whole else ends, True),
    ]


def _address(row: _Held, query: Query) -> list[_Value]:
    """A house number counts at the postcode, where that is the customer's."""
    held = {(row.postcode or "", row.house_number or "")}
    held |= {
        (code, number)
        for term in row.terms
        if term.startswith("#")
        for code, _, number in [term[1:].rpartition(" ")]
    }
    here = {
        (code, number)
        for code, number in held
        if (code == query.postcode if query.postcode else query.area and code.startswith(query.area))
    }
    numbers = {number for _, number in here or held}
    return [
        (query.postcode or query.area, bool(here), False),
        (query.house_number, query.house_number in numbers, bool(query.postcode and here)),
    ]


def _birth(row: _Held, query: Query) -> _Value:
    digits = query.birth
    shown = digits if len(digits) == _YEAR else f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    return digits and shown, (row.birth or "").startswith(digits), len(digits) > _YEAR
