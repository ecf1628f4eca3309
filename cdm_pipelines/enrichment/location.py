"""Where a customer lives or is established: municipality and coordinates, moves, and how far to trust the address.

Belongs here: what follows from addresses. Does not belong here: tables of postcodes (``postcodes``), who lives together
(``household``), or which address is golden (golden.survivorship).

**Moves.** Records say which address they have now, and not which one they had: former versions are kept for the golden
customer only, and are no input. So a move is read from records that differ. An address is known from the first day that
a record says it (the day on which its source changed the record, else the day on which the record was first seen) to
the last one. A customer has moved when every other address was known for the last time before the newest one was
known for the first time. Records that go on saying the old address later contradict each other, and nobody has moved;
nor has one who has two addresses at a time. A difference of one character in the postcode at the same house number is
a slip of the pen. An address that only one of several systems was ever told, such as that of a delivery, can pass for
a move; ``address_confidence`` is lower then.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Age, Enricher, Output
from cdm_pipelines.enrichment.moments import RECORD_SPEAKS_FOR, changed_in_the_future
from cdm_pipelines.enrichment.postcodes import PostcodeTable, tables
from cdm_pipelines.enrichment.scores import MOVES_A_YEAR, Weights, still_holds, tenths, weighted_mean
from cdm_pipelines.enrichment.work import Parameters, Work
from cdm_pipelines.figures import Bars, Figures

_LOCATION = "user.location.imprecise"
_REFERENCE, _SPELLINGS = "location_postcodes", "location_spellings"


class AddressWeights(Weights):
    """How much each part of the confidence counts; equal ones, as nothing says that one tells more."""

    agreement: float = Field(default=1, ge=0)
    currency: float = Field(default=1, ge=0)
    validity: float = Field(default=1, ge=0)
    postcode: float = Field(default=1, ge=0)
    place: float = Field(default=1, ge=0)


class LocationParameters(Parameters):
    """What may be set.

    Attributes:
        tables: A company's own tables of postcodes by country, as paths of CSV files (``postcodes``).
        moves_a_year: Decline of the probability that an address still holds, a year.
        weights: Of the parts of ``address_confidence``.
    """

    tables: Mapping[str, PostcodeTable] = {}
    moves_a_year: float = Field(default=MOVES_A_YEAR, ge=0, le=10)
    weights: AddressWeights = AddressWeights()

    @model_validator(mode="after")
    def _countries(self) -> Self:
        if wrong := [one for one in self.tables if not (len(one) == 2 and one.isalpha() and one.isupper())]:
            raise ValueError(
                f"tables: {wrong[0]} is no country; use two capitals as in ISO 3166-1, such as BE"
            )
        return self


_COMPACT = "nullif(replace(replace(replace(upper({0}), ' ', ''), '-', ''), '.', ''), '')"
_DUTCH = "regexp_matches({0}, '^[1-9][0-9]{{3}}[A-Z]{{2}}$')"
_FOLDED = r"""regexp_replace(replace(lower(strip_accents({0})), 'ij', 'y'), '[^\p{{L}}\p{{N}}]', '', 'g')"""
_COUNTRY = f"coalesce(upper(country), CASE WHEN {_DUTCH.format('code')} THEN 'NL' END)"
_KEY = "code || '|' || coalesce('n' || house_number, 's' || lower(street))"
"""One address: postcode and house number, or street where there is no number; null where that cannot be told."""
_HOMES = f"""
homes AS (
    SELECT golden_id, code, city, {_COUNTRY} AS country, {_KEY} AS key
    FROM (SELECT *, {_COMPACT.format("postcode")} AS code FROM customers)
    WHERE code IS NOT NULL OR city IS NOT NULL OR street IS NOT NULL),
said AS (
    SELECT golden_id, code, house_number, {_KEY} AS key, {_COUNTRY} AS country, told_on, faulty
    FROM (SELECT golden_id, {_COMPACT.format("postcode")} AS code, house_number, street, country,
                 {RECORD_SPEAKS_FOR} AS told_on,
                 coalesce(regexp_matches(invalid_attributes, '\\b(postcode|house_number|street|city|country)\\b'),
                          false) AS faulty,
          FROM records)
    WHERE code IS NOT NULL AND (house_number IS NOT NULL OR street IS NOT NULL)),
addresses AS (
    SELECT golden_id, key, any_value(code) AS code, max(house_number) AS house_number, max(country) AS country,
           min(told_on) AS since, max(told_on) AS until, count(*) AS records, bool_or(told_on IS NULL) AS undated,
           bool_and(faulty) AS faulty
    FROM said GROUP BY golden_id, key)
"""
"""Golden addresses, and every address that records say, each with from when until when it is known."""

_MOVES = """
counted AS (
    SELECT golden_id, count(*)::INTEGER AS addresses, sum(records) AS records,
           bool_or(undated OR faulty) AS doubtful
    FROM addresses GROUP BY golden_id),
newest AS (
    SELECT a.golden_id, max({'since': since, 'key': key, 'code': code, 'house': house_number}) AS last
    FROM addresses a JOIN counted c USING (golden_id) WHERE c.addresses > 1 AND NOT doubtful GROUP BY a.golden_id),
former AS (
    SELECT a.golden_id, max({'until': until, 'key': key, 'code': code, 'house': house_number, 'country': country})
               AS before
    FROM addresses a JOIN newest n USING (golden_id) WHERE a.key <> n.last.key GROUP BY a.golden_id),
moves AS (
    SELECT golden_id, last.since AS moved_on, before.code AS moved_from_code, before.country AS moved_from_country
    FROM newest JOIN former USING (golden_id)
    WHERE before.until < last.since AND before.code <> last.code
      AND NOT (before.house IS NOT DISTINCT FROM last.house AND damerau_levenshtein(before.code, last.code) <= 1))
"""
"""Who moved and when, as the module's text says."""

_LOOKED_UP = f"""
codes AS (SELECT DISTINCT country, code FROM homes WHERE code IS NOT NULL
          UNION SELECT DISTINCT moved_from_country, moved_from_code FROM moves),
sizes AS (SELECT DISTINCT country, len(code) AS size FROM {_REFERENCE}),
beginnings AS MATERIALIZED (  -- or every code would be held against every code of its country
    SELECT c.country, c.code, left(c.code, s.size) AS beginning FROM codes c JOIN sizes s ON s.country = c.country),
found AS (
    SELECT b.country, b.code, arg_max(r, len(r.code)) AS r
    FROM beginnings b JOIN {_REFERENCE} r ON r.country = b.country AND r.code = b.beginning
    GROUP BY b.country, b.code),
agreeing AS (
    SELECT h.country, h.code, h.city, bool_or(s.spelling IS NOT NULL) AS agrees
    FROM (SELECT DISTINCT h.country, h.code, h.city, f.r.code AS reference, {_FOLDED.format("h.city")} AS folded
          FROM homes h JOIN found f ON f.country = h.country AND f.code = h.code WHERE h.city IS NOT NULL) h
         LEFT JOIN {_SPELLINGS} s ON s.country = h.country AND s.code = h.reference AND s.spelling = h.folded
    GROUP BY h.country, h.code, h.city)
"""
"""Each postcode in the tables, by its longest beginning that is there; and whether the city is that of the postcode."""


def _compute(work: Work) -> pa.Table:
    parameters = _parameters(work)
    work.use("customers", "records")
    parts = {
        "agreement": "agreement",
        "currency": still_holds("confirmed_on", "getvariable('as_of')::DATE", "$moves_a_year"),
        "validity": "validity",
        "postcode": "postcode_known::INTEGER",
        "place": "place_agrees::INTEGER",
    }
    confidence = weighted_mean(parts, parameters.weights)
    with _reference(work, tables(parameters.tables)):
        return work.sql(
            f"""
            WITH {_HOMES}, {_MOVES}, {_LOOKED_UP},
            located AS (
                SELECT h.golden_id, h.country, h.key, f.r.place AS place, f.r.municipality AS municipality,
                       f.r.province AS province, f.r.area_code AS area_code, f.r.latitude::DECIMAL(9, 6) AS latitude,
                       f.r.longitude::DECIMAL(9, 6) AS longitude, f.r.use = 'po_box' AS po_box,
                       CASE WHEN h.country IN (SELECT country FROM sizes) AND h.code IS NOT NULL
                            THEN f.r IS NOT NULL END AS postcode_known,
                       g.agrees AS place_agrees, coalesce(c.addresses, 0)::INTEGER AS addresses,
                       a.since AS address_since, a.until AS confirmed_on,
                       a.records::DOUBLE / c.records AS agreement, 1 - a.faulty::INTEGER AS validity,
                       m.moved_on, coalesce(b.r.municipality, b.r.place) AS moved_from
                FROM homes h
                     LEFT JOIN found f ON f.country = h.country AND f.code = h.code
                     LEFT JOIN agreeing g ON g.country = h.country AND g.code = h.code AND g.city = h.city
                     LEFT JOIN counted c ON c.golden_id = h.golden_id
                     LEFT JOIN addresses a ON a.golden_id = h.golden_id AND a.key = h.key
                     LEFT JOIN moves m ON m.golden_id = h.golden_id
                     LEFT JOIN found b ON b.country = m.moved_from_country AND b.code = m.moved_from_code)
            SELECT * EXCLUDE (key, confirmed_on, agreement, validity), confirmed_on AS address_confirmed_on,
                   CAST(CASE WHEN key IS NOT NULL THEN {confidence} END AS DECIMAL(6, 4)) AS address_confidence
            FROM located
            """,
            moves_a_year=parameters.moves_a_year,
        )


@contextmanager
def _reference(work: Work, postcodes: pa.Table) -> Iterator[None]:
    """Tables of postcodes, readable in SQL while a query runs."""
    work.db.register(_REFERENCE, postcodes)
    work.db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {_SPELLINGS} AS
        SELECT DISTINCT country, code, {_FOLDED.format("spelling")} AS spelling
        FROM (SELECT country, code, unnest([place, municipality] || coalesce(string_split(other_spellings, ';'), []))
                     AS spelling FROM {_REFERENCE})
        WHERE spelling IS NOT NULL
        """
    )
    try:
        yield
    finally:
        work.db.execute(f"DROP TABLE {_SPELLINGS}")
        work.db.unregister(_REFERENCE)


def _picture(table: pa.Table, work: Work) -> Figures:
    known = pc.value_counts(table["postcode_known"].combine_chunks()).to_pylist()
    by_known = {row["values"]: row["counts"] for row in known}
    return {
        "customers with an address": table.num_rows,
        "postcodes": Bars(
            {
                "known": by_known.get(True, 0),
                "not in the table": by_known.get(False, 0),
                "none, or no table for the country": by_known.get(None, 0),
            },
            ("postcode", "customers"),
        ),
        "cities that are not that of the postcode": table["place_agrees"].to_pylist().count(False),
        "moved": len(table["moved_on"].drop_null()),
        "customers by province": _most(table["province"]),
        "address confidence": tenths(table["address_confidence"], "confidence"),
        "records changed in the future": changed_in_the_future(work),
    }


def _most(column: pa.ChunkedArray, most: int = 15) -> Bars:
    counts = {
        row["values"]: row["counts"]
        for row in pc.value_counts(column.combine_chunks().drop_null()).to_pylist()
    }
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    shown = dict(ranked[:most])
    if rest := sum(count for _, count in ranked[most:]):
        shown["others"] = rest
    return Bars(shown, ("province", "customers"))


def _parameters(work: Work) -> LocationParameters:
    assert isinstance(work.parameters, LocationParameters)  # noqa: S101 - for the type checker
    return work.parameters


_POSTCODE = ("customers.postcode", "customers.country")
_GOLDEN = tuple(f"customers.{name}" for name in ("postcode", "house_number", "street"))
_SAID = tuple(f"records.{name}" for name in ("postcode", "house_number", "street"))
_WHEN = ("records.modified_at", "records.first_seen")
_T = ValueType
ENRICHER = Enricher(
    name="location",
    description="Municipality, province and coordinates by postcode; moves; how far the address can be trusted.",
    inputs=("customers", "records"),
    outputs=(
        Output(
            "country",
            _T.TEXT,
            "Country of the address, ISO 3166-1; NL where none is given and the postcode has the Dutch form.",
            privacy="user.contact.address.country",
            of=_POSTCODE,
        ),
        Output(
            "place",
            _T.TEXT,
            "Town of the postcode, by the table of postcodes.",
            privacy=_LOCATION,
            of=_POSTCODE,
        ),
        Output(
            "municipality",
            _T.TEXT,
            "Municipality of the postcode. The Dutch table is of 2019: municipalities "
            "that merged later have their former name.",
            privacy=_LOCATION,
            of=_POSTCODE,
        ),
        Output("province", _T.TEXT, "Province of the postcode.", privacy=_LOCATION, of=_POSTCODE),
        Output(
            "area_code", _T.TEXT, "Area code of landlines at the postcode.", privacy=_LOCATION, of=_POSTCODE
        ),
        Output(
            "latitude",
            _T.DECIMAL,
            "Of the area of the postcode, WGS 84. In the Netherlands that of the four "
            "digits: a kilometre or more from the door.",
            unit="degrees",
            privacy=_LOCATION,
            of=_POSTCODE,
        ),
        Output(
            "longitude",
            _T.DECIMAL,
            "Of the area of the postcode, WGS 84.",
            unit="degrees",
            privacy=_LOCATION,
            of=_POSTCODE,
        ),
        Output(
            "po_box",
            _T.BOOLEAN,
            "Whether the postcode is one of P.O. boxes only.",
            privacy=_LOCATION,
            of=_POSTCODE,
        ),
        Output(
            "postcode_known",
            _T.BOOLEAN,
            "Whether the postcode is in the table of its country; empty where there "
            "is no postcode or no table.",
            privacy=_LOCATION,
            of=_POSTCODE,
        ),
        Output(
            "place_agrees",
            _T.BOOLEAN,
            "Whether the city is the town or municipality of the postcode, capitals, "
            "accents, spaces and ij or y apart; empty where one of them is not known.",
            privacy=_LOCATION,
            of=(*_POSTCODE, "customers.city"),
        ),
        Output(
            "addresses",
            _T.INTEGER,
            "Different addresses (postcode and house number) that the customer's records say.",
            privacy=_LOCATION,
            of=_SAID,
        ),
        Output(
            "address_since",
            _T.DATE,
            "First day on which a record said the golden address.",
            privacy=_LOCATION,
            of=(*_GOLDEN, *_SAID, *_WHEN),
        ),
        Output(
            "address_confirmed_on",
            _T.DATE,
            "Last day on which a record with the golden address was changed, or was new.",
            privacy=_LOCATION,
            of=(*_GOLDEN, *_SAID, *_WHEN),
        ),
        Output(
            "moved_on",
            _T.DATE,
            "First day on which a record said the newest address, where every other address "
            "was last said before that. Empty where records contradict each other, and where the postcode differs "
            "in one character at the same house number.",
            privacy=_LOCATION,
            of=(*_SAID, *_WHEN, "records.invalid_attributes"),
        ),
        Output(
            "moved_from",
            _T.TEXT,
            "Municipality of the address before, where its postcode is known.",
            privacy=_LOCATION,
            of=(*_SAID, *_WHEN, "records.invalid_attributes", "records.country"),
        ),
        Output(
            "address_confidence",
            _T.DECIMAL,
            "Weighted mean of what is known of: agreement (share of records with "
            "an address that say the golden one), currency (exp(-moves_a_year x years since address_confirmed_on)), "
            "validity (0 where every record with it has a faulty part), postcode_known, place_agrees. Empty for "
            "an address without postcode, or with neither street nor number.",
            unit="share",
            privacy=_LOCATION,
            tells_from=0.1,
            of=(*_POSTCODE, *_GOLDEN, *_SAID, *_WHEN, "customers.city", "records.invalid_attributes"),
        ),
    ),
    purpose="Reaching customers by post, serving them from the branch nearby, finding addresses that need upkeep.",
    stale_when="a record or the golden address of the customer changed, or a table of postcodes did",
    compute=_compute,
    parameters=LocationParameters,
    picture=_picture,
    ages=(Age("days_since_move", "moved_on", "Days since the customer moved."),),
)
