"""E-mail addresses: normalised, and of which kind.

Belongs here: spelling and syntax, and what mailbox and domain tell. Does not belong here: whether mail arrives;
nothing here asks DNS.

email-validator decides on syntax, at about 50 microseconds a value. Plain addresses, nearly all, are recognised for
whole columns by a pattern that the library is known to accept as it stands; tests hold that against it. Dots and
``+tags`` of a mailbox are kept: dropping them for one provider would join people at another.
"""

import re
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
from disposable_email_domains import blocklist
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from cdm_pipelines.standardise import text as texts
from cdm_pipelines.standardise.distinct import FLAG, TEXT, Arrays, each, over_distinct
from cdm_pipelines.standardise.email_domains import FREEMAIL, ROLES

PERSONAL, FREE, ROLE, DISPOSABLE = "personal", "freemail", "role", "disposable"
_PLAIN = r"^[a-z0-9_+\-]+(\.[a-z0-9_+\-]+)*@([a-z0-9]([a-z0-9\-]*[a-z0-9])?\.)+[a-z]{2,}$"
_PLAIN_LENGTH = 64  # within every limit: of the address, of the mailbox and of each label of the domain
_RESERVED = r"(^|[.@])(" + "|".join(re.escape(name) for name in SPECIAL_USE_DOMAIN_NAMES) + ")$"
_SEVERAL = re.compile(r"[;,\s]+")
_BRACKETS = re.compile(r"<([^<>]*@[^<>]*)>")
_BEFORE = " \t\n\"'<>()[]{};:,"
_AFTER = f"{_BEFORE}."
_REMARK = re.compile(r"\([^()@]*\)|\[[^\[\]@]*\]")
_LABEL = re.compile(r"^[^\W\d_][\w .-]*:\s*")


def read(column: pa.Array) -> Arrays:
    """Addresses in small letters with an ASCII domain, and where the domain is reserved and no mail can arrive.

    A display name, a label (``mailto:``), a remark between brackets and signs that nobody sees are dropped; of several
    addresses in one value the first that is valid counts.

    Args:
        column: Text.

    Returns:
        Addresses (null where the syntax is wrong), and a flag for those of a reserved domain (``.local``, ``.test``).
    """
    return over_distinct(_read, column)


def _read(values: pa.Array) -> Arrays:
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    plain = pc.and_(
        pc.match_substring_regex(lower, _PLAIN), pc.less_equal(pc.utf8_length(lower), _PLAIN_LENGTH)
    )
    odd = pc.or_(pc.match_substring_regex(lower, r"@.*--"), pc.match_substring_regex(lower, _RESERVED))
    rest = pc.fill_null(pc.or_(pc.invert(plain), odd), False)
    wrong = pa.repeat(pa.scalar(False), len(values))
    if not pc.any(rest).as_py():
        return lower, wrong
    address, reserved = each(_by_library, (TEXT, FLAG), values.filter(rest))
    return pc.replace_with_mask(lower, rest, address), pc.replace_with_mask(wrong, rest, reserved)


def _by_library(value: str) -> tuple[str | None, bool]:
    for candidate in _candidates(texts.visible_text(value)):
        address = _validated(candidate)
        if address is not None:
            return address, False
        name, dot, top = candidate.rpartition(".")
        if (
            dot
            and top.lower() in SPECIAL_USE_DOMAIN_NAMES
            and (address := _validated(f"{name}.com")) is not None
        ):
            return f"{address.removesuffix('com')}{top.lower()}", True
    return None, False


def _candidates(value: str) -> list[str]:
    """The addresses in a value; a blank within an address is not repaired by taking what follows it."""
    value = _REMARK.sub(" ", value)
    bracketed = _BRACKETS.findall(value)
    parts = bracketed or [part for part in _SEVERAL.split(value) if part]
    if not all("@" in part for part in parts):
        parts = [value]
    return [_LABEL.sub("", part.lstrip(_BEFORE)).lstrip(_BEFORE).rstrip(_AFTER) for part in parts]


def _validated(text: str) -> str | None:
    try:
        found = validate_email(text.lower(), check_deliverability=False)
    except EmailNotValidError:
        return None
    return f"{found.local_part}@{found.ascii_domain}"


def kind(addresses: pa.Array) -> pa.Array:
    """What kind of address it is: ``disposable``, ``role``, ``freemail`` or ``personal``, in this order.

    The mailbox of a function is a role at a free provider too: ``info@gmail.com``.
    """
    return over_distinct(_kind, addresses)[0]


def _kind(addresses: pa.Array) -> Arrays:
    domain = pc.replace_substring_regex(addresses, "^.*@", "")
    mailbox = pc.replace_substring_regex(addresses, r"([+].*)?@.*$", "")
    answer = pc.if_else(pc.is_valid(addresses), PERSONAL, pa.scalar(None, TEXT))
    for part, name in ((domain, FREE), (mailbox, ROLE), (domain, DISPOSABLE)):
        answer = pc.if_else(pc.is_in(part, value_set=_lists()[name]), name, answer)
    return (answer,)


@cache
def _lists() -> dict[str, pa.Array]:
    """Domains, or mailboxes, by the kind of address that they tell."""
    words = {FREE: FREEMAIL, ROLE: ROLES, DISPOSABLE: blocklist}
    return {name: pa.array(sorted(some), TEXT) for name, some in words.items()}
