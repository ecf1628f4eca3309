"""What the customers of another company said, held against our purposes.

Belongs here: counting. Does not belong here: what follows from statements (privacy.consent), the form of the report.

Consent is given to somebody for something: what was said to the other company holds for us only where it names a
purpose of ours. What follows from it is worked out by the rules by which ours is: by channel, by whatever a statement
names somebody with, and for as long as it holds. Whether it may come along at all is for a lawyer; the counts are what
one asks with.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.insight.takeover_report import ConsentFigures, PurposeFigures
from cdm_pipelines.privacy.consent import BIRTHS, EXPIRED, RECORDS, STATEMENTS, STATES, effective
from cdm_pipelines.privacy.off import EVERY_CHANNEL, off, off_for
from cdm_pipelines.privacy.purposes import POLICY, Purposes
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.consent.identity import REACHED_BY, contacts_of
from cdm_pipelines.steps.days.records import first_days
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY, composite_keys, record_keys
from cdm_pipelines.store.lake import Lake

_FEW = 5
"""A word for a purpose that stands in fewer statements is not shown: it may be no word but a value of somebody."""
_OTHERS = "(others)"


def consent_figures(
    settings: Settings, lake: Lake, name: str, of_customer: Mapping[str, int], as_of: date
) -> ConsentFigures:
    """Count what was said of each of our purposes that need consent.

    Args:
        settings: Where the purposes are.
        lake: With the other company's records.
        name: The source that it is.
        of_customer: Number of the customer by ``entity/record_id`` of its party records.
        as_of: The day that the counts are of.
    """
    purposes = Purposes.load(settings.policies / POLICY)
    ledger = tables.records(lake, Entity.CONSENT)
    statements = STATEMENTS.empty_table()
    if ledger.exists:
        rows = ledger.read()
        rows = rows.filter(pc.equal(rows["source"], name))
        party = composite_keys(rows, "source", "party_entity", "party_record_id")
        statements = rows.append_column("party", party).select(STATEMENTS.names).cast(STATEMENTS)
    customers = pa.array(sorted({str(one) for one in of_customer.values()}), pa.string())
    records, contacts, births = _identity(lake, name, of_customer)
    found = effective(
        statements,
        records,
        contacts,
        births,
        defaults=purposes.defaults,
        as_of=as_of,
        first_days=first_days(lake, Entity.CONSENT),
        threads=settings.threads or 1,
    ).consent
    said = found.filter(pc.is_valid(found["state"]))  # others said nothing
    states, words = statements["state"], statements["purpose"]
    strange = Counter(one or "(no purpose)" for one in words.to_pylist() if one not in purposes.by_key)
    return ConsentFigures(
        statements.num_rows,
        len(customers),
        tuple(_of_purposes(purposes, said, customers)),
        _shown(strange),
        statements["stated_at"].null_count,
        sum(one not in STATES for one in states.to_pylist()),
    )


def _identity(lake: Lake, name: str, of_customer: Mapping[str, int]) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Records, contacts and births of their customers, by number."""
    rows = tables.records(lake, Entity.PARTY).read([*RECORD_KEY, "first_seen", "birth_date", *REACHED_BY])
    rows = rows.filter(pc.equal(rows["source"], name))
    named = zip(rows["entity"].to_pylist(), rows["record_id"].to_pylist(), strict=True)
    numbers = [of_customer.get(f"{entity}/{record_id}") for entity, record_id in named]
    golden = pa.array([None if one is None else str(one) for one in numbers], pa.string())
    keys, known = record_keys(rows), pc.is_valid(golden)
    records = pa.table({"golden_id": golden, "party": keys, "since": rows["first_seen"]}, schema=RECORDS)
    births = pa.table({"golden_id": golden, "birth_date": rows["birth_date"]}, schema=BIRTHS)
    return records.filter(known), contacts_of(keys, rows), births.filter(known)


def _of_purposes(purposes: Purposes, said: pa.Table, customers: pa.Array) -> Iterator[PurposeFigures]:
    """Of each purpose that needs consent: who may be addressed by a channel, who answered otherwise, the rest."""
    for key, one in purposes.by_key.items():
        if not one.needs_consent:
            continue
        may: set[str] = set()
        by_channel = {}
        for channel in one.channels or (EVERY_CHANNEL,):
            refused = off_for(off(said, purposes, customers, [(key, channel)]), key, channel)
            allowed = customers.filter(pc.invert(pc.is_in(customers, value_set=refused))).to_pylist()
            may |= set(allowed)
            if channel != EVERY_CHANNEL:
                by_channel[channel] = len(allowed)
        answers = said.filter(pc.and_(pc.equal(said["purpose"], key), pc.not_equal(said["state"], EXPIRED)))
        answered = set(answers["golden_id"].to_pylist()) | may
        yield PurposeFigures(
            key, len(may), len(answered) - len(may), len(customers) - len(answered), by_channel
        )


def _shown(words: Counter[str]) -> dict[str, int]:
    """Words of many statements, and how many statements have others."""
    shown = {word: number for word, number in words.most_common() if number >= _FEW}
    rest = words.total() - sum(shown.values())
    return {**shown, _OTHERS: rest} if rest else shown
