"""How people and systems write things down, and get them wrong.

Belongs here: spellings of phones, addresses and surnames, letter case, typing errors, damaged encodings.
Does not belong here: which source makes which errors how often (crm, erp, shop).
"""

from collections.abc import Callable

import numpy as np

from cdm_demo.draws import Flags, Floats, Ints, Text, styled, text
from cdm_demo.places import Addresses

_NEIGHBOURS = {
    "a": "qsz", "b": "vgn", "c": "xdv", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy", "i": "uok",
    "j": "hku", "k": "jli", "l": "ko", "m": "nj", "n": "bmh", "o": "ipl", "p": "ol", "q": "wa", "r": "etf",
    "s": "adw", "t": "ryg", "u": "yij", "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xas",
}  # fmt: skip
_SOUNDS = (
    ("ij", "y"), ("ij", "ei"), ("ei", "ij"), ("c", "k"), ("k", "c"), ("dt", "d"), ("d", "dt"), ("ph", "f"),
    ("f", "ph"), ("z", "s"), ("s", "z"), ("v", "f"), ("ae", "aa"), ("aa", "a"), ("oo", "o"), ("ou", "au"),
    ("uy", "ui"), ("ui", "uy"), ("th", "t"), ("ss", "s"), ("ch", "g"), ("ee", "e"), ("nn", "n"), ("x", "ks"),
)  # fmt: skip
_MAIL_SLIPS = (
    ("gmail.com", "gmial.com"), ("gmail.com", "gmail.con"), ("gmail.com", "gmail.nl"),
    ("hotmail.com", "hotmai.com"), ("hotmail.com", "hotmail.nl"), ("ziggo.nl", "zigo.nl"),
    ("outlook.com", "outlok.com"), ("live.nl", "live.com"),
)  # fmt: skip

Slip = Callable[[str, float], str]
"""Damages one value; the number in [0, 1) decides how."""


def _spread(uniform: float, choices: int) -> tuple[int, float]:
    """A choice among ``choices`` and what is left of the number for the next choice."""
    scaled = uniform * choices
    return int(scaled), scaled - int(scaled)


def mistype(value: str, uniform: float) -> str:
    """One slip of the keyboard or of the ear; the first letter mostly stays."""
    if len(value) < 4:
        return value
    kind, rest = _spread(uniform, 10)
    if kind >= 5:
        return _by_sound(value, rest)
    at, rest = _spread(rest, len(value) - 2)
    at += 1
    if kind == 0 or not value[at].isalpha():
        return value[:at] + value[at + 1 :]
    if kind == 1:
        return value[: at + 1] + value[at:]
    if kind == 2:
        return value[:at] + value[at + 1] + value[at] + value[at + 2 :]
    near = _NEIGHBOURS.get(value[at].lower(), "")
    return value[:at] + near[_spread(rest, len(near))[0]] + value[at + 1 :] if near else value


def _by_sound(value: str, uniform: float) -> str:
    fitting = [(old, new) for old, new in _SOUNDS if old in value[1:]]
    if not fitting:
        return value[:-1] if len(value) > 5 else value
    old, new = fitting[_spread(uniform, len(fitting))[0]]
    return value[0] + value[1:].replace(old, new, 1)


def slip_mailbox(value: str, uniform: float) -> str:
    """A misspelled mail domain where there is a usual one, else a typing error in the mailbox."""
    local, at, domain = value.partition("@")
    fitting = [new for old, new in _MAIL_SLIPS if old == domain]
    choice, rest = _spread(uniform, 2)
    if fitting and choice:
        return local + at + fitting[_spread(rest, len(fitting))[0]]
    return mistype(local, rest) + at + domain


def slip_digit(value: str, uniform: float) -> str:
    """One digit replaced, or two neighbours swapped; not among the first three characters."""
    places = [i for i, letter in enumerate(value) if letter.isdigit() and i >= 3]
    if len(places) < 2:
        return value
    kind, rest = _spread(uniform, 2)
    at, rest = _spread(rest, len(places) - 1)
    first, second = places[at], places[at + 1]
    if kind and value[first] != value[second]:
        swapped = list(value)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        return "".join(swapped)
    return value[:first] + str((int(value[first]) + 1 + int(rest * 8)) % 10) + value[first + 1 :]


def slip_birth_date(value: str, uniform: float) -> str:
    """Day and month swapped where that is a date too, else another day or year; YYYYMMDD in and out."""
    year, month, day = value[:4], value[4:6], value[6:]
    kind, rest = _spread(uniform, 3)
    if kind == 0 and int(day) <= 12 and day != month:
        return year + day + month
    if kind == 1:
        return f"{int(year) + (1 if rest < 0.5 else -1)}{month}{day}" if day != "29" else f"{year}{month}28"
    return f"{year}{month}{(int(day) % 28) + 1:02d}"


def damaged(values: Text, at: Flags, uniform: Floats, slip: Slip) -> Text:
    """Values of which those at ``at`` went through ``slip``; empty ones stay empty."""
    positions = np.flatnonzero(at & (values != ""))
    if not len(positions):
        return values
    out = values.copy()
    out[positions] = text(
        [slip(v, u) for v, u in zip(values[positions], uniform[positions].tolist(), strict=True)]
    )
    return out


def mojibake(value: str, _uniform: float) -> str:
    """UTF-8 read as code page 1252: René becomes RenÃ©. Values that cannot be so damaged stay."""
    try:
        return value.encode("utf-8").decode("cp1252")
    except UnicodeDecodeError:
        return value


PHONE_STYLES = 9
"""Number of spellings that ``phone`` knows."""


def phone(style: Ints, country: Text, area: Text, subscriber: Text) -> Text:
    """Phone numbers in one of the spellings of PHONE_STYLES; empty where the subscriber is empty.

    Args:
        style: 0 ``06-12345678``, 1 ``0612345678``, 2 ``06 12345678``, 3 in pairs, 4 ``+31612345678``,
            5 ``+31 6 12345678``, 6 ``0031...``, 7 ``+31 (0)6 ...``, 8 ``(06) 123 456 78``.
        country: NL, BE or DE.
        area: With leading zero; 06 for a mobile.
        subscriber: The rest.
    """
    code = np.where(country == "BE", "32", np.where(country == "DE", "49", "31")).astype(object)
    bare = text([a[1:] for a in area])

    def pairs(i: Ints) -> Text:
        grouped = text([" ".join(s[k : k + 2] for k in range(0, len(s), 2)) for s in subscriber[i]])
        spaced: Text = area[i] + " " + grouped
        return spaced

    def triples(i: Ints) -> Text:
        return text(
            [f"({a}) {s[:3]} {s[3:6]} {s[6:]}".strip() for a, s in zip(area[i], subscriber[i], strict=True)]
        )

    spelled = styled(
        style,
        [
            lambda i: area[i] + "-" + subscriber[i],
            lambda i: area[i] + subscriber[i],
            lambda i: area[i] + " " + subscriber[i],
            pairs,
            lambda i: "+" + code[i] + bare[i] + subscriber[i],
            lambda i: "+" + code[i] + " " + bare[i] + " " + subscriber[i],
            lambda i: "00" + code[i] + bare[i] + subscriber[i],
            lambda i: "+" + code[i] + " (0)" + bare[i] + " " + subscriber[i],
            triples,
        ],
    )
    return np.where(subscriber == "", "", spelled)


def street_line(homes: Addresses, at: Ints, style: Ints) -> Text:
    """Street, number and addition in one line, as that country writes it.

    Args:
        homes: The addresses.
        at: Positions in them.
        style: How the addition is written: 0 ``12 A``, 1 ``12A``, 2 ``12-A``, 3 ``12a``.
    """
    number, addition = homes.number[at], homes.addition[at]
    # Digits and words are kept apart from the number: 12 with addition 3 is not house 123.
    spaced = np.array([len(a) > 1 or a.isdigit() for a in addition.tolist()], dtype=bool)
    style = np.where(spaced & (style == 1), 0, np.where(spaced & (style == 3), 2, style))
    low = text([a.lower() for a in addition])
    tail = styled(
        style,
        [
            lambda i: " " + addition[i],
            lambda i: addition[i],
            lambda i: "-" + addition[i],
            lambda i: low[i],
        ],
    )
    line: Text = homes.street[at] + " " + number + np.where(addition == "", "", tail)
    return line


def postcode(homes: Addresses, at: Ints, style: Ints) -> Text:
    """Postal codes: Dutch ones 0 ``1234 AB``, 1 ``1234AB``, 2 ``1234 ab``; others as they are."""
    code, letters = homes.postcode[at], homes.letters[at]
    small = text([pair.lower() for pair in letters])
    dutch = np.where(
        style == 0, code + " " + letters, np.where(style == 1, code + letters, code + " " + small)
    )
    return np.where(letters == "", code, dutch)


def surname(prefix: Text, rest: Text, style: Ints) -> Text:
    """Surnames with their prefix.

    Args:
        prefix: May be empty.
        rest: Surname without prefix.
        style: 0 ``van der Berg``, 1 ``Van der Berg``, 2 ``v.d. Berg``, 3 ``Berg, van der``, 4 ``vd Berg``.
    """
    out = rest.copy()
    at = np.flatnonzero(prefix != "")
    out[at] = text(
        [_prefixed(p, r, s) for p, r, s in zip(prefix[at], rest[at], style[at].tolist(), strict=True)]
    )
    return out


_SHORT = {
    "van der": "v.d.", "van den": "v.d.", "van de": "v.d.", "van": "v.", "van 't": "v. 't", "in 't": "i/t",
    "op den": "o.d.", "op de": "o.d.", "uit den": "u.d.",
}  # fmt: skip


def _prefixed(prefix: str, rest: str, style: int) -> str:
    joint = "" if prefix.endswith("'") and len(prefix) == 2 and prefix != "'t" else " "
    if style == 1:
        return prefix[0].upper() + prefix[1:] + joint + rest
    if style == 3:
        return f"{rest}, {prefix}"
    if style in (2, 4):
        short = _SHORT.get(prefix, prefix)
        return f"{short.replace('.', '') if style == 4 and len(short) > 2 else short}{joint}{rest}"
    return prefix + joint + rest


def upper(values: Text, at: Flags) -> Text:
    """Values of which some are in capitals."""
    return _cased(values, at, str.upper)


def lower(values: Text, at: Flags) -> Text:
    """Values of which some are in small letters."""
    return _cased(values, at, str.lower)


def _cased(values: Text, at: Flags, change: Callable[[str], str]) -> Text:
    out = values.copy()
    positions = np.flatnonzero(at)
    out[positions] = text([change(value) for value in values[positions]])
    return out
