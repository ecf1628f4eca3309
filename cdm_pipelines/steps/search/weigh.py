"""Match weights of who was found: what was typed is a record, and linkage weighs it against each candidate.

Belongs here: the kept models, and the record that was typed. Does not belong here: likeness where no model is fitted
(``rank``), weighing (``linkage``).

What was typed agrees on little, so that weights are low; their order is what counts. A value that lost against the
golden one, and by which a customer was found, counts as the customer's.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Self
from uuid import UUID

import numpy as np
import pyarrow as pa

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub.search import ADDRESS, EMAIL, PHONE, Query
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy, load_policy
from cdm_pipelines.linkage.model.fellegi_sunter import Parameters
from cdm_pipelines.linkage.model.scoring import PairScorer
from cdm_pipelines.linkage.policy.comparisons import Comparison, GivenNameComparison, SurnameComparison
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise.person_name import PersonName, read_full
from cdm_pipelines.steps.linking import model_versions
from cdm_pipelines.steps.search.rank import Found, Ranked, Row, reason
from cdm_pipelines.store.lake import Lake

_YEAR, _SAME_YEAR = "year of birth", "same year"


@dataclass(frozen=True)
class Models:
    """The kept models of persons and organisations, with their policies; a kind without a model is left out."""

    by_kind: Mapping[str, tuple[LinkagePolicy, LinkageModel]]
    _scorers: dict[tuple[str, frozenset[str]], PairScorer] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def kinds(self) -> Collection[str]:
        """Those that there is a model of."""
        return self.by_kind.keys()

    def weighed(self, query: Query, kind: str, found: Mapping[UUID, Found]) -> list[Ranked]:
        """Candidates of a kind with their match weights."""
        return _weighed(query, found, self.scorer(kind, _typed(query)))

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


def _weighed(query: Query, found: Mapping[UUID, Found], scorer: PairScorer) -> list[Ranked]:
    """Each candidate by the reading of what was typed that agrees best with it, the first one where several do."""
    candidates: list[Row] = [{**row, **_overlaid(query, reasons)} for row, reasons in found.values()]
    typed: dict[tuple[tuple[str, str | None], ...], int] = {}  # a reading is the same for most candidates
    pairs = [
        (place, typed.setdefault(tuple(reading.items()), len(typed)))
        for place, (row, _) in enumerate(found.values())
        for reading in _readings(query, row)
    ]
    of, at = np.array(pairs, np.int32).T
    policy = scorer.policy
    readings: list[Row] = [dict(one) for one in typed]
    scored = scorer.score(_table(candidates, policy), _table(readings, policy), (of, at))
    best: dict[int, int] = {}
    weights = scored.weight.tolist()
    for pair, (place, _) in enumerate(pairs):
        if place not in best or weights[pair] > weights[best[place]]:
            best[place] = pair
    levels = scored.levels.tolist()
    labels = [(name, one.labels) for name, one in scorer.model.comparisons.items()]
    ranked = []
    for place, (golden_id, (_, reasons)) in enumerate(found.items()):
        agree = [
            f"{name} {words[level]}"
            for (name, words), level in zip(labels, levels[best[place]], strict=True)
            if level > 0
        ]
        ranked.append(Ranked(golden_id, weights[best[place]], ", ".join(agree) or reason(reasons)))
    return ranked


def _overlaid(query: Query, reasons: set[str]) -> dict[str, str]:
    """Values of the query by which the customer was found, be they golden or lost."""
    values = {EMAIL: {"email": query.email}, ADDRESS: {"postcode": query.postcode or query.area}}
    found: dict[str, str] = {}
    for by in reasons & values.keys():
        found |= values[by]
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
