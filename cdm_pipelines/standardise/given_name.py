"""Given names, call names and initials, as they stand in a first-name field.

Belongs here: telling initials from names, and their one spelling ``J.P.``. Does not belong here: surnames
(family_name).

Initials are never derived from given names: Dutch initials come from the official names (Johannes Petrus, J.P.),
which need not be the name that a person goes by (Jan). Only where names and initials stand together ("Jan P.") are
both used.
"""

import re
import unicodedata
from typing import NamedTuple

from cdm_pipelines.standardise.casing import capitalise, is_shouted, name_case
from cdm_pipelines.standardise.distinct import remembered
from cdm_pipelines.standardise.person_words import AMBIGUOUS_PREFIXES, DUTCH_PREFIXES, one_word, prefix_of
from cdm_pipelines.standardise.vocabulary import words

# An initial is up to three letters and a full stop: J. Th. Chr. IJ. Joh.
_DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.-?)+[^\W\d_]{0,2}")
_GLUED = re.compile(r"(?<=[^\W\d_]\.)(?=[^\W\d_]{3,}(?!\.)|[^\W\d_]{2}(?=[^\W\d_.]|\s|$)(?<![A-Z]{2}))")
_CALL_NAME = re.compile(r"""\(\s*([^()]*?)\s*\)|"\s*([^"]*?)\s*"|(?<!\S)'([^\s'][^']*[^\s'])'(?!\S)""")
_LATIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ]+")
_VOWELS = frozenset("aeiouyæœø\u0131")
_DIGRAPHS = {"th": "Th", "chr": "Chr", "ph": "Ph", "ij": "IJ", "fr": "Fr", "st": "St", "jh": "Jh"}
_SHORT_NAMES = words(
    "ab ad al an bo bé co cy di do ed eg el em fé ge ha ib ii io jo ju ka ko ky la li lo lu ly ma mo my no ny ob ot ou "
    "oz pi ra ro ru ry si su ta ti ty ub uk ut vi wu xi ya ye yi yu za zo zé"
)


_NO_VOWEL = words("ng")  # a surname of millions


class Given(NamedTuple):
    """What stands before the surname."""

    given: str | None = None
    middle: str | None = None
    initials: str | None = None
    prefix: str | None = None  # words of the surname that slipped into the field


@remembered
def is_initials(token: str) -> bool:
    """Whether a token is one or more initials rather than a name."""
    if "." in token:
        return _DOTTED.fullmatch(token) is not None
    parts = token.split("-")
    letters = "".join(parts)
    if not letters.isalpha():
        return False
    if all(len(part) == 1 for part in parts) or letters in ("IJ", "Th", "Chr", "Ph"):
        return True
    if len(letters) > 4 or not is_shouted(letters) or not _LATIN.fullmatch(letters):
        return False  # what is a vowel is known of Latin letters
    if not _has_vowel(letters):
        return letters.lower() not in _NO_VOWEL
    return len(letters) == 2 and letters.isupper() and letters.lower() not in _SHORT_NAMES


def _has_vowel(letters: str) -> bool:
    return any(unicodedata.normalize("NFD", letter)[0] in _VOWELS for letter in letters.lower())


@remembered
def initials_in(token: str) -> str:
    """The initials of a token in one spelling: ``jp`` is ``J.P.``, ``TH.`` is ``Th.``."""
    return "".join(f"{initial}." for part in _runs(token) for initial in _split(part, token))


def _runs(token: str) -> list[str]:
    """The runs of letters in a token; a fraction such as ½ is a word character for ``re``, but no letter."""
    return "".join(letter if letter.isalpha() else " " for letter in token).split()


def _split(part: str, token: str) -> list[str]:
    lower = part.lower()
    if len(lower) != len(part) or len(part.upper()) != len(part):
        return [part]
    if len(part) == 1:
        return [part.upper()]
    if lower in _DIGRAPHS and ("." in token or not part.isupper() or lower == "ij"):
        return [_DIGRAPHS[lower]]
    if "." in token and not part.isupper():
        return [capitalise(part)]
    if "." in token and len(part) == 3 and _has_vowel(part):
        return [capitalise(part)]
    return [letter.upper() for letter in part]


def spaced(text: str) -> str:
    """A blank after initials that are glued to a name: ``J.P.van``, ``J.Peter``."""
    return _GLUED.sub(" ", one_word(text))


def take_call_name(text: str) -> tuple[str, str | None]:
    """The text without what stands between brackets or quotes, and that, when it can be a name."""
    found: str | None = None
    for match in _CALL_NAME.finditer(text):
        name = next(group for group in match.groups() if group is not None)
        words = name.split()
        if found is None and 0 < len(words) <= 3 and all(_is_name(word) for word in words):
            found = name
    rest = _CALL_NAME.sub(" ", text)
    return " ".join(rest.split()), found


def _is_name(word: str) -> bool:
    return (
        len(word) > 1
        and word.replace("-", "").replace("'", "").isalpha()
        and (word[0].isupper() or word[0] == "'")
    )


@remembered
def read_given(text: str) -> Given:
    """Read a first-name field; see `Given`.

    A call name in brackets or quotes is the given name, and the official names are then further given names:
    ``Johannes Petrus (Jan)``.
    """
    rest, call_name = take_call_name(spaced(text))
    tokens, prefix = _without_prefix(rest.split())
    initials = [token for token in tokens if is_initials(token)]
    names = [token for token in tokens if not is_initials(token)]
    letters = None
    if initials:
        parts = (initials_in(token) if is_initials(token) else _first_letter(token) for token in tokens)
        letters = "".join(parts)
    if call_name is not None:
        names = [*call_name.split(), *names]
    spelled = [_spelled(name, first=position == 0) for position, name in enumerate(names)]
    return Given(
        given=spelled[0] if spelled else None,
        middle=" ".join(spelled[1:]) or None,
        initials=letters,
        prefix=prefix,
    )


def is_small_prefix(token: str) -> bool:
    """Whether a token is a prefix in small letters: ``v.d.``, which looks like two initials."""
    return token.islower() and prefix_of(token) is not None


def read_middle(text: str) -> str | None:
    """Read a field of further given names; initials among them are no names."""
    names = [name for name in spaced(text).split() if is_small_prefix(name) or not is_initials(name)]
    return " ".join(_spelled(name, first=False) for name in names) or None


def _spelled(name: str, *, first: bool) -> str:
    """María del Carmen: a prefix between given names is small."""
    is_prefix = not first and (name.islower() or name.lower() not in AMBIGUOUS_PREFIXES)
    return (prefix_of(name) if is_prefix else None) or name_case(name)


def _first_letter(token: str) -> str:
    letters = "".join(_runs(token))
    first = letters[:1]
    initial = "IJ" if letters[:2] in ("IJ", "Ij") else first.upper() if len(first.upper()) == 1 else first
    return f"{initial}." if initial else ""


def _without_prefix(tokens: list[str]) -> tuple[list[str], str | None]:
    end = len(tokens)
    while end > 1 and tokens[end - 1].lower() in DUTCH_PREFIXES:
        end -= 1
    if end == len(tokens):
        return tokens, None
    return tokens[:end], " ".join(prefix_of(token) or token.lower() for token in tokens[end:])
