"""Interactions of a few customers, as short as can be, and what an enricher makes of them."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from enricher_tables import AS_OF, gid, work_on

from cdm_pipelines.enrichment.declaration import Enricher
from cdm_pipelines.figures import Figures

Profile = Mapping[int, Mapping[str, Any]]


def touch(
    customer: int, kind: str | None, days_ago: int | None, touches: int = 1, **more: object
) -> dict[str, object]:
    """An interaction so many days before ``AS_OF``, at noon unless an hour is given."""
    hour = more.pop("hour", 12)
    day = None if days_ago is None else AS_OF - dt.timedelta(days=days_ago)
    at = None if day is None else dt.datetime.combine(day, dt.time(int(str(hour))))
    row = {
        "golden_id": customer,
        "source": "desk",
        "kind": kind,
        "day": day,
        "first_at": at,
        "last_at": at,
        "touches": touches,
        "scores": 0,
        "attached_by": "party",
    }
    return {**row, **more}


def profile_of(enricher: Enricher, parameters: Mapping[str, Any] | None = None, **given: Any) -> Profile:
    """The rows of an enricher by number of customer, fitted to everybody given."""
    rows, _ = computed(enricher, parameters, **given)
    return rows


def computed(
    enricher: Enricher, parameters: Mapping[str, Any] | None = None, **given: Any
) -> tuple[Profile, Figures]:
    """The rows of an enricher by number of customer, and its figures."""
    with work_on(**given) as base:
        chosen = enricher.parameters.model_validate(dict(parameters or {}))
        work = base.of(chosen, enricher.fit(base.of(chosen)) if enricher.fit else None)
        table = enricher.shaped(enricher.compute(work))
        figures = enricher.picture(table, work) if enricher.picture else {}
    numbers = {gid(number): number for number in range(1, 50)}
    return {numbers[row["golden_id"]]: row for row in table.to_pylist()}, figures


def told(row: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    """Some values of a row, decimals as numbers."""
    return tuple(
        row[name] if isinstance(row[name], bool | int | str | dt.date | None) else float(row[name])
        for name in names
    )
