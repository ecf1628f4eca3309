"""Address lines: street, house number and addition in one value.

Belongs here: taking a line apart as its country writes it. Does not belong here: postcode, town and country (place).

Most of Europe writes the number behind the street, the English-speaking countries and France before it. A line that
holds no number is a street as a whole. What stands on further lines or between commas (building, attention, P.O.
box) goes to ``address_extra``.
"""

import re
from typing import NamedTuple

from cdm_pipelines.standardise.casing import place_case
from cdm_pipelines.standardise.house_number import ADDITION, ADDITION_WORD, read_addition, read_number
from cdm_pipelines.standardise.vocabulary import words

NUMBER_FIRST = words("US GB IE CA AU NZ FR LU ZA IN SG HK")
_STREET_EXPANDED = {"NL": "straat", "BE": "straat", "DE": "straße", "AT": "straße"}
_BOX = re.compile(
    r"^(?P<what>postbus|pb\.?|p\.?\s?o\.?\s?box|post\s?office\s?box|postfach|antwoordnummer|antw\.?\s?nr\.?|bp|"
    r"bo[iî]te postale)\s*:?\s*(?P<number>[\d ]*\d)$",
    re.IGNORECASE,
)
_BOX_SPELLINGS = {
    "pb": "Postbus",
    "postbus": "Postbus",
    "postfach": "Postfach",
    "antwoordnummer": "Antwoordnummer",
}
_BEHIND = re.compile(
    r"(?<=[^\W\d_][\s.,'])\s*(?:nr\.?|no\.?|n°|huisnr\.?|#)?\s*(\d{1,5})(?!\d)|(?<=\d\s)(\d{1,5})(?!\d)",
    re.IGNORECASE,
)
_GLUED = re.compile(r"(?<=[^\W\d_]{3})(\d{1,5})(?=\s*(?:[-/]?\s?[a-zA-Z]{0,2}|-\d{1,3})$)")
_OPPOSITE = re.compile(
    r"^(.*[^\W\d_].*?),?\s+(t\.?/?o\.?|tegenover|naast|nabij|bij|ong\.?|ongenummerd)(?:\s+(?:nr\.?\s*)?(\d{1,5})(.*))?$",
    re.IGNORECASE,
)
_BARE_NUMBER = re.compile(r"(?:nr\.?|no\.?)?\s*\d{1,5}\s*[a-z]{0,3}(?:[-/\s]\s*\w{1,4})?", re.IGNORECASE)
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_YEAR_STREETS = re.compile(r"(?:plein|laan|straat|weg|park|pad|mei|april|september|oktober)$", re.IGNORECASE)
_NUMBER_IN_FRONT = re.compile(
    r"^(?:nr\.?|no\.?|n°|#)?\s*(\d{1,6})(\s*[-/]\s*\d{1,4}|\s?(?:bis|ter|quater)\b|\s?[a-z]\b|\s?[½¼¾]|(?=[\s,]))[\s,]+(?=\S*[^\W\d_])(.*)$",
    re.IGNORECASE | re.DOTALL,
)
_LETTER_BEHIND_BLANK = frozenset({"US", "CA"})
"""Where a letter behind a number and a blank is a point of the compass, which belongs to the street: 123 N Main St."""
_UNIT_BEHIND = re.compile(
    r"[\s,]+((?:apt|apartment|unit|suite|ste|flat|floor|fl|room|rm|appt|bât|bldg|#)\.?\s*#?\s*[\w-]+)$",
    re.IGNORECASE,
)
_UNIT_IN_FRONT = re.compile(
    r"^((?:flat|apt|apartment|unit|suite|room|floor)\.?\s*[\w-]+)[\s,]+(?=\d)", re.IGNORECASE
)
_DATED = re.compile(
    r"^\d{1,2}\s+(?:januari|februari|maart|april|mei|juni|juli|augustus|september|oktober|november|december)"
    r"(?:plein|straat|laan|weg|park|$)",
    re.IGNORECASE,
)
_NAMED_NUMBER = re.compile(r"\.?\s+(?:d[ei]\s+)?([^\W\d_]{3,4})(?:\s+\d.*)?", re.IGNORECASE)
_MONTHS = words("mei mai maj maja may mayo maio mars mart märz juni juli juin jun jul june july août luty")
_NO_WHOLE_STREET = re.compile(r"(?:^|\s)(?:[^\W\d_]{1,3}\.|de[snr]?|du|della?|van|het)$", re.IGNORECASE)
_UNIT = re.compile(
    r"(?:flat|apt\.?|apartment|unit|suite|room|floor|kamer|gebouw|blok|toren)\s+[\w-]{1,4}", re.IGNORECASE
)
_ABBREVIATED = re.compile(r"(?<=[^\W\d_]{3})(?<!\s)str\.?$", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")
_MUDDLED = re.compile(r"[\d,;]|\b(?:t\.?/?o|tegenover|naast|nabij|bij|ong)", re.IGNORECASE)
_ROUNDS = 6
_EDGES = " \t,;-/"
_NUMBER_LINE = re.compile(r"[1-9][0-9]{0,3}\s?[a-z]?", re.IGNORECASE)
_LETTER_LINE = re.compile(r"[a-z]{1,2}", re.IGNORECASE)


class Street(NamedTuple):
    """An address line taken apart."""

    street: str | None = None
    number: str | None = None
    addition: str | None = None
    extra: str | None = None


def read_line(text: str, country: str | None) -> Street:
    """Read one address line, or several that belong together; see `Street`."""
    found = _read_lines(text, country)
    muddled = found.street and (_MUDDLED.search(found.street) or _UNIT.fullmatch(found.street))
    for _ in range(_ROUNDS if muddled else 0):
        again = _read_columns(found, country)
        if again == found:
            break
        found = again
    return found


def _read_lines(text: str, country: str | None) -> Street:
    pieces = [piece.strip(_EDGES) for line in _lines(text, country) for piece in _pieces(line)]
    pieces = [piece for piece in pieces if piece]
    read = [_read_piece(piece, country) for piece in pieces]
    best = next((n for n, street in enumerate(read) if street.street and street.number), None)
    if best is None:
        best = next((n for n, street in enumerate(read) if street.street), None)
    extras = [read[n].extra or piece for n, piece in enumerate(pieces) if n != best]
    if best is None:
        return Street(extra=", ".join(extras) or None)
    found = read[best]
    if found.number and best + 1 < len(pieces) and (more := _floor(pieces[best + 1])):
        extras.remove(read[best + 1].extra or pieces[best + 1])
        found = found._replace(addition=" ".join(filter(None, (found.addition, more))))
    return found._replace(extra=", ".join(filter(None, (found.extra, *extras))) or None)


def _lines(text: str, country: str | None) -> list[str]:
    """Lines; a house number on a line of its own, and then its letter, belong to the street above (Magento)."""
    lines: list[str] = []
    numbered = False
    for line in text.split("\n"):
        stripped = line.strip(_EDGES)
        above = lines[-1] if lines else ""
        is_number = _NUMBER_LINE.fullmatch(stripped) is not None and _lacks_number(above, country)
        if is_number or (numbered and _LETTER_LINE.fullmatch(stripped)):
            lines[-1] = f"{above.strip(_EDGES)} {stripped}"
        else:
            lines.append(line)
        numbered = is_number
    return lines


def _lacks_number(line: str, country: str | None) -> bool:
    if "," in line or not _LETTER.search(line):
        return False
    read = _read_piece(line.strip(_EDGES), country)
    return read.street is not None and read.number is None


def _pieces(line: str) -> list[str]:
    """The parts between commas; a number behind a comma belongs to the street before it (Via Roma, 12)."""
    pieces: list[str] = []
    for piece in line.split(","):
        stripped = piece.strip()
        after_street = pieces and _LETTER.search(pieces[-1]) and not re.search(r"\d", pieces[-1])
        after_number = pieces and re.fullmatch(
            r"\d{1,6}\s?(?:[a-z]?|bis|ter|quater)", pieces[-1], re.IGNORECASE
        )  # 12, rue de la Paix
        if after_number or (after_street and _BARE_NUMBER.fullmatch(stripped)):
            pieces[-1] = f"{pieces[-1]} {stripped}"
        else:
            pieces.append(stripped)
    return pieces


def _floor(piece: str) -> str | None:
    """What names a floor or a door right behind the street: ``2e verdieping``, ``bus 3``."""
    is_addition = re.match(
        r"\d{1,2}(?:e|de)?\s?(?:hoog|hg|verd)|(?:bus|bte|app|kamer)\b\.?\s*\w", piece, re.IGNORECASE
    )
    return read_addition(piece) if is_addition and ADDITION.fullmatch(piece) else None


def _read_piece(piece: str, country: str | None) -> Street:
    box = _BOX.match(piece)
    if box is not None:
        what = re.sub(r"[^a-z]", "", box["what"].lower())
        spelled = _BOX_SPELLINGS.get(what, "Antwoordnummer" if what.startswith("antw") else "Postbus")
        if country is not None and country not in ("NL", "BE", "DE"):
            spelled = box["what"]
        return Street(extra=f"{spelled} {' '.join(box['number'].split())}")
    if not _LETTER.search(piece) or _UNIT.fullmatch(piece):
        return Street(extra=piece)
    ways = (_number_first, _number_last) if country in NUMBER_FIRST else (_number_last, _number_first)
    found = next((street for way in ways if (street := way(piece, country)) is not None), None)
    found = found or Street(street=piece)
    return found._replace(street=spell_street(found.street or "", country))


def _number_last(piece: str, _: str | None) -> Street | None:
    opposite = _OPPOSITE.match(piece)
    if opposite is not None and not re.search(r"\s\d+\s*\w?$", opposite[1]):
        number = str(int(opposite[3])) if opposite[3] else None
        word = read_addition(opposite[2])
        return Street(
            opposite[1].strip(_EDGES),
            number,
            " ".join(filter(None, (word, read_addition(opposite[4] or "")))),
        )
    for match in (*_BEHIND.finditer(piece), *_GLUED.finditer(piece)):
        number, rest = match[1] or match[match.lastindex or 1], piece[match.end() :]
        street = piece[: match.start()].strip(_EDGES)
        if not int(number) or not _LETTER.search(street) or not ADDITION.fullmatch(rest):
            continue
        if (
            _YEAR.fullmatch(number)
            and _YEAR_STREETS.search(street)
            and (not rest.strip() or re.match(r"\s*-?\s*\d", rest))
        ):
            continue  # Plein 1944 12, Laan 1940-1945 3
        if _names_street(street, rest):
            continue
        return Street(street, str(int(number)), read_addition(rest))
    return None


def _names_street(street: str, rest: str) -> bool:
    """Whether a number is part of a street's name: ul. 3 Maja 15, Straße des 17. Juni 135, rue des 4 Eaux 7."""
    word = _NAMED_NUMBER.fullmatch(rest)
    if word is None or ADDITION_WORD.fullmatch(word[1]):
        return False
    return word[1].lower() in _MONTHS or _NO_WHOLE_STREET.search(street) is not None


def _number_first(piece: str, country: str | None) -> Street | None:
    unit = _UNIT_IN_FRONT.match(piece)
    extra = unit[1] if unit else None
    rest = piece[unit.end() :] if unit else piece
    match = _NUMBER_IN_FRONT.match(rest)
    if match is None or _DATED.match(rest) or not int(match[1]):
        return None
    behind_number, street = match[2], match[3].strip(_EDGES)
    if country in _LETTER_BEHIND_BLANK and behind_number[:1].isspace() and behind_number.strip().isalpha():
        behind_number, street = "", rest[match.start(2) :].strip(_EDGES)
    behind = _UNIT_BEHIND.search(street)
    if behind is not None:
        extra = ", ".join(filter(None, (extra, behind[1])))
        street = street[: behind.start()]
    return Street(street.strip(_EDGES), str(int(match[1])), read_addition(behind_number), extra)


def spell_street(text: str, country: str | None) -> str | None:
    """A street name with its casing restored and ``str.`` written out."""
    text = " ".join(text.split()).strip(_EDGES)
    expanded = _STREET_EXPANDED.get(country or "NL")
    if expanded is not None:
        text = _ABBREVIATED.sub(lambda match: expanded.upper() if match[0].isupper() else expanded, text)
    return place_case(text) or None


def read_parts(street: str | None, number: str | None, addition: str | None, country: str | None) -> Street:
    """Read street, number and addition from columns of their own, whatever was typed where."""
    digits, behind = read_number(number) if number else (None, None)
    typed = read_addition(addition) if addition else None
    joined = behind if behind == typed else " ".join(filter(None, (behind, typed)))
    if not street:
        return Street(None, digits, joined or None)
    line = read_line(street, country)
    if digits is None or line.number in (None, digits):
        same = line.addition if line.addition == joined else " ".join(filter(None, (line.addition, joined)))
        return line._replace(number=line.number or digits, addition=same or None)
    plain = spell_street(" ".join(street.split()), country)  # Plein 1944 | 12
    return Street(plain, digits, joined or None)


def _read_columns(parts: Street, country: str | None) -> Street:
    """What becomes of an address whose parts stand in columns of their own."""
    line = _read_lines(parts.street or "", country)
    if parts.number is not None and line.number not in (None, parts.number):
        return parts
    addition = (
        line.addition
        if line.addition == parts.addition
        else " ".join(filter(None, (line.addition, parts.addition)))
    )
    extra = ", ".join(filter(None, (line.extra, parts.extra)))
    return Street(line.street, line.number or parts.number, addition or None, extra or None)
