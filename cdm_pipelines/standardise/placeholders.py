"""Values that stand for nobody: noreply@, 0612345678, 1234 AB, ``onbekend``.

Belongs here: the typed form of ``policies/placeholders.yaml``, and telling such values in standardised columns. Does
not belong here: values that only the data give away (linkage.encode.nobody), or what becomes of them (party).
"""

from functools import cache, lru_cache
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from anyascii import anyascii
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from pydantic import BaseModel, ConfigDict, Field

from cdm_pipelines.standardise.distinct import TEXT, Arrays, all_ascii, over_distinct
from cdm_pipelines.standardise.words import WordList, load_words

FILE = "placeholders.yaml"
_UP = "01234567890123456789"
_IN_SEQUENCE = sorted(
    {order[at : at + size] for order in (_UP, _UP[::-1]) for size in range(6, 13) for at in range(21 - size)}
)
_SHORT = 2
_SAME = "^(?:" + "|".join(f"{digit}{{6,}}" for digit in range(10)) + ")$"


class PlaceholdersError(ValueError):
    """``placeholders.yaml`` cannot be used; the message names the file, the key and the fix."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mail(_Frozen):
    """Addresses that nobody reads, or that no one person reads.

    Attributes:
        mailboxes: What stands before the @, at any domain.
        domains: What stands behind it.
        addresses: Whole addresses.
        shared_mailboxes: Mailboxes that are read, but not by one person: kept, and marked in records of persons.
    """

    mailboxes: WordList = ()
    domains: WordList = ()
    addresses: WordList = ()
    shared_mailboxes: WordList = ()


class Phones(_Frozen):
    """Numbers that nobody has.

    Attributes:
        numbers: As they are dialled at home, or with ``+``.
    """

    numbers: WordList = ()


class Placeholders(_Frozen):
    """Values that stand for nobody, by what they are of; without lists, none.

    Attributes:
        email: Of addresses.
        phone: Of numbers.
        postcode: Postcodes.
        birth_date: Days of birth, YYYY-MM-DD: kept and marked.
        identifier: Numbers of companies, accounts and documents.
        name: Names of persons, or parts of one.
        organisation_name: Names of organisations.
        address: Streets and towns.
        unlike_names: A value that persons of so many unlike names share in a source is nobody's; 0: none is.
    """

    email: Mail = Mail()
    phone: Phones = Phones()
    postcode: WordList = ()
    birth_date: WordList = ()
    identifier: WordList = ()
    name: WordList = ()
    organisation_name: WordList = ()
    address: WordList = ()
    unlike_names: int = Field(default=4, ge=0)

    @classmethod
    def load(cls, policies: Path) -> Self:
        """Read those of a deployment: ``placeholders.yaml`` of its policies, or else the one that is shipped.

        Raises:
            PlaceholdersError: The file is no YAML, or has an unknown or wrong key.
        """
        return load_words(cls, policies, FILE, PlaceholdersError)

    def in_email(self, addresses: pa.Array) -> pa.Array:
        """Which addresses nobody reads."""
        mailbox, domain = _mailbox(addresses), pc.replace_substring_regex(addresses, "^.*@", "")
        return _or(
            _listed(mailbox, self.email.mailboxes),
            _listed(domain, self.email.domains),
            _listed(addresses, self.email.addresses),
        )

    def in_shared_email(self, addresses: pa.Array) -> pa.Array:
        """Which addresses are of a function and not of one person."""
        return _listed(_mailbox(addresses), self.email.shared_mailboxes)

    def in_phone(self, numbers: pa.Array) -> pa.Array:
        """Which numbers (E.164) nobody has."""
        if not self.phone.numbers or numbers.null_count == len(numbers):
            return _none(numbers)
        at_home = pc.replace_substring_regex(numbers, _country_codes(), "")
        whole = tuple(number for number in self.phone.numbers if number.startswith("+"))
        dialled = tuple(number.lstrip("0") for number in self.phone.numbers if number not in whole)
        return _or(_listed(numbers, whole), _listed(at_home, dialled), made_up(at_home))

    def in_postcode(self, codes: pa.Array) -> pa.Array:
        """Which postcodes are none."""
        return _words_in(codes, self.postcode)

    def in_birth_date(self, dates: pa.Array) -> pa.Array:
        """Which days (YYYY-MM-DD) stand for "not known"."""
        return _listed(dates, self.birth_date)

    def in_identifier(self, numbers: pa.Array) -> pa.Array:
        """Which VAT numbers, registrations and accounts are none."""
        if not self.identifier or numbers.null_count == len(numbers):
            return _none(numbers)
        digits = pc.replace_substring_regex(numbers, r"^NL([0-9]{9})B[0-9]{2}$", r"\1")
        digits = pc.replace_substring_regex(digits, r"^[A-Z]{2}[0-9]{2}[A-Z]{4}", "")  # IBAN
        digits = pc.replace_substring_regex(digits, r"^[A-Z]{2}", "")
        return pc.or_(_words_in(numbers, self.identifier), made_up(digits))

    def in_name(self, part: pa.Array) -> pa.Array:
        """Which parts of a person's name are of nobody."""
        return _words_in(part, self.name)

    def in_whole_name(self, *parts: pa.Array) -> pa.Array:
        """Which names are of nobody as a whole: de bewoners, test account."""
        together = pc.binary_join_element_wise(*(pc.fill_null(part, "") for part in parts), "")
        return _words_in(together, self.name)

    def in_organisation_name(self, names: pa.Array) -> pa.Array:
        """Which names are of no organisation."""
        return _words_in(names, self.organisation_name)

    def in_address(self, words: pa.Array) -> pa.Array:
        """Which streets or towns are none."""
        return _words_in(words, self.address)


NO_PLACEHOLDERS = Placeholders()


def made_up(digits: pa.Array) -> pa.Array:
    """Which digits are all the same, or all go up or down by one; six at least."""
    same = pc.match_substring_regex(digits, _SAME)
    return pc.or_(same, pc.is_in(digits, value_set=pa.array(_IN_SEQUENCE, TEXT)))


@cache
def _country_codes() -> str:
    """Pattern of what stands before a number as it is dialled at home; no country code begins with another."""
    return rf"^\+(?:{'|'.join(map(str, sorted(COUNTRY_CODE_TO_REGION_CODE)))})"


def _none(column: pa.Array) -> pa.Array:
    return pa.repeat(pa.scalar(False), len(column))


def _mailbox(addresses: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(addresses, r"([+].*)?@.*$", "")


def _listed(column: pa.Array, words: tuple[str, ...]) -> pa.Array:
    return pc.is_in(column, value_set=pa.array([word.lower() for word in words], TEXT))


def _or(first: pa.Array, *others: pa.Array) -> pa.Array:
    for other in others:
        first = pc.or_(first, other)
    return first


def _words_in(column: pa.Array, words: tuple[str, ...]) -> pa.Array:
    """Which texts are one of some words, whatever their case, accents and the signs between letters and digits.

    A word of two letters with a sign, such as n/a, is told by having one: Na is a name.
    """
    if not words or column.null_count == len(column):
        return _none(column)

    def told(values: pa.Array) -> Arrays:
        signs = r"[^a-z0-9]+" if all_ascii(values) else r"[^\p{L}\p{N}]+"
        lower = pc.utf8_lower(values)
        bare = pc.replace_substring_regex(lower, signs, "")
        short = pc.and_(pc.is_in(bare, value_set=_signed(words)), pc.not_equal(bare, lower))
        return (pc.or_(pc.is_in(bare, value_set=_keys(words)), short),)

    return over_distinct(told, column)[0]


@lru_cache(maxsize=64)
def _keys(words: tuple[str, ...]) -> pa.Array:
    told = [word for word in words if not _needs_signs(word)]
    keys = {_key(word) for word in told} | {_key(anyascii(word)) for word in told}
    return pa.array(sorted(keys), TEXT)


@lru_cache(maxsize=64)
def _signed(words: tuple[str, ...]) -> pa.Array:
    return pa.array(sorted({_key(word) for word in words if _needs_signs(word)}), TEXT)


def _needs_signs(word: str) -> bool:
    return len(_key(word)) <= _SHORT < len(word.strip())


def _key(word: str) -> str:
    return "".join(sign for sign in word.lower() if sign.isalnum())
