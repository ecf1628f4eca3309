"""Phone numbers as E.164, and whether they are mobile.

Belongs here: reading a number as a country writes it. Does not belong here: whether somebody answers.

libphonenumber (the phonenumbers package) decides, at about 50 microseconds a value. Plain spellings of Dutch,
Belgian and German numbers, which are nearly all that a Dutch company has, are read for whole columns with the
library's own number patterns, so a new version of its data changes both ways alike; tests hold one against the other.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberType, ValidationResult
from phonenumbers.phonemetadata import PhoneNumberDesc

from cdm_pipelines.standardise import text as texts
from cdm_pipelines.standardise.distinct import FLAG, TEXT, Arrays, each, over_distinct

MOBILE = "mobile"
LANDLINE = "landline"
_COMPILED_REGIONS = ("NL", "BE", "DE")  # national prefix 0, international prefix 00
_PLAIN = r"^(?:\+|\(?0)[0-9 ().\-]*[0-9]$"
_SEVERAL = re.compile(r"\s*(?:;|\||,|\s/\s|//|\s(?:of|or|en|and|ou|oder|und)\s)\s*", re.IGNORECASE)
_REMARK = re.compile(r"\([^()]*[^\W\d_][^()]*\)")  # 020-6241111 (office)
# Behind a number: ext. 5, doorkiesnr 5, tst 12, x12, toestel 5, Durchwahl 7, poste 3. Seven digits are another number.
_EXTENSION = (
    r"(?i)(?:[\s,;/(-]|\d)(?:ext(?:ension|\.)?|extn|x|tst|toest(?:el)?|doorkies(?:nr|nummer)?|dk|dw|durchwahl|nst|"
    r"nebenstelle|poste|app(?:arat)?|intern|int|anexo|interno|#)[.:]?\s*(?:nr\.?\s*)?#?\s*(\d{1,6})\)?\s*$"
)
_EXTENSION_BEHIND = re.compile(_EXTENSION)
_SCIENTIFIC = re.compile(
    r"\s*[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+\s*"
)  # a spreadsheet's: digits are gone for ever
_LETTER_WITHIN = re.compile(r"\d[^\W\d_]{1,2}\d")  # 06l2345987: which digit was meant is not guessed
_FROM_ABROAD = re.compile(r"^\s*\(?00(?=[\s.(-]?[1-9])")
_ONE_DIGIT = re.compile(r"\D*(\d)(?:\D*\1)+\D*")
_NOT_FOR_PEOPLE = (
    "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Numbering:
    """How the national numbers of one region look, from the library's data."""

    code: str
    fixed: PhoneNumberDesc
    mobile: PhoneNumberDesc
    general: PhoneNumberDesc
    others: tuple[PhoneNumberDesc, ...]


@cache
def _numbering(region: str) -> _Numbering:
    data = PhoneMetadata.metadata_for_region(region)
    if data is None or not (data.fixed_line and data.mobile and data.general_desc):
        raise LookupError(f"phonenumbers has no number patterns for {region}")
    others = (getattr(data, name) for name in _NOT_FOR_PEOPLE)
    return _Numbering(
        code=str(data.country_code),
        fixed=data.fixed_line,
        mobile=data.mobile,
        general=data.general_desc,
        others=tuple(desc for desc in others if desc is not None and desc.national_number_pattern),
    )


def _matches(numbers: pa.Array, desc: PhoneNumberDesc) -> pa.Array:
    found = pc.match_substring_regex(numbers, f"^(?:{desc.national_number_pattern})$")
    if not desc.possible_length:
        return found
    lengths = pa.array(desc.possible_length, pa.int32())
    return pc.and_(found, pc.is_in(pc.utf8_length(numbers), value_set=lengths))


def _any(flags: Iterable[pa.Array], length: int) -> pa.Array:
    answer = pa.repeat(pa.scalar(False), length)
    for flag in flags:
        answer = pc.or_(answer, flag)
    return answer


def read(column: pa.Array, region: pa.Array) -> Arrays:
    """Numbers as E.164, their kind, and where a number has a possible length but is not in use.

    Extensions are dropped (`has_extension` tells where); of several numbers the first that is valid counts.
    A value that is no possible number of its country is null, and so is one that a spreadsheet has rounded
    (``3.16E+10``), is of one digit (``0000000000``), or has a letter among its digits.

    Args:
        column: Text.
        region: ISO 3166-1 alpha-2 of the record, or of its source's default, in which national spellings are read;
            where null, only numbers that begin with ``+`` or 00 can be read.

    Returns:
        E.164 text; ``mobile``, ``landline`` or null for what is neither or may be both; flag for invalid numbers.
    """
    return over_distinct(_read, column, region)


def has_extension(column: pa.Array) -> pa.Array:
    """Where an extension stands behind a number."""
    return pc.fill_null(pc.match_substring_regex(texts.visible(column), _EXTENSION), False)


def _read(values: pa.Array, region: pa.Array) -> Arrays:
    number, kind = _compiled(values, region)
    rest = pc.and_not(pc.is_valid(values), pc.is_valid(number))
    wrong = pa.repeat(pa.scalar(False), len(values))
    if not pc.any(rest).as_py():
        return number, kind, wrong
    slow = each(_by_library, (TEXT, TEXT, FLAG), values.filter(rest), region.filter(rest))
    return tuple(
        pc.replace_with_mask(fast, rest, part) for fast, part in zip((number, kind, wrong), slow, strict=True)
    )


def _compiled(values: pa.Array, region: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Plain spellings of the compiled regions; null where the library has to look."""
    nothing = pa.scalar(None, TEXT)
    plain = pc.if_else(pc.match_substring_regex(values, _PLAIN), values, nothing)
    digits = pc.replace_substring_regex(plain, r"[ ().\-]", "")
    digits = pc.if_else(pc.is_in(region, value_set=pa.array(_COMPILED_REGIONS)), _with_plus(digits), digits)
    number = kind = pa.nulls(len(values), TEXT)
    for name in _COMPILED_REGIONS:
        numbering = _numbering(name)
        national = pc.if_else(pc.equal(region, name), pc.match_substring_regex(digits, "^0[1-9]"), False)
        foreign = pc.starts_with(digits, f"+{numbering.code}")
        own = pc.if_else(pc.or_kleene(national, foreign), digits, nothing)
        if own.null_count == len(own):
            continue
        significant = pc.replace_substring_regex(own, rf"^(?:\+{numbering.code})?0?", "")
        fixed, mobile = _matches(significant, numbering.fixed), _matches(significant, numbering.mobile)
        other = _any((_matches(significant, desc) for desc in numbering.others), len(values))
        sure = pc.and_not(pc.and_(pc.xor(fixed, mobile), _matches(significant, numbering.general)), other)
        e164 = pc.binary_join_element_wise(f"+{numbering.code}", significant, "")
        number = pc.coalesce(pc.if_else(sure, e164, nothing), number)
        kind = pc.coalesce(pc.if_else(sure, pc.if_else(mobile, MOBILE, LANDLINE), nothing), kind)
    return number, kind


def _with_plus(digits: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(digits, "^00", "+")


def _by_library(value: str, region: str | None) -> tuple[str | None, str | None, bool]:
    value = _without_extension(texts.visible_text(value))
    if _SCIENTIFIC.fullmatch(value) or _ONE_DIGIT.fullmatch(value) or _LETTER_WITHIN.search(value):
        return None, None, False
    found = _parse(value, region)
    if found[0] is None or found[2]:
        for part in (_REMARK.sub(" ", value), *_SEVERAL.split(value)):
            other = _parse(part, region)
            if other[0] is not None and not other[2]:
                return other
    return found


def _without_extension(value: str) -> str:
    found = _EXTENSION_BEHIND.search(value)
    if found is None:
        return value
    return value[: found.start() + value[found.start()].isdigit()]


def _parse(value: str, region: str | None) -> tuple[str | None, str | None, bool]:
    if region is None:
        value = _FROM_ABROAD.sub("+", value)
    try:
        number = phonenumbers.parse(value, region)
    except NumberParseException:
        return None, None, False
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None, None, False
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    kinds = {PhoneNumberType.MOBILE: MOBILE, PhoneNumberType.FIXED_LINE: LANDLINE}
    kind = kinds.get(phonenumbers.number_type(number))
    return written, kind, not phonenumbers.is_valid_number(number)


def assign(phone: Arrays, mobile: Arrays) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
    """Let each number stand in the attribute of its kind.

    A mobile number in ``phone`` moves to an empty ``mobile``; a landline in ``mobile`` moves to an empty ``phone``;
    where each holds the other's kind they change places; a mobile number that stands in both stays in ``mobile``
    only.

    Args:
        phone: What `read` returned for the phone column.
        mobile: What `read` returned for the mobile column.

    Returns:
        phone, mobile, and the flags of both.
    """
    number, kind, wrong = phone
    other, other_kind, other_wrong = mobile
    is_mobile = pc.fill_null(pc.equal(kind, MOBILE), False)
    is_landline = pc.fill_null(pc.equal(other_kind, LANDLINE), False)
    same = pc.fill_null(pc.and_(pc.equal(number, other), is_mobile), False)
    up = pc.and_(is_mobile, pc.or_(pc.is_null(other), is_landline))
    down = pc.and_(is_landline, pc.or_(pc.is_null(number), is_mobile))
    nothing, sound = pa.scalar(None, TEXT), pa.scalar(False)
    left, left_wrong = (
        pc.if_else(pc.or_(up, same), empty, own) for empty, own in ((nothing, number), (sound, wrong))
    )
    right, right_wrong = (
        pc.if_else(down, empty, own) for empty, own in ((nothing, other), (sound, other_wrong))
    )
    return (
        pc.if_else(down, other, left),
        pc.if_else(up, number, right),
        pc.if_else(down, other_wrong, left_wrong),
        pc.if_else(up, wrong, right_wrong),
    )
