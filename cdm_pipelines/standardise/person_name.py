"""Full names and salutations.

Belongs here: one value that holds a person's whole name, or the words before it; and joining what several columns
say about one name. Does not belong here: first names (given_name) and surnames (family_name) by themselves.

A small grammar for the names of the Low Countries and their neighbours. Rules that are a choice:

- ``mr.`` before a name is the Dutch jurist's title when the record is Dutch (or has no country), elsewhere an
  honorific. In a salutation it is an honorific by itself (the usual picklist has ``Mr.``), and a title beside
  another honorific.
- The honorific of two people ("Dhr. en mevr.") is of neither. Two given names ("Jan en Marie") stay together as
  given name, and are marked: the record is of no one person.
- With initials before it, all that follows is the surname: ``J.P. Jansen Klomp``. With given names it is the last
  word, or begins at a prefix.
"""

import re
from typing import NamedTuple

from cdm_pipelines.standardise.casing import name_case
from cdm_pipelines.standardise.distinct import remembered
from cdm_pipelines.standardise.family_name import Family, read_family, split_relation, take_titles
from cdm_pipelines.standardise.given_name import (
    Given,
    is_initials,
    is_small_prefix,
    read_given,
    spaced,
    take_call_name,
)
from cdm_pipelines.standardise.person_words import (
    AMBIGUOUS_PREFIXES,
    COUPLE,
    HONORIFICS,
    HOUSEHOLDS,
    IGNORED,
    bare,
    honorific_of,
    one_word,
    prefix_of,
    title_before,
    title_behind,
)

_MIXED_HONORIFIC = re.compile(r"[\s./,&+]+|(?:\b(?:en|and|und|of|or|et)\b)", re.IGNORECASE)
_ATTENTION = re.compile(
    r"^(?:t\.?a\.?v\.?|attn\.?:?|aan)\s+(?=(?:de\s+)?(?:heer|dhr|mevr|mw|familie|fam)\b)", re.IGNORECASE
)
_NO_NAME = re.compile(r"[\d@_#*=<>{}\[\]|\\~^%$€]|https?:|www\.")
NUMBER_FIRST_NAMES = frozenset({"US", "GB", "IE", "CA", "AU", "NZ"})  # J. Peter Jansen is a middle name there
_MAY_LEAD = HONORIFICS.keys() | HOUSEHOLDS | IGNORED
_LONGEST = 70
_DUTCH = frozenset({None, "NL", "BE", "SR", "CW", "AW", "SX", "BQ"})


def is_dutch(country: str | None) -> bool:
    """Whether names of a country are read as Dutch ones; those of no country are."""
    return country in _DUTCH


class PersonName(NamedTuple):
    """The parts of one name; null where there is none."""

    honorific: str | None = None
    title: str | None = None
    given: str | None = None
    middle: str | None = None
    initials: str | None = None
    prefix: str | None = None
    surname: str | None = None
    odd_given: bool = False
    odd_surname: bool = False


def join_titles(*titles: str | None) -> str | None:
    """Several titles as one text, each once, in order."""
    words = [word for title in titles if title for word in title.split()]
    return " ".join(dict.fromkeys(words)) or None


def read_salutation(text: str, country: str | None) -> PersonName:
    """Honorific and titles of a salutation: ``Dhr.``, ``Mevr. drs.``, ``Prof. dr. ir.``, ``De heer en mevrouw``."""
    words = [word for word in _MIXED_HONORIFIC.split(one_word(text)) if word]
    honorifics: list[str] = []
    titles: list[str] = []
    jurist = False
    for word in words:
        key = bare(word)
        if key == "mr":
            jurist = True
        elif key in HONORIFICS:
            honorifics.append(HONORIFICS[key])
        elif (title := title_before(f"{word}.", dutch=is_dutch(country))) is not None:
            titles.append(title)
        elif (suffix := title_behind(word, shouted=False)) is not None:
            titles.append(suffix)
    if jurist and (honorifics and is_dutch(country)):
        titles.insert(0, "mr.")
    elif jurist:
        honorifics.append(HONORIFICS["mr"])
    one = honorifics[0] if len(set(honorifics)) == 1 else None
    return PersonName(honorific=one, title=join_titles(*titles))


def _take_honorifics(text: str, *, dutch: bool) -> tuple[str, str | None]:
    """The text without the forms of address before it, and the one form that they are."""
    tokens = text.split()
    if not tokens or ("/" not in tokens[0] and bare(tokens[0]) not in _MAY_LEAD):
        return text, None
    found: list[str] = []
    start = 0
    while start < len(tokens) - 1:
        key = bare(tokens[start])
        if key == "mr" and dutch:
            break
        if (honorific := honorific_of(tokens[start])) is not None:
            found.append(honorific)
        elif "/" in key and all(part in HONORIFICS for part in key.split("/")):
            found.extend(HONORIFICS[part] for part in key.split("/"))
        elif key in HOUSEHOLDS:
            found.extend(("", ""))
        elif not _leads_on(key, tokens[start + 1], found=bool(found)):
            break
        start += 1
    one = found[0] if len(set(found)) == 1 else None
    return " ".join(tokens[start:]), one or None


def _leads_on(key: str, following: str, *, found: bool) -> bool:
    """Whether a word is only there for the form of address behind it: ``De heer``, ``Dhr. en mevr.``."""
    joins = key in IGNORED or (found and key in ("en", "&", "and", "of", "und", "+", "/"))
    return joins and (bare(following) in HONORIFICS or bare(following) in HOUSEHOLDS)


def read_full(text: str, country: str | None) -> PersonName:
    """Read a person's whole name; see `PersonName`."""
    dutch = is_dutch(country)
    rest, honorific, titles = _take_address(spaced(text), dutch=dutch)
    rest, *others = split_relation(rest)
    before, family = _divide(rest, country)
    given, inner_honorific, inner_titles = _read_before(before, dutch=dutch)
    surname = read_family("".join([family, *others]), dutch=dutch) if family else Family()
    return PersonName(
        honorific=honorific or inner_honorific,
        title=join_titles(*titles, *inner_titles, *surname.titles),
        given=given.given,
        middle=given.middle,
        initials=given.initials,
        prefix=" ".join(filter(None, (given.prefix, surname.prefix))) or None,
        surname=surname.surname,
        odd_given=_is_odd_given(given),
        odd_surname=is_odd(surname.surname),
    )


def read_first(text: str, country: str | None) -> PersonName:
    """Read a first-name field, with what else was typed there."""
    if len(text) > 4 and _is_word(text):
        return PersonName(given=name_case(text))
    given, honorific, titles = _read_before(spaced(text), dutch=is_dutch(country))
    return PersonName(
        honorific=honorific,
        title=join_titles(*titles),
        given=given.given,
        middle=given.middle,
        initials=given.initials,
        prefix=given.prefix,
        odd_given=_is_odd_given(given),
    )


def read_last(text: str, country: str | None) -> PersonName:
    """Read a last-name field, which holds the whole name where a system demands only that field."""
    if _is_word(text):
        return PersonName(surname=name_case(text))
    plain = text
    rest, honorific, _ = _take_address(spaced(plain), dutch=is_dutch(country))
    first, _, more = rest.partition(" ")
    if more and "." in first and is_initials(first) and prefix_of(first) is None:
        return read_full(text, country)
    family = read_family(rest if honorific else plain, dutch=is_dutch(country))
    return PersonName(
        honorific=honorific,
        title=join_titles(*family.titles),
        prefix=family.prefix,
        surname=family.surname,
        odd_surname=is_odd(family.surname),
    )


def _is_word(text: str) -> bool:
    """Whether it is one word, as most names are: there is nothing to take apart."""
    return text.isalpha() and len(text) <= _LONGEST


def _take_address(text: str, *, dutch: bool) -> tuple[str, str | None, tuple[str, ...]]:
    """The text without honorifics and titles, in whatever order they stand, and those."""
    rest, honorific = _take_honorifics(_ATTENTION.sub("", text), dutch=dutch)
    left, titles = take_titles(rest, dutch=dutch)
    if left == rest and not titles:
        return rest, honorific, titles
    rest, second = _take_honorifics(left, dutch=dutch)  # mr. drs. mevrouw
    return rest, honorific or second, titles


@remembered
def _read_before(text: str, *, dutch: bool) -> tuple[Given, str | None, tuple[str, ...]]:
    """What stands before a surname, with the honorific and the titles around it."""
    rest, honorific, titles = _take_address(text, dutch=dutch)
    if COUPLE.search(rest):
        return Given(given=rest), honorific, titles
    return (read_given(rest) if rest else Given()), honorific, titles


def is_odd(name: str | None) -> bool:
    """Whether a name has what names do not have: digits, signs, an endless length."""
    return name is not None and (len(name) > _LONGEST or _NO_NAME.search(name) is not None)


def _is_odd_given(given: Given) -> bool:
    several = given.given is not None and COUPLE.search(given.given) is not None
    return several or is_odd(given.given) or is_odd(given.middle)


def _divide(text: str, country: str | None) -> tuple[str, str]:
    """Where the surname begins: what stands before it, and the surname."""
    if "," in text:
        family, _, given = text.partition(",")
        words = given.replace(",", " ").split()
        prefix: list[str] = []
        while words and prefix_of(words[-1]) is not None:  # Berg, J.P. van der
            prefix.insert(0, words.pop())
        while words and prefix_of(words[0]) is not None and not is_initials(words[0]):  # Berg, van der, J.P.
            prefix.append(words.pop(0))
        return " ".join(words), " ".join([*prefix, family])
    bare_text, called = take_call_name(text)
    words = re.sub(r"\s*-\s*", "-", bare_text).split()
    words = _prefix_before_surname(words)
    start = _surname_start(words, country)
    if start == len(words):  # Jansen J.P., Berg van der J.P.
        return _reversed(words)
    before = " ".join(words[:start])
    return f"{before} ({called})" if called else before, " ".join(words[start:])


def _prefix_before_surname(words: list[str]) -> list[str]:
    """``Jan Jong van der`` and ``Jong van der`` in their natural order: Jan van der Jong."""
    end = len(words)
    while (
        end > 1 and words[end - 1].lower() not in AMBIGUOUS_PREFIXES and prefix_of(words[end - 1]) is not None
    ):
        end -= 1
    return words if end == len(words) else [*words[: end - 1], *words[end:], words[end - 1]]


def _reversed(words: list[str]) -> tuple[str, str]:
    end = len(words)
    while end > 1 and is_initials(words[end - 1]):
        end -= 1
    family, begin = words[:end], end
    while begin > 1 and prefix_of(family[begin - 1]) is not None:
        begin -= 1
    return " ".join(words[end:]), " ".join(family[begin:] + family[:begin])


def _surname_start(words: list[str], country: str | None) -> int:
    if len(words) < 2:
        return 0
    first = prefix_of(words[0])
    if first is not None and words[0].lower() not in AMBIGUOUS_PREFIXES and not is_initials(words[0]):
        return 0
    leading = 0
    while leading < len(words) - 1 and is_initials(words[leading]):
        if leading and is_small_prefix(words[leading]):  # J. v. Dijk
            break
        leading += 1
    if not leading and "." in words[-1] and is_initials(words[-1]):
        return len(words)
    if leading and country not in NUMBER_FIRST_NAMES:
        couple = words[leading] in ("&", "+", "en", "and") and len(words) > leading + 2
        return leading + 2 if couple else leading
    for position in range(max(leading, 1), len(words) - 1):
        if _begins_surname(words[position], shouted=" ".join(words).isupper()):
            return position
    return len(words) - 1


def _begins_surname(word: str, *, shouted: bool) -> bool:
    head, hyphen, tail = word.rpartition("-")
    if hyphen and head and prefix_of(tail) is not None:  # Jansen-de Vries
        return True
    if prefix_of(word) is None:
        return False
    return word.lower() not in AMBIGUOUS_PREFIXES or (word[0].islower() and not shouted)
