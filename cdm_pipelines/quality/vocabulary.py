"""The words of headers (``vocabulary.yaml``), and how a header is taken apart.

Belongs here: folding and splitting of headers, looking words up, the words around them that say whose or which address
it is. Does not belong here: values of columns (semantics), or choosing among the columns of a file (mapping).

A header and a phrase meet in their *folded* form: small letters without accents, blanks or doubled letters, ``ß`` as
``ss``, ``ä`` and ``ae`` both as ``a``. So ``Straße``, ``STRASSE`` and ``strasse`` are one word, and ``firstname``,
``First Name`` and ``FirstName`` one phrase.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from cdm_pipelines.yaml_files import read_yaml

_FILE = Path(__file__).with_name("vocabulary.yaml")
_SPECIAL = str.maketrans(
    {
        "ß": "ss",
        "ẞ": "ss",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "№": "nr",
        "&": " and ",
        "+": " and ",
    }
)
_HUMP = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])"
)
_ELISION = re.compile(r"\b([dl])['\u2019](?=\w)", re.IGNORECASE)
_MOST_WORDS, _MOST_WORDS_AROUND = 12, 4
_BETWEEN = frozenset(
    ("of", "the", "van", "de", "het", "der", "des", "du", "la", "le", "del", "dell", "di", "della", "d", "l")
)
_ENDINGS = ("s", "e", "n", "en", "er", "es")
_STEERING = ("modified", "deleted", "merged", "contact_person", "opened", "solved", "ticket")
_GLUED = 5
"""A word of fewer letters is only taken off where a word ends: `po` is no part of `position`."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the vocabulary says of one meaning.

    Attributes:
        target: Canonical path.
        looks_like: What most values look like; None when values tell nothing.
        telling: What values look like that tell without a header; None when they never do.
        unlike: What such a column does not hold; None when nothing is known.
    """

    target: str
    looks_like: str | None = None
    telling: str | None = None
    unlike: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Words around a meaning that say whose or which one it is: billing, home, other."""

    name: str
    rank: int


MAIN = Group("main", 0)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a header.

    Attributes:
        target: Canonical path.
        weak: Whether the words mean other things as well.
        group: Whose or which one it is.
        whole: Whether every word was understood; otherwise only the last ones.
        around: How many words were taken off that say whose or which one it is.
    """

    target: str
    weak: bool
    group: Group
    whole: bool = True
    around: int = 0


@dataclass(frozen=True)
class Vocabulary:
    """The words of ``vocabulary.yaml``, folded."""

    words: Mapping[str, Words]
    phrases: Mapping[str, tuple[tuple[str, bool], ...]]
    groups: Mapping[str, Group]
    someone_else: frozenset[str]
    steering: Mapping[str, frozenset[str]]


def header_words(name: str) -> str:
    """A header as small words: ``MailingPostalCode``, ``mailing_postal_code`` and ``Mailing Postal Code`` are one."""
    text = re.sub(r"__[cr]$", "", name.strip()).translate(_SPECIAL)
    text = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    text = _ELISION.sub(r"\1 ", text)
    text = _HUMP.sub(" ", text)
    return re.sub(r"[^0-9a-z]+", " ", text.lower()).strip()


def folded(words: str) -> str:
    """Words as they are looked up: without blanks, doubled letters, and ``ae`` for ``ä``."""
    glued = (
        re.sub(r"(?<=[aou])e(?=[a-z])|(?<=[aou])e$", "", words.replace(" ", "")) if "e" in words else words
    )
    return re.sub(r"([a-z])\1+", r"\1", glued.replace(" ", ""))


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary that is shipped."""
    content: dict[str, Any] = read_yaml(_FILE)
    lists = content["lists"]
    phrases: dict[str, dict[str, bool]] = {}
    words: dict[str, Words] = {}
    for target, entry in content["meanings"].items():
        words[target] = Words(target, entry.get("looks_like"), entry.get("telling"), entry.get("unlike"))
        for weak in (False, True):
            for phrase in entry.get("weak" if weak else "words", ()):
                for spelt in _spelt(str(phrase), lists):
                    phrases.setdefault(spelt, {}).setdefault(target, weak)
    groups = {
        folded(header_words(str(word))): Group(entry["name"], entry["rank"])
        for entry in reversed(content["groups"])
        for word in entry["words"]
    }
    return Vocabulary(
        words=words,
        phrases={phrase: tuple(found.items()) for phrase, found in phrases.items()},
        groups=groups,
        someone_else=frozenset(header_words(str(word)) for word in content["someone_else"]),
        steering={
            name: frozenset(folded(header_words(str(word))) for word in content[name]) for name in _STEERING
        },
    )


def _spelt(phrase: str, lists: Mapping[str, Sequence[object]]) -> Iterator[str]:
    """Every folded spelling of a phrase with lists in it."""
    parts = re.split(r"(\{\w+\})", phrase)
    choices = [
        [str(word) for word in lists[part[1:-1]]] if part.startswith("{") else [part] for part in parts
    ]
    for chosen in product(*choices):
        yield folded(header_words("".join(chosen)))


def steers(name: str, what: str) -> bool:
    """Whether a header says when a record was ``modified``, that it is ``deleted``, …: a list of the vocabulary."""
    known = vocabulary().steering[what]
    words = header_words(name)
    bare = re.sub(r"^do not modify |^.* (?=is deleted$)", "", words)
    return folded(words) in known or folded(bare) in known


def about_someone_else(name: str) -> bool:
    """Whether a header is about somebody or something else than the customer."""
    return _about_someone_else(header_words(name))


def _about_someone_else(words: str) -> bool:
    tokens = words.split()
    known = vocabulary().someone_else
    return any(
        " ".join(tokens[start:end]) in known
        for start in range(len(tokens))
        for end in range(start + 1, min(start + 4, len(tokens)) + 1)
    )


@cache
def readings(name: str, prefix: str = "party") -> tuple[Reading, ...]:
    """Every way to understand a header, for entities whose name begins with ``prefix``.

    The whole header comes first; then what is left without the words that say whose it is; then its last words alone.
    """
    tokens = header_words(name).split()
    if not 0 < len(tokens) <= _MOST_WORDS:
        return ()
    found = _Found(prefix)
    found.take(folded("".join(tokens)), MAIN)
    for around, rest, group in _without_surroundings(tokens):
        if found.readings and around > max(reading.around for reading in found.readings.values()):
            break
        found.take(rest, group, around=around)
    if not found.readings:
        for reading in _by_parts(name, prefix) if "/" in name else ():
            found.readings[reading.target] = reading
    if not found.readings:
        for start in range(1, len(tokens)):
            found.take(folded("".join(tokens[start:])), MAIN, whole=False)
    return tuple(found.readings.values())


def _by_parts(name: str, prefix: str) -> tuple[Reading, ...]:
    """`Postcode/ZIP`: one thing by two names, of which the first that is known counts."""
    for part in name.split("/"):
        plain = [reading for reading in readings(part, prefix) if reading.whole and not reading.weak]
        if plain:
            return tuple(replace(reading, around=reading.around + 1) for reading in plain)
    return ()


class _Found:
    """Readings by target; the first one of each counts."""

    def __init__(self, prefix: str) -> None:
        self.readings: dict[str, Reading] = {}
        self._prefix = prefix

    def take(self, phrase: str, group: Group, *, whole: bool = True, around: int = 0) -> None:
        """Note what a phrase means, if it means anything."""
        for target, weak in _targets(phrase, self._prefix):
            self.readings.setdefault(target, Reading(target, weak, group, whole, around))


def names(name: str, target: str) -> bool:
    """Whether a header says just that, and not weakly."""
    return any(
        reading.target == target and reading.whole and not reading.weak and not reading.around
        for reading in readings(name, target.partition(".")[0])
    )


def _targets(phrase: str, prefix: str) -> Iterator[tuple[str, bool]]:
    known = vocabulary().phrases
    for spelt in (phrase, phrase.removesuffix("s"), phrase.removesuffix("code")):
        if len(spelt) < 2 and spelt != phrase:
            continue
        found = [(target, weak) for target, weak in known.get(spelt, ()) if target.startswith(prefix)]
        if found:
            yield from found
            return


def _without_surroundings(tokens: list[str]) -> Iterator[tuple[int, str, Group]]:
    """What is left of a header without words that say whose it is; the fewest words are taken off first."""
    pieces = [folded(token) for token in tokens]
    start = (tuple(pieces), MAIN)
    level, seen = [start], {start[0]}
    for around in range(1, _MOST_WORDS_AROUND + 1):
        following = []
        for rest, group in level:
            for shorter, further in _one_less(rest):
                if shorter not in seen and shorter:
                    seen.add(shorter)
                    worse = further if further.rank > group.rank else group
                    following.append((shorter, worse))
                    yield around, folded("".join(shorter)), worse
        level = following


def _one_less(pieces: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Group]]:
    for count in (3, 2, 1):
        if len(pieces) > count:
            for front in (True, False):
                word = folded("".join(pieces[:count] if front else pieces[-count:]))
                group = _group(word) or (_numbered(word) if count == 1 else None)
                if group is not None:
                    yield (pieces[count:] if front else pieces[:-count]), group
    for place in range(1, len(pieces) - 1):
        numbered = _numbered(pieces[place])
        if numbered is not None:
            yield (*pieces[:place], *pieces[place + 1 :]), numbered
    for front in (True, False):
        piece = pieces[0] if front else pieces[-1]
        for cut in range(_GLUED, len(piece) - 2):
            word, rest = (piece[:cut], piece[cut:]) if front else (piece[-cut:], piece[:-cut])
            group = _group(word)
            if group is not None:
                yield ((rest, *pieces[1:]) if front else (*pieces[:-1], rest)), group


def _group(word: str) -> Group | None:
    """The group of a word, whatever its ending: geschäftlich, geschäftliche, geschäftlicher."""
    known = vocabulary().groups
    found = MAIN if word in _BETWEEN else known.get(word)
    for ending in _ENDINGS if found is None and len(word) > _GLUED else ():
        if word.endswith(ending):
            found = found or known.get(word.removesuffix(ending))
    return found


def _numbered(word: str) -> Group | None:
    """Numbers count addresses and phones: the first is the main one."""
    if not word.isdigit() or len(word) > 2:
        return None
    return MAIN if int(word) <= 1 else Group("other", 9)
