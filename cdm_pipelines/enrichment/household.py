"""Who lives together: households of golden persons.

Belongs here: the declaration, what a household is called, how large it is, what each is in it. Does not belong here:
what speaks for living together (``household_evidence``), and who does (``household_joining``).

A household is made of customers that stay who they are: nothing is merged. It is found again under the same id as long
as the member that has been known longest stays: whoever becomes known later does not change it, as the smallest golden
id of all would.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment import household_evidence, household_joining, household_reach
from cdm_pipelines.enrichment.declaration import Enricher, Output
from cdm_pipelines.enrichment.neighbours import Graph, Neighbourhood, Spread
from cdm_pipelines.enrichment.work import Parameters, Work
from cdm_pipelines.figures import Bars, Figures

GENERATION: Final = 16
"""Years between who share a surname from which one is taken for a parent of the other."""

_MOST_BITS: Final = 10.0
_ENOUGH: Final = household_joining.ENOUGH


class HouseholdParameters(Parameters):
    """What may be set.

    Attributes:
        most_families: More unrelated surnames at one address are a building, whose address alone joins nobody.
        most_customers: Of one household; what would be larger falls apart to its strongest evidence.
        most_sharing: A contact point of more customers than this belongs to an office or an agent and joins nobody.
    """

    most_families: int = Field(default=3, ge=1)
    most_customers: int = Field(default=12, ge=2)
    most_sharing: int = Field(default=6, ge=2)


# What each is to the others, by surnames and years between them.
_KIN: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_kin AS
WITH member AS (
    SELECT m.*, p.born FROM hh_member m JOIN hh_person p USING (person)
    QUALIFY count(*) OVER (PARTITION BY household) > 1),
pair AS (
    SELECT a.person, b.person AS other, a.household, date_diff('day', b.born, a.born) / 365.25 AS younger
    FROM member a JOIN member b ON a.household = b.household AND a.person <> b.person),
named AS (SELECT household, person, part FROM member JOIN hh_name USING (person)),
alike AS (
    SELECT DISTINCT a.person, b.person AS other FROM named a JOIN named b
    ON a.household = b.household AND a.part = b.part AND a.person <> b.person),
told AS (
    SELECT pair.household, pair.person, bool_or(k.other IS NOT NULL) AS kin,
           bool_or(k.other IS NOT NULL AND younger = 0) AS twin,
           bool_or(k.other IS NOT NULL AND younger BETWEEN {GENERATION} AND 60) AS child,
           bool_or(k.other IS NOT NULL AND younger BETWEEN -60 AND -{GENERATION}) AS parent,
           min(abs(younger)) FILTER (WHERE k.other IS NOT NULL) AS near_kin, min(abs(younger)) AS near
    FROM pair LEFT JOIN alike k ON k.person = pair.person AND k.other = pair.other GROUP BY ALL),
sharing AS (
    SELECT DISTINCT person FROM (
        SELECT c.person FROM member m JOIN hh_contact c USING (person) WHERE customers > 1
        QUALIFY count(*) OVER (PARTITION BY household, contact) > 1)),
counted AS (
    SELECT told.*, s.person IS NOT NULL AS shares,
           count(*) FILTER (WHERE parent OR NOT (coalesce(twin, false) OR coalesce(child, false)))
               OVER (PARTITION BY household) AS grown
    FROM told LEFT JOIN sharing s USING (person))
SELECT person, household,
       CASE WHEN twin THEN 'twin' WHEN parent THEN 'parent' WHEN child THEN 'child'
            WHEN grown = 2 AND (near < {GENERATION} OR near IS NULL AND NOT kin) THEN 'partner'
            WHEN near_kin < {GENERATION} OR NOT kin AND shares AND coalesce(near, 0) < {GENERATION} THEN 'partner'
            WHEN NOT kin AND NOT shares AND near IS NOT NULL THEN 'lodger' ELSE 'member' END AS role
FROM counted
"""
_WHY: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_why AS
WITH shared AS (
    SELECT n.person, n.what, n.weight FROM hh_node n JOIN hh_member m USING (person)
    QUALIFY count(*) OVER (PARTITION BY node, household) > 1),
attached AS (
    SELECT a.person, a.what, a.homeless FROM hh_attaching a JOIN hh_member m USING (person)
    QUALIFY count(*) OVER (PARTITION BY node, household) > 1),
said AS (
    SELECT person, what, max(weight) AS weight FROM shared GROUP BY ALL
    UNION ALL SELECT DISTINCT person, what, {_ENOUGH} FROM attached WHERE homeless)
SELECT person,
       coalesce(max(weight) FILTER (WHERE what = 'home'), 0) + coalesce(max(weight) FILTER (WHERE what = 'surname'), 0)
           + coalesce(max(weight) FILTER (WHERE what NOT IN ('home', 'surname')), 0) AS bits,
       list_sort(list(DISTINCT CASE what WHEN 'home' THEN 'same address' WHEN 'surname' THEN 'same surname'
            WHEN 'addition' THEN 'addition left out on one side' WHEN 'spelling' THEN 'postal code written otherwise'
            ELSE 'shared ' || what END)) AS reasons
FROM said GROUP BY person
"""
_HOUSEHOLDS: Final = """
WITH named AS (
    SELECT m.household, count(*) AS size,
           arg_min(p.golden_id, (coalesce(p.first_seen, '9999'), p.golden_id)) AS known_longest,
           count(*) FILTER (WHERE born <= getvariable('as_of')::DATE - INTERVAL 18 YEARS) AS adults,
           count(*) FILTER (WHERE born > getvariable('as_of')::DATE - INTERVAL 18 YEARS) AS children,
           count(*) FILTER (WHERE k.role IN ('parent', 'partner')) AS couple,
           count(*) FILTER (WHERE k.role = 'child') AS young, count(*) FILTER (WHERE k.role = 'twin') AS twins
    FROM hh_member m JOIN hh_person p USING (person) LEFT JOIN hh_kin k USING (person) GROUP BY m.household)
SELECT p.golden_id, CAST(md5('household ' || known_longest::VARCHAR)::UUID AS VARCHAR) AS household_id,
       size, adults, children,
       CASE WHEN size = 1 THEN 'one person'
            WHEN young > 0 AND couple > 1 THEN 'family'
            WHEN young > 0 AND couple = 1 THEN 'one-parent family'
            WHEN couple = 2 AND young = 0 THEN 'couple'
            WHEN twins = size THEN 'twins' ELSE 'sharing' END AS composition,
       coalesce(k.role, 'alone') AS role,
       array_to_string(list_concat(w.reasons, CASE
            WHEN h.person IS NULL AND p.employed THEN ['known at work only']
            WHEN h.person IS NULL THEN ['no address'] WHEN l.persons IS NULL OR l.persons = 1 AND size = 1
                THEN IF(size = 1, ['nobody else at the address'], [])
            WHEN l.kind = 'business' THEN ['an organisation at the address']
            WHEN l.kind = 'additions' THEN ['additions left out at the address']
            WHEN l.kind = 'families' THEN ['many families at the address']
            WHEN l.kind = 'lines' THEN ['several fixed lines at the address']
            WHEN l.kind = 'young' THEN ['young adults sharing a house']
            WHEN l.kind = 'old' THEN ['unrelated people of old age at the address'] END), '; ') AS reasons,
       CAST(CASE WHEN size > 1 THEN 1 / (1 + pow(2, -least(
                coalesce(w.bits, 0) + IF(l.kind = 'home', 0, coalesce(l.bits, 0)), $most_bits)))
            WHEN h.person IS NULL THEN 0.5 WHEN coalesce(l.persons, 1) = 1 THEN 0.95 ELSE 0.8 END
            AS DECIMAL(4, 2)) AS confidence
FROM hh_member m JOIN hh_person p USING (person) JOIN named USING (household) LEFT JOIN hh_kin k USING (person)
LEFT JOIN hh_why w USING (person) LEFT JOIN hh_home h USING (person) LEFT JOIN hh_place l USING (place)
"""


def fit(work: Work) -> dict[str, Any]:
    """How common surnames are, those that are rare left out: digests of them, and how many persons have each."""
    work.use("customers", "records")
    persons, common = household_evidence.count_names(work, household_joining.rare_among)
    return {"persons": persons, "surnames": {str(part): counted for part, counted in common.items()}}


def explain_fit(model: Mapping[str, Any]) -> Figures:
    """How many persons there were, and how many surnames are common among them."""
    return {"persons": model["persons"], "surnames that are not rare": len(model["surnames"])}


def links(work: Work) -> pa.Table:
    """What customers have in common that households are made of."""
    if not work.has("hh_link"):
        _gathered(work, _said(work))
        _drop(work, household_evidence.TABLES)
    found = household_reach.links_made(work)
    _drop(work, ("hh_link",))
    return found


def _spread(graph: Graph, parameters: Parameters) -> Spread:
    said = parameters if isinstance(parameters, HouseholdParameters) else HouseholdParameters()
    return household_reach.spread(graph, most_sharing=said.most_sharing)


def _said(work: Work) -> HouseholdParameters:
    return work.parameters if isinstance(work.parameters, HouseholdParameters) else HouseholdParameters()


def _gathered(work: Work, said: HouseholdParameters) -> int:
    """Make the tables of evidence, with ``hh_link``; returns how many persons there are."""
    work.use("customers", "records")
    persons = household_evidence.gather(work, said.most_sharing)
    household_reach.make_links(work)
    return persons


def _names(work: Work) -> household_joining.Names:
    if work.fitted is None:
        raise ValueError("how common surnames are has not been counted")
    common = {int(part): counted for part, counted in work.fitted["surnames"].items()}
    return household_joining.Names(work.fitted["persons"], common)


def _drop(work: Work, tables: Iterable[str]) -> None:
    for name in tables:
        work.db.execute(f"DROP TABLE {name}")


def compute(work: Work) -> pa.Table:
    """One row per golden person in use."""
    said = _said(work)
    persons = _gathered(work, said)
    bounds = {"most_families": said.most_families, "largest": said.most_customers}
    household_joining.join(work, persons, _names(work), **bounds)
    work.db.execute(_KIN)
    work.db.execute(_WHY)
    table = work.sql(_HOUSEHOLDS, most_bits=_MOST_BITS)
    _drop(work, (*household_evidence.TABLES, *household_joining.TABLES, "hh_kin", "hh_why"))
    return table


def picture(table: pa.Table, work: Work) -> Figures:
    """How large households are, of what kind, and why."""
    del work
    first = table.group_by("household_id").aggregate([("size", "max"), ("composition", "min")])
    sizes = {f"{n:2}": count for n, count in sorted(_counts(first["size_max"]).items())}
    reasons = pc.split_pattern(table["reasons"].combine_chunks(), "; ").flatten()
    return {
        "households": first.num_rows,
        "customers": table.num_rows,
        "customers of a household of several": pc.sum(pc.greater(table["size"], 1)).as_py() or 0,
        "sizes": Bars(sizes, ("customers in a household", "households"), scale=True),
        "compositions": Bars(_counts(first["composition_min"]), ("composition", "households")),
        "roles": Bars(_counts(table["role"]), ("role", "customers")),
        "reasons": Bars(_counts(reasons.filter(pc.not_equal(reasons, ""))), ("reason", "customers")),
    }


def _counts(column: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    return {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}


_ADDRESS: Final = (
    *("street", "house_number", "house_addition", "address_extra", "postcode", "city", "country"),
    *("surname", "employer_id", "party_kind"),
)
_TOGETHER: Final = (
    *(f"customers.{name}" for name in (*_ADDRESS, "birth_date", "status", "deceased", "first_seen")),
    *(
        f"records.{name}"
        for name in (*_ADDRESS, "organisation_name", "phone", "mobile", "email", "email_kind", "iban")
    ),
    *(f"records.{name}" for name in ("modified_at", "last_seen")),
)
"""What tells who lives together; every column of a household follows from it."""
_HINT: Final = "A hint from surnames and birth dates, no register entry: "
_LIVING: Final = "user.demographic"
ENRICHER = Enricher(
    name="household",
    table="household_member",
    description="Who lives together: living golden persons by address, surname and shared contact points.",
    inputs=("customers", "records"),
    outputs=(
        Output(
            "household_id",
            ValueType.TEXT,
            "The household: equal for all of its customers, made of the golden id of the one that has been known "
            "longest.",
            privacy="user.unique_id.pseudonymous",
            of=_TOGETHER,
        ),
        Output(
            "size",
            ValueType.INTEGER,
            "Customers of the household; who is no customer or has died is not counted.",
            "customers",
            _LIVING,
            of=_TOGETHER,
        ),
        Output(
            "adults",
            ValueType.INTEGER,
            "Those known to be 18 or older on the day of the row.",
            "customers",
            _LIVING,
            of=_TOGETHER,
        ),
        Output(
            "children",
            ValueType.INTEGER,
            "Those known to be under 18; who is in neither count has no known birth date.",
            "customers",
            _LIVING,
            of=_TOGETHER,
        ),
        Output(
            "composition",
            ValueType.TEXT,
            f"{_HINT}one person, couple, family, one-parent family, twins, or sharing for anything else.",
            privacy=_LIVING,
            of=_TOGETHER,
        ),
        Output(
            "role",
            ValueType.TEXT,
            f"{_HINT}parent and child share a surname and are {GENERATION} to 60 years apart; twin, birth date and "
            f"surname; partner, one of two grown-ups less than {GENERATION} years apart, or sharing a phone, mailbox "
            "or account; lodger, nothing in common but the address; member, where that cannot be told; alone.",
            privacy=_LIVING,
            of=_TOGETHER,
        ),
        Output(
            "reasons",
            ValueType.TEXT,
            "Why this customer is in the household, or in none with others at the address.",
            privacy="user.contact",
            of=_TOGETHER,
        ),
        Output(
            "confidence",
            ValueType.DECIMAL,
            "Probability that the customer belongs to the household: 1 / (1 + 2^-bits) of the evidence, bits at most "
            "10; of one alone .95 with nobody else at the address, .8 where others are, .5 without an address.",
            "share",
            _LIVING,
            tells_from=0.05,
            of=_TOGETHER,
        ),
    ),
    purpose="One letter or offer per household, and service to who answers for a household.",
    stale_when="A name, address, contact point or birth date of any person or organisation changes.",
    compute=compute,
    parameters=HouseholdParameters,
    picture=picture,
    fit=fit,
    explain_fit=explain_fit,
    neighbours=Neighbourhood(links, _spread),
)
