"""The stages of the benchmark of profiles, each as it runs in a process of its own.

Belongs here: writing the inputs into a home, and calling the project's own steps. Does not belong here: what the inputs
are (``profile_inputs``), measuring (``profile``).
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import profile_inputs as inputs
from cdm_pipelines.contracts.canonical import Entity, declaration
from cdm_pipelines.contracts.catalogue import all_contracts, contract_named
from cdm_pipelines.golden.survivorship import CUSTOMER_SCHEMA
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.hub.publish import promote
from cdm_pipelines.hub.published import published
from cdm_pipelines.hub.staging import Staging
from cdm_pipelines.hub.upkeep import vacuum
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.customers.affected import versions
from cdm_pipelines.steps.profile.enrich import Enriched, company_of, enrich, tables_of
from cdm_pipelines.steps.profile.former import keep_former
from cdm_pipelines.steps.profile.interactions import update_interactions
from cdm_pipelines.steps.profile.models import fit_models
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

Counts = dict[str, Any]
_PUBLISHED = (Entity.ORDER, Entity.ORDER_LINE)
_KEY = ("source", "entity", "record_id")


def make(customers: str) -> Counts:
    """Write lake and hub of a company before its first profile."""
    settings, lake = _opened()
    world = inputs.World(int(customers))
    states: dict[Entity, list[pa.Table]] = {Entity.PRODUCT: [inputs.products()]}
    with open_hub(settings) as engine:
        migrate(engine)
        with engine.begin() as connection:
            staging = Staging(connection)
            for chunk in world.chunks():
                staging.add("customer", chunk.customer)
                staging.add("crosswalk", chunk.crosswalk)
                for entity in _PUBLISHED:
                    rows = _published(entity, chunk.states[entity], chunk.crosswalk)
                    staging.add(declaration(entity).table_name, rows)
                for entity, table in chunk.states.items():
                    states.setdefault(entity, []).append(table)
            laid = {}
            for entity, pieces in states.items():
                laid[str(entity)] = tables.records(lake, entity).write(
                    pieces, pieces[0].schema, f"{entity} {customers}"
                )
                pieces.clear()
            staging.finish(versions(lake))
        with engine.begin() as connection:
            promote(connection)
        vacuum(engine)
    laid["interaction"] = sum(_lay(lake, world, day) for day in world.days())
    return {"rows": laid}


def make_night(share: str, customers: str, number: str, interactions: str) -> Counts:
    """Stage one more night: half of the share have another golden value, half a new order.

    Args:
        share: Of the customers.
        customers: How many there are.
        number: Of the night, so that it is about others than the one before.
        interactions: ``interactions`` where a day of them comes as well.
    """
    settings, lake = _opened()
    world, night = inputs.World(int(customers)), int(number)
    chosen = np.random.default_rng([10, night]).permutation(world.customers)
    some = np.sort(chosen[: max(round(float(share) * world.customers), 2)])
    buyers, others = some[::2], some[1::2]
    bought = inputs.ordered_by(buyers, night)
    with open_hub(settings) as engine, engine.begin() as connection:
        ids = inputs.golden_of(others)
        coming = NextVersion.of(connection)
        customer, crosswalk = coming.customers(CUSTOMER_SCHEMA, ids), _crosswalk(coming, ids)
        said = pa.repeat(pa.scalar(f"Straat van nacht {night}"), customer.num_rows)
        at = customer.schema.get_field_index("street")
        staging = Staging(connection, affected=ids)
        staging.add("customer", customer.set_column(at, "street", said))
        staging.add("crosswalk", crosswalk)
        whose = _crosswalk(coming, inputs.golden_of(buyers))
        for entity, rows in bought.items():
            staging.add(declaration(entity).table_name, _published(entity, rows, whose))
        parties = tables.records(lake, Entity.PARTY)
        theirs = parties.rows(crosswalk)
        at = theirs.schema.get_field_index("street")
        parties.update(theirs.set_column(at, "street", pa.repeat(said[0], theirs.num_rows)))
        for entity, rows in bought.items():
            tables.records(lake, entity).update(rows)
        staging.finish(versions(lake))
    rows_of = {str(entity): rows.num_rows for entity, rows in bought.items()}
    if interactions:
        day = inputs.LAST_DAY + dt.timedelta(night)
        rows_of["interaction"] = _lay(lake, world, day)
    return {"rows": rows_of, "customers": len(some)}


def count() -> Counts:
    """Count the days of interactions that are new."""
    settings, lake = _opened()
    found = update_interactions(
        lake, all_contracts(), settings.timezone, threads=settings.threads, rows=settings.chunk_rows
    )
    return {"rows": found.tally.counted, "days": found.counted}


def profile() -> Counts:
    """Fit what is due, compute and stage what is out of date, and publish it: as a run does, in one process."""
    settings, lake = _opened()
    company = company_of(lake, settings)
    clock = [time.perf_counter()]
    with open_hub(settings) as engine, company.keeping():
        with engine.begin() as connection:
            fitted = fit_models(connection, company)
        clock.append(time.perf_counter())
        with engine.begin() as connection:
            done = enrich(connection, company, fitted.models)
        clock.append(time.perf_counter())
        if problems := {
            **fitted.problems,
            **{name: one.problem for name, one in done.items() if one.problem},
        }:
            raise RuntimeError(f"not computed: {problems}")
        with engine.begin() as connection:
            promote(connection)  # the customers alone, so that the time of the profile is told apart
        clock.append(time.perf_counter())
        with engine.begin() as connection:
            changed = promote(connection, enriched=tables_of(company.policy)).profile
        keep_former(lake)
        clock.append(time.perf_counter())
        vacuum(engine)
    attached = company.last_attached
    names = ("fit", "compute", "customers", "publish")
    return {
        "seconds": dict(zip(names, np.diff(clock).tolist(), strict=True)),
        "spent": company.spent,
        "fit": fitted.seconds,
        "enrichers": {name: _enriched(one) for name, one in done.items()},
        "changed": {name: sum(one.counts.values()) for name, one in changed.items()},
        "attached": attached.attached if attached else None,
    }


def _enriched(one: Enriched) -> Counts:
    return {"rows": one.rows, "worked": one.worked, "seconds": one.seconds, "parts": one.parts}


def _opened() -> tuple[Settings, Lake]:
    settings = load_settings()
    return settings, Lake(settings.lake_url)


def _published(entity: Entity, rows: pa.Table, crosswalk: pa.Table) -> pa.Table:
    """Rows of an entity as the hub has them."""
    columns = [one.name for one in published()[declaration(entity).table_name].table.columns]
    if "party_record_id" in rows.column_names:
        at = pc.index_in(rows["party_record_id"], value_set=crosswalk["record_id"].combine_chunks())
        rows = rows.append_column(
            "golden_id", crosswalk["golden_id"].combine_chunks().take(at.combine_chunks())
        )
    return rows.select(columns)


_ACTIVE = pa.schema([(name, pa.string()) for name in (*_KEY, "golden_id")] + [("active", pa.bool_())])


def _crosswalk(coming: NextVersion, ids: pa.Array) -> pa.Table:
    return coming.crosswalk(_ACTIVE, ids)


def _lay(lake: Lake, world: inputs.World, day: dt.date) -> int:
    """Write a day of interactions of every source; returns the number of rows."""
    laid = 0
    for name, table in world.interactions_of(day).items():
        path = layout.standard_path(contract_named(name), day.isoformat(), Entity.INTERACTION)
        with lake.writer(path, table.schema) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({layout.FINGERPRINT: f"{day} {table.num_rows}", layout.CONTENT: ""})
        laid += table.num_rows
    return laid


STAGES: Mapping[str, Callable[..., Counts]] = {
    "make": make,
    "night": make_night,
    "count": count,
    "run": profile,
}
