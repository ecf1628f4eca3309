"""Words of pages in the language of the reader: those that templates say, and messages with names and numbers in them.

Belongs here: finding the words of a text, of a whole message, or of its parts. Does not belong here: the words
(templates/dutch.yaml), values (``render``).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from cdm_pipelines.insight import report_words
from cdm_pipelines.privacy.words import Language
from cdm_pipelines.yaml_files import read_yaml

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
WORDS = TEMPLATES / "dutch.yaml"

_NAMED = re.compile(r"\{(\w+)(?:![rs])?\}")
_GROUP = re.compile(r"\(\?P[^)]*\)")
_BETWEEN = re.compile(r"(, |; )")


@cache
def dutch() -> Mapping[str, str]:
    """Dutch by English."""
    found: dict[str, str] = read_yaml(WORDS)
    return found


def translator(language: Language) -> Callable[..., str]:
    """From English words to those of a language; what is named in braces is put in after."""
    return report_words.translator(dutch(), language)


def teller(language: Language) -> Callable[[str], str]:
    """From a message to itself in a language; what there are no words for stays as it is."""
    if language is not Language.DUTCH:
        return lambda message: message
    return lambda message: _whole(message) or _in_parts(message) or message


def _whole(message: str) -> str | None:
    if message in dutch():
        return dutch()[message]
    for form, words in _forms():
        if found := form.fullmatch(message):
            return words.format(**found.groupdict())
    return None


def _in_parts(message: str) -> str | None:
    """A message whose parts, with commas between, are each known."""
    pieces = _BETWEEN.split(message)
    told = [piece if at % 2 else _whole(piece) for at, piece in enumerate(pieces)]
    return "".join(one or "" for one in told) if len(told) > 1 and None not in told else None


@cache
def _forms() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Messages with something in braces, as patterns; those that say most by themselves first."""
    return tuple(sorted(_compiled(), key=lambda one: -len(_GROUP.sub("", one[0].pattern))))


def _compiled() -> Iterator[tuple[re.Pattern[str], str]]:
    for english, words in dutch().items():
        parts = _NAMED.split(english)
        if len(parts) < 3 or not re.search(r"\w{3}", "".join(parts[::2])):
            continue
        names = [
            f"(?P<{name}>.+?)" if name not in parts[1:at:2] else f"(?P={name})" for at, name in _odd(parts)
        ]
        texts = [re.escape(text) for text in parts[::2]]
        pattern = texts[0] + "".join(name + text for name, text in zip(names, texts[1:], strict=True))
        yield re.compile(pattern, re.DOTALL), words


def _odd(parts: list[str]) -> Iterator[tuple[int, str]]:
    return ((at, part) for at, part in enumerate(parts) if at % 2)
