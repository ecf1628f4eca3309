"""What was done with a person's data beside keeping it: switched off for them, chosen for them, read, rejected.

Belongs here: those rows of the hub, and rejected rows of the lake. Does not belong here: what is known of the person
(``access``).

Who works here is somebody else: of a reading its role, purpose and moment are told, and no login name (Court of Justice
of the EU, C-579/21). A reading of a whole table names nobody, and is not told.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.hub import access_log
from cdm_pipelines.hub.schema_access import access_log as reading
from cdm_pipelines.hub.schema_actions import action_choice, next_best_action
from cdm_pipelines.hub.schema_rights import request, restriction
from cdm_pipelines.hub.table_places import records_of
from cdm_pipelines.store.register import Persons, Register, Stores, search

Row = Mapping[str, Any]


def switched_off(connection: Connection, persons: Persons) -> Iterator[Row]:
    """Restrictions and objections that are in force, with the request by which each is."""
    r = restriction.c
    query = (
        select(
            r.purpose,
            func.min(r.since).label("since"),
            func.count().label("records"),
            request.c.request_id,
            request.c.kind,
            request.c.received_at,
            request.c.state,
        )
        .join(request, request.c.request_id == r.request_id)
        .where(records_of(restriction)(persons))
        .group_by(r.purpose, request.c.request_id)
        .order_by(request.c.request_id, r.purpose)
    )
    for row in connection.execute(query).mappings():
        yield {**row, "purpose": row["purpose"] or "every purpose"}


def chosen_for(connection: Connection, persons: Persons) -> Mapping[str, Sequence[Row]]:
    """The next best action with what it is for, and why not another; and every choice with how it was drawn."""
    tables = {"next best action": next_best_action, "choices": action_choice}
    return {
        name: [
            dict(row)
            for row in connection.execute(
                select(table)
                .where(table.c.golden_id.in_(persons.golden_ids))
                .order_by(*table.primary_key.columns)
            ).mappings()
        ]
        for name, table in tables.items()
    }


def read_by(connection: Connection, persons: Persons) -> Iterator[Row]:
    """Who read of the person through our own tools, for what, and which categories."""
    a = reading.c
    query = (
        select(a.accessed_at, a.role, a.purpose, a.tool, a.categories)
        .where(access_log.about(persons.golden_ids))
        .order_by(a.access_id)
    )
    for row in connection.execute(query).mappings():
        yield {
            "when": row["accessed_at"],
            "role": row["role"],
            "purpose": row["purpose"],
            "with": row["tool"],
            "categories": ", ".join(row["categories"]),
        }


def rejected(
    register: Register, contracts: Sequence[SourceContract], stores: Stores, persons: Persons
) -> Iterator[tuple[str, list[Row]]]:
    """Rows of theirs that were not accepted, as delivered, by source entity, each with why."""
    of = {f"quarantine/{one.name}": one.name for one in contracts}
    found: dict[str, list[Row]] = {}
    for place, held in search([one for one in register if one.name in of], stores, persons):
        for row in held.rows:
            cells = {name: value for name, value in row.items() if not name.startswith("_")}
            why = ", ".join(sorted({one["rule"] for one in json.loads(row.get("_reasons") or "[]")}))
            found.setdefault(of[place.name], []).append(
                {"day": held.where.rpartition("/")[2].partition(".")[0], "why": why, **cells}
            )
    yield from found.items()
