"""Decimals and booleans as sources write them.

Belongs here: decimal signs, thousands separators, currency signs, words for yes and no. Does not belong here: codes
of a standard (codes) or dates.
"""

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.quality.values import NO_CENTS
from cdm_pipelines.standardise.distinct import TEXT, Arrays, over_distinct

_TRUE = ("1", "true", "t", "yes", "y", "ja", "j", "x", "on", "waar", "oui", "wahr", "si", "1.0")
_FALSE = ("0", "false", "f", "no", "n", "nee", "off", "onwaar", "non", "nein", "falsch", "0.0")
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$"


def decimal(column: pa.Array, sign: str = ".") -> pa.Array:
    """Decimals in one spelling: ``-1234.5``; null where the value is no number.

    Currency signs and codes before or after the number, blanks and thousands separators are dropped; a number between
    parentheses or with its minus sign behind it is negative; dashes that stand for cents are no minus sign.

    Args:
        column: Text.
        sign: Decimal sign, ``.`` or ``,``.
    """

    def standard(values: pa.Array) -> Arrays:
        return (_decimal(values, sign),)

    return over_distinct(standard, column)[0]


def _decimal(values: pa.Array, sign: str) -> pa.Array:
    values = pc.replace_substring_regex(values, r"^\s*(\p{Sc}|[A-Z]{3})\s*|\s*(\p{Sc}|[A-Z]{3})\s*$", "")
    values = pc.replace_substring_regex(values, r"[\s\p{Z}'\x{2019}_]", "")
    values = pc.replace_substring_regex(values, r"^\((.*)\)$", r"-\1")
    values = pc.replace_substring_regex(values, rf"([0-9])\{sign}{NO_CENTS}$", r"\1")
    values = pc.replace_substring_regex(values, r"^([^-]+)-$", r"-\1")
    values = pc.replace_substring_regex(values, r"^([+-]?)\p{Sc}|^\p{Sc}([+-])", r"\1\2")
    thousands = "." if sign == "," else ","
    grouped = pc.match_substring_regex(
        values, rf"^[+-]?[1-9][0-9]{{0,2}}(\{thousands}[0-9]{{3}})+(\{sign}[0-9]*)?$"
    )
    foreign = pc.and_not(pc.match_substring(values, thousands), grouped)
    values = pc.if_else(foreign, pa.scalar(None, TEXT), pc.replace_substring(values, thousands, ""))
    values = pc.replace_substring(values, sign, ".") if sign != "." else values
    values = pc.if_else(pc.match_substring_regex(values, _NUMBER), values, pa.scalar(None, TEXT))
    values = pc.replace_substring_regex(values, r"^(-?)\+?0*([0-9]|\.)", r"\1\2")
    values = pc.replace_substring_regex(values, r"^(-?)\.", r"\10.")  # RE2: group 1, then a zero
    values = pc.replace_substring_regex(values, r"(\.[0-9]*?)0+$", r"\1")
    return pc.replace_substring_regex(pc.replace_substring_regex(values, r"\.$", ""), r"^-0$", "0")


def boolean(column: pa.Array) -> pa.Array:
    """``true`` or ``false``; null where the word is neither."""

    def standard(values: pa.Array) -> Arrays:
        lower = pc.utf8_lower(pc.utf8_trim_whitespace(values))
        truth = pc.if_else(pc.is_in(lower, value_set=pa.array(_TRUE)), "true", pa.scalar(None, TEXT))
        return (pc.if_else(pc.is_in(lower, value_set=pa.array(_FALSE)), "false", truth),)

    return over_distinct(standard, column)[0]
