"""One postcode.

Belongs here: how it is spelled in its country, and whether it can exist. Does not belong here: whether it does (that
takes a register), columns of them (place).
"""

import re

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
NOT_ISSUED = re.compile(r"\d{4} S[ADS]")  # Dutch letters that are left out for what they stood for
_GENERIC = re.compile(r"[A-Z0-9][A-Z0-9 -]{1,9}")


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
    return written, country == "NL" and NOT_ISSUED.fullmatch(written) is not None
