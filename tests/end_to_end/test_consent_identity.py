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
from cdm_pipelines.store.keys import RECORD_KEY, composite_keys, record_keys
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, Deployment
from .test_consent import customers_job

SEEDS = range(24)


class AmongMany(NextVersion):
    """The few customers of the demo, taken as few of very many."""

    few = 1_000_000


def said(home: Deployment, seed: int) -> pa.Table:
    """What sources delivered, as the rules read it, and more than they do.

    Some of what names a mailbox names a record of anybody as well, some a mailbox that no golden record has.
    """
    lake, chance = Lake(home.settings.lake_url), random.Random(seed)
    rows = tables.records(lake, Entity.CONSENT).read()
    people = tables.records(lake, Entity.PARTY).read([*RECORD_KEY, "email"])
    parties = record_keys(people).to_pylist()
    customers = home.query("SELECT golden_id::text, email FROM golden.customer ORDER BY golden_id")
    parties += [f"\x1f{golden_id}" for golden_id, _ in customers]  # of what was said here
    others = sorted(set(people["email"].drop_null().to_pylist()) - {email for _, email in customers})
    party = composite_keys(rows, "source", "party_entity", "party_record_id").to_pylist()
    named = [one or (chance.choice(parties) if chance.random() < 0.2 else None) for one in party]
    mailbox = [
        chance.choice(others) if one and chance.random() < 0.2 else one
        for one in rows["party_email"].to_pylist()
    ]
    rows = rows.append_column("party", pa.array(named, pa.string())).select(STATEMENTS.names)
    at = STATEMENTS.get_field_index("party_email")
    return rows.set_column(at, "party_email", pa.array(mailbox, pa.string())).cast(STATEMENTS)


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
    [(other,)] = made.query("SELECT min(golden_id::text) FROM golden.customer WHERE email IS NULL")
    made.ask("steward", "set", other, f"email={mailbox}", "--by", "Petra")
    customers_job(made)
    assert made.query(f"SELECT email FROM golden.customer WHERE golden_id = '{other}'") == [(mailbox,)]
    return made


def compared(home: Deployment, seed: int) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Whom a random change concerns, when everybody is read and when those are whom it may concern."""
    lake, chance = Lake(home.settings.lake_url), random.Random(seed)
    statements = said(home, seed)
    everybody = "SELECT golden_id::text FROM golden.customer ORDER BY golden_id"
    sharing = (
        "SELECT golden_id::text FROM golden.customer JOIN privacy.consent USING (golden_id) WHERE shared"
    )
    given_away = """SELECT golden_id::text FROM golden.customer AS c WHERE EXISTS (
        SELECT FROM golden.customer AS o JOIN golden.provenance USING (golden_id)
        WHERE decision_id IS NOT NULL AND o.email = c.email AND o.golden_id <> c.golden_id)"""
    customers = home.query(chance.choice((everybody, sharing, given_away)))
    ids = pa.array([chance.choice(customers)[0] for _ in range(chance.choice((0, 1, 3)))], pa.string())
    at = chance.sample(range(statements.num_rows), chance.choice((0, 1, 9)))
    asked = statements.take(pa.array(at, pa.int64())).select(RECORD_KEY)
    engine = create_engine(database_url(home.settings))
    try:
        with engine.begin() as connection:
            coming = AmongMany(connection, None)
            some = of_concerned(lake, coming, statements, ids, asked)
            assert some is not None
            whole, part = (
                shown(concerned(statements, one.records, one.contacts, customers=ids, asked=asked))
                for one in (of_everybody(lake, coming), some)
            )
    finally:
        engine.dispose()
    return whole, part


def test_those_that_may_be_concerned_are_all_that_decides(home: Deployment) -> None:
    for seed in SEEDS:
        whole, part = compared(home, seed)
        assert part == whole
