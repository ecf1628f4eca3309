"""Whom a change of consent may concern: reading those alone comes to what reading everybody comes to."""

import random
from collections.abc import Callable
from dataclasses import fields

import pyarrow as pa
import pytest
from sqlalchemy import create_engine

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.hub.connection import database_url
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.privacy.concerned import Concerned, concerned
from cdm_pipelines.privacy.consent import STATEMENTS
from cdm_pipelines.steps.consent.identity import of_concerned, of_everybody
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY, composite_keys
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, Deployment
from .test_consent import customers_job

SEEDS = range(12)


class AmongMany(NextVersion):
    """The few customers of the demo, taken as few of very many."""

    few = 1_000_000


def said(lake: Lake) -> pa.Table:
    """What sources delivered, as the rules read it."""
    rows = tables.records(lake, Entity.CONSENT).read()
    party = composite_keys(rows, "source", "party_entity", "party_record_id")
    return rows.append_column("party", party).select(STATEMENTS.names).cast(STATEMENTS)


def shown(part: Concerned) -> dict[str, list[str]]:
    """In an order of its own."""
    values = {one.name: getattr(part, one.name) for one in fields(part)}
    return {name: sorted(map(repr, value.to_pylist())) for name, value in values.items()}


@pytest.fixture(scope="module")
def home(lived: Callable[..., Deployment]) -> Deployment:
    """With the mailbox of one customer given to another by a steward, whom no record has it of."""
    made = lived(DAYS[0])
    ((mailbox,), *_) = made.query(
        "SELECT min(email) FROM golden.customer WHERE email IN (SELECT party_email FROM privacy.consent_statement)"
    )
    [(other,)] = made.query(
        f"SELECT min(golden_id::text) FROM golden.customer WHERE email IS DISTINCT FROM '{mailbox}'"
    )
    made.ask("steward", "set", other, f"email={mailbox}", "--by", "Petra")
    customers_job(made)
    assert made.query(f"SELECT email FROM golden.customer WHERE golden_id = '{other}'") == [(mailbox,)]
    return made


def test_those_that_may_be_concerned_are_all_that_decides(home: Deployment) -> None:
    lake = Lake(home.settings.lake_url)
    statements = said(lake)
    customers = [one for (one,) in home.query("SELECT golden_id::text FROM golden.customer ORDER BY 1")]
    sizes = set()
    engine = create_engine(database_url(home.settings))
    try:
        with engine.begin() as connection:
            coming = AmongMany(connection, None)
            everybody = of_everybody(lake, coming)
            for seed in SEEDS:
                chance = random.Random(seed)
                ids = pa.array(chance.sample(customers, chance.choice((0, 1, 5))), pa.string())
                at = chance.sample(range(statements.num_rows), chance.choice((0, 1, 9)))
                asked = statements.take(pa.array(at, pa.int64())).select(RECORD_KEY)
                some = of_concerned(lake, coming, statements, ids, asked)
                assert some is not None
                parts = [
                    concerned(statements, one.records, one.contacts, customers=ids, asked=asked)
                    for one in (everybody, some)
                ]
                assert shown(parts[0]) == shown(parts[1])
                sizes.add((len(ids), len(parts[1].customers) > len(ids)))
    finally:
        engine.dispose()
    assert {more for _, more in sizes} == {False, True}, "some share an address"
