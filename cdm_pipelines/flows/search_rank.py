"""Ranking who was found: what was typed is a record, and linkage weighs it against each candidate.

Belongs here: the record that was typed, its match weights, and likeness where no model is fitted. Does not belong
here: finding candidates (``hub.search``), weighing (``linkage``).

What was typed agrees on little, so that weights are low; their order is what counts. A value that lost against the
golden one, and by which a customer was found, counts as the customer's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

import numpy as np
import pyarrow as pa
from rapidfuzz import fuzz

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.flows import layout
from cdm_pipelines.hub.search import ADDRESS, EMAIL, NAME, PHONE, Query
from cdm_pipelines.ingest.lake import Lake
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy
from cdm_pipelines.linkage.comparers import Comparer
from cdm_pipelines.linkage.encode import encode
from cdm_pipelines.linkage.model import Scorer
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise.person_name import PersonName, read_full

Row = Mapping[str, str | None]
Found = tuple[Row, set[str]]
_QUERY, _CANDIDATE = "typed", "candidate"  # names of the two sources; candidates sort first
_SURNAME, _GIVEN, _TOWN = 1.0, 0.95, 0.8


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

    @classmethod
    def load(cls, lake: Lake, settings: Settings) -> Self:
        """Read them once; a search is too short to do so each time."""
        found = {}
        for kind in PartyKind:
            if lake.exists(layout.model_path(kind)):
                policy = LinkagePolicy.load(settings.policies / "linkage" / f"{kind}.yaml")
                model = LinkageModel.from_json(lake.read_text(layout.model_path(kind)))
                if model.policy == policy.fingerprint:
                    found[str(kind)] = (policy, model)
        return cls(found)


def rank(query: Query, found: Mapping[UUID, Found], models: Models | None) -> list[Ranked]:
    """Score all candidates, by match weight where every kind among them has a model, else by likeness."""
    kinds = {str(row["party_kind"]) for row, _ in found.values()}
    if models is None or not kinds <= models.by_kind.keys():
        return [
            Ranked(one, _likeness(query, row, reasons), _reason(reasons))
            for one, (row, reasons) in found.items()
        ]
    ranked = []
    for kind in sorted(kinds):
        mine = {one: held for one, held in found.items() if held[0]["party_kind"] == kind}
        ranked += _weighed(query, mine, *models.by_kind[kind])
    return ranked


def _reason(reasons: set[str]) -> str:
    return " and ".join(sorted(reasons))


def _weighed(
    query: Query, found: Mapping[UUID, Found], policy: LinkagePolicy, model: LinkageModel
) -> list[Ranked]:
    typed: list[Row] = []
    of_candidate: list[int] = []
    held = []
    for place, (row, reasons) in enumerate(found.values()):
        held.append({**row, **_overlaid(query, reasons)})
        for reading in _readings(query, row):
            typed.append(reading)
            of_candidate.append(place)
    records = encode(_table(held, typed, policy), policy, 1)
    comparer = Comparer(records, policy)
    scorer = Scorer(_of_these(model, comparer), comparer)
    left = np.array(of_candidate, dtype=np.int32)
    right = np.arange(len(held), len(held) + len(typed), dtype=np.int32)
    packed = comparer.packed(left, right)
    weight = scorer(left, right, packed).weight
    levels = comparer.packing.unpack(packed)
    ranked = []
    for place, (golden_id, (_, reasons)) in enumerate(found.items()):
        mine = np.flatnonzero(left == place)
        best = mine[np.argmax(weight[mine])]
        agree = [
            f"{name} {compared.labels[level]}"
            for (name, compared), level in zip(comparer.by_name.items(), levels[best], strict=True)
            if level > 0
        ]
        ranked.append(Ranked(golden_id, float(weight[best]), ", ".join(agree) or _reason(reasons)))
    return ranked


def _overlaid(query: Query, reasons: set[str]) -> dict[str, str]:
    """Values of the query by which the customer was found, be they golden or lost."""
    values = {EMAIL: {"email": query.email}, ADDRESS: {"postcode": query.postcode}}
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
        "postcode": query.postcode,
        "house_number": query.house_number,
        "birth_date": query.birth.ljust(8, "0") if query.birth else "",
    }
    town = (row["city"] or "").lower().split()
    words = [word for word in query.words if word.lower() not in town]
    if len(words) < len(query.words):
        facts["city"] = row["city"] or ""
    given = [f"{letter.upper()}." for letter in query.initials]
    if row["party_kind"] == PartyKind.ORGANISATION:
        return [{**facts, "organisation_name": " ".join([*given, *words])}]
    readings = [_read(" ".join([*given, *words]))]
    if len(words) > 1 and not given:
        readings.append(_read(f"{' '.join(words[:-1])}, {words[-1]}"))
    return [{**facts, **name} for name in readings]


def _read(name: str) -> dict[str, str | None]:
    read = read_full(name, "NL") if name else PersonName()
    return {"given_name": read.given, "initials": read.initials, "surname": read.surname}


def _table(held: list[dict[str, str | None]], typed: list[Row], policy: LinkagePolicy) -> pa.Table:
    """Candidates and what was typed, in this order, in the columns that the policy reads."""
    rows: list[Row] = [*held, *typed]
    names = {spec.column for spec in policy.columns.values()}
    columns = {name: pa.array([row.get(name) or None for row in rows], pa.string()) for name in sorted(names)}
    columns[policy.id] = pa.array([f"{number:06}" for number in range(len(rows))])
    if policy.source is not None:
        columns[policy.source] = pa.array([_CANDIDATE] * len(held) + [_QUERY] * len(typed))
    return pa.table(columns)


def _of_these(model: LinkageModel, comparer: Comparer) -> LinkageModel:
    """The model with the frequencies of these records' values only: looking up all takes longer than weighing."""
    comparisons = {}
    for name, parameters in model.comparisons.items():
        term = comparer.by_name[name].term if name in comparer.by_name else None
        terms = parameters.terms
        if terms is not None and term is not None:
            here = {value: terms.values[value] for value in term.values.to_pylist() if value in terms.values}
            terms = replace(terms, values=here)
        comparisons[name] = replace(parameters, terms=terms)
    return replace(model, comparisons=comparisons)


def _likeness(query: Query, row: Row, reasons: set[str]) -> float:
    """How like a customer is to what was typed, from 0 to 1: the mean over words, and full marks for whole values."""
    parts = [1.0] * len(reasons - {NAME})
    known = [
        (word, part)
        for names, part in (
            (("surname", "organisation_name", "trade_name"), _SURNAME),
            (("given_name", "initials"), _GIVEN),
            (("city",), _TOWN),
        )
        for name in names
        for word in (row[name] or "").lower().replace("-", " ").split()
    ]
    for word in (*query.words, *query.initials):
        parts.append(
            max((fuzz.ratio(word.lower(), other) / 100 * part for other, part in known), default=0.0)
        )
    if query.birth:
        parts.append(float((row["birth_date"] or "").startswith(query.birth[:4])))
    return sum(parts) / len(parts) if parts else 0.0
