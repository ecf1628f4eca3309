"""Masks: what of a value may still be shown, as SQL over built-in functions and as the same in Python.

Belongs here: the masks by name, and which one suits which kind of value. Does not belong here: who sees a mask
(``roles``), the views that hold them (``views``).

An expression is written into a view, whose functions PostgreSQL runs with the rights of whoever reads it: so it calls
nothing but what everybody may call. None of them casts, so that none raises an error with a value in it; null stays
null.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

KEY_TABLE = "privacy.pseudonym_key"
"""Holds the two halves of the key of pseudonyms, as HMAC uses them."""
_TEXT = frozenset({"text", "character varying"})
_DATES = frozenset({"date", "timestamp with time zone", "timestamp without time zone"})
_IDS = frozenset({"uuid", "text"})


@dataclass(frozen=True)
class Mask:
    """One mask.

    Attributes:
        name: As a policy writes it.
        shows: What is still shown, in words, for people.
        sql: Expression of type text over ``{value}``.
        python: The same for a value as text.
        types: PostgreSQL's types that it masks; any type when empty.
    """

    name: str
    shows: str
    sql: str
    python: Callable[[str], str]
    types: frozenset[str] = frozenset()

    def masks(self, of_type: str) -> bool:
        """Whether it can mask values of a type."""
        return not self.types or of_type in self.types

    def expression(self, value: str) -> str:
        """The expression over a column, written in SQL."""
        return self.sql.replace("{value}", value)


def _initial(value: str) -> str:
    return f"{value[:1]}."


_INNER = re.compile(r"(?<=[^ -])[^ -]|(?<![^ -])[^ -](?![^ -])", re.DOTALL)


def _words(value: str) -> str:
    return _INNER.sub("*", value)


def _phone(value: str) -> str:
    if re.fullmatch(r"\+316[0-9]{8}", value):
        return f"06-****{value[-4:]}"
    return f"****{value[-4:]}" if re.fullmatch(r"\+?[0-9]{9,}", value) else "****"


def _beginning(most: int) -> Callable[[str], str]:
    def mask(value: str) -> str:
        code = value.replace(" ", "")
        return code[: max(0, min(most, len(code) - 2))]

    return mask


def _beginning_sql(most: int) -> str:
    code = "replace({value}, ' ', '')"
    return f"left({code}, greatest(0, least({most}, length({code}) - 2)))"


def _email(value: str) -> str:
    mailbox, _, domain = value.partition("@")
    if not mailbox or not domain or "@" in domain:
        return "***"
    label, ending = domain.partition(".")[0], domain.rpartition(".")
    shown = [text[:1] if len(text) > 1 else "" for text in (mailbox, label)]
    return f"{shown[0]}***@{shown[1]}***" + (f".{ending[2]}" if ending[1] and ending[2] else "")


_EMAIL = """CASE WHEN {value} ~ '^[^@]+@[^@]+$' THEN
    CASE WHEN length(split_part({value}, '@', 1)) > 1 THEN left({value}, 1) ELSE '' END || '***@'
    || CASE WHEN length(split_part(split_part({value}, '@', 2), '.', 1)) > 1
       THEN left(split_part({value}, '@', 2), 1) ELSE '' END || '***'
    || coalesce('.' || substring({value} from '[.]([^.@]+)$'), '')
    ELSE '***' END"""


def _iban(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}[0-9][0-9A-Z ]{12,}", value):
        return "****"
    return f"{value[:2]}** **** {value.replace(' ', '')[-4:]}"


def _ending(value: str) -> str:
    return f"****{value[-2:]}" if len(value) >= 8 else "****"


MASKS: Mapping[str, Mask] = {
    one.name: one
    for one in (
        Mask("initial", "the first letter: J.", "left({value}, 1) || '.'", _initial, _TEXT),
        Mask(
            "words",
            "the first letter of each word: v** d** B***",
            r"regexp_replace({value}, '(?<=[^ -])[^ -]|(?<![^ -])[^ -](?![^ -])', '*', 'g')",
            _words,
            _TEXT,
        ),
        Mask(
            "phone",
            "the last four digits, and of a Dutch mobile number that it is one: 06-****5678",
            "CASE WHEN {value} ~ '^[+]316[0-9]{8}$' THEN '06-****' || right({value}, 4) "
            "WHEN {value} ~ '^[+]?[0-9]{9,}$' THEN '****' || right({value}, 4) "
            "WHEN {value} IS NOT NULL THEN '****' END",
            _phone,
            _TEXT,
        ),
        Mask("year", "the year", "to_char({value}, 'FMYYYY')", lambda value: str(int(value[:4])), _DATES),
        Mask(
            "postcode",
            "the first four characters, and of a shorter code all but two: 1234",
            _beginning_sql(4),
            _beginning(4),
            _TEXT,
        ),
        Mask("area", "the first two characters of the postcode: 12", _beginning_sql(2), _beginning(2), _TEXT),
        Mask(
            "email",
            "the first letters of mailbox and domain, and the ending: j***@e***.nl",
            f"CASE WHEN {{value}} IS NOT NULL THEN {_EMAIL} END",
            _email,
            _TEXT,
        ),
        Mask(
            "iban",
            "the country and the last four digits: NL** **** 4300",
            "CASE WHEN {value} ~ '^[A-Z]{2}[0-9][0-9A-Z ]{12,}$' "
            "THEN left({value}, 2) || '** **** ' || right(replace({value}, ' ', ''), 4) "
            "WHEN {value} IS NOT NULL THEN '****' END",
            _iban,
            _TEXT,
        ),
        Mask(
            "ending",
            "the last two characters: ****78",
            "CASE WHEN length({value}) >= 8 THEN '****' || right({value}, 2) "
            "WHEN {value} IS NOT NULL THEN '****' END",
            _ending,
            _TEXT,
        ),
        Mask(
            "stars",
            "that there is a value: ***",
            "CASE WHEN {value} IS NOT NULL THEN '***' END",
            lambda _: "***",
        ),
        Mask(
            "keyed",
            "a pseudonym: the same for the same id, and only in this deployment",
            f"left(encode(sha256((SELECT outer_pad FROM {KEY_TABLE}) || "  # noqa: S608 - our own name
            f"sha256((SELECT inner_pad FROM {KEY_TABLE}) || convert_to({{value}}::text, 'UTF8'))), 'hex'), 32)",
            lambda _: "",  # needs the key: see pseudonym
            _IDS,
        ),
    )
}

_BY_COLUMN = {
    **dict.fromkeys(("given_name", "middle_names", "initials"), "initial"),
    **dict.fromkeys(("house_number", "house_addition", "address_extra"), "stars"),
}
_BY_CATEGORY = {
    "user.name": "words",
    "user.contact.organization": "words",
    "user.contact.address": "words",
    "user.contact.address.postal_code": "postcode",
    "user.contact.address.state": "stars",
    "user.contact.address.country": "stars",
    "user.contact.email": "email",
    "user.contact.phone_number": "phone",
    "user.demographic.date_of_birth": "year",
    "user.financial.bank_account": "iban",
    "user.government_id": "ending",
    "user.unique_id": "keyed",
}


def nearest(category: str, known: Mapping[str, str]) -> str | None:
    """What is said of a category, or of the nearest one above it in the tree of dots; None where nothing is."""
    while category:
        if category in known:
            return known[category]
        category = category.rpartition(".")[0]
    return None


def usual_mask(column: str, category: str, of_type: str) -> Mask:
    """The mask that suits a column: by its name, its category, and its type."""
    if of_type in _DATES:
        return MASKS["year"]
    suits = MASKS[_BY_COLUMN.get(column) or nearest(category, _BY_CATEGORY) or "stars"]
    return suits if suits.masks(of_type) else MASKS["stars"]


def pads(key: bytes) -> tuple[bytes, bytes]:
    """The two halves of a key as HMAC-SHA256 (RFC 2104) uses them: inner and outer.

    Args:
        key: At most 64 bytes.
    """
    block = key.ljust(64, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


def pseudonym(key: bytes, value: str) -> str:
    """What the mask ``keyed`` shows of a value: 32 hexadecimal digits of HMAC-SHA256."""
    return hmac.new(key, value.encode(), sha256).hexdigest()[:32]
