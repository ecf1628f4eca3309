"""House numbers and their additions.

Belongs here: what stands behind (or before) a street name. Does not belong here: the street (street).

An addition is one text with single blanks between its parts: ``A``, ``bis``, ``2 hoog``, ``A 2``, ``t.o. 14``.
Letters alone are capitals; the words of `_WORDS` are small.
"""

import re

from cdm_pipelines.standardise.vocabulary import words

_WORDS = words(
    "bis hs huis hoog bov boven ben beneden rood rd zwart zw wit parterre souterrain bg verdieping verd etage app "
    "appartement apt unit kamer kmr flat suite bus bte boite boîte box ark schip woonboot wb boot t/o lot stuk "
    "achter voor achterhuis links rechts li re stock eg og toren blok gebouw kantoor winkel lok loods hal ter quater "
    "nabij naast bij"
)
_SPELLINGS = {
    "hg": "hoog", "h": "H", "bov": "boven", "ben": "beneden", "verd": "verdieping", "app": "appartement",
    "apt": "appartement", "kmr": "kamer", "to": "t.o.", "t.o": "t.o.", "t/o": "t.o.", "t.o.": "t.o.",
    "tegenover": "t.o.", "rd": "rood", "zw": "zwart", "bte": "bus", "boite": "bus", "boîte": "bus", "wb": "woonboot",
    "ong": "ong.", "ongenummerd": "ong.",
}  # fmt: skip
_FLOOR = r"\d{1,2}\s?-?\s?(?:hoog|hg|e|de|ste|te)\b\.?"
_WORD_PATTERN = "|".join(sorted(map(re.escape, _WORDS | _SPELLINGS.keys()), key=lambda w: (-len(w), w)))
_PART = rf"(?:{_FLOOR}|(?:{_WORD_PATTERN})(?![^\W\d_])\.?|\d{{1,5}}(?!\d)|[a-z]{{1,4}}(?![^\W\d_])\.?|#)"
ADDITION = re.compile(rf"(?:[\s\-/.,+()&#]*{_PART})*[\s\-/.,()]*", re.IGNORECASE)
ADDITION_WORD = re.compile(_WORD_PATTERN, re.IGNORECASE)
_TOKEN = re.compile(r"t\.?/?o\.|\d+(?:e|de|ste)(?![^\W\d_])|\d+|[^\W\d_]+", re.IGNORECASE)
NUMBER = re.compile(r"0*(\d{1,6})(.*)", re.DOTALL)


def read_addition(text: str) -> str | None:
    """An addition in its one spelling; null when nothing is left of it."""
    parts = [_part(token) for token in _TOKEN.findall(text.replace("t/o", "t.o.").replace("T/O", "t.o."))]
    return " ".join(parts) or None


def _part(token: str) -> str:
    lower = token.lower()
    if lower in _SPELLINGS:
        return _SPELLINGS[lower]
    if token[0].isdigit():
        return lower.lstrip("0") or "0"
    return lower if lower in _WORDS else token.upper() if len(token) <= 4 else lower


def read_number(text: str) -> tuple[str | None, str | None]:
    """A house-number field: the number, and the addition that was typed behind it."""
    match = NUMBER.match(text.strip().lstrip("#").removeprefix("nr.").strip())
    if match is None or not int(match[1]):
        return None, read_addition(text)
    return str(int(match[1])), read_addition(match[2])
