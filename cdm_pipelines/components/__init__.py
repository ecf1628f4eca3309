"""Dagster building blocks: the source component, the platform resource, and how results are shown.

Belongs here: what turns rooms and steps into Dagster's terms. Does not belong here: rules about data.
"""

from cdm_pipelines.components.source import CustomerSource

__all__ = ["CustomerSource"]
