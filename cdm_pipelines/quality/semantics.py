"""What a column is about, by its header and by its values.

Belongs here: how sure header and values together are of a meaning. Does not belong here: words and how values look
(vocabulary), types and formats (profile), which column of a file is chosen for what (mapping), the contract (suggest).

Weights, by argument and not by any labels: a header that is understood as a whole is right more often than not (0.8);
one that also means other things, or of which only the last words are understood, is not enough by itself (0.55, 0.5),
but is with values that look like it (+0.15). Values that do not look like it weigh more than any header (-0.45), for a
header is a promise and a value a fact.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.quality.values import as_flags
from cdm_pipelines.quality.vocabulary import (
    MAIN,
    Group,
    Reading,
    Words,
    about_someone_else,
    header_words,
    names,
    readings,
    vocabulary,
)

__all__ = ["Kind", "Meaning", "header_words", "legal_forms", "meanings", "names_line", "names_order"]

WHOLE, WEAK, LAST_WORDS, VALUES_ALONE = 0.8, 0.55, 0.5, 0.6
_LOOKS_LIKE, _DOES_NOT, _SOMEONE_ELSE, _PER_WORD, _PER_RANK = 0.15, -0.45, -0.5, -0.01, -0.015
_TELLING = 0.9
_LEGAL_FORM = (
    r"(?i)\b(?:b\.?v|n\.?v|v\.?o\.?f|gmbh|ag|kg|ug|ohg|e\.?k|ltd|limited|inc|llc|plc|corp|s\.?a|s\.?a\.?s|s\.?r\.?l"
    r"|s\.?p\.?a|s\.?l|sarl|stichting|vereniging|maatschap|cv|bvba|holding|group|groep|verein)\b"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One more meaning that a column can have, besides those of the vocabulary.

    Attributes:
        target: Canonical path, or a name of the caller's own.
        header: Regular expression of whole headers, in small words.
        content: What most values look like; None when content tells nothing.
        telling: Whether the content alone is enough.
    """

    target: str
    header: str
    content: str | None = None
    telling: bool = False


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column is probably about.

    Attributes:
        target: Canonical path.
        confidence: From 0 to 1.
        why: In words.
        group: Whose or which one it is: main, billing, home, other.
        weak: Whether the header means other things as well, or tells nothing.
        ambiguous: Whether the whole header is a word that means several things.
    """

    target: str
    confidence: float
    why: str
    group: Group = MAIN
    weak: bool = False
    ambiguous: bool = False


def meanings(
    name: str, values: pa.Array, kinds: Sequence[Kind] | None = None, entity: str = "party"
) -> list[Meaning]:
    """What a column may be about, most probable first.

    Args:
        name: Header.
        values: Distinct values, none of them null.
        kinds: Meanings to choose among; those of the vocabulary when None.
        entity: Canonical entity whose meanings of the vocabulary are looked for; ``order`` is ``order_line`` too.
    """
    if kinds is not None:
        found = [meaning for kind in kinds if (meaning := _judge_kind(kind, header_words(name), values))]
    else:
        found = [*_by_header(name, values, entity), *_by_values(name, values, entity)]
    best: dict[str, Meaning] = {}
    for meaning in sorted(found, key=lambda meaning: -meaning.confidence):
        best.setdefault(meaning.target, meaning)
    return list(best.values())


def names_order(name: str) -> bool:
    """Whether a header names the number of an order."""
    return names(name, "order.order_id")


def names_line(name: str) -> bool:
    """Whether a header names the number of a line within an order."""
    return names(name, "order_line.line_id")


def legal_forms(values: pa.Array) -> float:
    """Which share of some names has a legal form or a word of organisations."""
    return share_like(_LEGAL_FORM, values, whole=False) or 0.0


def share_like(pattern: str | None, values: pa.Array, *, whole: bool = True) -> float | None:
    """Which part of the values looks like a pattern; None when there is no pattern or no value."""
    if pattern is None or not len(values):
        return None
    expression = rf"\A(?:{pattern})\z" if whole else pattern
    return float(as_flags(pc.match_substring_regex(values, expression)).mean())


def _by_header(name: str, values: pa.Array, entity: str) -> Iterator[Meaning]:
    elsewhere = entity == "party" and about_someone_else(name)
    for reading in readings(name, entity):
        confidence, why = _of_header(reading, elsewhere=elsewhere)
        more, told = _of_values(vocabulary().words[reading.target], values)
        yield Meaning(
            reading.target,
            round(min(max(confidence + more, 0.0), 0.99), 2),
            why + told,
            reading.group,
            weak=reading.weak or not reading.whole,
            ambiguous=reading.weak and reading.whole,
        )


def _of_header(reading: Reading, *, elsewhere: bool) -> tuple[float, str]:
    confidence, why = WHOLE, "the header says so"
    if reading.weak:
        confidence, why = WEAK, "the header may mean it"
    elif not reading.whole:
        confidence, why = LAST_WORDS, "the last words of the header say so"
    confidence += _PER_WORD * reading.around + _PER_RANK * reading.group.rank
    if reading.group.rank >= 8:
        why += f", of {reading.group.name}"
    if elsewhere:
        confidence, why = confidence + _SOMEONE_ELSE, f"{why}, but it seems to be about someone else"
    return confidence, why


def _of_values(words: Words, values: pa.Array) -> tuple[float, str]:
    unlike = share_like(words.unlike, values)
    if unlike is not None and unlike > 0.5:
        return _DOES_NOT, f", but {unlike:.0%} of the values are something else"
    share = share_like(words.looks_like, values)
    if share is None:
        return 0.0, ""
    more = _LOOKS_LIKE if share > 0.8 else 0.0 if share > 0.5 else _DOES_NOT
    return more, f", {'and' if share > 0.5 else 'but'} {share:.0%} of the values look like it"


def _by_values(name: str, values: pa.Array, entity: str) -> Iterator[Meaning]:
    """Meanings that values tell where the header does not."""
    if entity == "party" and about_someone_else(name):
        return
    for words in vocabulary().words.values():
        if words.target.startswith(entity) and words.telling is not None:
            share = share_like(words.telling, values)
            if share is not None and share > _TELLING:
                why = f"{share:.0%} of the values look like it, the header does not"
                yield Meaning(words.target, VALUES_ALONE, why, weak=True)


def _judge_kind(kind: Kind, words: str, values: pa.Array) -> Meaning | None:
    exact = re.fullmatch(kind.header, words) is not None
    within = not exact and re.search(rf"\b(?:{kind.header})$", words) is not None
    share = share_like(kind.content, values)
    if not exact and not within:
        if kind.telling and share is not None and share > _TELLING:
            return Meaning(
                kind.target, VALUES_ALONE, f"{share:.0%} of the values look like it, the header does not"
            )
        return None
    found = Meaning(kind.target, WHOLE if exact else LAST_WORDS, "the header says so")
    more, told = _of_values(Words(kind.target, kind.content), values)
    return replace(found, confidence=round(max(found.confidence + more, 0.0), 2), why=found.why + told)
