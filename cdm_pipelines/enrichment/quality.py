"""How good a golden record is: five dimensions from 0 to 1, and the confidence that is their mean.

Belongs here: quality of golden customers. Does not belong here: which rows of a source are fit (quality, the room), or
the quality of a source (insight).

A dimension that cannot be told is empty and not 1: one record cannot contradict itself. The confidence is the weighted
mean of those that can; weights are equal unless a company says otherwise, as nothing without a truth to hold them
against says that one tells more.

Uniqueness asks whether somebody else might be the same customer. It counts other customers of the same kind with the
same contact point or number, so a change of one customer reaches those who have or had something in common with it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Age, Enricher, Output
from cdm_pipelines.enrichment.moments import RECORD_SPEAKS_FOR, changed_in_the_future
from cdm_pipelines.enrichment.neighbours import AS_KEPT, Graph, Neighbourhood, Spread
from cdm_pipelines.enrichment.scores import MOVES_A_YEAR, Weights, still_holds, tenths, weighted_mean
from cdm_pipelines.enrichment.work import Parameters, Work
from cdm_pipelines.figures import Bars, Figures

_ATTRIBUTES = tuple(attribute.name for attribute in attributes(Entity.PARTY))
_GOLDEN = tuple(attribute.name for attribute in attributes(Entity.PARTY, golden_only=True))
_SYSTEM = "system.operations"
_DIMENSIONS = ("completeness", "validity", "timeliness", "consistency", "uniqueness")


def _of_customers(names: tuple[str, ...]) -> tuple[str, ...]:
    known = set(_GOLDEN)
    for name in names:
        if unknown := sorted(set(name.split("|")) - known):
            raise ValueError(
                f"{unknown[0]} is no attribute of a golden customer; use {', '.join(_GOLDEN)}, with | between those of "
                "which one is enough"
            )
    if len(set(names)) < len(names):
        raise ValueError("an attribute is named twice; name it once")
    return names


_Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_of_customers)]


class QualityWeights(Weights):
    """How much each dimension counts in the confidence."""

    completeness: float = Field(default=1, ge=0)
    validity: float = Field(default=1, ge=0)
    timeliness: float = Field(default=1, ge=0)
    consistency: float = Field(default=1, ge=0)
    uniqueness: float = Field(default=1, ge=0)


class QualityParameters(Parameters):
    """What may be set.

    Attributes:
        person: What a complete person has; with ``|`` between attributes of which one is enough.
        organisation: What a complete organisation has.
        compared: Attributes in which the records of one customer should agree. E-mail addresses and phone numbers are
            not among them: many people have several.
        unique: Attributes that two customers do not share. A mailbox of a role (info@) is shared by many, and is left
            out; so are landlines and addresses, which are those of households.
        decline_a_year: Of the probability that what is known still holds, a year.
        weights: Of the dimensions.
    """

    person: _Names = (
        "surname",
        "given_name|initials",
        "birth_date",
        "street",
        "house_number",
        "postcode",
        "city",
        "country",
        "email",
        "phone|mobile",
    )
    organisation: _Names = (
        "organisation_name",
        "coc_number|vat_number",
        "street",
        "house_number",
        "postcode",
        "city",
        "country",
        "email",
        "phone|mobile",
    )
    compared: _Names = (
        "surname",
        "birth_date",
        "gender",
        "postcode",
        "house_number",
        "country",
        "organisation_name",
        "vat_number",
        "coc_number",
    )
    unique: _Names = ("email", "mobile", "vat_number", "coc_number")
    decline_a_year: float = Field(default=MOVES_A_YEAR, ge=0, le=10)
    weights: QualityWeights = QualityWeights()


def _compute(work: Work) -> pa.Table:
    parameters = _parameters(work)
    work.use("customers", "records")
    parts = {name: name for name in _DIMENSIONS}
    return work.sql(
        f"""
        WITH {_complete(parameters)}, {_of_records()}, {_consistent(parameters)}, {_shared(parameters)},
        measured AS (
            SELECT golden_id, completeness, missing,
                   1 - least(faulty, filled)::DOUBLE / nullif(filled, 0) AS validity, said_on,
                   {still_holds("said_on", "getvariable('as_of')::DATE", "$decline")} AS timeliness,
                   1 - differing::DOUBLE / nullif(comparable, 0) AS consistency,
                   CASE WHEN tellable THEN 1.0::DOUBLE / (1 + coalesce(others, 0)) END AS uniqueness,
                   CASE WHEN tellable THEN coalesce(others, 0) END::INTEGER AS shared_with
            FROM complete LEFT JOIN of_records USING (golden_id) LEFT JOIN consistent USING (golden_id)
                 LEFT JOIN shared USING (golden_id))
        SELECT golden_id, {", ".join(f"CAST({name} AS DECIMAL(6, 4)) AS {name}" for name in _DIMENSIONS)},
               CAST({weighted_mean(parts, parameters.weights)} AS DECIMAL(6, 4)) AS confidence,
               nullif(missing, '') AS missing, said_on AS confirmed_on, shared_with
        FROM measured
        """,
        decline=parameters.decline_a_year,
    )


def _complete(parameters: QualityParameters) -> str:
    """Share of what is expected that a golden customer has, and what it lacks."""

    def filled(name: str) -> str:
        return f"(coalesce({', '.join(name.split('|'))}) IS NOT NULL)"

    def share(names: Sequence[str]) -> str:
        return f"({' + '.join(f'{filled(name)}::INTEGER' for name in names)})::DOUBLE / {len(names)}"

    def lacking(names: Sequence[str]) -> str:
        told = (f"CASE WHEN NOT {filled(name)} THEN '{name.replace('|', ' or ')}' END" for name in names)
        return f"concat_ws(', ', {', '.join(told)})"

    def of_kind(what: str, person: str) -> str:
        return f"CASE WHEN party_kind = 'organisation' THEN {what} ELSE {person} END"

    unique = ", ".join(name for one in parameters.unique for name in one.split("|"))
    return f"""
        complete AS (
            SELECT golden_id, {of_kind(share(parameters.organisation), share(parameters.person))} AS completeness,
                   {of_kind(lacking(parameters.organisation), lacking(parameters.person))} AS missing,
                   coalesce({unique}) IS NOT NULL AS tellable
            FROM customers)"""


def _of_records() -> str:
    """Values of a customer's records, those among them that cannot be right, and the last day they speak for."""
    filled = " + ".join(f"({name} IS NOT NULL)::INTEGER" for name in _ATTRIBUTES)
    return f"""
        of_records AS (
            SELECT golden_id, sum({filled}) AS filled, max({RECORD_SPEAKS_FOR}) AS said_on,
                   coalesce(sum(len(string_split(nullif(invalid_attributes, ''), ','))), 0) AS faulty
            FROM records GROUP BY golden_id)"""


def _consistent(parameters: QualityParameters) -> str:
    """Of customers with several records: attributes that two of them have, and those in which they differ."""
    names = [name for one in parameters.compared for name in one.split("|")]
    hashed = ", ".join(
        f"CASE WHEN {name} IS NOT NULL THEN hash(lower(strip_accents({name}))) END AS {name}"
        for name in names
    )
    comparable = " + ".join(f"(count({name}) > 1)::INTEGER" for name in names)
    differing = " + ".join(f"coalesce(min({name}) <> max({name}), false)::INTEGER" for name in names)
    return f"""
        consistent AS (
            SELECT golden_id, {comparable} AS comparable, {differing} AS differing
            FROM (SELECT golden_id, {hashed} FROM records
                  WHERE golden_id IN (SELECT golden_id FROM records GROUP BY golden_id HAVING count(*) > 1))
            GROUP BY golden_id)"""


def _shared(parameters: QualityParameters) -> str:
    """How many others of the same kind have the most shared of a customer's contact points and numbers."""
    return f"""
        points AS ({_points(parameters)}),
        twice AS (SELECT party_kind, attribute, value, count(*) AS customers FROM points
                  GROUP BY ALL HAVING count(*) > 1),
        shared AS (
            SELECT p.golden_id, max(t.customers) - 1 AS others
            FROM points p JOIN twice t ON t.attribute = p.attribute AND t.value = p.value
                 AND t.party_kind IS NOT DISTINCT FROM p.party_kind
            GROUP BY p.golden_id)"""


def _points(parameters: QualityParameters) -> str:
    """The contact points and numbers of customers that others should not have."""
    names = [name for one in parameters.unique for name in one.split("|")]
    return " UNION ALL ".join(
        f"SELECT golden_id, party_kind, {place} AS attribute, {name} AS value FROM customers WHERE {name} IS NOT NULL"
        + (" AND email_kind IS DISTINCT FROM 'role'" if name == "email" else "")
        for place, name in enumerate(names)
    )


_POINT = 0  # the one kind of links


def _links(work: Work) -> pa.Table:
    """What customers have that others should not have as well."""
    work.use("customers")
    points = f"SELECT golden_id, {_POINT} AS kind, hash(party_kind, attribute, value) AS link FROM points"
    query = f"WITH points AS ({_points(_parameters(work))}) SELECT {AS_KEPT} FROM ({points})"
    found: pa.Table = work.db.sql(query).to_arrow_table()
    return found


def _spread(graph: Graph, parameters: Parameters) -> Spread:
    """Whom a change reaches: who has something in common with somebody who changed; it counts all who have that."""
    del parameters
    concerned = graph.all_of(graph.touched, graph.having(graph.links_of(graph.changed, _POINT), _POINT))
    return Spread(concerned, graph.all_of(concerned, graph.having(graph.links_of(concerned, _POINT), _POINT)))


def _picture(table: pa.Table, work: Work) -> Figures:
    counts: Counter[str] = Counter()
    for row in pc.value_counts(table["missing"].combine_chunks().drop_null()).to_pylist():
        counts.update(dict.fromkeys(row["values"].split(", "), row["counts"]))
    scores = (*_DIMENSIONS, "confidence")
    known = {name: table[name].drop_null() for name in scores}
    return {
        "customers": table.num_rows,
        "mean": {
            name: round(float(pc.sum(values).as_py()) / len(values), 4)
            for name, values in known.items()
            if len(values)
        },
        "confidence": tenths(table["confidence"], "confidence"),
        **{name: tenths(table[name], name) for name in _DIMENSIONS},
        "missing": Bars(dict(sorted(counts.items())), ("attribute", "customers without it")),
        "customers who share a contact point or number": int(
            pc.sum(pc.greater(table["shared_with"], 0)).as_py() or 0
        ),
        "records changed in the future": changed_in_the_future(work),
    }


def _parameters(work: Work) -> QualityParameters:
    assert isinstance(work.parameters, QualityParameters)  # noqa: S101 - for the type checker
    return work.parameters


def _score(name: str, description: str, of: tuple[str, ...]) -> Output:
    return Output(name, ValueType.DECIMAL, description, unit="share", privacy=_SYSTEM, tells_from=0.1, of=of)


def _columns(relation: str, *parameters: str) -> tuple[str, ...]:
    """Columns that parameters name unless a company says otherwise."""
    named = (one for parameter in parameters for one in QualityParameters.model_fields[parameter].default)
    return tuple(dict.fromkeys(f"{relation}.{name}" for one in named for name in one.split("|")))


_EXPECTED = ("customers.party_kind", *_columns("customers", "person", "organisation"))
_VALUES = ("records.invalid_attributes", *(f"records.{name}" for name in _ATTRIBUTES))
_WHEN = ("records.modified_at", "records.first_seen")
_COMPARED = _columns("records", "compared")
_SHARED = ("customers.party_kind", "customers.email_kind", *_columns("customers", "unique"))
ENRICHER = Enricher(
    name="quality",
    description="Completeness, validity, timeliness, consistency, uniqueness of the golden record, and a confidence.",
    inputs=("customers", "records"),
    outputs=(
        _score(
            "completeness",
            "Share of the attributes expected of a person or an organisation (parameters person and organisation) that "
            "the golden record has.",
            of=_EXPECTED,
        ),
        _score(
            "validity",
            "1 - values that cannot be right / values, over all attributes of the customer's records: what failed its "
            "check and was kept. Empty where no record has a value.",
            of=_VALUES,
        ),
        _score(
            "timeliness",
            "Probability that what is known still holds: exp(-decline_a_year x years from confirmed_on to as_of). "
            "Empty where no day is known.",
            of=_WHEN,
        ),
        _score(
            "consistency",
            "1 - attributes in which two records of the customer differ / attributes that two of them have, of those "
            "in the parameter compared; capitals and accents apart. Empty where there is nothing to compare.",
            of=_COMPARED,
        ),
        _score(
            "uniqueness",
            "1 / (1 + shared_with). Empty for a customer without any of the attributes in the parameter unique.",
            of=_SHARED,
        ),
        _score(
            "confidence",
            "Weighted mean of those of the five that are known (parameter weights; equal ones).",
            of=(*_EXPECTED, *_VALUES, *_WHEN, *_COMPARED, *_SHARED),
        ),
        Output(
            "missing",
            ValueType.TEXT,
            "Names of the expected attributes that the golden record lacks.",
            privacy=_SYSTEM,
            of=_EXPECTED,
        ),
        Output(
            "confirmed_on",
            ValueType.DATE,
            "Last day on which a source changed a record of the customer, or delivered a new one where it does not say "
            "when it changed. Dates in the future do not count.",
            privacy=_SYSTEM,
            of=_WHEN,
        ),
        Output(
            "shared_with",
            ValueType.INTEGER,
            "How many other customers of the same kind have the e-mail address, mobile number, VAT or "
            "chamber-of-commerce number that most of them share (parameter unique); mailboxes of a role left out.",
            privacy=_SYSTEM,
            of=_SHARED,
        ),
    ),
    purpose="Knowing which records to mend first, and how far to rely on one.",
    stale_when="a record or the golden values of any customer changed",
    compute=_compute,
    parameters=QualityParameters,
    picture=_picture,
    neighbours=Neighbourhood(_links, _spread),
    ages=(
        Age(
            "days_since_confirmed",
            "confirmed_on",
            "Days since a source last changed anything of the customer.",
        ),
    ),
)
