"""Tombstones: by which keys a delivered row is known to be of a person who was erased.

Belongs here: what kinds of keys there are, how a key is made of standardised values, and which rows of a table hit
one. Does not belong here: reading deliveries (``steps.days.kept_out``), keeping tombstones (``log``).

A tombstone is a keyed digest and tells nothing by itself. Kinds:

========= ==============================================================================================
golden    the golden id, so that whoever asks again is told
record    source, entity and id of a source record
party     source and number of a customer, as orders and interactions name one
order     source and number of an order, as its lines, invoices and payments name it
mail      e-mail address with the name: a mailbox alone would keep out a whole household
phone     phone number with the name, likewise
born      name, birth date and postcode
box       e-mail address that nobody else had, for rows that name nobody
line      phone number that nobody else had, likewise
expired   source, entity and id of a record whose retention is over: kept out until its source changes it
spared    source, entity and id of a record of somebody else that has a key of mail, phone or born: it comes in
near_…    loose forms of e-mail, phone and postcode, by which rows are chosen that are looked at closely
========= ==============================================================================================

The name of a row with a given name is the given name and the surname; where a row has initials alone, its first initial
stands for it. So a son with the initial of his father comes in, unless he is delivered without his given name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from anyascii import anyascii

from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keyring import Keyring

_SEPARATOR = "\x1f"
_LAST_DIGITS = 8
_MAILBOX = r"(?P<box>[^\s<>:;,\"']+@[^\s<>:;,\"']+)"


class Kind(StrEnum):
    """Kinds of keys."""

    GOLDEN = "golden"
    RECORD = "record"
    PARTY = "party"
    ORDER = "order"
    MAIL = "mail"
    PHONE = "phone"
    BORN = "born"
    BOX = "box"
    LINE = "line"
    EXPIRED = "expired"
    SPARED = "spared"
    NEAR_MAIL = "near_mail"
    NEAR_PHONE = "near_phone"
    NEAR_POSTCODE = "near_postcode"


PERSONAL = (Kind.MAIL, Kind.PHONE, Kind.BORN, Kind.BOX, Kind.LINE)
"""Kinds that are made of standardised values of a party."""
Key = tuple[Kind, str]
"""A key in clear: as it is before it is digested."""


@dataclass(frozen=True)
class Tombstone:
    """One key of an erased person, digested.

    Attributes:
        kind: Of the key.
        number: Of the key of the keyring.
        digest: HMAC-SHA256, 32 hexadecimal digits.
        request: Number of the request by which the person was erased.
    """

    kind: Kind
    number: int
    digest: str
    request: int


class Tombstones:
    """All tombstones of a deployment, with the keyring under which they were made."""

    def __init__(
        self, stones: Iterable[Tombstone], keyring: Keyring, days: Mapping[int, str] | None = None
    ) -> None:
        """Know them.

        Args:
            stones: The tombstones.
            keyring: The keys under which they were made.
            days: When each request was carried out (YYYY-MM-DD), where that matters.

        Raises:
            KeyringError: A key is missing.
        """
        self._of: dict[Kind, dict[int, dict[str, int]]] = {}
        for stone in stones:
            self._of.setdefault(stone.kind, {}).setdefault(stone.number, {})[stone.digest] = stone.request
        keyring.require({number for numbers in self._of.values() for number in numbers})
        self._keyring = keyring
        self._days = days or {}

    def __bool__(self) -> bool:
        return bool(self._of)

    def request_of(self, kind: Kind, text: str) -> int | None:
        """The request by which somebody with a key was erased; None where nobody was."""
        for number, digests in self._of.get(kind, {}).items():
            found = digests.get(self._keyring.digest(number, _typed(kind, text)))
            if found is not None:
                return found
        return None

    def day_of(self, kind: Kind, text: str) -> str:
        """The day (YYYY-MM-DD) on which somebody with a key was erased; the last of all where that is not known."""
        request = self.request_of(kind, text)
        return "9999-12-31" if request is None else self._days.get(request, "9999-12-31")

    def hits(self, kind: Kind, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Whether each key is an erased person's; each distinct one is digested once, null is nobody's."""
        if kind not in self._of or not len(texts):
            return pa.repeat(pa.scalar(False), len(texts))
        distinct = pc.unique(texts).drop_null()
        erased = [one for one in distinct.to_pylist() if self.request_of(kind, one) is not None]
        return whole(pc.is_in(texts, value_set=pa.array(erased, pa.string()), skip_nulls=True))


def engraved(keys: Iterable[Key], keyring: Keyring, number: int, request: int) -> list[Tombstone]:
    """The tombstones of keys in clear, sorted."""
    found = {(kind, keyring.digest(number, _typed(kind, text))) for kind, text in keys}
    return [Tombstone(kind, number, digest, request) for kind, digest in sorted(found)]


def _typed(kind: Kind, text: str) -> str:
    return f"{kind}{_SEPARATOR}{text}"


def of_record(source: str, entity: str, record_id: str) -> str:
    """The key of a source record."""
    return _SEPARATOR.join((source, entity, record_id))


def of_number(source: str, number: str) -> str:
    """The key of a number of a source: of a party, or of an order."""
    return _SEPARATOR.join((source, number))


def numbers(source: str, cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Keys of numbers of a source, null where there is none."""
    return whole(pc.binary_join_element_wise(pa.scalar(source), cells, _SEPARATOR))


def records(source: str, entity: str, ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Keys of records of a source entity, null where there is none."""
    return numbers(_SEPARATOR.join((source, entity)), ids)


@dataclass(frozen=True)
class PartyKeys:
    """Keys of standardised party rows; each column has a row for each of theirs, null where a part is missing."""

    rows: pa.Table

    @cached_property
    def _names(self) -> list[str | None]:
        columns = (
            _texts(self.rows, one) for one in ("given_name", "initials", "surname", "organisation_name")
        )
        return [name_key(*parts) for parts in zip(*columns, strict=True)]

    def of(self, kind: Kind) -> list[list[str]]:
        """For each row its keys of a kind in ``PERSONAL``."""
        match kind:
            case Kind.MAIL:
                return self._joined("email")
            case Kind.PHONE:
                both = zip(self._joined("phone"), self._joined("mobile"), strict=True)
                return [one + other for one, other in both]
            case Kind.BORN:
                return self._joined("birth_date", "postcode")
            case Kind.BOX:
                return self._nameless("email")
            case _:
                both = zip(self._nameless("phone"), self._nameless("mobile"), strict=True)
                return [one + other for one, other in both]

    def _joined(self, *columns: str) -> list[list[str]]:
        """The name with other values."""
        values = zip(self._names, *(_texts(self.rows, column) for column in columns), strict=True)
        return [
            [_SEPARATOR.join(part for part in parts if part is not None)] if all(parts) else []
            for parts in values
        ]

    def _nameless(self, column: str) -> list[list[str]]:
        both = zip(self._names, _texts(self.rows, column), strict=True)
        return [[value] if value and name is None else [] for name, value in both]


def name_key(
    given: str | None, initials: str | None, surname: str | None, organisation: str | None = None
) -> str | None:
    """A name as it is compared; None where there is no surname, or neither given name nor initial."""
    if organisation:
        return f"organisation{_SEPARATOR}{folded(organisation)}"
    first = folded(given or "")
    if not first:
        first = folded(initials or "")[:1]
        first = f"{first}." if first else ""
    last = folded(surname or "")
    return f"{first}{_SEPARATOR}{last}" if first and last else None


def person_keys(row: Mapping[str, str | None], *, own_box: bool, own_lines: Sequence[str]) -> Iterator[Key]:
    """Keys of one standardised party record of a person who is erased.

    Args:
        row: Its canonical values.
        own_box: Whether nobody else has its e-mail address.
        own_lines: Those of its phone numbers that nobody else has.
    """
    full = name_key(row.get("given_name"), None, row.get("surname"), row.get("organisation_name"))
    short = name_key(None, row.get("initials") or row.get("given_name"), row.get("surname"))
    email, phones = row.get("email"), [value for name in ("phone", "mobile") if (value := row.get(name))]
    born, postcode = row.get("birth_date"), row.get("postcode")
    for name in {one for one in (full, short) if one is not None}:
        if email:
            yield Kind.MAIL, _SEPARATOR.join((name, email))
        yield from ((Kind.PHONE, _SEPARATOR.join((name, phone))) for phone in phones)
        if born and postcode:
            yield Kind.BORN, _SEPARATOR.join((name, str(born), postcode))
            yield Kind.NEAR_POSTCODE, near_postcode(postcode)
    if email:
        yield Kind.NEAR_MAIL, email.lower()
        if own_box:
            yield Kind.BOX, email
    for phone in phones:
        yield Kind.NEAR_PHONE, phone[-_LAST_DIGITS:]
        if phone in own_lines:
            yield Kind.LINE, phone


def together(known: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Records with the birth date of one and the postcode of another of the same name: a person's are in several."""
    by_name: dict[str | None, list[Mapping[str, Any]]] = {}
    for row in known:
        first = row.get("initials") or row.get("given_name")
        by_name.setdefault(name_key(None, first, row.get("surname")), []).append(row)
    for rows in (rows for name, rows in by_name.items() if name is not None):
        born, postcodes = (
            {row[name] for row in rows if row.get(name)} for name in ("birth_date", "postcode")
        )
        for row, (day, code) in product(rows, product(born, postcodes)):
            yield {**row, "birth_date": day, "postcode": code}


def near(kind: Kind, cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Cells as they were delivered in the loose form of a kind, null where they have none."""
    text = pc.utf8_lower(cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells)
    if kind is Kind.NEAR_MAIL:
        return pc.struct_field(pc.extract_regex(text, _MAILBOX), "box")
    if kind is Kind.NEAR_PHONE:
        digits = pc.replace_substring_regex(text, r"\D+", "")
        return pc.utf8_slice_codeunits(digits, -_LAST_DIGITS, 1 << 30)
    plain = pc.replace_substring_regex(text, r"[^0-9a-z]+", "")
    dutch = pc.struct_field(pc.extract_regex(plain, r"(?P<code>\d{4}[a-z]{2})"), "code")
    return pc.coalesce(dutch, plain)


def near_postcode(postcode: str) -> str:
    """A postcode in its loose form."""
    return re.sub(r"[^0-9a-z]+", "", postcode.lower())


def folded(text: str) -> str:
    """A name without case, accents and signs."""
    return re.sub(r"[^0-9a-z]+", "", anyascii(text).lower())


def _texts(rows: pa.Table, column: str) -> list[str | None]:
    if column not in rows.column_names:
        return [None] * rows.num_rows
    return [None if one is None else str(one) for one in rows[column].to_pylist()]
