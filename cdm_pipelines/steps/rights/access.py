"""Everything that is known of one person, for that person.

Belongs here: gathering it by keys, and nothing of others with it. Does not belong here: who is meant (``subject``), the
archive that is handed over (``archive``), what was done with it (``dealings``).

The hub is asked by its indexes. Of the lake the current records are read by their keys, and of the newest day of each
record only the pieces of its file that hold it.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, with_state
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.hub import consent, deliveries, queries
from cdm_pipelines.hub.profile import is_there, table_of
from cdm_pipelines.hub.published import customers_of, published
from cdm_pipelines.hub.schema import customer, customer_history
from cdm_pipelines.hub.schema_feed import outbox, sink
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.parallel import in_order
from cdm_pipelines.privacy.purposes import POLICY, Purposes
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.cells import delivered_cells
from cdm_pipelines.steps.profile.enrich import policy_of
from cdm_pipelines.steps.rights import dealings
from cdm_pipelines.steps.stewardship.customer import dossier_values
from cdm_pipelines.steps.stewardship.decisions import read_log
from cdm_pipelines.store import tables
from cdm_pipelines.store.categories import is_personal
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.register import Persons, Register, Stores, search

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
Everything = Mapping[str, Tables]
"""By section (privacy.words) its tables by name, each as rows."""


@dataclass(frozen=True)
class Asked:
    """What is asked, and of what: settings, all places, the lake and a connection to the hub, and the person."""

    settings: Settings
    register: Register
    stores: Stores
    persons: Persons

    @property
    def connection(self) -> Connection:
        """To the hub."""
        connection: Connection = self.stores.connection
        return connection


def everything(asked: Asked) -> Everything:
    """What is known of a person, without data of anybody else."""
    contracts = all_contracts()
    records = dict(_records(asked))
    return {
        "customer": {"customer": list(_values(asked))},
        "records": records,
        "delivered": {"delivered": list(_delivered(asked, contracts, records))},
        "rejected": {
            name: [_filled(row) for row in rows]
            for name, rows in dealings.rejected(asked.register, contracts, asked.stores, asked.persons)
        },
        "transactions": dict(_transactions(asked)),
        "interactions": {"interactions": list(_interactions(asked, contracts))},
        "consent": {"consent": list(_consent(asked)), "statements": list(_said(asked))},
        "restrictions": {
            "restrictions": list(map(_filled, dealings.switched_off(asked.connection, asked.persons)))
        },
        "profile": {"profile": list(_profile(asked))},
        "actions": {
            name: [_filled(row) for row in rows]
            for name, rows in dealings.chosen_for(asked.connection, asked.persons).items()
        },
        "history": {"history": list(_history(asked))},
        "decisions": {"decisions": list(_decisions(asked))},
        "recipients": {"recipients": list(_recipients(asked))},
        "readings": {"readings": list(map(_filled, dealings.read_by(asked.connection, asked.persons)))},
        "purposes": {"purposes": list(_purposes(asked, contracts))},
        "retention": {"retention": list(_retention(asked, contracts))},
    }


def _values(asked: Asked) -> Iterator[Row]:
    """Golden values with where each comes from."""
    for id_ in sorted(asked.persons.golden_ids):
        found = queries.customer(asked.connection, str(id_))
        if found is None or str(found.golden["golden_id"]) != str(id_):
            yield {"attribute": "golden_id", "value": str(id_), "reason": "former id"}
            continue
        yield {"attribute": "golden_id", "value": str(id_), "reason": "lasting id"}
        for value in dossier_values(found):
            meaning = customer.c[value.attribute].comment or ""
            own = tuple(value.record) in asked.persons.keys
            yield {
                "attribute": value.attribute,
                "value": _plain(value.value),
                "meaning": meaning.partition(" Privacy category")[0],
                "record": str(value.record) if own else "",
                "reason": value.rule,
            }


def _records(asked: Asked) -> Iterator[tuple[str, list[Row]]]:
    """Current state of each source record, by canonical entity: files are looked through side by side."""
    if not asked.persons.keys:
        return
    states = [(one.entity, tables.records(asked.stores.lake, one.entity)) for one in with_state()]
    there = [(entity, state) for entity, state in states if state.exists]
    found = in_order(lambda one: one[1].rows(asked.persons.records).to_pylist(), there)
    for (entity, _), rows in zip(there, found, strict=True):
        yield str(entity), [_filled(row) for row in rows]


def _delivered(asked: Asked, contracts: Sequence[SourceContract], records: Tables) -> Iterator[Row]:
    """Cells of the newest delivery of each record."""
    rows = (row for table in records.values() for row in table)
    for cell in delivered_cells(asked.stores.lake, contracts, rows):
        yield {name: value for name, value in cell.items() if name != "category"}


def _transactions(asked: Asked) -> Iterator[tuple[str, list[Row]]]:
    for known in published().values():
        if known.entity is None:
            continue
        own = customers_of(known.name).subquery()
        same = and_(*(known.table.c[name] == own.c[name] for name in RECORD_KEY))
        query = select(known.table).join(own, same)
        query = query.where(own.c.golden_id.in_(asked.persons.golden_ids)).order_by(*known.table.primary_key)
        rows: list[Row] = [_filled(dict(row)) for row in asked.connection.execute(query).mappings()]
        if rows:
            yield known.name, rows


def _interactions(asked: Asked, contracts: Sequence[SourceContract]) -> Iterator[Row]:
    names = {
        f"standard/{one.name}/{Entity.INTERACTION}" for one in contracts if Entity.INTERACTION in one.entities
    }
    places = [place for place in asked.register if place.name in names]
    for _, found in search(places, asked.stores, asked.persons):
        for row in found.rows:
            yield {name: value for name, value in _filled(row).items() if not name.startswith("_")}


def _consent(asked: Asked) -> Iterator[Row]:
    """What they allow, and why."""
    for id_ in sorted(asked.persons.golden_ids):
        yield from map(_filled, consent.of_customer(asked.connection, id_))


def _said(asked: Asked) -> Iterator[Row]:
    """All that they said about it."""
    for id_ in sorted(asked.persons.golden_ids):
        yield from map(_filled, consent.statements_of(asked.connection, id_))


def _profile(asked: Asked) -> Iterator[Row]:
    """Each value that was worked out, with its meaning and what it follows from, in words."""
    for name, chosen in policy_of(asked.settings).chosen.items():
        declared = profile_table(chosen.enricher)
        if not is_there(asked.connection, declared):
            continue
        table = table_of(declared)
        query = select(table).where(table.c.golden_id.in_(asked.persons.golden_ids))
        for row in asked.connection.execute(query).mappings():
            for output in chosen.enricher.outputs:
                if row[output.name] is not None:
                    yield {
                        "enricher": name,
                        "what": output.name,
                        "value": _plain(row[output.name]),
                        "unit": output.unit,
                        "logic": output.description,
                        "follows from": ", ".join(chosen.enricher.read_for(output)),
                        "purpose": chosen.enricher.purpose,
                        "as of": _plain(row["as_of"]),
                    }


def _history(asked: Asked) -> Iterator[Row]:
    """Former versions in which only their own records had a part."""
    h = customer_history.c
    query = select(customer_history).where(h.golden_id.in_(asked.persons.golden_ids)).order_by(h.valid_from)
    for row in asked.connection.execute(query).mappings():
        named = {
            tuple(str(part[name]) for name in RECORD_KEY)
            for part in row["provenance"] or ()
            if all(part.get(name) for name in RECORD_KEY)
        }
        if named <= asked.persons.keys:
            yield {
                name: value
                for name, value in _filled(dict(row)).items()
                if name not in ("provenance", "opened_by", "closed_by")
            }


def _decisions(asked: Asked) -> Iterator[Row]:
    records = {Record(*key) for key in asked.persons.keys}
    for decision in read_log(asked.connection):
        own = records.intersection(decision.records)
        if own:
            yield {
                "decided": f"{decision.decided_at:%Y-%m-%d}",
                "kind": str(decision.kind),
                "records": ", ".join(sorted(map(str, own))),
            }


def _recipients(asked: Asked) -> Iterator[Row]:
    """Sinks of the change feed that heard of the customer, and what of; audiences that they were sent in."""
    yield from _sent(asked)
    query = (
        select(
            sink.c.name,
            outbox.c.type,
            func.count().label("events"),
            func.max(sink.c.updated_at).label("last"),
        )
        .join(outbox, outbox.c.position <= sink.c.position)
        .where(outbox.c.golden_id.in_(asked.persons.golden_ids))
        .group_by(sink.c.name, outbox.c.type)
        .order_by(sink.c.name, outbox.c.type)
    )
    for row in asked.connection.execute(query):
        yield {
            "recipient": row.name,
            "told": row.type,
            "events": row.events,
            "last": f"{row.last:%Y-%m-%d}",
            "what": "the golden id, and fingerprints of what changed; no values",
        }


def _sent(asked: Asked) -> Iterator[Row]:
    """Deliveries of audiences that the customer was added to, left out of to compare, or removed from."""
    for row in deliveries.of_persons(asked.connection, asked.persons.golden_ids):
        yield {
            "recipient": row["platform"],
            "told": f"audience {row['audience']}: {row['action']}"
            + (f" ({row['reason']})" if row["reason"] else ""),
            "events": 1,
            "last": f"{row['released_at']:%Y-%m-%d}",
            "what": f"for {row['purpose']} by {row['channel']}: "
            + ("nothing, to compare" if row["action"] == deliveries.CONTROL else "what its form holds"),
        }


def _purposes(asked: Asked, contracts: Sequence[SourceContract]) -> Iterator[Row]:
    purposes = Purposes.load(asked.settings.policies / POLICY)
    own = {(source, entity) for source, entity, _ in asked.persons.keys}
    for contract in contracts:
        if (contract.source, contract.entity) in own:
            for column in contract.columns:
                if is_personal(column.privacy):
                    keys = sorted(purposes.given_for(column.purposes))
                    bases = sorted({str(purposes[key].basis).replace("_", " ") for key in keys})
                    yield {
                        "source": contract.name,
                        "owner": contract.owner,
                        "column": column.name,
                        "meaning": column.description,
                        "category": column.privacy,
                        "purposes": ", ".join(keys),
                        "legal basis": ", ".join(bases),
                    }


def _retention(asked: Asked, contracts: Sequence[SourceContract]) -> Iterator[Row]:
    others = {
        one.name
        for one in contracts
        if (one.source, one.entity) not in {key[:2] for key in asked.persons.keys}
    }
    for place in asked.register:
        if place.categories and not any(f"/{name}" in place.name for name in others):
            yield {
                "where": place.name,
                "what": place.description,
                "kept": str(place.kept),
                "erased": place.erasure.how,
            }


def _filled(row: Row) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row.items() if value is not None}


def _plain(value: object) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    return str(value)
