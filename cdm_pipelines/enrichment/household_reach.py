"""Whose household may be another one when some customers change.

Belongs here: what customers have in common that households are made of, and how far a change goes by it. Does not
belong here: households (``household``, ``household_joining``), going from customer to customer (``neighbours``).

How a household follows from others, and so how a change goes:

- The home of an employed person: from the organisations at the addresses of the person's records.
- Whether a phone, mailbox or account counts: from all who have it, and, as it may be a reception's, from the surnames
  of everybody who lives where one of those lives.
- Who is of one household: from everybody at the address, with what of theirs counts; at other spellings of the same
  door; and, of customers without an address, from those whom what they share leads to.

The first two go a step at a time; along the last a change goes on until it leads to nobody new.
"""

from typing import Final

import pyarrow as pa

from cdm_pipelines.enrichment.household_evidence import HELD
from cdm_pipelines.enrichment.neighbours import AS_KEPT, Customers, Graph, Links, Spread
from cdm_pipelines.enrichment.work import Work

SAID, HOME, DOOR, CONTACT, ROAMING, WORKPLACE, OFFICE = range(7)
"""All that is said of a person; where the person lives, perhaps; street and unit of that; a contact point; not known to
live at one place; where an organisation is; its contact point."""

# All of it from the customer's own values and records: who works somewhere lives at any of the private addresses.
_LINKS: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_link AS
WITH lives AS (
    SELECT h.person, h.base, h.street, h.unit FROM hh_home h JOIN hh_person USING (person) WHERE NOT employed
    UNION ALL
    SELECT r.person, r.base, r.street, r.unit FROM hh_record r JOIN hh_person p USING (person)
    WHERE employed AND NOT business AND r.base IS NOT NULL),
held AS (
    SELECT DISTINCT person, contact FROM ({HELD.format(who="person", table="hh_record")}) WHERE person IS NOT NULL),
known AS (
    SELECT person, sum(hash(source, entity, record_id, since, dated, surname, base, unit, street, business, phone,
                            mobile, email, iban)::HUGEINT) AS records
    FROM hh_record WHERE person IS NOT NULL GROUP BY person),
said AS (
    SELECT person, {SAID} AS kind, hash(first_seen, surname, born, employed, base, unit, street, records) AS link
    FROM hh_person LEFT JOIN known USING (person)
    UNION ALL SELECT DISTINCT person, {HOME}, base FROM lives
    UNION ALL SELECT DISTINCT person, {DOOR}, hash(street, unit) FROM lives WHERE street IS NOT NULL
    UNION ALL SELECT person, {CONTACT}, contact FROM held
    UNION ALL SELECT person, {ROAMING}, 0 FROM hh_person WHERE employed OR person NOT IN (SELECT person FROM hh_home))
SELECT golden_id, kind, link FROM said JOIN hh_person USING (person)
UNION ALL SELECT DISTINCT golden_id, {WORKPLACE}, base FROM hh_organisation_record WHERE base IS NOT NULL
UNION ALL SELECT DISTINCT golden_id, {OFFICE}, contact
          FROM ({HELD.format(who="golden_id", table="hh_organisation_record")})
"""


def make_links(work: Work) -> None:
    """Make ``hh_link`` of the tables of evidence."""
    work.db.execute(_LINKS)


def links_made(work: Work) -> pa.Table:
    """What customers have in common, as ``hh_link`` has it."""
    found: pa.Table = work.db.sql(f"SELECT {AS_KEPT} FROM hh_link").to_arrow_table()
    return found


def spread(graph: Graph, *, most_sharing: int) -> Spread:
    """Whom a change reaches.

    Args:
        graph: Of links as ``hh_link`` has them.
        most_sharing: A contact point of more customers than this joins nobody, however many more these are.
    """

    def at_home(places: Links) -> Customers:
        return graph.having(places, HOME)

    def homes(customers: Customers) -> Links:
        return graph.links_of(customers, HOME)

    def counting(customers: Customers, *kinds: int) -> Links:
        """Contact points of some customers that count, or did."""
        return graph.rare(graph.links_of(customers, *kinds), CONTACT, most_sharing)

    around = at_home(graph.links_of(graph.changed, HOME, WORKPLACE))
    around = graph.all_of(around, at_home(homes(graph.being(around, ROAMING))))
    contacts = graph.all_links_of(
        counting(graph.changed, CONTACT, OFFICE), graph.shared(counting(around, CONTACT), CONTACT)
    )
    found = graph.all_of(graph.changed, around, graph.having(contacts, CONTACT))

    def together(customers: Customers) -> Customers:
        """Who may be of one household with some customers."""
        shared = graph.shared(counting(customers, CONTACT), CONTACT)
        by_those_without = graph.having(counting(graph.being(customers, ROAMING), CONTACT), CONTACT)
        return graph.all_of(
            at_home(homes(customers)),
            graph.having(graph.links_of(customers, DOOR), DOOR),
            graph.being(graph.having(shared, CONTACT), ROAMING),
            by_those_without,
        )

    concerned = graph.grown(found, together)
    held = graph.links_of(concerned, CONTACT)
    sharing = graph.having(graph.rare(held, CONTACT, most_sharing), CONTACT)
    neighbours = graph.all_of(sharing, at_home(homes(sharing)))
    needed = graph.all_of(
        concerned,
        neighbours,
        graph.some_having(held, CONTACT, most_sharing + 1),
        graph.having(held, OFFICE),
        graph.having(homes(graph.all_of(concerned, neighbours)), WORKPLACE),
    )
    return Spread(concerned, needed)
