"""Retention: the plan of what expires, shown; and its rows let go, as an erasure with a certificate.

Belongs here: bringing policies, facts and the eraser together. Does not belong here: what expires (privacy.retention),
where it is found (``retention_facts``), how it goes (``expiring``, ``erasure``).

A person whose time is over goes by the steps by which one goes who asked for it, with one difference: the tombstones.
Who asked not to be known is kept out by name, address and phone. Who was merely not seen for years may come back as a
customer, so only the very records that expired are kept out, and those only as long as their source does not change
them: it would otherwise bring the person back with the next delivery of what it should have deleted too.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Engine

from cdm_pipelines.contracts.actor import Actor
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import retention as hub
from cdm_pipelines.hub import rights
from cdm_pipelines.hub.persons import persons_of
from cdm_pipelines.privacy import log
from cdm_pipelines.privacy.certificate import Certificate
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.privacy.purposes import POLICY as PURPOSES
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.privacy.retention import CUSTOMER, PLAN_SCHEMA, Terms, expired, plan, staying
from cdm_pipelines.privacy.retention_policy import RetentionPolicy, kept_by_purpose
from cdm_pipelines.privacy.tombstones import Key, Kind, of_record
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.operate.pruning import policy_of as pruning_of
from cdm_pipelines.steps.rights import erasure
from cdm_pipelines.steps.rights.collected import Collected, collect
from cdm_pipelines.steps.rights.requests import Receipt
from cdm_pipelines.steps.rights.retention_facts import Where, facts_of
from cdm_pipelines.steps.rights.subject import RightsError
from cdm_pipelines.store.file_store import FileStore
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Stores


@dataclass(frozen=True)
class Planned:
    """What expires when.

    Attributes:
        rows: The whole plan, as ``PLAN_SCHEMA``.
        today: The day for which it was made.
        terms: The policies by which it was.
    """

    rows: pa.Table
    today: dt.date
    terms: Terms

    @property
    def expired(self) -> pa.Table:
        """What goes."""
        return expired(self.rows, self.today)

    @property
    def staying(self) -> pa.Table:
        """What is due and stays for a reason."""
        return staying(self.rows, self.today)


def terms_of(settings: Settings) -> Terms:
    """The policies that say how long what is kept.

    Raises:
        PrivacyPolicyError, PurposesError, PruningPolicyError: One cannot be used.
    """
    policy, pruning = RetentionPolicy.load(settings.policies), pruning_of(settings)
    purposes = Purposes.load(settings.policies / PURPOSES)
    pruned = {
        "raw": pruning.lake.raw,
        "valid": pruning.lake.valid,
        "quarantine": pruning.lake.quarantine,
        "outbox": pruning.outbox,
        "history": pruning.history,
        "access_log": pruning.access_log,
    }
    return Terms(policy, kept_by_purpose(policy, purposes, all_contracts()), pruned)


def planned(settings: Settings, connection: Connection, today: dt.date) -> Planned:
    """What expires when, and what of it goes on a day; nothing is changed.

    Args:
        settings: Of the deployment.
        connection: To its migrated hub, in a transaction.
        today: The day.

    Raises:
        PrivacyPolicyError, PurposesError, PruningPolicyError: A policy cannot be used.
    """
    terms = terms_of(settings)
    where = Where(settings, Lake(settings.lake_url), connection, all_contracts(), terms, today)
    return Planned(plan(terms, facts_of(where), today), today, terms)


def apply(
    settings: Settings,
    engine: Engine,
    actor: Actor,
    today: dt.date,
    *,
    own_run: str = "",
    patience: float = 1800.0,
    progress: erasure.Progress = lambda _: None,
) -> tuple[Planned, Certificate | None]:
    """Let go what has expired; returns the plan that was carried out, and its certificate where anything was due.

    Args:
        settings: Of the deployment.
        engine: Of its migrated hub.
        actor: Who does it.
        today: The day; what expires later stays.
        own_run: The run of Dagster in which it is done, for which nobody waits.
        patience: Seconds to wait for other runs that are under way.
        progress: Told what is going on.

    Raises:
        RightsError: Today is yet to come, other runs are under way, or an erasure was begun and not ended.
        NotGoneError: Something is left somewhere; `cdm privacy resume` goes on with it.
        PrivacyPolicyError, PurposesError, PruningPolicyError: A policy cannot be used.
        GateError, KeyringError: Another erasure is under way; a key of the tombstones is missing.
    """
    if today > dt.datetime.now(dt.UTC).date():
        raise RightsError(f"{today} is yet to come: what expires by then can be shown, and not be let go.")
    with erasure.alone(settings, engine, patience, own_run):
        with engine.begin() as connection:
            rights.wait_for_turn(connection)
            if erasure.begun(connection):
                raise RightsError(
                    "An erasure was begun and not ended: `cdm privacy resume` goes on with it; then apply again."
                )
            progress("working out what has expired")
            found = planned(settings, connection, today)
            if not found.expired.num_rows:
                return found, None
            number = _written_down(settings, connection, found, actor)
        return found, erasure.finished(settings, engine, number, actor, progress)


def _written_down(settings: Settings, connection: Connection, found: Planned, actor: Actor) -> int:
    """Write down the request, with the rows of the plan and whose data they are about; returns its number."""
    lake, register = Lake(settings.lake_url), all_places(settings)
    log.tombstones(settings.home, lake)  # says so where a key is missing
    persons = _persons(connection, found)
    collected = Collected(persons, (), ())
    if persons.keys or persons.golden_ids:
        stores = Stores(lake, connection, FileStore(settings.landing_url))
        found_of_them = collect(stores, register, all_contracts(), persons, Vault.of(settings, lake))
        collected = replace(found_of_them, keys=tuple(_stones(persons)))
    rows = [
        {name: str(value) for name, value in row.items() if name != "kept"}
        for row in found.expired.to_pylist()
    ]
    return erasure.begin(
        connection,
        lake,
        collected,
        Receipt.now(settings),
        checked_by=actor.name,
        reason=erasure.REASON,
        kind=erasure.EXPIRE,
        expired=rows,
    )


def _persons(connection: Connection, found: Planned) -> Persons:
    """Whose data, and which documents, go."""
    rows = found.expired
    ids = rows.filter(pc.equal(rows["what"], CUSTOMER))["subject"].to_pylist()
    who = persons_of(connection, map(UUID, ids)) if ids else Persons.of(())
    keys = set(who.keys)
    for entity, rule in found.terms.policy.documents.items():
        own = rows.filter(pc.equal(rows["what"], entity))["subject"].to_pylist()
        documents = {_key(one) for one in own}
        keys |= documents
        orders = hub.orders_of(connection, entity, documents) if rule.with_ and documents else set()
        for other in rule.with_ if orders else ():
            keys |= set(hub.rows_of_orders(connection, other, orders))
    return Persons.of(keys, who.golden_ids)


def _key(subject: str) -> tuple[str, str, str]:
    source, entity, record = subject.split("/", len(RECORD_KEY) - 1)
    return source, entity, record


def _stones(persons: Persons) -> Iterator[Key]:
    """Keys of tombstones: the very records, and the golden ids, so that who asks for one is told."""
    yield from ((Kind.GOLDEN, str(one)) for one in sorted(persons.golden_ids))
    yield from ((Kind.EXPIRED, of_record(*key)) for key in sorted(persons.keys))


__all__ = ["PLAN_SCHEMA", "Planned", "apply", "planned", "terms_of"]
