"""Finding the customer whom a person means: by name, phone, e-mail, address, order number or any id, typos included.

Belongs here: reading what was typed, and the answer. Does not belong here: who may be meant (``hub.search``), the
order in which they come (``rank``, ``weigh``).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa
from rapidfuzz import fuzz
from sqlalchemy import Connection

from cdm_pipelines.hub import queries
from cdm_pipelines.hub import search as hub
from cdm_pipelines.hub.agreement import agreement
from cdm_pipelines.hub.queries import Row
from cdm_pipelines.hub.search import Query
from cdm_pipelines.standardise.given_name import is_initials
from cdm_pipelines.standardise.person_words import prefix_of
from cdm_pipelines.standardise.place import read_postcode
from cdm_pipelines.steps.search.rank import COMPARED, Ranked, Weighing, rank

_ADDRESS = re.compile(r"\S*@\S*")
_DUTCH_POSTCODE = re.compile(
    r"\b(?P<code>[1-9]\d{3}\s?(?P<letters>[a-z]{2}))\b(?P<more>\s+[^\W\d])?(?:\W+(?P<number>\d{1,5})(?!\d)\S*)?",
    re.IGNORECASE,
)
_OTHER_POSTCODE = re.compile(r"(?P<code>\d{4,5})(?:\s+(?P<number>\d{1,5})\w?)?")
_AREA = re.compile(r"(?<![\w-])[1-9]\d{3}(?![\w-])")
_DAY_FIRST = re.compile(r"\b(\d{1,2})[-/.](\d{1,2})[-/.]((?:18|19|20)\d\d)\b")
_YEAR_FIRST = re.compile(r"\b((?:18|19|20)\d\d)-(\d{2})-(\d{2})\b")
_YEAR = re.compile(r"(?<![\d-])(?:18|19|20)\d\d(?![\d-])")
_PHONE = re.compile(r"(?:\+|\(|\b)\d[\d\s()./-]{5,}\d\b")
MOST_SIGNS = 300
"""A longer text is nobody's name or address, and would keep the database busy."""
_PLACE, _ALIKE = ("street", "house_number", "city"), 80
"""Where words are looked for that are no names, and how like they are, of 100: a slip in five letters."""
_TIES = 30  # customers among whom equal scores are put in order of name
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_WORD = re.compile(r"[^\s,;:]+")


class SearchError(ValueError):
    """What was typed cannot be looked for; the message says why."""


@dataclass(frozen=True)
class Hit:
    """A customer who was found.

    Attributes:
        golden_id: Current golden id.
        score: Match weight in bits between what was typed and the customer, as linkage weighs records; without a
            fitted model, likeness from 0 to 1; None where an id or a number names the customer.
        why: What agrees, in words, without values.
        missed: What was typed that nothing of the customer is; empty where all of it was found.
        tells: Whether what agrees tells a customer from others; else who was found is a suggestion, even alone.
        card: By what a person recognises the customer; see :func:`hub.queries.cards`.
    """

    golden_id: UUID
    score: float | None
    why: str
    missed: tuple[str, ...]
    tells: bool
    card: Row


def find(
    connection: Connection,
    text: str,
    models: Callable[[], Weighing] | None = None,
    *,
    limit: int = 10,
    country: str = "NL",
) -> list[Hit]:
    """Find customers by whatever a person types; the best first.

    Args:
        connection: Of a migrated hub.
        text: Name, e-mail, phone, postcode with house number, order number, golden id of any age, or id of a source
            record; several of them together narrow the search.
        models: Gives the kept linkage models, and is asked where something is ranked; without it likeness ranks.
        limit: Most customers to return.
        country: ISO 3166-1 alpha-2, whose national phone numbers are meant.

    Raises:
        SearchError: The text is too long.
    """
    query = read(text, country)
    candidates, words = hub.candidates(connection, query) if query.text else ((), None)
    found = {one.golden_id: one.reasons for one in candidates}
    known: dict[UUID, dict[str, str | None]] = {}
    if any(reasons & hub.IDS for reasons in found.values()):
        ranked = [Ranked(one, None, " and ".join(sorted(reasons))) for one, reasons in found.items()]
    else:
        known = hub.rows(connection, found, COMPARED) if found else {}
        ranked = rank(
            query, {one: (row, found[one]) for one, row in known.items()}, models() if models else None
        )
    best = {one.golden_id: one for one in sorted(ranked, key=_by_score)[: max(limit, _TIES)]}
    rows = queries.cards(connection, best)
    agreed = agreement(connection, query, {one: found[one] for one in rows}, words)
    hits = [
        Hit(
            one,
            best[one].score,
            best[one].why,
            not_of_place(known.get(one, {}), agreed[one].missed),
            agreed[one].tells,
            card,
        )
        for one, card in rows.items()
    ]
    return sorted(hits, key=_order)[:limit]


def not_of_place(row: Mapping[str, Any], missed: tuple[str, ...]) -> tuple[str, ...]:
    """Of what was typed that no index knows of a customer, what its street is not like either; numbers are equal."""
    parts = [part for name in _PLACE for part in (row.get(name) or "").lower().split()]
    return tuple(
        typed
        for typed in missed
        if not any(
            fuzz.ratio(typed.lower(), part) >= (100 if typed[-1].isdigit() else _ALIKE) for part in parts
        )
    )


def _by_score(ranked: Ranked) -> tuple[float, str]:
    return -(ranked.score or 0.0), str(ranked.golden_id)


def _order(hit: Hit) -> tuple[bool, float, bool, str, str]:
    """Who is known by all of it first, then by score."""
    score = 0.0 if hit.score is None else round(hit.score, 3)
    return bool(hit.missed), -score, hit.card["status"] != "active", str(hit.card["name"]), str(hit.golden_id)


def read(text: str, country: str = "NL") -> Query:
    """Take apart what a person typed; signs that no text has are read as blanks.

    Raises:
        SearchError: It is too long.
    """
    if len(text) > MOST_SIGNS:
        raise SearchError(f"Search for at most {MOST_SIGNS} characters: a name, an address or a number.")
    text = " ".join(_NO_TEXT.sub(" ", text).split())
    rest = text
    address, rest = _taken(_ADDRESS, rest)
    place, rest = _place(rest)
    birth, rest = _birth(rest)
    number, rest = _taken(_PHONE, rest)
    if not birth and not number:
        birth, rest = _taken(_YEAR, rest)
    area = ""
    if country == "NL" and not place[0]:
        area, rest = _taken(_AREA, rest)
    words, initials = _names(rest)
    return Query(
        text,
        email=_email(address),
        phone=_phone(number, country),
        postcode="" if _AREA.fullmatch(place[0]) and country == "NL" else place[0],
        area=place[0] if _AREA.fullmatch(place[0]) and country == "NL" else area,
        house_number=place[1],
        birth=birth,
        words=tuple(words),
        initials=tuple(initials),
        name=tuple(_WORD.findall(rest)),
    )


def _taken(pattern: re.Pattern[str], text: str) -> tuple[str, str]:
    """What a pattern finds, and the text without it."""
    found = pattern.search(text)
    return (found[0], f"{text[: found.start()]} {text[found.end() :]}") if found else ("", text)


def _email(text: str) -> str:
    if not text:
        return ""
    from cdm_pipelines.standardise import email  # noqa: PLC0415 - loads where an address was typed

    standard = email.read(pa.array([text]))[0][0].as_py()
    return str(standard or text.lower().strip(".,;<>"))


def _phone(text: str, country: str) -> str:
    if not text:
        return ""
    from cdm_pipelines.standardise import phone  # noqa: PLC0415 - loads where a number was typed

    standard = phone.read(pa.array([text]), pa.array([country]))[0][0].as_py()
    digits = re.sub(r"[^\d+]", "", text)
    return str(standard or re.sub("^00", "+", digits))


def _place(text: str) -> tuple[tuple[str, str], str]:
    found = _DUTCH_POSTCODE.search(text)
    if found and not (found["more"] and prefix_of(found["letters"])):  # 1971 de Vries
        rest = f"{text[: found.start()]} {found['more'] or ''}{text[found.end() :]}"
        return (read_postcode(found["code"], "NL")[0] or "", found["number"] or ""), rest
    found = _OTHER_POSTCODE.fullmatch(text.strip())
    if found and not _YEAR.fullmatch(text.strip()):
        return (found["code"], found["number"] or ""), ""
    return ("", ""), text


def _birth(text: str) -> tuple[str, str]:
    for pattern, order in ((_DAY_FIRST, (3, 2, 1)), (_YEAR_FIRST, (1, 2, 3))):
        found = pattern.search(text)
        if found:
            digits = "".join(found[part].zfill(2) for part in order)
            return digits, f"{text[: found.start()]} {text[found.end() :]}"
    return "", text


def _names(text: str) -> tuple[list[str], list[str]]:
    """Words to look up, without prefixes of surnames where there are others, and initials."""
    words, initials, prefixes = [], [], []
    for token in _WORD.findall(text):
        letters = [letter for letter in token if letter.isalnum()]
        if len(letters) == 1 or ("." in token and is_initials(token)):
            initials.append(letters[0])
        elif prefix_of(token) is not None:
            prefixes.append(token)
        elif letters:
            words.append(token)
    return (words or ([] if initials else prefixes)), initials
