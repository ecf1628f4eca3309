"""Dagster's storage in the hub's database, for every Dagster program alike.

Belongs here: the class that ``dagster.yaml`` names. With it, programs that know nothing of this project (``dg list
defs``, ``dagster dev``) find or start the same database as ``cdm`` does, with no variable set.
"""

import atexit
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Self

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from cdm_pipelines.hub.connection import dagster_url, open_hub
from cdm_pipelines.settings import load_settings

POOL = {"statement_timeout": 60_000, "pool_recycle": 3_600, "max_overflow": 20}
"""Milliseconds, seconds and connections. Kept connections save a new one per event."""
_OPENED = ExitStack()
"""Dagster keeps parts of a storage and drops the whole, so the hub stays open until the process ends."""
atexit.register(_OPENED.close)


class HubStorage(DagsterPostgresStorage):
    """dagster-postgres on the hub; the embedded server runs as long as any process has this open."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        settings = load_settings()
        _OPENED.enter_context(open_hub(settings))
        super().__init__(dagster_url(settings), inst_data=inst_data)
        for part in (self.run_storage, self.event_log_storage, self.schedule_storage):
            part.optimize_for_webserver(**POOL)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure: the settings say where the hub is."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Open the storage; ``config_value`` is empty."""
        del config_value
        return cls(inst_data)
