"""Ranking who was found: what was typed against each candidate.

Belongs here: likeness, and which scores count. Does not belong here: finding candidates (``hub.search``), match weights
(``weigh``).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from uuid import UUID

from rapidfuzz import fuzz

from cdm_pipelines.hub.search import ADDRESS, EMAIL, PHONE, Query

Row = Mapping[str, str | None]
Found = tuple[Row, set[str]]
COMPARED = (
    *("party_kind", "given_name", "initials", "surname_prefix", "surname", "gender", "birth_date"),
    *("organisation_name", "trade_name", "postcode", "house_number", "house_addition", "street", "city"),
    *("email", "phone", "mobile"),
)
"""Columns of a customer that what was typed is compared with."""
_MOST = 30  # candidates that are weighed: those most like what was typed
_NAMES = (
    (("surname", "organisation_name", "trade_name"), 1.0),
    (("given_name", "initials"), 0.95),
    (("city",), 0.8),
)
"""What a word may be, and how much its likeness counts."""


@dataclass(frozen=True)
class Ranked:
    """A candidate with its score and what agrees."""

    golden_id: UUID
    score: float | None
    why: str


class Weighing(Protocol):
    """Fitted models that weigh what was typed against candidates."""

    @property
    def kinds(self) -> Collection[str]:
        """Kinds of party that there is a model of."""

    def weighed(self, query: Query, kind: str, found: Mapping[UUID, Found]) -> list[Ranked]:
        """Candidates of a kind with their match weights."""


def rank(query: Query, found: Mapping[UUID, Found], models: Weighing | None) -> list[Ranked]:
    """Score all candidates, by match weight where every kind among them has a model, else by likeness."""
    kinds = {str(row["party_kind"]) for row, _ in found.values()}
    like = [
        Ranked(one, _likeness(query, row, reasons), reason(reasons)) for one, (row, reasons) in found.items()
    ]
    if models is None or not kinds <= set(models.kinds):
        return like
    if len(like) > _MOST:
        best = sorted(like, key=lambda one: (-(one.score or 0.0), str(one.golden_id)))[:_MOST]
        found = {one.golden_id: found[one.golden_id] for one in best}
    ranked: list[Ranked] = []
    for kind in sorted(kinds):
        mine = {one: held for one, held in found.items() if held[0]["party_kind"] == kind}
        if mine:  # none of the kind may be among the best
            ranked += models.weighed(query, kind, mine)
    return ranked


def reason(reasons: set[str]) -> str:
    """By what a candidate was found, in words."""
    return " and ".join(sorted(reasons))


def _likeness(query: Query, row: Row, reasons: set[str]) -> float:
    """How like a customer is to what was typed, from 0 to 1: the mean over words and values."""
    parts = [
        1.0 if reason in reasons else max(fuzz.ratio(typed, row[name] or "") / 100 for name in names)
        for reason, typed, names in (
            (EMAIL, query.email, ("email",)),
            (PHONE, query.phone, ("phone", "mobile")),
            (ADDRESS, query.postcode or query.area, ("postcode",)),
        )
        if typed
    ]
    known = [(word, part) for names, part in _NAMES for name in names for word in _words_of(row[name] or "")]
    parts += [
        max((_ratio(word.lower(), other) * part for other, part in known), default=0.0)
        for word in (*query.words, *query.initials)
    ]
    if query.birth:
        born = (row["birth_date"] or "").replace("-", "")
        parts.append(1.0 if born.startswith(query.birth) else 0.5 * born.startswith(query.birth[:4]))
    return sum(parts) / len(parts) if parts else 0.0


@lru_cache(maxsize=10_000)
def _words_of(value: str) -> tuple[str, ...]:
    return tuple(value.lower().replace("-", " ").split())


@lru_cache(maxsize=10_000)
def _ratio(one: str, other: str) -> float:
    return fuzz.ratio(one, other) / 100
