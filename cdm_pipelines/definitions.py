"""The entry point of the code location: everything under ``defs/``, and nothing else.

Nothing is read, opened or connected to here: settings and the hub are opened by the platform resource in a run.
"""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules, sensors and resources."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
