"""The current state of every source record, a pure function of the standardised partitions."""

from cdm_pipelines.records.schema import records_schema
from cdm_pipelines.records.state import Partition, current_state
from cdm_pipelines.records.whose import resolve_parties

__all__ = ["Partition", "current_state", "records_schema", "resolve_parties"]
