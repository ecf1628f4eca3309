"""Who customers are, for consent: their records, what these can be reached by, dates of birth, as will be published.

Belongs here: reading them, of everybody or of those whom a change may concern. Does not belong here: what has changed
(``staging``), whom it concerns in the end (privacy.concerned).
"""

from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.privacy.consent import BIRTHS, CONTACTS, RECORDS
from cdm_pipelines.store import tables
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keys import RECORD_KEY, having, keys_of_records, positions, record_keys
from cdm_pipelines.store.lake import Lake

REACHED_BY = {"email": "email", "phone": "phone", "mobile": "phone"}
"""Attributes of a party by which a statement may name it, with the kind of contact that each is."""
_NAMED_BY = {"email": "party_email", "phone": "party_phone"}
_PARTY = [*RECORD_KEY, "first_seen", *REACHED_BY]
_CUSTOMER = pa.schema(
    [(name, pa.string()) for name in ("golden_id", "birth_date", *REACHED_BY, "first_seen")]
)
_OWN = "\x1f"
"""Before a golden id: the key of a record that a customer is itself, since a steward may have set values of it."""


@dataclass(frozen=True)
class Identity:
    """Some customers.

    Attributes:
        records: ``RECORDS``: theirs.
        contacts: ``CONTACTS``: of these, and of records that are nobody's.
        births: ``BIRTHS``.
    """

    records: pa.Table
    contacts: pa.Table
    births: pa.Table


def of_everybody(lake: Lake, coming: NextVersion) -> Identity:
    """All customers."""
    parties = tables.records(lake, Entity.PARTY).read(_PARTY)
    return _identity(parties, coming.crosswalk(CROSSWALK_SCHEMA, None), coming.customers(_CUSTOMER, None))


def of_concerned(
    lake: Lake, coming: NextVersion, statements: pa.Table, customers: pa.Array, asked: pa.Table
) -> Identity | None:
    """Those whom some customers and some statements may concern; None where reading everybody is less work.

    They are these customers, those whom these statements are about, and everybody with an address that any statement
    names: among them a change finds its way from one to the next.

    Args:
        lake: The lake.
        coming: What will be published next.
        statements: ``STATEMENTS`` of all.
        customers: Golden ids.
        asked: Keys of statements.
    """
    named = {kind: statements[column].combine_chunks().drop_null() for kind, column in _NAMED_BY.items()}
    by_address = pc.or_(
        pc.or_(pc.is_valid(statements["party_email"]), pc.is_valid(statements["party_phone"])),
        pc.is_valid(statements["token"]),
    )
    telling = pc.or_(by_address, having(statements, asked, RECORD_KEY))
    about = whole(statements["party"].filter(telling)).drop_null().unique()
    themselves = pc.starts_with(about, _OWN)
    records = [keys_of_records(about.filter(pc.invert(themselves)))]
    ids = [customers.cast(pa.string()), pc.utf8_slice_codeunits(about.filter(themselves), len(_OWN))]
    parties = tables.records(lake, Entity.PARTY)
    if any(map(len, named.values())):
        contacts = parties.read([*RECORD_KEY, *REACHED_BY])
        records.append(contacts.filter(_reached(contacts, named)).select(RECORD_KEY))
        ids.append(coming.customers_with({column: named[kind] for column, kind in REACHED_BY.items()}))
    keys = pa.concat_tables(records)
    if not coming.are_few(keys["record_id"]):
        return None
    ids.append(whole(coming.crosswalk_of(CROSSWALK_SCHEMA, keys)["golden_id"]).cast(pa.string()))
    found = pa.concat_arrays(ids).unique()
    if not coming.are_few(found):
        return None
    crosswalk = coming.crosswalk(CROSSWALK_SCHEMA, found)
    return _identity(parties.rows(crosswalk).select(_PARTY), crosswalk, coming.customers(_CUSTOMER, found))


def contacts_of(keys: pa.Array, rows: pa.Table) -> pa.Table:
    """What rows can be reached by."""
    pieces = [
        pa.table(
            {"party": keys, "kind": pa.repeat(pa.scalar(kind), rows.num_rows), "value": rows[name]}
        ).cast(CONTACTS)
        for name, kind in REACHED_BY.items()
    ]
    found = pa.concat_tables(pieces)
    return found.filter(pc.is_valid(found["value"]))


def _identity(parties: pa.Table, crosswalk: pa.Table, customers: pa.Table) -> Identity:
    keys = record_keys(parties)
    at = positions(keys, record_keys(crosswalk))
    golden = whole(crosswalk["golden_id"]).take(pa.array(at, mask=at < 0))
    records = pa.table({"golden_id": golden, "party": keys, "since": parties["first_seen"]}, schema=RECORDS)
    # A value that a steward set is the customer's, though no record has it.
    themselves = pc.binary_join_element_wise("", customers["golden_id"], _OWN)
    own = pa.table(
        {"golden_id": customers["golden_id"], "party": themselves, "since": customers["first_seen"]},
        schema=RECORDS,
    )
    return Identity(
        pa.concat_tables([records.filter(pc.is_valid(records["golden_id"])), own]),
        pa.concat_tables([contacts_of(keys, parties), contacts_of(whole(themselves), customers)]),
        customers.select(BIRTHS.names),
    )


def _reached(rows: pa.Table, named: dict[str, pa.Array]) -> pa.Array:
    """Whether each row can be reached by one of some values of each kind of contact."""
    by_each = (
        whole(pc.is_in(rows[column], value_set=named[kind], skip_nulls=True))
        for column, kind in REACHED_BY.items()
    )
    return reduce(pc.or_, by_each)
