"""Normalising values as several systems ask, and SHA-256 of them.

Belongs here: functions over arrays of text. Does not belong here: which column is normalised how (each system's
module).

Every function gives null for null, and null where nothing is left. A hash is made once per distinct value.
"""

from functools import reduce
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

_E164 = r"^\+[1-9]\d{6,14}$"
_GOOGLE_MAIL = r"@(gmail|googlemail)\.com$"
_NOTHING = pa.scalar(None, pa.string())


def as_is(column: pa.Array) -> pa.Array:
    """The value, without spaces around it."""
    return some(pc.utf8_trim_whitespace(column))


def some(column: pa.Array) -> pa.Array:
    """Null instead of text of nothing."""
    return pc.if_else(pc.equal(column, ""), _NOTHING, column)


def words(*columns: pa.Array) -> pa.Array:
    """Those that are filled, with a space between: ``van der`` and ``Berg``."""
    joined = reduce(lambda one, other: pc.binary_join_element_wise(one, other, " "), map(_text, columns))
    return some(pc.utf8_trim_whitespace(joined))


def lower(column: pa.Array) -> pa.Array:
    """In small letters, without spaces around."""
    return some(pc.utf8_lower(pc.utf8_trim_whitespace(column)))


def without_spaces(column: pa.Array) -> pa.Array:
    """Without any space."""
    return some(pc.replace_substring_regex(column, r"\s+", ""))


def e164(*columns: pa.Array) -> pa.Array:
    """The first number that is one in E.164: a plus sign, the country, digits; no other form is guessed at."""
    found = []
    for column in columns:
        plus = pc.starts_with(pc.utf8_trim_whitespace(column), "+")
        number = pc.binary_join_element_wise(
            pa.scalar("+"), pc.replace_substring_regex(column, r"\D+", ""), ""
        )
        right = pc.and_(plus, pc.match_substring_regex(number, _E164))
        found.append(pc.if_else(pc.fill_null(right, False), number, _NOTHING))
    return reduce(pc.coalesce, found)


def digits(*columns: pa.Array) -> pa.Array:
    """The first such number as its digits: country first, no sign, no zeros before it."""
    return some(pc.replace_substring_regex(e164(*columns), r"^\+0*", ""))


def google_email(column: pa.Array) -> pa.Array:
    """As Google asks: in small letters, without spaces; of its own mailboxes without dots and what follows a plus."""
    plain = pc.utf8_lower(without_spaces(column))
    own = pc.fill_null(pc.match_substring_regex(plain, _GOOGLE_MAIL), False)
    local = pc.replace_substring_regex(plain, r"@.*$", "")
    local = pc.replace_substring(pc.replace_substring_regex(local, r"\+.*$", ""), ".", "")
    domain = pc.replace_substring_regex(plain, r"^[^@]*@", "")
    return some(pc.if_else(own, pc.binary_join_element_wise(local, domain, "@"), plain))


def letters(column: pa.Array) -> pa.Array:
    """In small letters, without signs, spaces and digits; letters of any alphabet stay as they are."""
    return some(pc.replace_substring_regex(pc.utf8_lower(column), r"[^\p{L}\p{M}]+", ""))


def plain_letters(column: pa.Array) -> pa.Array:
    """The same in a to z: accents are left out."""
    bare = pc.replace_substring_regex(pc.utf8_normalize(column, "NFKD"), r"\p{M}+", "")
    return some(pc.replace_substring_regex(pc.utf8_lower(bare), r"[^a-z]+", ""))


def _text(column: pa.Array) -> pa.Array:
    """Text of nothing instead of null."""
    return pc.fill_null(column, "")


def hashed(column: pa.Array) -> pa.Array:
    """SHA-256 in small hexadecimal digits."""
    coded = column.dictionary_encode()
    made = [sha256(one.encode()).hexdigest() for one in coded.dictionary.to_pylist()]
    return pa.array(made, pa.string()).take(coded.indices)
