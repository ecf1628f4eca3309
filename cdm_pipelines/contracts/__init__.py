"""What a source delivers and what a customer is. No I/O beyond reading contract files."""

from typing import TYPE_CHECKING

from cdm_pipelines.contracts.errors import ContractError
from cdm_pipelines.contracts.model import (
    Column,
    Delivery,
    Dialect,
    Format,
    LogicalType,
    PartyKind,
    SourceContract,
)
from cdm_pipelines.loading import loaded_later

if TYPE_CHECKING:
    from cdm_pipelines.contracts.dictionary import lineage, render_dictionary
    from cdm_pipelines.contracts.odcs import ORIGIN_COLUMNS, load_contract, load_contracts

__all__ = [
    "ORIGIN_COLUMNS",
    "Column",
    "ContractError",
    "Delivery",
    "Dialect",
    "Format",
    "LogicalType",
    "PartyKind",
    "SourceContract",
    "lineage",
    "load_contract",
    "load_contracts",
    "render_dictionary",
]

_HOME = {
    "ORIGIN_COLUMNS": "odcs",
    "load_contract": "odcs",
    "load_contracts": "odcs",
    "lineage": "dictionary",
    "render_dictionary": "dictionary",
}

__getattr__ = loaded_later(__name__, _HOME)  # most of the project needs only what a contract is
