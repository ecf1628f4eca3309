"""All tables of the hub in one place, whichever module declares them.

Belongs here: that every module of tables is loaded. Does not belong here: tables.
"""

from sqlalchemy import MetaData

from cdm_pipelines.hub import (  # noqa: F401 - declare their tables
    schema_access,
    schema_actions,
    schema_activation,
    schema_console,
    schema_feed,
    schema_insight,
    schema_kpi,
    schema_ops,
    schema_privacy,
    schema_profile,
    schema_review,
    schema_rights,
)
from cdm_pipelines.hub.published import published
from cdm_pipelines.hub.schema import metadata


def every_table() -> MetaData:
    """All tables that the hub declares, those of all canonical entities among them, but not those of enrichers."""
    published()  # declares them, those declared since among them
    return metadata
