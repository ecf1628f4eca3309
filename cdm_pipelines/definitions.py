"""The entry point of the code location, which other programs of Dagster are pointed at."""

import dagster as dg

from cdm_pipelines.components.location import load_definitions


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules, sensors and resources."""
    return load_definitions()
