"""What a date format of a contract may be made of.

Belongs here: the parts that are read, how each is spelt, names of months and zones. Does not belong here: reading a
value (quality.values, standardise.dates), or a format of one's own for a table to link (linkage.encode.dates).

Whatever stands here is read where values are judged and where they are standardised: no date is accepted and then lost.
"""

import re
import unicodedata

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen tam",
            "feb fev hel",
            "mar mrt maa mrz mae",
            "apr avr abr huh",
            "may mei mai mag maj tou",
            "jun juin giu kes",
            "jul juil lug hei",
            "aug aou ago elo",
            "sep set syy",
            "oct okt ott out lok",
            "nov marr",
            "dec dez dic des jou",
        ),
        start=1,
    )
    for name in names.split()
}
"""How months begin in English, Dutch, German, French, Spanish, Italian, Portuguese, the Nordic languages and Finnish,
without accents."""

ZONES = {
    **dict.fromkeys(("UTC", "GMT", "Z", "WET"), "+0000"),
    **dict.fromkeys(("CET", "MEZ", "WEST"), "+0100"),
    **dict.fromkeys(("CEST", "MESZ", "EET"), "+0200"),
    "EEST": "+0300",
    "EST": "-0500",
    "EDT": "-0400",
    "CST": "-0600",
    "CDT": "-0500",
    "MST": "-0700",
    "MDT": "-0600",
    "PST": "-0800",
    "PDT": "-0700",
}
"""Names of zones that mean one offset wherever customers are."""

NAMED_MONTHS, NAMED_ZONE = ("%b", "%B"), "%Z"
DATE_PARTS = {
    "%Y": r"(?P<Y>\d{4})",
    "%y": r"(?P<y>\d{2})",
    "%m": r"(?P<m>\d{1,2})",
    "%b": r"(?P<b>[\pL\pM]{3,14}\.?)",
    "%B": r"(?P<b>[\pL\pM]{3,14}\.?)",
    "%d": r"(?P<d>\d{1,2})",
}
TIME_PARTS = {
    "%H": r"(?:[01]?\d|2[0-3])",
    "%I": r"(?:0?[1-9]|1[0-2])",
    "%p": r"[AaPp][Mm]",
    "%M": r"[0-5]?\d",
    "%S": r"[0-5]?\d",
    "%f": r"\d{1,9}",
    "%z": r"(?:Z|[+-]\d{2}:?\d{2})",
    NAMED_ZONE: f"(?:{'|'.join(sorted(ZONES, key=lambda name: (-len(name), name)))})",
    "%%": "%",
}
PARTS = {**DATE_PARTS, **TIME_PARTS}
KNOWN = f"{', '.join(DATE_PARTS)} for the day, {', '.join(TIME_PARTS)} for the time"
_NEEDED = ({"%Y", "%y"}, {"%m", *NAMED_MONTHS}, {"%d"})


def month_of(word: str) -> int:
    """Which month a name or an abbreviation is, 0 for none."""
    plain = "".join(
        sign for sign in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(sign)
    )
    return MONTHS.get(plain[:4]) or MONTHS.get(plain[:3], 0)


def pieces(text: str) -> list[str]:
    """A format as parts and what stands between them."""
    return [piece for piece in re.split(r"(%[A-Za-z%])", text) if piece]


def fault(text: str) -> str | None:
    """Why dates cannot be read by a format; None where they can."""
    parts = re.findall(r"%.?", text, re.DOTALL)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        return f"{unknown[0]} is not read"
    used = [part for part in parts if part != "%%"]
    if any(sum(part in group for part in used) != 1 for group in _NEEDED):
        return "it needs a year, a month and a day, each once"
    if len(set(used)) < len(used) or {"%H", "%I"} <= set(used) or {"%z", NAMED_ZONE} <= set(used):
        return "a part stands there twice"
    if ("%I" in used) != ("%p" in used):
        return "%I and %p need each other"
    return None
