"""What all jobs share: the platform and the executor."""

import dagster as dg

from cdm_pipelines.components.platform import Platform


@dg.definitions
def shared() -> dg.Definitions:
    """The platform, and steps in one process: a process of its own costs each step 3 to 4 seconds."""
    return dg.Definitions(resources={"platform": Platform()}, executor=dg.in_process_executor)
