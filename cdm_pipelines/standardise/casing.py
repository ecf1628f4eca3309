"""Casing restored where a source wrote capitals or small letters only.

Belongs here: how Dutch and foreign names of people, streets and towns are capitalised. Does not belong here: taking a
name apart (person_name, street).

Text of mixed case was typed by someone who meant it, and is kept, except for the Dutch digraph: ``Ijsbrand`` is
``IJsbrand``.
"""

import re

from cdm_pipelines.standardise.distinct import remembered
from cdm_pipelines.standardise.vocabulary import words

_WORD = re.compile(r"[^\W_]+(?:['][^\W_]+)*|['][^\W\d_]+(?![^\W_])|[^\w\s]|\s+", re.UNICODE)
_DIGRAPH = re.compile(r"\bI[jJ](?=[^\W\d_aeiouyáéèëïöüAEIOUY])")
_MC = re.compile(r"Mc([a-z])(?=[a-z]{2})")
_MAC = re.compile(
    r"Mac(?=(?:donald|donell|dougall|gregor|intyre|kenzie|lachlan|laren|leod|millan|neil|pherson)\b)"
)
_ORDINAL = re.compile(r"\d+[^\W\d_]+")
_ROMAN = re.compile(r"(?=[IVX])(?:IX|IV|V?I{0,3}|X{1,3}(?:IX|IV|V?I{0,3}))")
_LETTER_NAMES = ("O", "D", "L", "M", "N")  # O'Neil, D'Angelo, L'Homme, M'Bala

# Words within a name that keep a small first letter.
SMALL_IN_PLACES = words(
    "van der den de het 't ter ten te op aan in bij en a/d a/h onder over uit voor tot la le les du des sur sous "
    "am an im und zum zur von del della di do da dos y e et of the upon and"
)
_ROMAN_IN_PLACES = frozenset(
    {"II", "III", "IV", "VI", "VII", "VIII", "IX", "XII", "XIII", "XIV", "XV", "XXIII"}
)


def is_shouted(text: str) -> bool:
    """Whether the text has no mixed case to keep: capitals only, or small letters only."""
    return text.isupper() or text.islower()


def digraph(text: str) -> str:
    """``Ij`` before a consonant at the start of a word is the Dutch letter ``IJ``."""
    return _DIGRAPH.sub("IJ", text) if "Ij" in text else text


def capitalise(word: str) -> str:
    """One word in small letters with a capital first: ``O'Neil``, ``McDonald``, ``IJsbrand``."""
    if len(word.lower()) != len(word) or len(word.upper()) != len(word):
        return word  # letters without a capital of their own, such as ß
    if "'" in word:
        head, _, tail = word.partition("'")
        if len(head) == 1 and head.upper() in _LETTER_NAMES and len(tail) > 1:
            return f"{head.upper()}'{capitalise(tail)}"
    if _ORDINAL.fullmatch(word):
        return word.lower()
    lower = word.lower()
    if lower[:2] == "ij" and _DIGRAPH.match("Ij" + lower[2:]):
        return "IJ" + lower[2:]
    title = lower[:1].title() + lower[1:]
    if title.startswith("M"):
        title = _MC.sub(lambda match: f"Mc{match[1].upper()}", title)
        mac = _MAC.match(title)
        title = f"Mac{title[3].upper()}{title[4:]}" if mac else title
    return title


@remembered
def name_case(text: str) -> str:
    """The words of a person's name, each in mixed case; a word of mixed case is kept."""
    return " ".join(_capitalised(word) if is_shouted(word) else digraph(word) for word in text.split(" "))


@remembered
def place_case(text: str) -> str:
    """A street or a town in mixed case: ``Laan van Meerdervoort``, ``'s-Gravenhage``, ``Capelle aan den IJssel``."""
    if not is_shouted(text):
        return digraph(text)
    return " ".join(_place_word(word, first=position == 0) for position, word in enumerate(text.split(" ")))


def _place_word(word: str, *, first: bool) -> str:
    lower = word.lower()
    if lower in {"'t", "'s"} or (lower in SMALL_IN_PLACES and not first):
        return lower
    is_numeral = word in _ROMAN_IN_PLACES and not first
    is_province = (
        word.startswith("(") and word.isascii() and len(word) <= 5
    )  # tells two towns apart: Bergen (NH)
    if is_numeral or is_province:
        return word.upper()
    if lower.startswith(("'s-", "'t-")):
        return lower[:3] + _place_word(word[3:], first=True)
    if lower.startswith("d'") and len(word) > 3:
        return ("D'" if first else "d'") + capitalise(word[2:])
    return _hyphenated(word)


def _hyphenated(word: str) -> str:
    parts = word.split("-")
    last = len(parts) - 1
    return "-".join(
        part.lower() if 0 < position < last and part.lower() in SMALL_IN_PLACES else _capitalised(part)
        for position, part in enumerate(parts)
    )


def _capitalised(text: str) -> str:
    return _WORD.sub(lambda match: capitalise(match[0]) if match[0][0].isalnum() else match[0], text)
