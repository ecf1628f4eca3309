"""Lines of addresses: the street as it is written everywhere, and the number of the house.

Belongs here: parts of lines, short forms of what streets are called, in the languages of extracts. Does not belong
here: addresses of known countries, which are standardised before they are linked (standardise.street), or comparing
(compare.address).

What a house is divided into (floors, flats, suites) is neither street nor house number: *n elm rd* is *North Elm Road
2nd Floor*. Words that have a short form are written in it, for it says less than the long one: *st* is saint and
street.
"""

import re

_WITHIN = "apt apartment appt appartement app unit suite ste flat room rm floor fl etage verdieping bus bte boite piso"
_STOREY = "floor fl flr etage verdieping verd"
_STOREY_AT_THE_END = "hoog piso planta stock og"
"""Words that name a storey behind its number alone: `10 Stock Road` is the tenth house of that road."""
_ORDINAL = r"\d+(?:st|nd|rd|th)"
_RANK = "st|nd|rd|th|e|er|eme|de|ste|o|a"
_PARTS = re.compile(
    rf"\b(?:\d+(?:{_RANK})?|ground|first|second|third|top)\.? ?(?:{_STOREY.replace(' ', '|')})\b(?! ?#?\d)"
    rf"|\b(?:\d+(?:{_RANK})?|ground|first|second|third|top)\.? ?"
    rf"(?:{_STOREY_AT_THE_END.replace(' ', '|')})\b(?=\W*(?:$|[,;/]))"
    rf"|\b(?:{_WITHIN.replace(' ', '|')})\b\.? ?#? ?(?:\d+\w*|[a-z])\b"
    r"|# ?\w+"
)
_LETTER = r"(?:-?[a-z]\b| [a-z](?=\W*(?:$|\d|[,;/])))?"
_NUMBERED = re.compile(rf"\d+{_LETTER}\S*")
_NUMBER = re.compile(rf"\d+{_LETTER}")
_WORDS = re.compile(r"[^a-z0-9]+")
_SUFFIX = re.compile(r"(?<=[a-z]{3})(?:strasse|straat)$")
_SHORT = {
    word: short
    for short, words in (
        line.split(": ")
        for line in """\
st: street str strasse straat saint sint sankt santa san
rd: road
ave: avenue av avda avenida
ct: court
dr: drive drv doctor dokter
ln: lane
pl: place plaza plein platz pza plaats
blvd: boulevard boul bd
cct: circuit
cir: circle
cres: crescent cr
ter: terrace tce
hwy: highway
pde: parade
pkwy: parkway
sq: square
cl: close
gr: grove
hts: heights
mt: mount
ch: chemin
all: allee
c: calle carrer
v: via
n: north noord nord norte
s: south zuid sud sur
e: east oost est este
w: west ouest oeste
ne: northeast
nw: northwest
se: southeast
sw: southwest
prof: professor
burg: burgemeester bgm
kon: koningin koning""".splitlines()
    )
    for word in words.split()
}


def street_of(line: str) -> str:
    """The street of a line in small letters without accents: words in their short forms, nothing of the house."""
    whole = _PARTS.sub(" ", line)
    kept = _NUMBERED.sub(lambda found: found[0] if re.fullmatch(_ORDINAL, found[0]) else " ", whole)
    return " ".join(_SHORT.get(word, _SUFFIX.sub("str", word)) for word in _WORDS.split(kept) if word)


def number_of(line: str) -> str:
    """The number of the house with the letter that belongs to it; empty where there is none."""
    found = _NUMBER.search(re.sub(rf"\b{_ORDINAL}\b", " ", _PARTS.sub(" ", line)))
    return found[0] if found else ""
