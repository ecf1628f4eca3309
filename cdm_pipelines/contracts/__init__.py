"""What a source delivers and what a customer is. No I/O beyond reading contract files."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """Load what reads files when it is first asked for: most of the project needs only what a contract is."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
