"""A column of a view that we make.

Belongs here: that. Does not belong here: which views there are (``profile_views``, ``role_schemas``).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ViewColumn:
    """A column of a view: its name, its SQL, and its comment."""

    name: str
    sql: str
    comment: str
