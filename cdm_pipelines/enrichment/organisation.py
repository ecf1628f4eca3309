"""Groups of organisations: what belongs together, who is the head, who acts for it, what it is worth.

Belongs here: the declaration, and how organisations are joined to groups. Does not belong here: who is whose golden
customer (identity); a group merges nothing, and a contact person is never part of it.

What joins two organisations, each by an argument and none by labels:

- A record of one names the other as the one it belongs to (``employer_id`` of an organisation).
- One trade-register number, or one root of a VAT number: a legal person, or a fiscal unity, which shares its number.
- One mail domain of their own that is named like both. A free-mail domain says nothing, nor does that of an
  accountant, a franchise or a business centre, which is named like nobody else.
- One name but for words of a group (Holding, Beheer, a town) **and** one address or phone. Neither is enough alone:
  there are many Jansens with a holding, and many firms in one business centre, whose address and reception count for
  nothing.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Enricher, Output
from cdm_pipelines.enrichment.graph import components, labelled, numbers
from cdm_pipelines.enrichment.neighbours import AS_KEPT, Customers, Graph, Neighbourhood, Spread
from cdm_pipelines.enrichment.work import Parameters, Work
from cdm_pipelines.figures import Bars, Figures
from cdm_pipelines.standardise.email_domains import FREEMAIL

_OF_A_HEAD: Final = "holding|holdings|beheer|groep|group|gruppe|groupe"
_OF_A_PART: Final = (
    "vastgoed|onroerend goed|export|import|services|service|diensten|participaties|deelnemingen|investments|"
    "investeringen|exploitatie|productie|production|verkoop|sales|retail|trading|nederland|netherlands|belgie|belgium|"
    "deutschland|germany|benelux|europe|europa|international|internationaal|vestiging|filiaal|afdeling|locatie|branch|"
    "noord|oost|zuid|west|i|ii|iii|iv|[0-9]+"
)
# Old systems cut long names: "Zevenaar Holdin".
_CUT: Final = "holdin|holdi|hold|behee|behe|vastgoe|vastgo|vastg|servic|servi|expor|expo"
_SUFFIX: Final = rf"(\s(?:{_OF_A_HEAD}|{_OF_A_PART}|{_CUT}))+$"


class OrganisationParameters(Parameters):
    """What may be set.

    Attributes:
        most_names: More different names than these at one address or phone are a business centre, which joins nobody.
        most_sharing: A mail domain of more organisations than this is that of a provider and joins nobody.
    """

    most_names: int = Field(default=3, ge=1)
    most_sharing: int = Field(default=50, ge=2)


_MEMBERS: Final = """
CREATE OR REPLACE TEMP TABLE og_member AS
SELECT CAST(row_number() OVER () - 1 AS INTEGER) AS member, golden_id, first_seen, employer_id, organisation_name
FROM customers WHERE party_kind = 'organisation'
"""
_RECORDS: Final = """
CREATE OR REPLACE TEMP TABLE og_record AS
SELECT m.member, r.organisation_name, r.trade_name, lower(r.city) AS city, r.coc_number, r.vat_number,
       r.phone, r.mobile,
       lower(split_part(r.email, '@', 2)) AS domain,
       CASE WHEN r.house_number IS NOT NULL AND coalesce(r.postcode, r.city) IS NOT NULL
            THEN hash(r.country, coalesce(r.postcode, lower(r.city)), r.house_number,
                      IF(r.country = 'NL' AND r.postcode IS NOT NULL, '', lower(r.street))) END AS place
FROM records r JOIN (SELECT golden_id, member FROM og_member) m USING (golden_id)
"""
_STEMS: Final = rf"""
CREATE OR REPLACE TEMP TABLE og_stem AS
WITH written AS (
    SELECT DISTINCT member, name, city, main FROM (
        SELECT member, organisation_name AS name, city, true AS main FROM og_record
        UNION ALL SELECT member, trade_name, city, false FROM og_record
        UNION ALL SELECT m.member, m.organisation_name, city, true FROM og_member m JOIN og_record USING (member))
    WHERE name IS NOT NULL),
plain AS (
    SELECT member, main, trim(regexp_replace(strip_accents(lower(name)), '[^a-z0-9]+', ' ', 'g')) AS name,
           ' ' || trim(regexp_replace(strip_accents(coalesce(city, '-')), '[^a-z0-9]+', ' ', 'g')) AS city
    FROM written),
short AS (SELECT member, main, regexp_replace(name, '{_SUFFIX}', '') AS name, city FROM plain)
SELECT member, hash(stem) AS stem, stem AS words, bool_or(main) AS main FROM (
    SELECT member, main, CASE WHEN length(city) > 1 AND suffix(name, city) AND length(name) > length(city)
                              THEN regexp_replace(left(name, length(name) - length(city)), '{_SUFFIX}', '')
                              ELSE name END AS stem FROM short)
WHERE length(stem) > 1 GROUP BY ALL
"""
# One phone of a centre's reception, one address of a tower: not where more names than a group has are found.
_SPOTS: Final = """
CREATE OR REPLACE TEMP TABLE og_spot AS
SELECT DISTINCT member, spot, what FROM (
    SELECT member, place AS spot, 'address' AS what FROM og_record WHERE place IS NOT NULL
    UNION ALL SELECT member, hash(phone), 'phone' FROM og_record WHERE phone IS NOT NULL
    UNION ALL SELECT member, hash(mobile), 'phone' FROM og_record WHERE mobile IS NOT NULL)
"""
_NUMBERS: Final = """
CREATE OR REPLACE TEMP TABLE og_number AS
WITH domains AS (
    SELECT DISTINCT r.member, r.domain, s.words FROM og_record r JOIN og_stem s USING (member)
    WHERE r.domain <> '' AND NOT list_contains($freemail, r.domain)),
own AS (
    SELECT member, domain FROM domains
    WHERE len(list_filter(string_split(words, ' '),
                          lambda word: length(word) > 3 AND contains(replace(domain, '-', ''), word))) > 0
    GROUP BY ALL)
SELECT DISTINCT member, hash('coc', left(coc_number, 8)) AS node, 'same trade-register number' AS what
FROM og_record WHERE coc_number IS NOT NULL
UNION
SELECT member, hash('vat', regexp_replace(vat_number, '^(NL[0-9]{9})B[0-9]{2}$', '\\1')), 'same VAT number'
FROM og_record WHERE vat_number IS NOT NULL
UNION
SELECT member, hash('domain', domain), 'same mail domain' FROM own
"""
_NODES: Final = """
CREATE OR REPLACE TEMP TABLE og_node AS
WITH quiet AS (
    SELECT spot FROM og_spot JOIN (SELECT member, min(words) AS called FROM og_stem WHERE main GROUP BY member)
    USING (member) GROUP BY spot HAVING count(DISTINCT member) > 1 AND count(DISTINCT called) <= $most_names),
nodes AS (
    FROM og_number QUALIFY what <> 'same mail domain' OR count(*) OVER (PARTITION BY node) <= $most_sharing
    UNION
    SELECT member, hash('name', stem, spot), 'same name and ' || what
    FROM og_spot JOIN quiet USING (spot) JOIN og_stem USING (member)
    UNION
    SELECT unnest([child.member, parent.member]), hash('parent', parent.member), 'named as part of the other'
    FROM og_member child JOIN og_member parent ON child.employer_id::VARCHAR = parent.golden_id::VARCHAR
    WHERE child.member <> parent.member)
FROM nodes QUALIFY count(*) OVER (PARTITION BY node) > 1
"""
_VALUES: Final = """
CREATE OR REPLACE TEMP TABLE og_value AS
WITH bought AS (SELECT golden_id, sum(net) AS net FROM purchases GROUP BY golden_id),
acting AS (
    SELECT employer_id::VARCHAR AS employer, count(*) AS persons, sum(coalesce(net, 0)) AS net
    FROM (SELECT golden_id, employer_id FROM customers
          WHERE party_kind = 'person' AND status = 'active' AND employer_id IS NOT NULL) c
    LEFT JOIN bought USING (golden_id) GROUP BY ALL)
SELECT member, coalesce(b.net, 0)::DECIMAL(18, 2) AS own_value, coalesce(a.persons, 0) AS contact_persons,
       coalesce(a.net, 0)::DECIMAL(18, 2) AS contact_value
FROM og_member m LEFT JOIN bought b USING (golden_id) LEFT JOIN acting a ON a.employer = m.golden_id::VARCHAR
"""
# The head: who is named as such and names nobody, then who is called a holding, then who has no word of a part.
_GROUPS: Final = rf"""
WITH named AS (SELECT DISTINCT employer_id::VARCHAR AS parent FROM og_member WHERE employer_id IS NOT NULL),
ranked AS (
    SELECT m.*, g.company, v.* EXCLUDE (member), row_number() OVER (PARTITION BY company ORDER BY
               (n.parent IS NOT NULL AND m.employer_id IS NULL) DESC,
               regexp_matches(lower(coalesce(organisation_name, '')), '\s({_OF_A_HEAD}|holdin)$') DESC,
               regexp_matches(lower(coalesce(organisation_name, '')), '{_SUFFIX}'),
               length(organisation_name), coalesce(first_seen, '9999'), golden_id) AS place
    FROM og_member m JOIN og_group g USING (member) JOIN og_value v USING (member)
    LEFT JOIN named n ON n.parent = m.golden_id::VARCHAR),
whole AS (
    SELECT company, count(*) AS organisations, sum(own_value)::DECIMAL(18, 2) AS group_value,
           arg_min(golden_id, (coalesce(first_seen, '9999'), golden_id)) AS known_longest,
           arg_min(organisation_name, place) AS group_name
    FROM ranked GROUP BY company),
why AS (SELECT member, array_to_string(list_sort(list(DISTINCT what)), '; ') AS reasons FROM og_node GROUP BY member)
SELECT golden_id, CAST(md5('group ' || known_longest::VARCHAR)::UUID AS VARCHAR) AS group_id, group_name,
       CASE WHEN organisations = 1 THEN 'single' WHEN place = 1 THEN 'head' ELSE 'branch' END AS role,
       organisations - 1 AS branches, contact_persons, own_value, contact_value, group_value,
       coalesce(reasons, 'nothing in common with another') AS reasons
FROM ranked JOIN whole USING (company) LEFT JOIN why USING (member)
"""
_EVIDENCE: Final = ("og_member", "og_record", "og_stem", "og_spot", "og_number")
_TABLES: Final = (*_EVIDENCE, "og_node", "og_value", "og_group")

# What organisations and their people have in common, each from its own values and records; and what each is called.
_SAID, _NUMBER, _NAME_AND_SPOT, _SPOT, _PARENT, _ITSELF, _ACTS_FOR = range(7)
_LINKS: Final = f"""
CREATE OR REPLACE TEMP TABLE og_link AS
SELECT golden_id, kind, link FROM og_member JOIN (
    SELECT member, {_SAID} AS kind, hash(sum(hash(stem, main)::HUGEINT)) AS link FROM og_stem GROUP BY member
    UNION ALL SELECT member, {_NUMBER}, node FROM og_number
    UNION ALL SELECT DISTINCT member, {_NAME_AND_SPOT}, hash('name', stem, spot)
              FROM og_spot JOIN og_stem USING (member)
    UNION ALL SELECT DISTINCT member, {_SPOT}, spot FROM og_spot
    UNION ALL SELECT member, {_PARENT}, hash(employer_id::VARCHAR) FROM og_member WHERE employer_id IS NOT NULL
    UNION ALL SELECT member, {_ITSELF}, hash(golden_id::VARCHAR) FROM og_member) USING (member)
UNION ALL
SELECT golden_id, {_ACTS_FOR}, hash(employer_id::VARCHAR) FROM customers
WHERE party_kind = 'person' AND status = 'active' AND employer_id IS NOT NULL
"""


def compute(work: Work) -> pa.Table:
    """One row per golden organisation."""
    said = (
        work.parameters if isinstance(work.parameters, OrganisationParameters) else OrganisationParameters()
    )
    work.use("customers", "records", "purchases")
    _gather(work)
    work.db.execute(_NODES, said.model_dump())
    work.db.execute(_VALUES)
    edges = work.db.sql("SELECT member, node FROM og_node").to_arrow_table()
    members: int = work.db.execute("SELECT count(*) FROM og_member").fetchall()[0][0]
    labelled(
        work,
        "og_group",
        ("member", "company"),
        components(numbers(edges["member"]), numbers(edges["node"]), members),
    )
    table = work.sql(_GROUPS)
    _drop(work, _TABLES)
    return table


def links(work: Work) -> pa.Table:
    """What customers have in common that groups are made of."""
    work.use("customers", "records")
    if not work.has("og_link"):
        _gather(work)
        _drop(work, _EVIDENCE)
    found: pa.Table = work.db.sql(f"SELECT {AS_KEPT} FROM og_link").to_arrow_table()
    _drop(work, ("og_link",))
    return found


def spread(graph: Graph, parameters: Parameters) -> Spread:
    """Whom a change reaches: those whom a person acts for, groups, and who shares an address or phone with a name.

    Whether an address or phone joins follows from the names of all who have it, so that a change of one of them may
    join or part others.
    """
    del parameters
    employers = graph.having(graph.links_of(graph.touched, _ACTS_FOR), _ITSELF)
    beside = graph.having(graph.links_of(graph.changed, _SPOT), _SPOT)
    joined = graph.having(
        graph.shared(graph.links_of(beside, _NAME_AND_SPOT), _NAME_AND_SPOT), _NAME_AND_SPOT
    )

    def group(organisations: Customers) -> Customers:
        return graph.all_of(
            graph.having(graph.links_of(organisations, _NUMBER, _NAME_AND_SPOT), _NUMBER, _NAME_AND_SPOT),
            graph.having(graph.links_of(organisations, _PARENT), _ITSELF),
            graph.having(graph.links_of(organisations, _ITSELF), _PARENT),
        )

    begun = graph.being(graph.all_of(graph.touched, employers, joined), _ITSELF)
    concerned = graph.all_of(graph.grown(begun, group), graph.changed)
    needed = graph.all_of(
        concerned,
        graph.having(graph.links_of(concerned, _SPOT), _SPOT),
        graph.having(graph.links_of(concerned, _ITSELF), _ACTS_FOR),
    )
    return Spread(concerned, needed)


def _gather(work: Work) -> None:
    for step in (_MEMBERS, _RECORDS, _STEMS, _SPOTS):
        work.db.execute(step)
    work.db.execute(_NUMBERS, {"freemail": sorted(FREEMAIL)})
    work.db.execute(_LINKS)


def _drop(work: Work, tables: Iterable[str]) -> None:
    for name in tables:
        work.db.execute(f"DROP TABLE {name}")


def picture(table: pa.Table, work: Work) -> Figures:
    """How large groups are, what joins them, and what they are worth."""
    groups = table.group_by("group_id").aggregate([("branches", "max"), ("group_value", "max")])
    sizes = (
        np.bincount(groups["branches_max"].to_numpy() + 1, minlength=1)
        if groups.num_rows
        else np.zeros(1, int)
    )
    reasons = pc.split_pattern(table["reasons"].combine_chunks(), "; ").flatten()
    return {
        "organisations": table.num_rows,
        "groups": groups.num_rows,
        "contact persons": pc.sum(table["contact_persons"]).as_py() or 0,
        f"value, {work.currency}": float(pc.sum(table["own_value"]).as_py() or 0),
        "sizes": Bars(
            {f"{size:3}": int(count) for size, count in enumerate(sizes) if count},
            ("organisations in a group", "groups"),
            scale=True,
        ),
        "reasons": Bars(
            {row["values"]: row["counts"] for row in pc.value_counts(reasons).to_pylist()},
            ("reason", "organisations"),
        ),
    }


_ADDRESS: Final = ("street", "house_number", "postcode", "city", "country")
_JOINED: Final = (
    *(f"customers.{name}" for name in ("party_kind", "organisation_name", "employer_id", "first_seen")),
    *(
        f"records.{name}"
        for name in ("organisation_name", "trade_name", "coc_number", "vat_number", *_ADDRESS)
    ),
    *(f"records.{name}" for name in ("phone", "mobile", "email")),
)
"""What tells which organisations are a group."""
_ACTING: Final = ("customers.party_kind", "customers.status", "customers.employer_id")
_BOUGHT: Final = "user.behavior.purchase_history"
_NAME: Final = "user.contact.organization"
ENRICHER = Enricher(
    name="organisation",
    table="organisation_member",
    description="Business customers: the group that an organisation belongs to, its contact persons, what it is worth.",
    inputs=("customers", "records", "purchases"),
    outputs=(
        Output(
            "group_id",
            ValueType.TEXT,
            "The group: equal for all of its organisations, made of the golden id of the one that has been known "
            "longest.",
            privacy="user.unique_id.pseudonymous",
            of=_JOINED,
        ),
        Output(
            "group_name",
            ValueType.TEXT,
            "Name of the head. That of a sole trader is often a person's, so it is personal data like any name of an "
            "organisation here.",
            privacy=_NAME,
            of=_JOINED,
        ),
        Output(
            "role",
            ValueType.TEXT,
            "single, or in a group of several: head (named as the parent, else called a holding or group, else without "
            "word of a part in its name, else the shortest name) or branch.",
            privacy=_NAME,
            of=_JOINED,
        ),
        Output(
            "branches",
            ValueType.INTEGER,
            "Organisations of the group beside its head.",
            "organisations",
            _NAME,
            of=_JOINED,
        ),
        Output(
            "contact_persons",
            ValueType.INTEGER,
            "Golden persons in use whose employer this organisation is.",
            "persons",
            _NAME,
            of=_ACTING,
        ),
        Output(
            "own_value",
            ValueType.DECIMAL,
            "Purchases of this organisation less what was returned.",
            "currency",
            _BOUGHT,
            of=("purchases.net",),
        ),
        Output(
            "contact_value",
            ValueType.DECIMAL,
            "Purchases of its contact persons less what was returned; they are in no other column.",
            "currency",
            _BOUGHT,
            of=("purchases.net", *_ACTING),
        ),
        Output(
            "group_value",
            ValueType.DECIMAL,
            "Sum of own_value over the group.",
            "currency",
            _BOUGHT,
            of=("purchases.net", *_JOINED),
        ),
        Output(
            "reasons",
            ValueType.TEXT,
            "What it has in common with others of the group.",
            privacy=_NAME,
            of=_JOINED,
        ),
    ),
    purpose="One view of a business customer, its sites and the people who act for it, for sales and service.",
    stale_when="A name, number, address or contact point of any organisation, an employer, or a purchase changes.",
    compute=compute,
    parameters=OrganisationParameters,
    picture=picture,
    neighbours=Neighbourhood(links, spread),
)
