"""Values made comparable, and short keys made of them; always on distinct values.

Belongs here: case, accents, punctuation, spelling variants and the codes that blocking keys are made of. Does not
belong here: parsing a raw field into its parts (standardise), or comparing two values (levels).
"""

import re
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.encode.columns import FEW
from cdm_pipelines.linkage.encode.dates import Order, read_dates
from cdm_pipelines.linkage.encode.hashes import hashed
from cdm_pipelines.linkage.encode.organisation import organisation_name, short_name, sorted_words
from cdm_pipelines.linkage.encode.street import number_of, street_of
from cdm_pipelines.linkage.policy.spec import Clean, Take

LONGEST = (
    200  # characters; what comes after them says nothing about who it is and costs quadratic time to compare
)

# Words that stand before a surname without being part of what people look it up under.
PREFIXES = frozenset(
    {
        *(
            "van",
            "der",
            "de",
            "den",
            "het",
            "t",
            "ten",
            "ter",
            "te",
            "in",
            "op",
            "aan",
            "bij",
            "onder",
            "over",
            "uit",
        ),
        *(
            "voor",
            "tot",
            "v",
            "d",
            "vd",
            "vdr",
            "vh",
            "s",
            "la",
            "le",
            "du",
            "des",
            "l",
            "da",
            "do",
            "dos",
            "das",
        ),
        *(
            "di",
            "del",
            "della",
            "el",
            "al",
            "von",
            "zu",
            "zum",
            "af",
            "av",
            "mc",
            "mac",
            "o",
            "ben",
            "bin",
            "abu",
        ),
    }
)


def _replace(values: pa.Array, pattern: str, replacement: str) -> pa.Array:
    return pc.replace_substring_regex(values, pattern=pattern, replacement=replacement)


def _plain(values: pa.Array) -> pa.Array:
    """Lower case without accents."""
    values = pc.utf8_lower(values)
    foreign = pc.invert(pc.string_is_ascii(values))
    if pc.any(foreign).as_py():
        from anyascii import anyascii  # noqa: PLC0415 - only where a value asks for it

        spelled = [None if v is None else anyascii(v).lower() for v in values.filter(foreign).to_pylist()]
        values = pc.replace_with_mask(values, foreign, pa.array(spelled, pa.string()))
    return values


def _words(values: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(_replace(_plain(values), r"[^a-z0-9]+", " "))


def _name(values: pa.Array) -> pa.Array:
    values = _replace(_plain(values), r"['`.]+", "")
    return pc.utf8_trim(_replace(_replace(values, r"[^a-z0-9-]+", " "), r"\s*-\s*", "-"), characters=" -")


def _surname(values: pa.Array) -> pa.Array:
    values = _replace(_plain(values), r"['`.]+", " ")
    values = pc.utf8_trim(_replace(_replace(values, r"[^a-z0-9-]+", " "), r"\s*-\s*", "-"), characters=" -")
    return pc.replace_substring(values, "ij", "y")


def _digits(values: pa.Array) -> pa.Array:
    return _replace(_whole_number(values), r"\D+", "")


def _identifier(values: pa.Array) -> pa.Array:
    return _replace(pc.utf8_lower(_whole_number(values)), r"[^a-z0-9]+", "")


def _whole_number(values: pa.Array) -> pa.Array:
    """``12.0`` as ``12``: a column of numbers with gaps was written so by a program that knows no missing integers."""
    return _replace(values, r"^(\d+)\.0$", r"\1")


def _street(values: pa.Array) -> pa.Array:
    """A line with street and number, without what is neither."""
    return _each(_plain(values), street_of)


def _number(values: pa.Array) -> pa.Array:
    """The house number of a line with street and number, with the letter that belongs to it."""
    return _identifier(_each(_plain(values), number_of))


def _each(values: pa.Array, make: Callable[[str], str]) -> pa.Array:
    return pa.array([None if v is None else make(v) for v in values.to_pylist()], pa.string())


def _organisation(values: pa.Array) -> pa.Array:
    return _each(_plain(values), organisation_name)


DATE_ORDERS: dict[Clean, Order] = {"date": "ymd", "date_dmy": "dmy", "date_mdy": "mdy"}
"""In which order each way of cleaning dates takes their parts."""

_CLEANERS: dict[Clean, Callable[[pa.Array], pa.Array]] = {
    "text": _words,
    "name": _name,
    "surname": _surname,
    "organisation": _organisation,
    "digits": _digits,
    "identifier": _identifier,
    "street": _street,
    "number": _number,
    "date": lambda values: read_dates(values, DATE_ORDERS["date"]),
    "date_dmy": lambda values: read_dates(values, DATE_ORDERS["date_dmy"]),
    "date_mdy": lambda values: read_dates(values, DATE_ORDERS["date_mdy"]),
    "email": pc.utf8_lower,
    "exact": lambda values: values,
}


def clean(values: pa.Array, how: Clean) -> pa.Array:
    """Comparable spellings of distinct values, in their order; null where nothing is left."""
    if len(values) > FEW:
        return _cleaned(values, how)
    return pa.array(few_cleaned(values.to_pylist(), how), pa.string())


def _cleaned(values: pa.Array, how: Clean) -> pa.Array:
    values = pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(values), 0, LONGEST)
    values = _CLEANERS[how](values)
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


_KEPT: dict[Clean, dict[str | None, str | None]] = {how: {} for how in _CLEANERS}
_MOST_KEPT = 10_000


def few_cleaned(texts: list[str | None], how: Clean) -> list[str | None]:
    """The same by what is remembered: one record and its candidates mostly have names that came before."""
    kept = _KEPT[how]
    new = [text for text in texts if text not in kept]
    if not new:
        return [kept[text] for text in texts]
    made = dict(zip(new, _cleaned(pa.array(new, pa.string()), how).to_pylist(), strict=True))
    found = [made[text] if text in made else kept[text] for text in texts]
    if len(kept) + len(made) > _MOST_KEPT:  # another dictionary, since threads may be reading this one
        kept = _KEPT[how] = {}
    kept.update(made)
    return found


def side_by_side(texts: Sequence[pa.Array], how: Clean) -> pa.Array:
    """Several columns as one text to clean: surnames as a double name, parts of a date with the gaps that are there."""
    between = "-" if how == "surname" or how.startswith("date") else " "
    trimmed = [pc.utf8_trim_whitespace(text) for text in texts]
    # "skip" loses a row whose pieces are all null (pyarrow 26), so nulls are written as nothing.
    return pc.binary_join_element_wise(*trimmed, between, null_handling="replace", null_replacement="")


_SOUNDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"[^a-z]", ""),
        (r"ph", "f"),
        (r"sch|sh", "s"),
        (r"(tsj|tch|ch|gh|kh)", "g"),
        (r"(cks|chs|ks|x)", "ks"),
        (r"(ck|q|kk)", "k"),
        (r"c(?=[eiy])", "s"),
        (r"c", "k"),
        (r"th", "t"),
        (r"(dt|d)$", "t"),
        (r"(tz|ts|z)", "s"),
        (r"[vw]", "f"),
        (r"j", "y"),
        (r"(.)\1+", r"\1"),
        (r"(?<=.)[aeiouyh]", ""),
        (r"^[aeiouy]", "a"),
        (r"(.)\1+", r"\1"),
    )
)


def phonetic(value: str) -> str:
    """A code that spelling variants share: Dijk and Dyk, Smit and Smid, Jansen and Janssen, Philips and Filips."""
    for pattern, sound in _SOUNDS:
        value = pattern.sub(sound, value)
    return value


def core(value: str) -> str:
    """A surname without the prefixes before it, and without what follows a hyphen or its second half."""
    words = value.split("-", maxsplit=1)[0].split()
    while len(words) > 1 and words[0] in PREFIXES:
        words = words[1:]
    return " ".join(words)


def parts(value: str) -> tuple[str, ...]:
    """The surnames that a double name is made of, each without prefixes; one for a single name."""
    found = [core(part) for part in value.split("-")]
    return tuple(part for part in found if len(part) > 1)


def _python(make: Callable[[str], str]) -> Callable[[pa.Array, int], pa.Array]:
    def made(values: pa.Array, length: int) -> pa.Array:
        return pa.array([make(value)[:length] for value in values.to_pylist()], pa.string())

    return made


_MAKERS: dict[Take, Callable[[pa.Array, int], pa.Array]] = {
    "value": lambda values, _: values,
    "first": lambda values, length: pc.utf8_slice_codeunits(values, 0, length),
    "last": lambda values, length: pc.if_else(
        pc.greater_equal(pc.utf8_length(values), length), pc.utf8_slice_codeunits(values, -length), ""
    ),
    "initial": lambda values, _: pc.utf8_slice_codeunits(values, 0, 1),
    "year": lambda values, _: pc.utf8_slice_codeunits(values, 0, 4),
    "month_day": lambda values, _: pc.utf8_slice_codeunits(values, 4, 8),
    "local_part": lambda values, _: _replace(values, "@.*$", ""),
    "domain": lambda values, _: _replace(values, "^[^@]*@?", ""),
    "phonetic": _python(lambda value: phonetic(core(value))),
    "core": _python(core),
    "acronym": _python(short_name),
    "sorted_words": _python(sorted_words),
}


def derive(values: pa.Array, take: Take, length: int | None) -> pa.Array:
    """One key for each distinct value; null where the value has none."""
    made = _MAKERS[take](values, length or LONGEST)
    return pc.if_else(pc.equal(made, ""), pa.scalar(None, pa.string()), made)


def word_counts(columns: Sequence[tuple[list[str], list[int]]]) -> dict[int, int]:
    """In how many records each word occurs, by the hash of the word.

    Args:
        columns: Distinct values of each column, and how many records hold each. A word that a record has in two
            columns counts twice.
    """
    counts: dict[str, int] = {}
    for values, holders in columns:
        for value, records in zip(values, holders, strict=True):
            for word in dict.fromkeys(value.split()):
                counts[word] = counts.get(word, 0) + records
    return dict(zip(hashed(pa.array(list(counts), pa.string())).tolist(), counts.values(), strict=True))


def rare_tokens(values: list[str], counts: Mapping[int, int], keep: int) -> list[tuple[str, ...]]:
    """The ``keep`` rarest words of each value, the rarest first; a word without a count is as rare as can be."""
    words = [tuple(dict.fromkeys(value.split())) for value in values]
    distinct = sorted({word for found in words for word in found})
    hashes = hashed(pa.array(distinct, pa.string())).tolist()
    frequency = {word: counts.get(key, 0) for word, key in zip(distinct, hashes, strict=True)}
    return [tuple(sorted(found, key=lambda w: (frequency[w], w))[:keep]) for found in words]
