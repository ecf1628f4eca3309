"""From evidence to households: which persons live together, and why.

Belongs here: the weights, the guards, union by agreement and its checks. Does not belong here: how names, addresses and
contact points are read (``household_evidence``), or what a household is called (``household``).

Evidence is weighed in bits (log2 of odds), as in linkage, with weights by argument and none from labels:

- Two customers at one address with the same addition: a dwelling. 32 to 1 live together (5 bits); what speaks against
  is mostly who moved away without telling, and with a third unrelated family name there is more of that (4 bits).
- A place of many unrelated families is a building and not a dwelling: another family of the k - 1 there is one's own
  with odds of 1 to k - 1.
- At the address of an organisation most customers work: 1 to 4, and again divided by k - 1.
- A shared surname: about half of those who live together have one, so log2(0.5 / its share among customers elsewhere),
  12 bits at most. The shares are counted for everybody with the other scales and models, and kept.
- A phone, mailbox or account that few customers have, of few surnames at one address, and no organisation: 12 bits.
  Strangers share none but by error.

Joined is what reaches 5 bits. A shared contact point never joins customers who live at different addresses: so a child
that moved out and partners that parted are apart, whatever they still share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from cdm_pipelines.enrichment.graph import Ints, components, labelled, numbers
from cdm_pipelines.enrichment.work import Work

ENOUGH: Final = 5.0
CONTACT_BITS: Final = 12.0
MOST_NAME_BITS: Final = 12.0
BUSINESS_BITS: Final = -2.0
YOUNG, OLD = 30, 75
"""Three unrelated adults all under 30 share a house, all from 75 on are in care: neither is a family."""

_NAME_EDGES: Final = """
SELECT person, hash(place, part) AS node FROM hh_home JOIN hh_name USING (person)
QUALIFY count(*) OVER (PARTITION BY place, part) > 1
"""
# What more unrelated surnames share than a household has is the line of a reception or of a house with rooms.
_RECEPTIONS: Final = """
DELETE FROM hh_contact WHERE contact IN (
    SELECT contact FROM hh_contact JOIN hh_home USING (person) JOIN hh_namesake USING (person) WHERE customers > 1
    GROUP BY place, contact HAVING count(DISTINCT namesake) > $most_families)
"""
_CONTACT_EDGES: Final = """
SELECT person, hash(place, contact) AS node FROM hh_home JOIN hh_contact USING (person) WHERE customers > 1
QUALIFY count(*) OVER (PARTITION BY place, contact) > 1
"""
# A fixed line belongs to a dwelling. Numbers that differ in one digit are one number, mistyped.
_PLACES: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_place AS
WITH living AS (
    SELECT h.*, f.family, n.namesake, p.born
    FROM hh_home h JOIN hh_family f USING (person) JOIN hh_namesake n USING (person) JOIN hh_person p USING (person)),
line AS (
    SELECT DISTINCT place, family, contact::VARCHAR AS number FROM living JOIN hh_contact USING (person)
    WHERE fixed AND at_home
    QUALIFY min(family) OVER (PARTITION BY place) <> max(family) OVER (PARTITION BY place)),
several_lines AS (
    SELECT DISTINCT place FROM (
        SELECT a.place, min(damerau_levenshtein(a.number, b.number)) AS apart
        FROM line a JOIN line b ON a.place = b.place AND a.family < b.family GROUP BY a.place, a.family, b.family)
    WHERE apart > 1),
around AS (
    SELECT base, count(DISTINCT unit) FILTER (WHERE unit <> '') AS units, count(DISTINCT family) AS around
    FROM living GROUP BY base HAVING count(*) > 1),
counted AS (
    SELECT place, any_value(base) AS base, any_value(unit) AS unit, count(*) AS persons,
           count(DISTINCT family) AS families, count(DISTINCT namesake) AS names,
           count(born) AS births, min(born) AS first_born, max(born) AS last_born
    FROM living WHERE base IN (SELECT base FROM around) GROUP BY place),
kinds AS (
    SELECT counted.*, around,
           CASE WHEN w.base IS NOT NULL THEN 'business'
                WHEN unit = '' AND units > 1 THEN 'additions'
                WHEN families > $most_families OR persons > $largest THEN 'families'
                WHEN l.place IS NOT NULL THEN 'lines'
                WHEN names > 2 AND births > 1
                     AND first_born > getvariable('as_of')::DATE - to_years({YOUNG}) THEN 'young'
                WHEN names > 2 AND births > 1
                     AND last_born <= getvariable('as_of')::DATE - to_years({OLD}) THEN 'old'
                ELSE 'home' END AS kind
    FROM counted JOIN around USING (base) LEFT JOIN hh_workplace w USING (base, unit)
    LEFT JOIN several_lines l USING (place))
SELECT *, CASE kind WHEN 'home' THEN IF(families > 2, 4, 5)
               WHEN 'business' THEN {BUSINESS_BITS} - log2(greatest(families - 1, 1))
               WHEN 'additions' THEN -log2(greatest(around - 1, 1))
               ELSE -log2(greatest(families - 1, 1)) END AS bits
FROM kinds
"""
# Names that somebody else has too, with their number of customers when that was counted for everybody.
_SHARED_NAMES: Final = """
CREATE OR REPLACE TEMP TABLE hh_shared_name AS
SELECT person, part, coalesce(persons, $rare) AS everywhere FROM hh_name
JOIN (SELECT part FROM hh_name GROUP BY part HAVING count(*) > 1) USING (part) LEFT JOIN hh_name_scale USING (part)
"""
# One of 'home', 'surname', a kind of contact, 'addition', 'spelling' per person and node; a node's persons are joined.
_NODES: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_node AS
WITH living AS (
    SELECT h.*, p.kind, p.bits, p.around FROM hh_home h JOIN hh_place p USING (place)),
named AS (SELECT l.*, part, everywhere FROM living l JOIN hh_shared_name USING (person)),
reached AS (SELECT l.*, c.kind AS what, c.contact FROM living l JOIN hh_contact c USING (person)
    WHERE customers > 1 AND NOT (fixed AND l.kind IN ('business', 'young', 'old'))),
at_home AS (
    SELECT person, place AS node, 'home' AS what, bits AS weight FROM living WHERE kind = 'home'
    QUALIFY count(*) OVER (PARTITION BY place) > 1),
by_name AS (
    SELECT person, node, 'surname' AS what, bits,
           least({MOST_NAME_BITS}, log2(0.5 * ($persons + 1) / (greatest(everywhere, here) - here + 1))) AS weight
    FROM (SELECT person, hash('name', place, part) AS node, everywhere, bits,
                 count(*) OVER (PARTITION BY place, part) AS here FROM named)
    WHERE here BETWEEN 2 AND $largest),
by_contact AS (
    SELECT person, hash('contact', place, contact) AS node, what, {CONTACT_BITS} AS weight FROM reached
    QUALIFY count(*) OVER (PARTITION BY place, contact) > 1),
signs AS (
    SELECT person, base, unit, street, place, around, hash(part) AS sign,
           log2(0.5 * ($persons + 1) / everywhere) AS weight FROM named
    UNION ALL
    SELECT person, base, unit, street, place, around, contact, {CONTACT_BITS} FROM reached),
without_addition AS (
    SELECT person, hash('addition', base, sign) AS node, 'addition' AS what,
           least(max(weight) OVER same, {MOST_NAME_BITS}) AS weight
    FROM signs WHERE weight - log2(greatest(around - 1, 1)) >= {ENOUGH}
    WINDOW same AS (PARTITION BY base, sign)
    QUALIFY count(DISTINCT unit) FILTER (WHERE unit <> '') OVER same = 1 AND bool_or(unit = '') OVER same
        AND count(*) OVER same <= $largest)
SELECT * FROM at_home
UNION ALL SELECT person, node, what, weight FROM by_name WHERE weight + bits >= {ENOUGH}
UNION ALL FROM by_contact UNION ALL FROM without_addition
"""
# A postal code written otherwise: the same street, number, addition and town.
_SPELLED: Final = f"""
INSERT INTO hh_node
WITH alike AS (
    SELECT person, place, hash(street, unit) AS door FROM hh_home WHERE street IS NOT NULL
    QUALIFY min(place) OVER (PARTITION BY hash(street, unit)) <> max(place) OVER (PARTITION BY hash(street, unit))),
signs AS (
    SELECT a.*, hash(n.part) AS sign, log2(0.5 * ($persons + 1) / everywhere) AS weight
    FROM alike a JOIN hh_shared_name n USING (person)
    UNION ALL
    SELECT a.*, contact, {CONTACT_BITS} FROM alike a JOIN hh_contact USING (person) WHERE customers > 1)
SELECT person, hash('spelling', door, sign), 'spelling', least(weight, {MOST_NAME_BITS}) FROM signs
WHERE weight >= {ENOUGH}
WINDOW same AS (PARTITION BY door, sign)
QUALIFY min(place) OVER same <> max(place) OVER same AND count(*) OVER same <= $largest
"""
# Who has no address lives where a fixed line or an account is shared, or another contact point and the surname.
_ATTACHING: Final = """
CREATE OR REPLACE TEMP TABLE hh_attaching AS
WITH sharing AS (
    SELECT c.*, h.person IS NULL AS homeless FROM hh_contact c LEFT JOIN hh_home h USING (person) WHERE customers > 1
    QUALIFY bool_or(h.person IS NULL) OVER (PARTITION BY contact))
SELECT person, node, kind AS what, homeless FROM (
    SELECT person, hash('attach', contact) AS node, kind, homeless FROM sharing WHERE fixed OR kind = 'account'
    UNION ALL
    SELECT person, hash('attach', contact, part), kind, homeless FROM sharing JOIN hh_name USING (person)
    WHERE NOT fixed AND kind <> 'account')
QUALIFY count(*) OVER (PARTITION BY node) > 1
"""

TABLES: Final = (
    *("hh_namesake", "hh_family", "hh_place", "hh_name_scale", "hh_shared_name", "hh_node", "hh_attaching"),
    "hh_member",
)
"""Tables that :func:`join` makes."""


@dataclass(frozen=True)
class Names:
    """How many customers have which surname, when that was counted for everybody.

    Attributes:
        persons: How many customers there were.
        common: How many had each part of a surname that is not rare; parts as ``hh_name`` has them.
    """

    persons: int
    common: Mapping[int, int]

    @property
    def rare(self) -> int:
        """A surname of as many customers at most says all that a surname can say."""
        return rare_among(self.persons)


def rare_among(persons: int) -> int:
    """So many customers of all have a surname that is rare: two at least, for who shares it is one of two."""
    return max(2, int(0.5 * (persons + 1) / 2**MOST_NAME_BITS))


def join(work: Work, persons: int, names: Names, *, most_families: int, largest: int) -> None:
    """Make ``hh_member`` (person, household) of the tables of evidence; ``hh_place`` and ``hh_node`` say why.

    Args:
        work: With the tables of ``household_evidence.gather``.
        persons: How many there are.
        names: How common each surname is.
        most_families: More unrelated families than these at one address are no household.
        largest: Most customers that one household has.
    """
    namesakes = _edges(work, _NAME_EDGES)
    labelled(work, "hh_namesake", ("person", "namesake"), components(*namesakes, persons))
    work.db.execute(_RECEPTIONS, {"most_families": most_families})
    contacts = _edges(work, _CONTACT_EDGES)
    person, node = (np.concatenate(pair) for pair in zip(namesakes, contacts, strict=True))
    labelled(work, "hh_family", ("person", "family"), components(person, node, persons))
    work.db.execute(_PLACES, {"most_families": most_families, "largest": largest})
    _make_scale(work, names)
    bounds = {"persons": names.persons, "largest": largest}
    work.db.execute(_NODES, bounds)
    work.db.execute(_SPELLED, bounds)
    work.db.execute(_ATTACHING)
    households = _coherent(work, persons, largest)
    labelled(work, "hh_member", ("person", "household"), _attached(work, households, largest))


def _make_scale(work: Work, names: Names) -> None:
    scale = {
        "part": pa.array(list(names.common), pa.uint64()),
        "persons": pa.array(list(names.common.values())),
    }
    work.db.register("scale_given", pa.table(scale))
    work.db.execute(
        "CREATE OR REPLACE TEMP TABLE hh_name_scale AS SELECT part, persons::BIGINT AS persons FROM scale_given"
    )
    work.db.unregister("scale_given")
    work.db.execute(_SHARED_NAMES, {"rare": names.rare})


def _coherent(work: Work, persons: int, largest: int) -> Ints:
    """Components of all nodes; where one is larger than a household can be, of those that say more, or of none."""
    edges = work.db.sql("SELECT person, node, what FROM hh_node").to_arrow_table()
    person, node = numbers(edges["person"]), numbers(edges["node"])
    home = np.asarray(edges["what"].to_numpy(zero_copy_only=False) == "home")
    contact = np.isin(
        edges["what"].to_numpy(zero_copy_only=False).astype(str), ("phone", "e-mail", "account")
    )
    label = components(person, node, persons)
    for strong in (home | contact, home):
        crowded = np.bincount(label, minlength=persons)[label] > largest
        if not crowded.any():
            return label
        kept = strong & crowded[person]
        label = np.where(crowded, components(person[kept], node[kept], persons), label)
    return label


def _attached(work: Work, households: Ints, largest: int) -> Ints:
    """Households with those whose address is not known, where what they share leads to one household only."""
    edges = work.db.sql("SELECT person, node, homeless FROM hh_attaching").to_arrow_table()
    if not edges.num_rows:
        return households
    person, node = numbers(edges["person"]), np.unique(numbers(edges["node"]), return_inverse=True)[1]
    homeless = edges["homeless"].to_numpy(zero_copy_only=False).astype(bool)
    group = components(person[homeless], node[homeless], len(households))
    # Per node one group of those without an address, and each household that shares it.
    of_node = np.full(int(node.max()) + 1, -1)
    of_node[node[homeless]] = group[person[homeless]]
    leads = np.unique(np.stack([of_node[node[~homeless]], households[person[~homeless]]], 1), axis=0)
    leads = leads[leads[:, 0] >= 0]
    target = np.full(len(households), -1)
    target[leads[:, 0]] = leads[:, 1]
    several = np.bincount(leads[:, 0], minlength=len(households)) > 1
    without = np.zeros(len(households), bool)
    without[person[homeless]] = True
    crowded = np.bincount(group[without], minlength=len(households)) > largest
    joined = np.where(target[group] >= 0, target[group], group)
    alone = several[group] | crowded[group]
    return np.where(without & ~alone, joined, households)


def _edges(work: Work, query: str) -> tuple[Ints, Ints]:
    found = work.db.sql(query).to_arrow_table()
    return numbers(found["person"]), numbers(found["node"])
