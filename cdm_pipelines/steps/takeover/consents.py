"""What the customers of another company said, held against our purposes.

Belongs here: counting. Does not belong here: what follows from statements (privacy.consent), the form of the report.

Consent is given to somebody for something: what was said to the other company holds for us only where it names a
purpose of ours. Whether it may come along at all is for a lawyer; the counts are what one asks with.
"""

from collections import Counter
from collections.abc import Mapping

import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.insight.takeover_report import ConsentFigures, PurposeFigures
from cdm_pipelines.privacy.purposes import POLICY, Purposes
from cdm_pipelines.settings import Settings
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

_FEW = 5
"""A word for a purpose that stands in fewer statements is not shown: it may be no word but a value of somebody."""
_OTHERS = "(others)"
_GIVEN, _KNOWN = "given", ("given", "refused", "withdrawn", "objected")


def consent_figures(
    settings: Settings, lake: Lake, name: str, of_customer: Mapping[str, int], changes: tuple[int, int]
) -> ConsentFigures:
    """Count what was said of each of our purposes that need consent.

    Args:
        settings: Where the purposes are.
        lake: With the other company's records.
        name: The source that it is.
        of_customer: Number of the customer by ``entity/record_id`` of its party records.
        changes: Our customers who would allow less, and who would allow more.
    """
    purposes = Purposes.load(settings.policies / POLICY)
    ledger = tables.records(lake, Entity.CONSENT)
    rows = ledger.read() if ledger.exists else None
    rows = rows.filter(pc.equal(rows["source"], name)) if rows is not None else None
    last: dict[tuple[int, str], tuple[str, str]] = {}
    strange: Counter[str] = Counter()
    undated = unknown = 0
    customers = len(set(of_customer.values()))
    columns = ("party_entity", "party_record_id", "purpose", "state", "stated_at")
    for row in rows.select(list(columns)).to_pylist() if rows is not None else ():
        purpose, state = row["purpose"] or "", row["state"] or ""
        if purpose not in purposes.by_key:
            strange[purpose or "(no purpose)"] += 1
        undated += not row["stated_at"]
        unknown += state not in _KNOWN
        customer = of_customer.get(f"{row['party_entity']}/{row['party_record_id']}")
        if customer is not None:
            said = row["stated_at"] or "", state
            last[customer, purpose] = max(last.get((customer, purpose), ("", "")), said)
    figures = []
    for key, purpose_of_ours in purposes.by_key.items():
        if purpose_of_ours.needs_consent:
            states = [state for (_, purpose), (_, state) in last.items() if purpose == key]
            given = sum(state == _GIVEN for state in states)
            figures.append(PurposeFigures(key, given, len(states) - given, customers - len(states)))
    number = rows.num_rows if rows is not None else 0
    return ConsentFigures(number, customers, tuple(figures), _shown(strange), undated, unknown, *changes)


def _shown(words: Counter[str]) -> dict[str, int]:
    """Words of many statements, and how many statements have others."""
    shown = {word: number for word, number in words.most_common() if number >= _FEW}
    rest = words.total() - sum(shown.values())
    return {**shown, _OTHERS: rest} if rest else shown
