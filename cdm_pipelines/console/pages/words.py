"""Words of pages in the language of the reader: those that templates say, messages with names and numbers, and codes.

Belongs here: finding the words of a text, of a whole message, or of its parts. Does not belong here: the words
(templates/dutch*.yaml), values (``render``).
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path

from cdm_pipelines.insight import report_words
from cdm_pipelines.privacy.words import Language
from cdm_pipelines.yaml_files import read_yaml

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
WORDS = tuple(TEMPLATES / f"dutch{subject}.yaml" for subject in ("", "-profile", "-messages"))
CODES = TEMPLATES / "dutch-codes.yaml"

_NAMED = re.compile(r"\{(\w+)(?:![rs])?\}")
_BETWEEN = re.compile(r"(, |; | and | or )")
_JOINED = {" and ": " en ", " or ": " of "}
_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?%?")
_SAID, _WHY, _DAY = "said", "why", "day"
_LISTED = frozenset({"names", "others", "records"})
_ANY = "(?:(?!; ).)+?"
_LOOKS = {_SAID: ".+?", _WHY: ".+?", "number": r"[+-]?\d[\d.,]*", "share": r"[\d.,]+%"}
"""What stands for a name in braces: another message, a number, a share; anything else is of one part."""


@cache
def dutch() -> Mapping[str, str]:
    """Dutch by English."""
    return {english: words for path in WORDS for english, words in read_yaml(path).items()}


@cache
def codes() -> Mapping[str, Mapping[str, str]]:
    """Dutch by code of each declared set, by its name."""
    return {
        of: {plain(code): words for code, words in named.items()} for of, named in read_yaml(CODES).items()
    }


def plain(code: str) -> str:
    """A code as people read it, however it is written."""
    return code.replace("_", " ").lower()


def translator(language: Language) -> Callable[..., str]:
    """From English words to those of a language; what is named in braces is put in after."""
    return report_words.translator(dutch(), language)


def teller(language: Language, of: str = "") -> Callable[[str], str]:
    """From a message to itself in a language; what there are no words for stays as it is.

    Args:
        language: Of the reader.
        of: A declared set, whose codes messages are made of.
    """
    if language is not Language.DUTCH:
        return lambda message: message
    return lambda message: _whole(message, of) or _in_parts(message, of) or message


@lru_cache(maxsize=2_000)
def _whole(message: str, of: str = "") -> str | None:
    if words := codes().get(of, {}).get(plain(message)):
        return words
    if message in dutch():
        return dutch()[message]
    for form, words in _forms():
        if found := form.fullmatch(message):
            named = {name: _named(name, value) for name, value in found.groupdict().items()}
            if None not in named.values():
                return words.format(**named)
    return None


def _named(name: str, value: str) -> str | None:
    """What is named in a message, as Dutch has it; None of a message that there are no words for."""
    if name in (_SAID, _WHY):
        return _whole(value) or _in_parts(value)
    if name in codes():
        return codes()[name].get(plain(value), value)
    if name in _LISTED:
        return value.replace(" and ", _JOINED[" and "])
    if name == _DAY:
        try:
            return f"{dt.date.fromisoformat(value):%d-%m-%Y}"
        except ValueError:
            return value
    return value.translate(str.maketrans(",.", ".,")) if _NUMBER.fullmatch(value) else value


def _in_parts(message: str, of: str = "") -> str | None:
    """A message whose parts, with commas or "and" between, are each known."""
    pieces = _BETWEEN.split(message)
    told = [_JOINED.get(piece, piece) if at % 2 else _whole(piece, of) for at, piece in enumerate(pieces)]
    return "".join(one or "" for one in told) if len(told) > 1 and None not in told else None


@cache
def _forms() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Messages with something in braces, as patterns; those that say most by themselves first."""
    return tuple((form, words) for _, form, words in sorted(_compiled(), key=lambda one: -one[0]))


def _compiled() -> Iterator[tuple[int, re.Pattern[str], str]]:
    for english, words in dutch().items():
        parts = _NAMED.split(english)
        if len(parts) < 3 or not re.search(r"\w{3}", "".join(parts[::2])):
            continue
        names = [
            f"(?P<{name}>{_LOOKS.get(name, _ANY)})" if name not in parts[1:at:2] else f"(?P={name})"
            for at, name in _odd(parts)
        ]
        texts = [re.escape(text) for text in parts[::2]]
        pattern = texts[0] + "".join(name + text for name, text in zip(names, texts[1:], strict=True))
        yield len("".join(texts)), re.compile(pattern, re.DOTALL), words


def _odd(parts: list[str]) -> Iterator[tuple[int, str]]:
    return ((at, part) for at, part in enumerate(parts) if at % 2)
