"""A person's name from whatever columns a source keeps it in.

Belongs here: which column is believed for which part of the name. Does not belong here: the grammar of names
(person_name, given_name, family_name).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.standardise.distinct import (
    FLAG,
    TEXT,
    Arrays,
    coalesce,
    each,
    no_flags,
    no_text,
    over_distinct,
)
from cdm_pipelines.standardise.given_name import initials_in, is_initials, read_given, read_middle
from cdm_pipelines.standardise.person_name import (
    NUMBER_FIRST_NAMES,
    PersonName,
    is_dutch,
    is_odd,
    join_titles,
    read_first,
    read_full,
    read_last,
    read_salutation,
)
from cdm_pipelines.standardise.person_words import RELATED, prefix_of, title_before, title_behind

_TYPES = (*(TEXT,) * 7, FLAG, FLAG)
_NOTHING = PersonName()
_ROUNDS = 6
_SIMPLE = re.compile(r"[^\W\d_]{2,}(?:[-' ][^\W\d_]{2,})*")
_BETWEEN = re.compile("[-' ]")
_GENDER = {"mr": "male", "mrs": "female"}
_Reader = Callable[[str, str | None], PersonName]


def culture(country: pa.Array) -> pa.Array:
    """What names depend on of a country: null among Dutch names, ``US`` where middle names are usual, else ``XX``."""

    def standard(values: pa.Array) -> Arrays:
        return each(lambda c: (_culture(c),), (TEXT,), values)

    return over_distinct(standard, country)[0]


def _culture(country: str | None) -> str | None:
    if is_dutch(country):
        return None
    return "US" if country in NUMBER_FIRST_NAMES else "XX"


class _Names(NamedTuple):
    """The parts of a column of names, as ``PersonName`` has those of one."""

    honorific: pa.Array
    title: pa.Array
    given: pa.Array
    middle: pa.Array
    initials: pa.Array
    prefix: pa.Array
    surname: pa.Array
    odd_given: pa.Array
    odd_surname: pa.Array


def _parts(reader: _Reader, column: pa.Array, cultures: pa.Array) -> _Names:
    def read(value: str | None, country: str | None) -> PersonName:
        return _settled(reader(value, country), country) if value else _NOTHING

    def standard(values: pa.Array, countries: pa.Array) -> Arrays:
        return each(read, _TYPES, values, countries)

    return _Names(*over_distinct(standard, column, cultures))


def _settled(name: PersonName, country: str | None) -> PersonName:
    """Read the parts of a name again until they stay as they are.

    What is taken off a muddled value can leave behind what can be taken off again ("prof. Dhr. dr. Jansen").
    """
    if not name.title and all(
        part is None or _is_simple(part) for part in (name.given, name.middle, name.surname)
    ):
        return name
    for _ in range(_ROUNDS):
        again = _read_again(name, country)
        if again == name:
            break
        name = again
    return name


def _is_simple(part: str) -> bool:
    """Whether there is nothing in a part of a name that could be taken off: most of the time."""
    return _SIMPLE.fullmatch(part) is not None and RELATED.isdisjoint(_BETWEEN.split(part.lower()))


def _read_again(name: PersonName, country: str | None) -> PersonName:
    """What `person_names` makes of a name whose parts stand in columns of their own."""
    first = read_first(name.given, country) if name.given else _NOTHING
    last = read_last(name.surname, country) if name.surname else _NOTHING
    formal = read_salutation(name.honorific, country) if name.honorific else _NOTHING
    before = (read_prefix(name.prefix) if name.prefix else None) or first.prefix
    prefix = _join_prefix(before, last.prefix) if last.surname else before
    return PersonName(
        honorific=formal.honorific or first.honorific or last.honorific,
        title=join_titles(_read_title(name.title), first.title, last.title),
        given=first.given or last.given,
        middle=(read_middle(name.middle) if name.middle else None) or first.middle or last.middle,
        initials=(read_initials(name.initials) if name.initials else None)
        or first.initials
        or _join_initials(first.given, name.middle)
        or last.initials,
        prefix=prefix,
        surname=last.surname,
        odd_given=name.odd_given,
        odd_surname=name.odd_surname,
    )


def _combined(function: Callable[..., str | None], *columns: pa.Array) -> pa.Array:
    def standard(*values: pa.Array) -> Arrays:
        return each(lambda *parts: (function(*parts),), (TEXT,), *values)

    return over_distinct(standard, *columns)[0]


def read_initials(text: str) -> str | None:
    """An initials field: ``JP``, ``j p`` and ``J.P.`` are ``J.P.``."""
    tokens = text.replace(",", " ").split()
    spelled = (
        token if "." in token or not token.isalpha() or len(token) == 1 else ".".join(token)
        for token in tokens
    )
    short = (initials_in(f"{part}." if "." not in part else part) for part in spelled)
    return "".join(short) or None


def read_prefix(text: str) -> str | None:
    """A prefix field: ``Van Der`` and ``vd`` in their one spelling."""
    return " ".join(prefix_of(word) or word.lower() for word in text.split()) or None


def _join_prefix(first: str | None, second: str | None) -> str | None:
    """Prefixes of two columns, of which one may repeat the other."""
    if not first or not second or first == second or second.startswith(f"{first} "):
        return second or first
    return first if first.endswith(f" {second}") else f"{first} {second}"


def _join_initials(given: str | None, middle: str | None) -> str | None:
    """Initials from a given name and a column of middle initials: Jan | P. is ``J.P.``."""
    tokens = middle.split() if middle else []
    if not given or not tokens or not all(is_initials(token) for token in tokens):
        return None
    return read_given(f"{given} {middle}").initials


def person_names(
    columns: dict[str, pa.Array], cultures: pa.Array
) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    """Take names apart and put the parts together.

    A column that holds one part only is believed before one that holds several.

    Args:
        columns: Clean text by target: any of the attributes of a name, ``salutation``, ``family_name``,
        ``full_name``.
        cultures: What `culture` returned.

    Returns:
        The attributes of the name, and flags of those that a name cannot be.
    """
    empty = no_text(len(cultures))
    given = _parts(read_first, columns.get("given_name", empty), cultures)
    family = _parts(
        read_last, coalesce(*(columns.get(n, empty) for n in ("surname", "family_name"))), cultures
    )
    full = _parts(read_full, columns.get("full_name", empty), cultures)
    spoken = _parts(read_salutation, columns.get("salutation", empty), cultures)
    formal = _parts(read_salutation, columns.get("honorific", empty), cultures)
    own_title = columns.get("title", empty)
    middle = columns.get("middle_names", empty)
    own_initials = _combined(lambda v: read_initials(v) if v else None, columns.get("initials", empty))
    own_prefix = _combined(lambda v: read_prefix(v) if v else None, columns.get("surname_prefix", empty))
    names = {
        "honorific": coalesce(
            formal.honorific, spoken.honorific, given.honorific, family.honorific, full.honorific
        ),
        "title": _combined(
            join_titles,
            _combined(_read_title, own_title),
            formal.title,
            spoken.title,
            given.title,
            family.title,
            full.title,
        ),
        "given_name": coalesce(given.given, family.given, full.given),
        "middle_names": coalesce(
            _combined(lambda v: read_middle(v) if v else None, middle),
            given.middle,
            family.middle,
            full.middle,
        ),
        "initials": coalesce(
            own_initials,
            given.initials,
            _combined(_join_initials, given.given, middle),
            family.initials,
            full.initials,
        ),
        "surname_prefix": _prefix(own_prefix, given.prefix, family.prefix, full.prefix, family.surname),
        "surname": coalesce(family.surname, full.surname),
    }
    odd = {
        "given_name": pc.or_(pc.or_(given.odd_given, family.odd_given), full.odd_given),
        "surname": pc.or_(family.odd_surname, full.odd_surname),
        "middle_names": _odd(names["middle_names"]),
    }
    return names, odd


def _read_title(value: str | None) -> str | None:
    """A title field: known titles in one spelling, others as they are."""
    words = value.replace(",", " ").split() if value else []
    found = (title_before(f"{word}.", dutch=True) or title_behind(word, shouted=False) for word in words)
    return join_titles(*found) or value


def _prefix(
    own: pa.Array, slipped: pa.Array, family: pa.Array, full: pa.Array, surname: pa.Array
) -> pa.Array:
    before = pc.if_else(pc.is_valid(own), own, slipped)
    return coalesce(pc.if_else(pc.is_valid(surname), _combined(_join_prefix, before, family), before), full)


def _odd(column: pa.Array) -> pa.Array:
    def standard(values: pa.Array) -> Arrays:
        return each(lambda v: (is_odd(v),), (FLAG,), values)

    return over_distinct(standard, column)[0] if len(column) else no_flags(0)


def gender_hint(honorific: pa.Array) -> pa.Array:
    """The gender that an honorific tells."""
    return _combined(lambda v: _GENDER.get(v) if v else None, honorific)
