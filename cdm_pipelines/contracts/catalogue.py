"""The contracts of this deployment, found by name.

Belongs here: loading what lies under ``defs/``. Does not belong here: what a contract says (contracts).
"""

from functools import cache
from pathlib import Path

from cdm_pipelines.contracts import SourceContract, load_contracts

DEFS = Path(__file__).parents[1] / "defs"


class UnknownEntityError(LookupError):
    """No contract has that name; the message lists those there are."""


@cache
def all_contracts() -> tuple[SourceContract, ...]:
    """The contracts of all sources, by source and entity."""
    return load_contracts(DEFS)


def contracts_of(source: str) -> tuple[SourceContract, ...]:
    """The contracts of one source.

    Raises:
        UnknownEntityError: There is no such source.
    """
    found = tuple(contract for contract in all_contracts() if contract.source == source)
    if not found:
        names = ", ".join(sorted({contract.source for contract in all_contracts()}))
        raise UnknownEntityError(f"There is no source named {source}. There are: {names}.")
    return found


def contract_named(name: str) -> SourceContract:
    """The contract of ``source/entity``.

    Raises:
        UnknownEntityError: There is no such entity.
    """
    for contract in all_contracts():
        if contract.name == name:
            return contract
    names = ", ".join(contract.name for contract in all_contracts())
    raise UnknownEntityError(f"There is no {name}. There are: {names}.")
