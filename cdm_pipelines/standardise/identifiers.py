"""VAT numbers, chamber-of-commerce numbers and bank accounts, with their check digits.

Belongs here: the compact spelling of an identifier and whether its check digits hold. Does not belong here: whether a
register knows it.

python-stdnum decides. Its checks cost 20 to 50 microseconds a value, so the forms that a Dutch company sees most
(Dutch VAT numbers; IBANs of countries without a check of their own) are computed for whole columns; tests hold that
against the library.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stdnum import get_cc_module
from stdnum import iban as stdnum_iban
from stdnum.eu import vat as stdnum_vat
from stdnum.exceptions import ValidationError

from cdm_pipelines.standardise.distinct import FLAG, TEXT, Arrays, each, over_distinct, where_needed

_SEPARATORS = r"[\s\p{Z}\p{Cf}.\-/_:,'\x{2019}]+"
_DUTCH_VAT = r"^NL[0-9]{9}B[0-9]{2}$"
# Countries whose IBAN is fully described by its length, its digits and the modulus: stdnum has no check of its own.
_PLAIN_IBAN = {"NL": r"^NL[0-9]{2}[A-Z]{4}[0-9]{10}$", "DE": r"^DE[0-9]{20}$"}
_VAT_PREFIXES = {"GR": "EL"}


def _compact(values: pa.Array) -> pa.Array:
    values = pc.replace_substring_regex(pc.utf8_upper(values), _SEPARATORS, "")
    return pc.if_else(pc.match_substring_regex(values, "[0-9]"), values, pa.scalar(None, TEXT))


def _remainder_97(values: pa.Array) -> np.ndarray:
    """Remainder by 97 of fixed-length texts, letters counted as 10 to 35 (ISO 7064)."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    matrix = np.array(values.to_pylist(), dtype=bytes)[:, None].view(np.uint8).astype(np.int64)
    remainder = np.zeros(len(matrix), dtype=np.int64)
    for column in matrix.T:
        is_letter = column >= ord("A")
        number = np.where(is_letter, column - 55, column - 48)
        remainder = np.where(is_letter, remainder * 100 + number, remainder * 10 + number) % 97
    return remainder


def iban(column: pa.Array) -> Arrays:
    """Bank accounts without blanks, and where the check digits or the form of the country do not hold.

    Returns:
        The accounts (null where there is no digit), and a flag for those that fail.
    """
    return over_distinct(_iban, column)


def _iban(values: pa.Array) -> Arrays:
    accounts = pc.replace_substring_regex(_compact(values), "^IBAN", "")
    plain = pc.fill_null(pc.match_substring_regex(accounts, "|".join(_PLAIN_IBAN.values())), False)
    wrong = where_needed(pa.repeat(pa.scalar(False), len(values)), plain, _wrong_modulus, accounts)
    rest = pc.and_not(pc.is_valid(accounts), plain)
    return accounts, where_needed(wrong, rest, _wrong_by_library, accounts)


def _wrong_modulus(accounts: pa.Array) -> pa.Array:
    wrong = np.zeros(len(accounts), dtype=bool)
    for pattern in _PLAIN_IBAN.values():
        mine = pc.match_substring_regex(accounts, pattern)
        turned = pc.replace_substring_regex(accounts.filter(mine), "^(.{4})(.*)$", r"\2\1")
        wrong[mine.to_numpy(zero_copy_only=False)] = _remainder_97(turned) != 1
    return pa.array(wrong)


def _wrong_by_library(accounts: pa.Array) -> pa.Array:
    return each(lambda account: (not stdnum_iban.is_valid(account),), (FLAG,), accounts)[0]


def vat_number(column: pa.Array, country: pa.Array) -> Arrays:
    """VAT numbers with their country prefix, and where check digits fail.

    A number without prefix gets that of the record's country when it then is a VAT number of that country, and is
    marked as it stands when not; a Dutch one (``123456789B01``) is recognised by its form. The check of countries
    outside the EU is stdnum's where it has one; a number that nobody can check is not marked.

    Args:
        column: Text.
        country: ISO 3166-1 alpha-2 of the record, or of its source's default; null when unknown.

    Returns:
        The numbers (null where there is no digit), and a flag for those that fail.
    """
    return over_distinct(_vat_number, column, country)


def _vat_number(values: pa.Array, country: pa.Array) -> Arrays:
    numbers = pc.replace_substring_regex(_compact(values), "^(BTW|VAT|TVA|UST)(NR|NO|ID|NUMMER|IDNR)?", "")
    numbers = pc.replace_substring_regex(numbers, "^([0-9]{9}B[0-9]{2})$", r"NL\1")
    dutch = pc.fill_null(pc.match_substring_regex(numbers, _DUTCH_VAT), False)
    wrong = where_needed(pa.repeat(pa.scalar(False), len(values)), dutch, _wrong_dutch_vat, numbers)
    rest = pc.and_not(pc.is_valid(numbers), dutch)
    if not pc.any(rest).as_py():
        return numbers, wrong
    read, failed = each(_read_vat, (TEXT, FLAG), numbers.filter(rest), country.filter(rest))
    return pc.replace_with_mask(numbers, rest, read), pc.replace_with_mask(wrong, rest, failed)


def _wrong_dutch_vat(numbers: pa.Array) -> pa.Array:
    """A Dutch number holds the eleven-test of its first nine digits, or the modulus of 2020 over the whole."""
    digits = (
        np.array(pc.utf8_slice_codeunits(numbers, 2, 11).to_pylist(), dtype=bytes)[:, None].view(np.uint8)
        - 48
    )
    suffix = np.array(pc.utf8_slice_codeunits(numbers, 12, 14).to_pylist()).astype(np.int64)
    weights = np.array([9, 8, 7, 6, 5, 4, 3, 2, -1])
    eleven = (digits.astype(np.int64) @ weights) % 11 == 0
    modulus = _remainder_97(numbers) == 1
    return pa.array(~((eleven | modulus) & digits.any(axis=1) & (suffix > 0)))


def _read_vat(number: str, country: str | None) -> tuple[str, bool]:
    prefix = _VAT_PREFIXES.get(number[:2], number[:2])
    if prefix.isalpha():
        number = prefix + number[2:]
        if _is_european(prefix):
            return _checked(number)
        foreign = _module(prefix) if prefix.isascii() else None
        if foreign is not None and foreign.is_valid(number):
            return number, False
        if country is None or not _is_european(country):
            return number, False
    if country is None:
        return number, False
    prefix = _VAT_PREFIXES.get(country, country)
    if not _is_european(prefix):
        module = _module(country)
        return number, module is not None and not module.is_valid(number)
    prefixed, wrong = _checked(prefix + number)
    return (number, True) if wrong else (prefixed, False)


def _checked(number: str) -> tuple[str, bool]:
    try:
        return str(stdnum_vat.validate(number)), False
    except ValidationError:
        return number, True


@cache
def _module(country: str):  # type: ignore[no-untyped-def]  # stdnum's modules have no type in common
    return get_cc_module(country.lower(), "vat")


def _is_european(prefix: str) -> bool:
    return prefix.lower() in stdnum_vat.MEMBER_STATES or prefix == "EL"


def coc_number(column: pa.Array, country: pa.Array) -> Arrays:
    """Chamber-of-commerce numbers, and where they cannot be one.

    A Dutch number has eight digits and no check digit. Seven digits are one that lost its leading zero in a
    spreadsheet: they get it back and are marked. Twelve digits are a number with the four of a branch behind it:
    those are dropped.

    Args:
        column: Text.
        country: ISO 3166-1 alpha-2 of the record, or of its source's default; null when unknown.

    Returns:
        The numbers (null where there is no digit), and a flag for those that cannot be right.
    """
    return over_distinct(_coc_number, column, country)


def _coc_number(values: pa.Array, country: pa.Array) -> Arrays:
    numbers = pc.replace_substring_regex(_compact(values), "^(KVK|KBO|BCE|HRB|COC)(NR|NO|NUMMER)?", "")
    dutch = pc.fill_null(pc.equal(country, "NL"), False)
    eight = pc.replace_substring_regex(numbers, "^(0[0-9]{7}|[1-9][0-9]{7})[0-9]{4}$", r"\1")
    short = pc.match_substring_regex(eight, "^[0-9]{7}$")
    eight = pc.if_else(short, pc.binary_join_element_wise("0", eight, ""), eight)
    right = pc.and_(pc.match_substring_regex(eight, "^[0-9]{8}$"), pc.not_equal(eight, "00000000"))
    wrong = pc.fill_null(pc.and_(dutch, pc.or_(short, pc.invert(right))), False)
    return pc.if_else(dutch, eight, numbers), wrong
