"""What each column of a file may be for linking, by its header and by its values.

Belongs here: from the profile of a file to offers: this column may be that, so sure, for this reason. Does not belong
here: which offer is taken (suggest_policy), or tables of words (column_words).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.encode.clean import clean
from cdm_pipelines.linkage.policy.equivalents import equivalents
from cdm_pipelines.quality.profile import ColumnProfile
from cdm_pipelines.quality.semantics import Kind, header_words, meanings
from cdm_pipelines.quality.suggest import ColumnSuggestion, Suggestion
from cdm_pipelines.quality.values import as_flags
from cdm_pipelines.steps.linking import date_forms
from cdm_pipelines.steps.linking.column_words import (
    ANSWER,
    MAYBE,
    NAMELESS,
    NAMES_A_NAME,
    NOT_A_BIRTHDAY,
    TREATED,
    WORDS,
    words_of,
)

SURE = 0.6
PARTS = ("birth_year", "birth_month", "birth_day")

_LESS_SURE = 0.15
_BY_VALUES = 0.6
_OF_BIRTH = re.compile(r"\b(?:birth|born|dob|geb|naiss|nac|nasc|yob|mob|(?:by|bm|bd)\b)")
_FITS: Mapping[str, Callable[[pa.Array], bool]] = {
    "birth_year": lambda values: date_forms.is_year(values) or date_forms.is_short_year(values),
    "birth_month": date_forms.is_month,
    "birth_day": date_forms.is_day,
}
_POSTCODE = (
    r"(?i)[0-9]{4} ?[A-Z]{2}|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}|[A-Z]{2}[0-9]{3,4}[A-Z]{2}"
    r"|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]"
)
_PHONE = r"(?:\+|00?)[1-9][0-9 ()./-]{7,18}"
_LINE = r"[0-9]{1,5}[A-Za-z]?,? +\pL[\pL .'-]+|\pL[\pL0-9 .'-]* [0-9]{1,5}(?:[ -]?[A-Za-z]{1,3})?"
_MEN, _WOMEN = (
    ("m", "male", "man", "mann", "homme", "hombre"),
    ("f", "v", "w", "female", "vrouw", "frau", "femme", "mujer"),
)
_WORD = r"\pL[\pL\pM'\x{2019}-]+(?: \pL[\pL\pM'\x{2019}.-]*){0,3}"
_NUMBERED = r"[0-9]"


@dataclass(frozen=True)
class Offer:
    """That a column may be something.

    Attributes:
        target: Canonical path, or a name of linkage's own.
        column: As the file names it.
        confidence: From 0 to 1.
        why: In words.
    """

    target: str
    column: str
    confidence: float
    why: str


def offers(suggestion: Suggestion) -> list[Offer]:
    """All that the columns of a file may be, none of it less than fairly sure."""
    open_ = [column for column in suggestion.columns if _usable(column, suggestion.file.rows)]
    found = [offer for column in open_ for offer in (*_by_contract(column), *_by_header(column.profile))]
    found = [offer for offer in _sound(found, open_) if offer.confidence >= SURE]
    told = {offer.target for offer in found if offer.confidence >= 0.7}
    found += [
        offer
        for column in open_
        for offer in _sound(_maybe(column.profile), [column])
        if offer.confidence >= SURE and (offer.target != "party.birth_date" or offer.target not in told)
    ]
    found = _surname_beside_given(found, {column.profile.name: column.profile for column in open_})
    silent = [
        column.profile for column in open_ if not any(offer.column == column.profile.name for offer in found)
    ]
    return found + list(_by_values(silent, {offer.target for offer in found}, suggestion))


def effective_values(column: ColumnProfile) -> float:
    """How many values would tell records apart as well as these do, if all were equally frequent; 0 for none."""
    present = pc.drop_null(column.cells)
    counts = np.asarray(
        pc.value_counts(present.filter(pc.not_equal(present, ""))).field("counts"), dtype=float
    )
    return float(counts.sum() ** 2 / (counts**2).sum()) if len(counts) else 0.0


def present(column: ColumnProfile, most: int = 4_000) -> pa.Array:
    """Values of some of the records that have one, as often as they come: errors are rare there, not among values."""
    cells = (
        column.cells.filter(pc.is_in(column.cells, value_set=column.values))
        if len(column.values)
        else column.values
    )
    return cells[:: max(1, len(cells) // most)]


def decided_by(column: ColumnProfile, by: ColumnProfile) -> float:
    """Share of the rows whose value is the most frequent one among rows of the same value of another column."""
    pairs = (
        pa.table({"by": by.cells, "of": column.cells}).group_by(["by", "of"]).aggregate([([], "count_all")])
    )
    pairs = pairs.filter(pc.and_(pc.is_valid(pairs["by"]), pc.not_equal(pairs["of"], "")))
    most = pairs.group_by("by").aggregate([("count_all", "max")])
    total = pc.sum(pairs["count_all"]).as_py()
    return float(pc.sum(most["count_all_max"]).as_py() / total) if total else 0.0


def has_numbers(column: ColumnProfile) -> bool:
    """Whether a street column holds house numbers too."""
    return _share(_NUMBERED, present(column)) > 0.5


def _usable(column: ColumnSuggestion, rows: int) -> bool:
    """Whether a column is not the record's id, has values (if any has), and does not tell who is who."""
    is_id = column.key_position is not None and column.meaning is None and column.profile.unique
    some = len(column.profile.values) > 0 or not rows
    return some and not is_id and ANSWER.search(words_of(column.profile.name)) is None


def _by_contract(column: ColumnSuggestion) -> Iterator[Offer]:
    """What a contract would say."""
    if column.meaning is not None:
        meaning = column.meaning
        yield Offer(meaning.target, column.profile.name, column.confidence, meaning.why)


def _by_header(column: ColumnProfile) -> Iterator[Offer]:
    """What the header says in any language, without words for how values were treated (``postcode_clean``)."""
    written, words = header_words(column.name), words_of(column.name)
    plain = " ".join(TREATED.sub(" ", words).split())
    readings: set[tuple[str, tuple[Kind, ...]]] = {
        (plain, WORDS),
        (plain, ()),
        (words, WORDS),
        (written, ()),
    }
    for text, these in sorted(readings, key=lambda one: one[0]):
        for meaning in meanings(text, present(column), these):
            yield Offer(meaning.target, column.name, meaning.confidence, meaning.why)


def _maybe(column: ColumnProfile) -> Iterator[Offer]:
    for meaning in meanings(words_of(column.name), present(column), MAYBE):
        sure = round(meaning.confidence - _LESS_SURE, 2)
        yield Offer(meaning.target, column.name, sure, f"{meaning.why}, though it could be another")


def _sound(found: Iterable[Offer], columns: Sequence[ColumnSuggestion]) -> Iterator[Offer]:
    """Without dates that are none, events, and parts of dates that cannot be such."""
    values = {column.profile.name: present(column.profile) for column in columns}
    parts = []
    for offer in found:
        if offer.target == "party.birth_date":
            yield from _dated(offer, values[offer.column])
        elif offer.target in PARTS:
            parts += [offer] if _FITS[offer.target](values[offer.column]) else []
        elif offer.target != "party.city" or not _OF_BIRTH.search(words_of(offer.column)):
            yield offer
    complete = {offer.target for offer in parts} == set(PARTS)
    for offer in parts:
        # "year" alone may be of anything, year, month and day beside names are a birthday.
        if complete or _OF_BIRTH.search(words_of(offer.column)):
            sure = round(min(offer.confidence + 0.2, 0.95), 2)
            yield Offer(offer.target, offer.column, sure, f"{offer.why}, and the values are in range")


def _dated(offer: Offer, values: pa.Array) -> Iterator[Offer]:
    """A date of birth that can be read, surer where most values are dates."""
    form, words = date_forms.date_form([values]), words_of(offer.column)
    if form is None or (NOT_A_BIRTHDAY.search(words) and not _OF_BIRTH.search(words)):
        return
    if offer.confidence < 0.75 and not _OF_BIRTH.search(words) and not form.of_birth:
        return
    sure = offer.confidence + (0.2 if form.share > 0.8 and offer.confidence < 0.8 else 0.0)
    why = f"{offer.why}, and {form.share:.0%} of the values are dates"
    yield Offer(offer.target, offer.column, round(sure, 2), why)


def _surname_beside_given(found: list[Offer], columns: Mapping[str, ColumnProfile]) -> list[Offer]:
    """A column that is only called name is the surname where given names stand in another column."""
    targets = {offer.target for offer in found}
    if "party.given_name" not in targets or "party.family_name" in targets:
        return found
    return [
        Offer(
            "party.family_name",
            offer.column,
            0.7,
            "it is called a name, and given names are in another column",
        )
        if offer.target == "party.name" and _share(r".* .*", present(columns[offer.column])) < 0.4
        else offer
        for offer in found
    ]


def _by_values(columns: Sequence[ColumnProfile], told: set[str], suggestion: Suggestion) -> Iterator[Offer]:
    """What columns look like whose headers say nothing that is known."""
    left = []
    for column in columns:
        if _OF_BIRTH.search(words_of(column.name)):
            continue
        target = next(
            (name for name, fits in _LOOKS if (name not in told or name in _SEVERAL) and fits(column)), None
        )
        if target is None:
            left.append(column)
        else:
            yield Offer(
                target, column.name, _BY_VALUES, "the values look like it, the header does not say it"
            )
    nameless = [column for column in left if NAMELESS.fullmatch(words_of(column.name))]
    yield from _parts_by_values(nameless, told)
    names = [column for column in left if column in nameless or NAMES_A_NAME.search(words_of(column.name))]
    codes = [one.profile for one in suggestion.columns if _share(_POSTCODE, present(one.profile)) > 0.7]
    yield from _names_by_values(names, told, codes)


def _parts_by_values(columns: Sequence[ColumnProfile], told: set[str]) -> Iterator[Offer]:
    """Three columns of years, of one to twelve and of one to thirty-one are a date."""
    if told & {"party.birth_date", *PARTS}:
        return
    years = [
        column for column in columns if date_forms.is_year(present(column)) and effective_values(column) >= 20
    ]
    months = [
        column for column in columns if date_forms.is_month(present(column)) and effective_values(column) > 9
    ]
    days = [
        c for c in columns if date_forms.is_day(present(c)) and effective_values(c) > 24 and c not in months
    ]
    if len(years) == len(months) == len(days) == 1:
        for target, column in zip(PARTS, (years[0], months[0], days[0]), strict=True):
            yield Offer(target, column.name, _BY_VALUES, "three columns together look like dates of birth")


def _names_by_values(
    columns: Sequence[ColumnProfile], told: set[str], postcodes: Sequence[ColumnProfile]
) -> Iterator[Offer]:
    """Given names by the table of names, places by their postcodes, and surnames by what is left."""
    words = [c for c in columns if _share(_WORD, present(c)) > 0.9 and effective_values(c) >= 20]
    known = {column.name: _given_names(column) for column in words}
    given = max(words, key=lambda column: known[column.name], default=None)
    if given is not None and known[given.name] > 0.3 and "party.given_name" not in told:
        yield Offer(
            "party.given_name", given.name, _BY_VALUES, f"{known[given.name]:.0%} are known given names"
        )
    elif "party.given_name" not in told:
        return
    else:
        given = None
    places = [c for c in words if c is not given and any(decided_by(c, code) > 0.8 for code in postcodes)]
    if "party.city" not in told and len(places) == 1:
        yield Offer("party.city", places[0].name, _BY_VALUES, "its words go with the postcodes")
    rest = [column for column in words if column is not given and column not in places]
    if "party.family_name" not in told and rest:
        # Of several, the one that tells most people apart.
        surname = max(rest, key=effective_values)
        yield Offer(
            "party.family_name", surname.name, _BY_VALUES, "words as diverse as surnames, beside given names"
        )


def _given_names(column: ColumnProfile) -> float:
    """Share of the records whose value begins with a known given name."""
    cells = pc.drop_null(column.cells)
    names = pc.list_element(pc.split_pattern(clean(cells, "name").fill_null("-").cast(pa.string()), " "), 0)
    return float(as_flags(pc.is_in(names, value_set=_known_names())).mean()) if len(cells) else 0.0


@cache
def _known_names() -> pa.Array:
    """Given names of the table that linkage uses, in all their forms."""
    table = equivalents("given_names.yaml", None)
    return pa.array(sorted({*table, *(form for forms in table.values() for form in forms)}), pa.string())


def _looks_like(pattern: str, least: float) -> Callable[[ColumnProfile], bool]:
    return lambda column: _share(pattern, present(column)) > least


def _looks_like_phone(column: ColumnProfile) -> bool:
    if _share(_PHONE, present(column)) < 0.8 or len(column.values) < 3:
        return False
    digits = pc.utf8_length(pc.replace_substring_regex(column.values, r"\D+", ""))
    return float(as_flags(pc.and_(pc.greater_equal(digits, 9), pc.less_equal(digits, 15))).mean()) > 0.8


def _looks_like_birthday(column: ColumnProfile) -> bool:
    if NOT_A_BIRTHDAY.search(words_of(column.name)) or len(column.values) < 3:
        return False
    form = date_forms.date_form([present(column)])
    return form is not None and form.of_birth


def _looks_like_gender(column: ColumnProfile) -> bool:
    words = set(pc.utf8_lower(column.values).to_pylist()) if len(column.values) <= 4 else set()
    return bool(words & set(_MEN)) and bool(words & set(_WOMEN)) and len(words - {*_MEN, *_WOMEN}) <= 1


_LOOKS: tuple[tuple[str, Callable[[ColumnProfile], bool]], ...] = (
    ("party.email", _looks_like(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}", 0.9)),
    ("party.postcode", _looks_like(_POSTCODE, 0.9)),
    ("party.birth_date", _looks_like_birthday),
    ("party.phone", _looks_like_phone),
    ("party.address_line", _looks_like(_LINE, 0.8)),
    ("party.gender", _looks_like_gender),
)
"""What columns look like, the most telling first."""
_SEVERAL = ("party.email", "party.postcode", "party.phone", "party.address_line")
"""What a column is seen to be though another one is called it: it may be the one that all files have."""


def _share(pattern: str, values: pa.Array) -> float:
    """Which part of values is of a form."""
    if not len(values):
        return 0.0
    found: Any = as_flags(
        pc.match_substring_regex(values, rf"\A(?:{pattern})\z" if pattern != _NUMBERED else pattern)
    )
    return float(found.mean())
