"""Surnames and their prefixes.

Belongs here: ``van der Berg``, ``Berg, van der``, ``Jansen - de Vries``, ``Jansen geb. de Vries``. Does not belong
here: what stands before a surname (given_name).

Prefixes are split off for every country, also where people write them with a capital (Belgium): names from several
sources must meet in one form. ``v.d.`` stays as it is: it may be van de, van den or van der.
"""

import re
from typing import NamedTuple

from cdm_pipelines.standardise.casing import is_shouted, name_case
from cdm_pipelines.standardise.distinct import remembered
from cdm_pipelines.standardise.person_words import (
    AMBIGUOUS_PREFIXES,
    PREFIX_SPELLINGS,
    prefix_of,
    title_before,
    title_behind,
)

_HYPHEN = re.compile(r"\s*[-/](?![dht]\b)\s*|\s+-|-\s+")
_GLUED_PREFIX = re.compile(r"^((?:van|in|op|aan|uit)?'t|d'|l'|dell'|dall')(?=[^\W\d_]{3})", re.IGNORECASE)
_BORN = re.compile(
    r"\s*[,(]?\s*(?:(?<!\S)geb(?:oren)?\.?\s|(?<!\S)geb\.|\bnée\s|(?<!\S)born\s)\s*", re.IGNORECASE
)
_MARRIED = re.compile(
    r"\s*[,(]?\s*(?<!\S)(?:e/v|e\.v\.|ev\.?|wed\.?(?:\s+v(?:an|\.))?|w/v|w\.v\.|weduwe(?:\s+van)?|echtg\.?(?:\s+van)?)\s+",
    re.IGNORECASE,
)
_INITIALS_SIZE = 3


class Family(NamedTuple):
    """A surname taken apart."""

    prefix: str | None = None
    surname: str | None = None
    titles: tuple[str, ...] = ()


def take_titles(text: str, *, dutch: bool) -> tuple[str, tuple[str, ...]]:
    """The text without the titles before and behind it, and those, in their one spelling."""
    shouted = text.isupper()
    tokens = text.replace(",", " , ").split()
    before: list[str] = []
    behind: list[str] = []
    while len(tokens) > 1 and (title := title_before(tokens[0], dutch=dutch)) is not None:
        before.append(title)
        tokens.pop(0)
    while len(tokens) > 1 and (tokens[-1] == "," or (title_behind(tokens[-1], shouted=shouted)) is not None):
        title = title_behind(tokens.pop(), shouted=shouted)
        if title is not None:
            behind.insert(0, title)
    return " ".join(tokens).replace(" ,", ","), (*before, *behind)


def split_relation(text: str) -> list[str]:
    """A name before ``geb.`` or ``e/v``, and from that word on; one part when there is no such word."""
    found = _MARRIED.search(text) or _BORN.search(text)
    return [text] if found is None or not found.start() else [text[: found.start()], text[found.start() :]]


@remembered
def read_family(text: str, *, dutch: bool = True) -> Family:
    """Read a surname with all that may stand around it; see `Family`."""
    text, titles = take_titles(text, dutch=dutch)
    married = _MARRIED.split(text, maxsplit=1)
    if len(married) == 2 and all(married):  # de Vries, wife of Jansen: Jansen-de Vries
        if re.search(r"\bw(?:ed|/v|\.v|eduwe)", text, re.IGNORECASE):
            titles = (*titles, "wed.")
        text = f"{married[1].rstrip(')')}-{_uncomma(married[0])}"
    else:
        born = _BORN.split(text, maxsplit=1)
        if len(born) == 2 and all(born):  # Jansen, born de Vries: Jansen-de Vries
            text = f"{_uncomma(born[0])}-{born[1].rstrip(')')}"
    prefix, surname = split_prefix(_HYPHEN.sub("-", _uncomma(text)).strip("-, "))
    return Family(prefix, surname, titles)


def _uncomma(text: str) -> str:
    """``Berg, van der`` in its natural order; what follows the comma and is no prefix is not a surname."""
    head, comma, tail = text.partition(",")
    if not comma:
        return _prefix_first(text.strip())
    words = tail.split()
    prefix: list[str] = []
    while words and prefix_of(words[-1]) is not None:
        prefix.insert(0, words.pop())
    return " ".join([*prefix, head.strip()])


def _prefix_first(text: str) -> str:
    """``Jong van der`` in its natural order; a prefix that is a surname too stays where it is."""
    words = text.split()
    end = len(words)
    while (
        end > 1 and words[end - 1].lower() not in AMBIGUOUS_PREFIXES and prefix_of(words[end - 1]) is not None
    ):
        end -= 1
    return text if end == len(words) else " ".join([*words[end:], *words[:end]])


def split_prefix(text: str) -> tuple[str | None, str | None]:
    """Prefix and surname of a text in natural order; a prefix that nothing follows is the surname."""
    if not text:
        return None, None
    shouted = is_shouted(text)
    prefix: list[str] = []
    while True:
        word, _, rest = text.partition(" ")
        glued = _GLUED_PREFIX.match(text)
        if rest and (spelled := prefix_of(word)) is not None and (not prefix or spelled != "y"):
            prefix.append(spelled)
            text = rest
        elif glued and (shouted or glued[1][0].islower() or glued[1][0] == "'"):
            prefix.append(PREFIX_SPELLINGS.get(glued[1].lower(), glued[1].lower()))
            text = text[glued.end() :]
        else:
            break
    return " ".join(prefix) or None, _surname_case(text)


def _surname_case(text: str) -> str:
    """Casing of each part of a double name; prefixes within it are small."""
    return "-".join(_part_case(part.split(" "), first=n == 0) for n, part in enumerate(text.split("-")))


def _part_case(part: list[str], *, first: bool) -> str:
    last = len(part) - 1
    prefixes = (
        prefix_of(word) if position < last and (position or not first) else None
        for position, word in enumerate(part)
    )
    return " ".join(prefix or name_case(word) for prefix, word in zip(prefixes, part, strict=True))
