"""Postcodes, towns and regions.

Belongs here: the spelling of a postcode in its country and whether it can exist. Does not belong here: whether it
does (that takes a register), or the street (street).
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.standardise.casing import place_case
from cdm_pipelines.standardise.distinct import FLAG, TEXT, Arrays, each, over_distinct

# Compact form by country, and how it is written. Source: Universal Postal Union, postal addressing systems.
_PATTERNS: dict[str, tuple[re.Pattern[str], str]] = {
    country: (re.compile(pattern), template)
    for countries, pattern, template in (
        ("NL", r"([1-9]\d{3})([A-Z]{2})", r"\1 \2"),
        ("BE AT CH LI DK HU LU BG SI AU NZ ZA CY", r"([1-9]\d{3}|0[1-9]\d{2})", r"\1"),
        ("NO", r"(\d{4})", r"\1"),
        ("IS", r"(\d{3})", r"\1"),
        ("DE FR ES IT FI TR HR EE UA MC SM VA LT MX KR RS ME", r"(\d{5})", r"\1"),
        ("LV MD", r"(\d{4})", r"\1"),
        ("BR", r"(\d{5})(\d{3})", r"\1-\2"),
        ("JP", r"(\d{3})(\d{4})", r"\1-\2"),
        ("GB JE GG IM", r"([A-Z]{1,2}\d[A-Z\d]?|GIR)(\d[ABD-HJLNP-UW-Z]{2})", r"\1 \2"),
        ("US PR", r"(\d{5})(\d{4})?", r"\1-\2"),
        ("PT", r"(\d{4})(\d{3})", r"\1-\2"),
        ("PL", r"(\d{2})(\d{3})", r"\1-\2"),
        ("SE CZ SK GR", r"(\d{3})(\d{2})", r"\1 \2"),
        ("IE", r"([A-Z]\d[\dW])([A-Z\d]{4})", r"\1 \2"),
        ("CA", r"([ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z])(\d[ABCEGHJ-NPRSTV-Z]\d)", r"\1 \2"),
        ("RO CN IN RU SG", r"(\d{6})", r"\1"),
    )
    for country in countries.split()
}
_NOT_ISSUED = re.compile(r"\d{4} S[ADS]")  # Dutch letters that are left out for what they stood for
_GENERIC = re.compile(r"[A-Z0-9][A-Z0-9 -]{1,9}")
_PROVINCES = {
    "DR": "Drenthe", "FL": "Flevoland", "FR": "Friesland", "GE": "Gelderland", "GD": "Gelderland", "GR": "Groningen",
    "LI": "Limburg", "LB": "Limburg", "NB": "Noord-Brabant", "NH": "Noord-Holland", "OV": "Overijssel", "UT": "Utrecht",
    "ZE": "Zeeland", "ZL": "Zeeland", "ZH": "Zuid-Holland",
}  # fmt: skip
_FRISIAN = {
    "fryslân": "Friesland",
    "fryslan": "Friesland",
    "north holland": "Noord-Holland",
    "south holland": "Zuid-Holland",
}
_AT_RIVER = re.compile(r"\s+(?:a/d|a\.d\.|a/de|a\.?d\.?)\s+([^\W\d_]{3,})", re.IGNORECASE)
_MASCULINE_RIVERS = {"rijn", "ijssel", "ijsel"}
_HAGUE = re.compile(
    r"^['`]?\s?s[\s-]+(?=(?:gravenhage|hertogenbosch|gravenzande|gravendeel|heerenberg|gravenpolder|heer)\b)",
    re.IGNORECASE,
)


def read_postcode(text: str, country: str | None) -> tuple[str | None, bool]:
    """A postcode as its country writes it, and whether it cannot be one.

    A code that fits no form of the country is kept in capitals and marked; text without any digit is no postcode.
    """
    upper = " ".join(text.upper().split())
    if country is not None:
        upper = re.sub(rf"^{country}(?:[\s-]+(?=[\dA-Z])|(?=\d))|^{country[0]}-(?=\d)", "", upper)
    if not re.search(r"\d", upper):
        return None, False
    known = _PATTERNS.get(country or "")
    if known is None:
        return upper, _GENERIC.fullmatch(upper) is None
    match = known[0].fullmatch(re.sub(r"[\s.\-]", "", upper))
    if match is None:
        return upper, True
    written = match.expand(known[1]) if match[match.re.groups] else match[1]
    return written, country == "NL" and _NOT_ISSUED.fullmatch(written) is not None


def read_city(text: str, country: str | None) -> tuple[str | None, bool]:
    """A town with its casing restored and a Dutch ``a/d`` written out, and whether it has a digit in it."""
    city = text.strip(" ,;-")
    if country not in ("NL", None):
        return place_case(city) or None, re.search(r"\d", city) is not None
    city = _HAGUE.sub("'s-", place_case(_AT_RIVER.sub(_written_out, city)))
    return city or None, re.search(r"\d", city) is not None


def _written_out(match: re.Match[str]) -> str:
    article = "den" if match[1].lower() in _MASCULINE_RIVERS else "de"
    river = match[1]
    return f" aan {article} {river}".upper() if river.isupper() else f" aan {article} {river}"


def read_region(text: str, country: str | None) -> str:
    """A province or state: Dutch codes by name, other codes in capitals."""
    plain = text.strip()
    code = plain.upper().removeprefix("NL-")
    if country == "NL":
        return _PROVINCES.get(code) or _FRISIAN.get(plain.lower()) or place_case(plain)
    return code if len(code) <= 3 and code.isascii() else place_case(plain)


def postcode(column: pa.Array, country: pa.Array) -> Arrays:
    """Postcodes, and which of them cannot be one. ``country`` is that of the record, or of its source's default."""
    return over_distinct(_postcode, column, country)


def _postcode(values: pa.Array, country: pa.Array) -> Arrays:
    """Dutch codes for the whole column, the others one by one."""
    dutch = pc.and_kleene(
        pc.equal(country, "NL"), pc.match_substring_regex(values, "^[1-9][0-9]{3} ?[A-Za-z]{2}$")
    )
    dutch = pc.fill_null(dutch, False)
    written = pc.utf8_upper(pc.replace_substring_regex(values, "^([0-9]{4}) ?([A-Za-z]{2})$", r"\1 \2"))
    wrong = pc.fill_null(pc.match_substring_regex(written, f"^{_NOT_ISSUED.pattern}$"), False)
    rest = pc.and_not(pc.is_valid(values), dutch)
    if not pc.any(rest).as_py():
        return written, wrong
    code, failed = each(read_postcode, (TEXT, FLAG), values.filter(rest), country.filter(rest))
    return pc.replace_with_mask(written, rest, code), pc.replace_with_mask(wrong, rest, failed)


def city(column: pa.Array, country: pa.Array) -> Arrays:
    """Towns, and which of them have a digit in them."""

    def standard(values: pa.Array, countries: pa.Array) -> Arrays:
        return each(lambda v, c: read_city(v, c) if v else (None, False), (TEXT, FLAG), values, countries)

    return over_distinct(standard, column, country)


def region(column: pa.Array, country: pa.Array) -> pa.Array:
    """Provinces and states."""

    def standard(values: pa.Array, countries: pa.Array) -> Arrays:
        return each(lambda v, c: (read_region(v, c) if v else None,), (TEXT,), values, countries)

    return over_distinct(standard, column, country)[0]
