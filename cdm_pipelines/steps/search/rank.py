"""Ranking who was found: what was typed is a record, and linkage weighs it against each candidate.

Belongs here: the record that was typed, its match weights, and likeness where no model is fitted. Does not belong
here: finding candidates (``hub.search``), weighing (``linkage``).

What was typed agrees on little, so that weights are low; their order is what counts. A value that lost against the
golden one, and by which a customer was found, counts as the customer's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Self
from uuid import UUID

import numpy as np
import pyarrow as pa
from rapidfuzz import fuzz

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub.search import ADDRESS, EMAIL, PHONE, Query
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy, load_policy
from cdm_pipelines.linkage.model.fellegi_sunter import Parameters
from cdm_pipelines.linkage.model.scoring import PairScorer
from cdm_pipelines.linkage.policy.comparisons import Comparison, GivenNameComparison, SurnameComparison
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise.person_name import PersonName, read_full
from cdm_pipelines.steps.linking import model_versions
from cdm_pipelines.store.lake import Lake

_YEAR, _SAME_YEAR = "year of birth", "same year"
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


@dataclass(frozen=True)
class Models:
    """The kept models of persons and organisations, with their policies; a kind without a model is left out."""

    by_kind: Mapping[str, tuple[LinkagePolicy, LinkageModel]]
    _scorers: dict[tuple[str, frozenset[str]], PairScorer] = field(
        default_factory=dict, repr=False, compare=False
    )

    def scorer(self, kind: str, typed: frozenset[str]) -> PairScorer:
        """What weighs records of a kind by what of them was typed; made once for each."""
        made = self._scorers.get((kind, typed))
        if made is None:
            policy, model = self.by_kind[kind]
            policy = _asked(policy, typed)
            model = model.only(policy.comparisons)
            if _YEAR in typed:
                by_year = {name: _by_year(one) for name, one in model.comparisons.items()}
                model = replace(model, comparisons=by_year)
            made = self._scorers[kind, typed] = PairScorer(policy, model)
        return made

    @classmethod
    def load(cls, lake: Lake, settings: Settings) -> Self:
        """Read them once; a search is too short to do so each time."""
        found = {}
        for kind in PartyKind:
            model = model_versions.current(lake, kind)
            if model is not None:
                policy = load_policy(settings.policies / "linkage" / f"{kind}.yaml")
                if model.policy == policy.fingerprint:
                    found[str(kind)] = (policy, model)
        return cls(found)


def rank(query: Query, found: Mapping[UUID, Found], models: Models | None) -> list[Ranked]:
    """Score all candidates, by match weight where every kind among them has a model, else by likeness."""
    kinds = {str(row["party_kind"]) for row, _ in found.values()}
    like = [
        Ranked(one, _likeness(query, row, reasons), _reason(reasons)) for one, (row, reasons) in found.items()
    ]
    if models is None or not kinds <= models.by_kind.keys():
        return like
    if len(like) > _MOST:
        best = sorted(like, key=lambda one: (-(one.score or 0.0), str(one.golden_id)))[:_MOST]
        found = {one.golden_id: found[one.golden_id] for one in best}
    ranked: list[Ranked] = []
    for kind in sorted(kinds):
        mine = {one: held for one, held in found.items() if held[0]["party_kind"] == kind}
        ranked += _weighed(query, mine, models.scorer(kind, _typed(query)))
    return ranked


def _typed(query: Query) -> frozenset[str]:
    """The columns of which something was typed."""
    return frozenset(
        {
            *(
                ("given_name", "initials", "surname", "organisation_name", "city")
                if query.words or query.initials
                else ()
            ),
            *(("email",) if query.email else ()),
            *(("phone",) if query.phone else ()),
            *(("postcode", "house_number") if query.postcode or query.area else ()),
            *(("birth_date",) if query.birth else ()),
            *((_YEAR,) if len(query.birth) == 4 else ()),
        }
    )


def _by_year(one: Parameters) -> Parameters:
    """A comparison of dates of which the year alone was typed: who agrees on more agrees on no more than that."""
    if _SAME_YEAR not in one.labels:
        return one
    at = one.labels.index(_SAME_YEAR)

    def together(shares: tuple[float, ...]) -> tuple[float, ...]:
        return (*shares[:at], sum(shares[at:]), *shares[at + 1 :])

    given = one.given
    if given is not None:
        m, u, r = (tuple(map(together, rows)) for rows in (given.m, given.u, given.r))
        given = replace(given, m=m, u=u, r=r)
    return replace(one, m=together(one.m), u=together(one.u), r=together(one.r), given=given)


def _asked(policy: LinkagePolicy, typed: frozenset[str]) -> LinkagePolicy:
    """The comparisons that what was typed can make; the others would be missing, and weigh nothing."""
    comparisons = {
        name: _in_order(one)
        for name, one in policy.comparisons.items()
        if typed
        & {read for name in (*one.reads, *one.reads_optionally) for read in policy.columns[name].names}
    }
    needed = {column for one in comparisons.values() for column in (*one.reads, *one.reads_optionally)}
    columns = {name: column for name, column in policy.columns.items() if name in needed}
    return policy.model_copy(update={"comparisons": comparisons, "columns": columns, "derived": {}})


def _in_order(comparison: Comparison) -> Comparison:
    """A comparison of names that does not look for swapped ones: what was typed is read in both orders."""
    match comparison:
        case GivenNameComparison():
            return comparison.model_copy(update={"surname": None})
        case SurnameComparison():
            return comparison.model_copy(update={"given_name": None})
        case _:
            return comparison


def _reason(reasons: set[str]) -> str:
    return " and ".join(sorted(reasons))


def _weighed(query: Query, found: Mapping[UUID, Found], scorer: PairScorer) -> list[Ranked]:
    candidates: list[Row] = []
    typed: list[Row] = []
    of_candidate: list[int] = []
    for place, (row, reasons) in enumerate(found.values()):
        for reading in _readings(query, row):
            candidates.append({**row, **_overlaid(query, reasons)})
            typed.append(reading)
            of_candidate.append(place)
    policy = scorer.policy
    scored = scorer.score(_table(candidates, policy), _table(typed, policy))
    ranked = []
    for place, (golden_id, (_, reasons)) in enumerate(found.items()):
        mine = np.flatnonzero(np.array(of_candidate) == place)
        best = mine[np.argmax(scored.weight[mine])]
        agree = [
            f"{name} {comparison.labels[level]}"
            for (name, comparison), level in zip(
                scorer.model.comparisons.items(), scored.levels[best], strict=True
            )
            if level > 0
        ]
        ranked.append(Ranked(golden_id, float(scored.weight[best]), ", ".join(agree) or _reason(reasons)))
    return ranked


def _overlaid(query: Query, reasons: set[str]) -> dict[str, str]:
    """Values of the query by which the customer was found, be they golden or lost."""
    values = {EMAIL: {"email": query.email}, ADDRESS: {"postcode": query.postcode or query.area}}
    found: dict[str, str] = {}
    for reason in reasons & values.keys():
        found |= values[reason]
    if ADDRESS in reasons and query.house_number:
        found["house_number"] = query.house_number
    if PHONE in reasons and query.phone.startswith("+"):
        found["phone"] = query.phone
    return found


def _readings(query: Query, row: Row) -> list[Row]:
    """The record that was typed; a name in either order, and without the words that are the candidate's town."""
    facts = {
        "email": query.email,
        "phone": query.phone,
        "postcode": query.postcode or query.area,
        "house_number": query.house_number,
        "birth_date": query.birth.ljust(8, "0") if query.birth else "",
    }
    town = (row["city"] or "").lower().split()
    words = [word for word in query.name if word.lower() not in town]
    if len(words) < len(query.name):
        facts["city"] = row["city"] or ""
    if row["party_kind"] == PartyKind.ORGANISATION:
        return [{**facts, "organisation_name": " ".join(words)}]
    readings = [_read(" ".join(words))]
    if len(words) > 1:
        readings.append(_read(f"{' '.join(words[:-1])}, {words[-1]}"))
    return [{**facts, **name} for name in readings]


@lru_cache(maxsize=1000)
def _read(name: str) -> Row:
    read = read_full(name, "NL") if name else PersonName()
    return {
        "given_name": read.given,
        "initials": read.initials,
        "surname_prefix": read.prefix,
        "surname": read.surname,
    }


def _table(rows: list[Row], policy: LinkagePolicy) -> pa.Table:
    """Rows in the columns that the policy reads."""
    names = {name for spec in policy.columns.values() for name in spec.names}
    return pa.table(
        {name: pa.array([row.get(name) or None for row in rows], pa.string()) for name in sorted(names)}
    )


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
