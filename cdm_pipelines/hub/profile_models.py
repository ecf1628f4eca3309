"""Scales and models of the profile: the ones that score now, and those before them.

Belongs here: rows of ``ops.profile_model``. Does not belong here: fitting (enrichment), or when (steps.profile).
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, func, insert, select

from cdm_pipelines.hub.schema_profile import profile_model


@dataclass(frozen=True)
class ProfileModel:
    """A scale or model of an enricher.

    Attributes:
        enricher: Whose.
        number: Counts up; the highest scores.
        fingerprint: Changes when it does.
        as_of: The day that it was fitted for.
        parameters: Fingerprint of what was set when it was fitted.
        model: The scale or model itself; what an enricher without one has is empty.
    """

    enricher: str
    number: int
    fingerprint: str
    as_of: dt.date
    parameters: str
    model: Mapping[str, Any]


def current(connection: Connection) -> Mapping[str, ProfileModel]:
    """The scale or model that scores now, by enricher."""
    newest = select(profile_model.c.enricher, func.max(profile_model.c.number).label("number")).group_by(
        "enricher"
    )
    last = newest.subquery()
    query = select(profile_model).join(
        last, (last.c.enricher == profile_model.c.enricher) & (last.c.number == profile_model.c.number)
    )
    return {one.enricher: one for one in map(_model, connection.execute(query))}


def versions(connection: Connection, enricher: str) -> list[ProfileModel]:
    """All scales or models that an enricher ever had, the newest last."""
    query = select(profile_model).where(profile_model.c.enricher == enricher)
    return [_model(row) for row in connection.execute(query.order_by(profile_model.c.number))]


def keep(
    connection: Connection, enricher: str, as_of: dt.date, parameters: str, model: Mapping[str, Any]
) -> ProfileModel:
    """Make a scale or model the one that scores from now on; those before it stay."""
    fingerprint = sha256(json.dumps([model, as_of.isoformat()], sort_keys=True).encode()).hexdigest()[:16]
    last = select(func.coalesce(func.max(profile_model.c.number), 0)).where(
        profile_model.c.enricher == enricher
    )
    number = int(connection.scalar(last) or 0) + 1
    values = {
        "enricher": enricher,
        "number": number,
        "fingerprint": fingerprint,
        "as_of": as_of,
        "parameters": parameters,
        "model": dict(model),
    }
    connection.execute(insert(profile_model).values(values))
    return ProfileModel(enricher, number, fingerprint, as_of, parameters, model)


def _model(row: Any) -> ProfileModel:
    return ProfileModel(row.enricher, row.number, row.fingerprint, row.as_of, row.parameters, row.model)
