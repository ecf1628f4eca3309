"""Who is meant by what somebody typed, as far as their role may look for it.

Belongs here: what of a query a role may look for, and ranking by what it sees in clear. Does not belong here: reading
what was typed and weighing it (steps.search), who may be meant (hub.search).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from cdm_pipelines.console.errors import ForbiddenError, RefusedError
from cdm_pipelines.console.reads import Row, name_of, names_of
from cdm_pipelines.console.sight import Eyes, Sight
from cdm_pipelines.hub import quick
from cdm_pipelines.hub import search as candidates
from cdm_pipelines.hub.agreement import Agreement, agreement
from cdm_pipelines.hub.search import Query
from cdm_pipelines.privacy.search import NAME as FIND
from cdm_pipelines.privacy.views import CUSTOMER
from cdm_pipelines.steps.search.find import SearchError, not_of_place, read
from cdm_pipelines.steps.search.rank import COMPARED, Ranked, Weighing, rank

_TIES = 30
_NOT_ASKED = ""  # of what no whole value may be looked for
_OF_ORDER = "user.behavior.purchase_history"


@dataclass(frozen=True)
class Found:
    """A customer who was found.

    Attributes:
        golden_id: Current golden id.
        score: Match weight in bits between what was typed and the customer; None where an id or number names it.
        why: What agrees, in words.
        missed: What was typed that the customer is not known by, or that the role may not look for.
        tells: Whether what agrees tells a customer from others; else who was found is a suggestion, even alone.
        values: What the role sees of it.
    """

    golden_id: UUID
    score: float | None
    why: str
    missed: tuple[str, ...]
    tells: bool
    values: Row


def search(eyes: Eyes, typed: str, models: Weighing | None, *, limit: int, country: str) -> list[Found]:
    """Customers whom a person may mean, the best first, looked for by what the role may look for.

    By values that it reads in clear, typing errors are forgiven; by those that it reads masked, a whole value finds
    who has it: whoever could ask for parts would read it by asking.

    Raises:
        RefusedError: The text cannot be looked for.
        ForbiddenError: The role may not look customers up.
    """
    eyes.sight.see_that_recognises()
    if not eyes.sight.role.search:
        raise ForbiddenError(f"The role {eyes.sight.name} may not look customers up (policies/roles.yaml).")
    try:
        query = read(typed, country)
    except SearchError as error:
        raise RefusedError(str(error)) from None
    open_to, whole = _narrowed(query, eyes.sight)
    reasons: dict[UUID, set[str]] = {}
    words: candidates.Words | None = None
    if open_to.text or any(
        (
            open_to.email,
            open_to.phone,
            open_to.postcode,
            open_to.area,
            open_to.words,
            open_to.initials,
            open_to.birth,
        )
    ):
        customers, words = candidates.candidates(eyes.connection, open_to)
        for one in customers:
            mine = one.reasons if eyes.sight.role.may_find_by(_OF_ORDER) else one.reasons - {candidates.ORDER}
            if mine:
                reasons.setdefault(one.golden_id, set()).update(mine)
    for what, value in whole:
        if what == _NOT_ASKED:
            continue
        find = f'SELECT golden_id FROM "{eyes.sight.schema}"."{FIND}"(:typed)'  # noqa: S608 - ours
        for golden_id in quick.scalars(eyes.connection, find, {"typed": value}):
            reasons.setdefault(golden_id, set()).add(what)
    rows = _rows_of(eyes, reasons)
    best = _best(_ranked(open_to, rows, reasons, models, eyes.sight), limit)
    agreed = agreement(
        eyes.connection, open_to, {one.golden_id: reasons[one.golden_id] for one in best}, words
    )
    hits = sorted(_beside(agreed, whole, best, reasons, rows), key=_place)[:limit]
    eyes.note([CUSTOMER], [hit.golden_id for hit in hits])
    return hits


def _narrowed(query: Query, sight: Sight) -> tuple[Query, list[tuple[str, str]]]:
    """What of a query a role may look for with typing errors forgiven, and what by whole values only."""
    clear = sight.clear(CUSTOMER)
    whole: list[tuple[str, str]] = []
    kept = replace(query)
    for columns, names, what, value in (
        ({"email"}, ("email",), candidates.EMAIL, query.email),
        ({"phone", "mobile"}, ("phone",), candidates.PHONE, query.phone),
        (
            {"postcode", "house_number"},
            ("postcode", "area", "house_number"),
            candidates.ADDRESS,
            f"{query.postcode or query.area} {query.house_number}".strip(),
        ),
        (
            {"given_name", "surname"},
            ("words", "initials", "name"),
            candidates.NAME,
            " ".join(query.words),
        ),
        ({"birth_date"}, ("birth",), _NOT_ASKED, query.birth),
    ):
        if value and not columns <= clear:
            kept = _without(kept, names)
            whole.append((what, value))
    if not sight.role.may_find_by("user.unique_id"):
        kept = replace(kept, text="")
    return kept, whole


def _without(query: Query, names: Iterable[str]) -> Query:
    empty: dict[str, Any] = {name: type(getattr(query, name))() for name in names}
    return replace(query, **empty)


def _rows_of(eyes: Eyes, found: Iterable[UUID]) -> dict[UUID, Row]:
    ids = list(found)
    if not ids:
        return {}
    with eyes.as_role() as connection:
        names = names_of(eyes.sight, CUSTOMER)
        query = f"SELECT {names} FROM customer WHERE golden_id = ANY(:ids)"  # noqa: S608 - ours
        return {row["golden_id"]: row for row in quick.mappings(connection, query, {"ids": ids})}


def _ranked(
    query: Query,
    rows: Mapping[UUID, Row],
    reasons: Mapping[UUID, set[str]],
    models: Weighing | None,
    sight: Sight,
) -> list[Ranked]:
    """Scores by what the role sees in clear."""
    if any(reasons[one] & candidates.IDS for one in rows):
        return [Ranked(one, None, " and ".join(sorted(reasons[one]))) for one in rows]
    clear = sight.clear(CUSTOMER)
    compared = {
        one: (
            {name: _as_text(row[name]) if name in clear and name in row else None for name in COMPARED},
            reasons[one],
        )
        for one, row in rows.items()
    }
    return rank(query, compared, models if "party_kind" in clear else None)


def _best(ranked: Iterable[Ranked], limit: int) -> list[Ranked]:
    return sorted(ranked, key=lambda one: (-(one.score or 0.0), str(one.golden_id)))[: max(limit, _TIES)]


def _beside(
    agreed: Mapping[UUID, Agreement],
    whole: Sequence[tuple[str, str]],
    best: Sequence[Ranked],
    reasons: Mapping[UUID, set[str]],
    rows: Mapping[UUID, Row],
) -> Iterator[Found]:
    """Who was found with what of the text, looked for or not, is not theirs."""
    for one in best:
        mine, (missed, tells) = reasons[one.golden_id], agreed[one.golden_id]
        row = rows[one.golden_id]
        missed = not_of_place(row, missed)
        if not mine & candidates.IDS:
            born = _as_text(row.get("birth_date")) or ""  # perhaps the year alone
            missed += tuple(
                value
                for what, value in whole
                if what not in mine and not (what == _NOT_ASKED and born.startswith(value))
            )
        tells = tells or any(what in mine for what, _ in whole)
        yield Found(one.golden_id, one.score, one.why, missed, tells, row)


def _place(hit: Found) -> tuple[bool, float, bool, str, str]:
    """Who is known by all of it first, then by score."""
    inactive = hit.values.get("status") != "active"
    return bool(hit.missed), -round(hit.score or 0.0, 3), inactive, name_of(hit.values), str(hit.golden_id)


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)
