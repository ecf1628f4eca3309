"""The current state of every source record, a pure function of the standardised partitions."""

from cdm_pipelines.records.orders import resolve_order_parties
from cdm_pipelines.records.state import Partition, current_state, records_schema

__all__ = ["Partition", "current_state", "records_schema", "resolve_order_parties"]
