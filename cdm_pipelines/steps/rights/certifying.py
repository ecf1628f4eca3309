"""What a certificate of an erasure says.

Belongs here: its content, without anything that tells who it was; all certificates, in order. Does not belong here: how
they are chained (privacy.certificate), erasing (``erasure``).
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from cdm_pipelines.contracts.actor import Actor
from cdm_pipelines.hub import rights as hub
from cdm_pipelines.privacy import backups
from cdm_pipelines.privacy.certificate import Certificate
from cdm_pipelines.privacy.policy import RightsPolicy
from cdm_pipelines.privacy.tombstones import Kind
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.rights import expiring
from cdm_pipelines.steps.rights.collected import Collected
from cdm_pipelines.steps.rights.exported import out_of_hands
from cdm_pipelines.steps.rights.rescan import Rescan
from cdm_pipelines.store.keyring import Keyring
from cdm_pipelines.store.register import ByOwner

EXPIRED = "expired"
"""Under which name a request has the rows of the plan of retention that are carried out."""


def chain_of(connection: Connection) -> list[Certificate]:
    """All certificates, in order."""
    return [Certificate(**row) for row in hub.certificates(connection)]  # type: ignore[arg-type]


def certified(
    settings: Settings, connection: Connection, request: hub.Request, seen: Rescan, actor: Actor
) -> dict[str, Any]:
    """What a certificate says; nothing in it tells who it was."""
    number, collected = request.request_id, Collected.of_json(request.subject or {})
    policy = RightsPolicy.model_validate(request.policy)
    last = dt.timedelta(days=policy.backups_last)
    steps = [one for one in hub.steps_of(connection, number) if one["rows"]]
    stones = Counter(str(kind) for kind, _ in collected.keys)
    return {
        "by": actor.name,
        "role": str(actor.role),
        "customers": len(collected.persons.golden_ids),
        "records": len(collected.persons.keys),
        "erased": [[one["place"], one["rows"], one["how"]] for one in steps],
        "kept_by_law": [{**one, "until": str(one["until"])} for one in hub.holds_of(connection, number)],
        "by_owner": [
            [place.name, place.erasure.how]
            for place in all_places(settings)
            if isinstance(place.erasure, ByOwner) and place.categories
        ],
        "exports_out_of_hands": list(out_of_hands(settings)),
        "backups": [
            {"where": url, "made_at": made, "until": f"{dt.datetime.fromisoformat(made) + last:%Y-%m-%d}"}
            for url, made in sorted(backups.known(settings.home).items())
        ],
        "kept_out_by": {kind: count for kind, count in stones.items() if kind != Kind.SPARED},
        "alike": stones[Kind.SPARED],
        "looked_through": {
            "values": len(collected.values),
            "files": seen.files,
            "tables": seen.tables,
            "found": len(seen.found),
            "left_out": list(hub.LEFT_OUT),
        },
    }


def ground(settings: Settings, request: hub.Request, left: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """What a certificate of retention says besides: the plan's rows, customers and documents under pseudonyms."""
    rows = (request.subject or {}).get(EXPIRED)
    if not rows:
        return {}
    of_person = {row["subject"] for row in rows if not expiring.is_impersonal(row)}
    ring, number = Keyring.of(settings.home), 0
    if of_person:
        ring, number = ring.current(settings.home, dt.datetime.now(dt.UTC).date())
    names = {one: ring.digest(number, one) for one in of_person}
    told = [
        [row["what"], row["place"], names.get(row["subject"], row["subject"]), row["due"]] for row in rows
    ]
    return {"ground": "retention", "expired": told, "left": list(left)}
