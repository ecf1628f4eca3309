"""Copies of the linkage models that published versions were made with, so that a lost model is never fitted unasked.

Belongs here: the rows of ``ops.linkage_model``. Does not belong here: what a model is (linkage), or when a copy is used
(steps.linking).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from cdm_pipelines.hub.schema import version
from cdm_pipelines.hub.schema_ops import linkage_model


@dataclass(frozen=True)
class Copies:
    """Models of the published version.

    Attributes:
        made_with: Fingerprint of all models that it was made with; empty before the first publication.
        by_kind: The model of each kind of party as JSON text; none where an earlier release published.
    """

    made_with: str = ""
    by_kind: Mapping[str, str] = field(default_factory=dict)


NO_COPIES = Copies()


def keep_models(
    connection: Connection, made_with: str, models: Mapping[str, str], fingerprints: Mapping[str, str]
) -> None:
    """Keep the models of a version, by kind of party, once."""
    rows = [
        {"made_with": made_with, "kind": kind, "fingerprint": fingerprints[kind], "model": text}
        for kind, text in models.items()
    ]
    if rows:
        connection.execute(insert(linkage_model).on_conflict_do_nothing(), rows)


def published_models(connection: Connection) -> Copies:
    """The models that the published version was made with."""
    made_with = connection.scalar(select(version.c.made_from["model"].as_string()))
    if made_with is None:
        return NO_COPIES
    found = select(linkage_model.c.kind, linkage_model.c.model).where(linkage_model.c.made_with == made_with)
    return Copies(made_with, {str(kind): str(text) for kind, text in connection.execute(found)})
