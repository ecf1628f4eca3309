"""What speaks for and against living together: homes, names and contact points of persons, as small tables of numbers.

Belongs here: reading addresses, surnames and contact points of golden persons and their records in use. Does not belong
here: what follows from them (``household_joining``).

A place is a number (base: country, postal code, house number; where a postal code covers more than a street, the street
too) and a unit (the addition in one spelling). Everything is counted over customers, never over records: five records
of one customer share nothing with anybody.
"""

from collections.abc import Callable
from typing import Final

from cdm_pipelines.enrichment.work import Work

_PREFIXES: Final = (
    "van|von|vom|zu|zum|zur|de|der|den|des|het|'t|te|ten|ter|in|op|aan|uit|onder|over|bij|voor|tot|du|d'|l'|le|la|les|"
    "di|da|dos|del|el|al|ben|bint|y"
)
_BETWEEN: Final = rf"\s*[-/]\s*|\s+(?:(?:{_PREFIXES})\s+)+"
_BEFORE: Final = rf"^(?:(?:{_PREFIXES})(?:\s+|$)|[dl]')+"
"""A double name in two parts, with or without a hyphen: jansen-de vries, jansen de vries."""

_FINE_POSTCODE: Final = r"^([0-9]{4} ?[A-Z]{2}|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2})$"
"""Postal codes of a street or part of one (NL, GB); elsewhere they cover towns."""

_NO_HOME: Final = r"^(postbus|antwoordnummer|p\.? ?o\.? ?box|postfach|bo[iî]te postale|b\.?p\.? [0-9])"
_FIXED: Final = "^(31[1-57]|32([1-35-9]|4[1-3])|49[2-9]|44[12]|33[1-59])"
"""Fixed lines in the numbering plans of countries that tell them by their first digits (NL, BE, DE, GB, FR)."""

# Additions: "2 hoog", "2e verdieping" and "II" are the second floor; "hs" is the ground floor.
_UNIT: Final = r"""
CASE regexp_replace(lower({0}), '[^a-z0-9]|hoog|verdieping|etage', '', 'g')
    WHEN 'i' THEN '1' WHEN 'ii' THEN '2' WHEN 'iii' THEN '3' WHEN 'iv' THEN '4' WHEN '1e' THEN '1' WHEN '2e' THEN '2'
    WHEN '3e' THEN '3' WHEN 'huis' THEN 'hs' WHEN 'bg' THEN 'hs'
    ELSE coalesce(ltrim(regexp_replace(lower({0}), '[^a-z0-9]|hoog|verdieping|etage', '', 'g'), '0'), '') END
"""
# Cases are in the order of what they cost: most records are Dutch, and few streets begin like a P.O. box.
_PLACE: Final = f"""
CASE WHEN house_number IS NULL OR (postcode IS NULL AND (street IS NULL OR city IS NULL)) THEN NULL
     WHEN lower(coalesce(street, address_extra)[1]) IN ('p', 'a', 'b')
          AND regexp_matches(lower(coalesce(street, address_extra)), '{_NO_HOME}') THEN NULL
     WHEN country = 'NL' AND length(postcode) = 7 THEN hash(postcode, house_number)
     WHEN regexp_matches(postcode, '{_FINE_POSTCODE}') THEN hash(country, replace(postcode, ' ', ''), house_number)
     ELSE hash(country, coalesce(postcode, lower(city)), house_number,
               regexp_replace(strip_accents(lower(street)), '[^a-z0-9]', '', 'g')) END
"""
_STREET: Final = """
CASE WHEN house_number IS NOT NULL AND street IS NOT NULL AND city IS NOT NULL
     THEN hash(coalesce(country, ''), regexp_replace(strip_accents(lower(city)), '[^a-z0-9]', '', 'g'),
               regexp_replace(strip_accents(lower(street)), '[^a-z0-9]', '', 'g'), house_number) END
"""
# A phone is a number of its digits, others are hashed: what is counted and compared is no text.
_CONTACT_POINTS: Final = """
TRY_CAST(phone AS HUGEINT)::UBIGINT AS phone, TRY_CAST(mobile AS HUGEINT)::UBIGINT AS mobile,
IF(email IS NULL OR email_kind = 'role', NULL, hash(email)) AS email, IF(iban IS NULL, NULL, hash(iban)) AS iban
"""
_UNITS: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_unit AS
SELECT house_addition, {_UNIT.format("house_addition")} AS unit
FROM (SELECT house_addition FROM customers UNION SELECT house_addition FROM records)
WHERE house_addition IS NOT NULL
"""
_LIVING: Final = "party_kind = 'person' AND status = 'active' AND deceased IS DISTINCT FROM 'true'"
_PERSONS: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_person AS
SELECT CAST(row_number() OVER () - 1 AS INTEGER) AS person, golden_id, first_seen, hash(surname) AS surname,
       TRY_CAST(birth_date AS DATE) AS born, employer_id IS NOT NULL AS employed,
       {_PLACE} AS base, coalesce(unit, '') AS unit, {_STREET} AS street
FROM customers LEFT JOIN hh_unit USING (house_addition)
WHERE {_LIVING}
"""
_RECORDS: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_record AS
SELECT p.person, r.source, r.entity, r.record_id, coalesce(r.modified_at, r.last_seen) AS since,
       r.modified_at IS NOT NULL AS dated, hash(r.surname) AS surname,
       {_PLACE} AS base, coalesce(u.unit, '') AS unit, {_STREET} AS street,
       r.employer_id IS NOT NULL OR r.organisation_name IS NOT NULL AS business,
       {_CONTACT_POINTS}
FROM records r LEFT JOIN hh_unit u USING (house_addition)
LEFT JOIN (SELECT golden_id, person FROM hh_person) p USING (golden_id)
"""
_WORKPLACES: Final = """
CREATE OR REPLACE TEMP TABLE hh_workplace AS
SELECT DISTINCT base, unit FROM hh_organisation_record WHERE base IS NOT NULL
"""
_ORGANISATIONS: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_organisation_record AS
SELECT r.golden_id, {_PLACE} AS base, coalesce(u.unit, '') AS unit, {_CONTACT_POINTS}
FROM records r LEFT JOIN hh_unit u USING (house_addition) WHERE party_kind = 'organisation'
"""
# A home is the golden address, with two corrections and an exception.
# - An addition that only some of a customer's own records leave out is filled in.
# - An address that only records without a date of their own show (the day of delivery says nothing of when it was
#   written) gives way to one that more records show, one of them dated.
# - Who works somewhere lives where a record says that has no employer in it, away from any organisation: the latest.
_HOMES: Final = """
CREATE OR REPLACE TEMP TABLE hh_home AS
WITH private AS (
    SELECT person, base, unit, street, since, source, entity, record_id, dated FROM hh_record
    WHERE NOT business AND base IS NOT NULL AND person IS NOT NULL),
differing AS (
    SELECT * FROM private SEMI JOIN (
        SELECT person FROM private GROUP BY person HAVING min(base) <> max(base) OR min(unit) <> max(unit))
    USING (person)),
spoken AS (
    SELECT person, base, count(*) AS records, bool_or(dated) AS dated, max(since) AS since,
           min(street) AS street, IF(count(DISTINCT unit) FILTER (WHERE unit <> '') = 1, max(unit), NULL) AS one_unit
    FROM differing GROUP BY ALL),
golden AS (
    SELECT p.person, p.base, IF(p.unit = '', coalesce(s.one_unit, ''), p.unit) AS unit, p.street,
           s.records AS golden_records, coalesce(s.dated, true) AS sure
    FROM hh_person p LEFT JOIN spoken s USING (person, base) WHERE NOT employed AND p.base IS NOT NULL),
instead AS (
    SELECT g.person, arg_max({base: s.base, unit: coalesce(s.one_unit, ''), street: s.street},
                             (s.records, s.since, s.base)) AS home
    FROM golden g JOIN spoken s ON s.person = g.person AND s.base <> g.base
    WHERE NOT g.sure AND s.dated AND s.records > g.golden_records GROUP BY g.person),
employed AS (
    SELECT r.person, arg_max({base: r.base, unit: r.unit, street: r.street}, (r.since, r.source, r.entity, r.record_id))
               AS home
    FROM private r JOIN hh_person p USING (person) ANTI JOIN hh_workplace w ON w.base = r.base AND w.unit = r.unit
    WHERE p.employed GROUP BY r.person)
SELECT person, base, unit, street, hash(base, unit) AS place FROM golden ANTI JOIN instead USING (person)
UNION ALL
SELECT person, home.base, home.unit, home.street, hash(home.base, home.unit) FROM (FROM employed UNION ALL FROM instead)
"""
# The parts of every surname, as numbers that stay the same from version to version of the database: a scale names them.
_PARTS: Final = """
part AS (
    SELECT surname, unnest(regexp_split_to_array(strip_accents(lower(surname)), $$BETWEEN$$)) AS part
    FROM (SELECT surname FROM customers UNION SELECT surname FROM records) WHERE surname IS NOT NULL),
clean AS (
    SELECT surname, regexp_replace(regexp_replace(part, $$BEFORE$$, ''), '[^a-z]', '', 'g') AS part FROM part),
named AS (SELECT surname, md5_number_lower(part) AS part FROM clean WHERE length(part) > 1)
""".replace("BETWEEN", _BETWEEN).replace("BEFORE", _BEFORE)
_NAMES: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_name AS
WITH spelled AS (
    SELECT person, surname FROM hh_person UNION SELECT person, surname FROM hh_record WHERE person IS NOT NULL),
{_PARTS}
SELECT DISTINCT person, part FROM spelled JOIN (SELECT hash(surname) AS surname, part FROM named) USING (surname)
"""
_COUNTED: Final = f"""
WITH alive AS (
    SELECT golden_id, surname FROM customers WHERE {_LIVING}),
spelled AS (
    FROM alive UNION SELECT r.golden_id, r.surname FROM records r SEMI JOIN alive USING (golden_id)),
{_PARTS}
SELECT part::VARCHAR AS part, count(DISTINCT golden_id) AS persons FROM spelled JOIN named USING (surname)
GROUP BY part HAVING persons > $rare ORDER BY part
"""
HELD: Final = """
SELECT {who}, 'phone' AS kind, phone AS contact FROM {table} WHERE phone IS NOT NULL
UNION ALL SELECT {who}, 'phone', mobile FROM {table} WHERE mobile IS NOT NULL
UNION ALL SELECT {who}, 'e-mail', email FROM {table} WHERE email IS NOT NULL
UNION ALL SELECT {who}, 'account', iban FROM {table} WHERE iban IS NOT NULL
"""
# A contact point of an organisation, of a record with an employer, or of many customers (a reception, an agent) is no
# sign of a shared home.
_CONTACTS: Final = f"""
CREATE OR REPLACE TEMP TABLE hh_contact AS
WITH placed AS (
    SELECT r.*, coalesce(hash(r.base, r.unit) = h.place, false) AS here
    FROM hh_record r LEFT JOIN hh_home h USING (person) WHERE r.person IS NOT NULL),
held AS (
    SELECT person, kind, contact, bool_or(business) AS business, bool_or(here) AS at_home
    FROM ({HELD.format(who="person, business, here", table="placed")}) GROUP BY ALL),
private AS (
    SELECT contact, count(*) AS customers FROM held GROUP BY contact
    HAVING NOT bool_or(business) AND count(*) <= $most_sharing)
SELECT person, kind, contact, customers, at_home,
       kind = 'phone' AND regexp_matches(contact::VARCHAR, '{_FIXED}') AS fixed
FROM held JOIN private USING (contact)
WHERE (customers > 1 OR at_home AND kind = 'phone')
  AND contact NOT IN (SELECT contact FROM ({HELD.format(who="1 AS one", table="hh_organisation_record")}))
"""
_STEPS: Final = (_UNITS, _PERSONS, _RECORDS, _ORGANISATIONS, _WORKPLACES, _HOMES, _NAMES)

TABLES: Final = (
    "hh_unit",
    "hh_person",
    "hh_record",
    "hh_organisation_record",
    "hh_workplace",
    "hh_home",
    "hh_name",
    "hh_contact",
)
"""Tables that :func:`gather` makes."""


def gather(work: Work, most_sharing: int) -> int:
    """Make the tables ``hh_person``, ``hh_home``, ``hh_workplace``, ``hh_name`` and ``hh_contact``.

    Persons have numbers from 0, in any order: everything else names them by these, and no outcome follows from which.

    Args:
        work: Inputs ``customers`` and ``records`` must have been made.
        most_sharing: Contact points of more customers than this are left out.

    Returns:
        How many persons there are.
    """
    for step in _STEPS:
        work.db.execute(step)
    work.db.execute(_CONTACTS, {"most_sharing": most_sharing})
    counted: int = work.db.execute("SELECT count(*) FROM hh_person").fetchall()[0][0]
    return counted


def count_names(work: Work, rare_among: Callable[[int], int]) -> tuple[int, dict[int, int]]:
    """How many persons there are, and how many of them have each part of a surname that is not rare.

    Args:
        work: Inputs ``customers`` and ``records`` must have been made.
        rare_among: How many of all have a surname that is.
    """
    persons: int = work.db.execute(f"SELECT count(*) FROM customers WHERE {_LIVING}").fetchall()[0][0]
    found = work.db.execute(_COUNTED, {"rare": rare_among(persons)}).fetchall()
    return persons, {int(part): counted for part, counted in found}
