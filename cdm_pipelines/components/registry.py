"""What the assets after the sources know of the sources: their contracts, and who fed what.

Belongs here: facts that several asset modules share. Does not belong here: asset bodies.
"""

from collections.abc import Iterable, Sequence

import dagster as dg

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Attribute, Entity, Input, targets
from cdm_pipelines.contracts.catalogue import all_contracts

OWNER = "team:customer-data"
STAGED = dg.AssetKey(["golden", "staged"])
"""The customers as they will be published."""
CONSENT = dg.AssetKey(["privacy", "consent"])
"""What they allow."""


def contracts_feeding(*entities: Entity) -> tuple[SourceContract, ...]:
    """The contracts that feed one of the canonical entities."""
    return tuple(contract for contract in all_contracts() if set(contract.entities) & set(entities))


def source_lineage(
    contracts: Iterable[SourceContract], entities: Sequence[Entity]
) -> dict[str, list[tuple[list[str], str]]]:
    """For each column of a family of entities, the standard assets that feed it, as column lineage wants it."""
    origins: dict[str, list[tuple[list[str], str]]] = {}
    for contract in contracts:
        key = ["standard", contract.source, contract.entity]
        fed = {
            (targets()[path].entity, attribute)
            for _, path in contract.mapped()
            if targets()[path].entity in entities
            for attribute in attributes_of(targets()[path])
        }
        for entity, attribute in sorted(fed):
            name = family_column(entity, attribute, entities)
            origins.setdefault(name, []).append((key, attribute))
        if contract.modified_at:
            for entity in sorted({entity for entity, _ in fed}):
                name = family_column(entity, "modified_at", entities)
                origins.setdefault(name, []).append((key, "modified_at"))
    return origins


def family_column(entity: Entity, attribute: str, family: Sequence[Entity]) -> str:
    """The name of a column in the asset of a family: those beside its head are named with their entity."""
    return attribute if entity is family[0] else f"{entity}.{attribute}"


def attributes_of(target: Attribute | Input) -> tuple[str, ...]:
    """Names of the attributes that a mapped target yields."""
    return target.yields if isinstance(target, Input) else (target.name,)


def automation() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """Run when something upstream is new and sound, and nothing upstream, two steps up, is still running.

    Two steps: orders must not run ahead of parties, which wait for a source that orders do not come from.
    A failed blocking check stops downstream in its own run only, so the condition asks for it as well. Missing
    days upstream do not count: a source that has never delivered must not hold up the others.
    """
    condition = dg.AutomationCondition
    return (
        condition.in_latest_time_window()
        & condition.any_deps_updated().since_last_handled()
        & condition.all_deps_blocking_checks_passed()
        & ~condition.any_deps_in_progress()
        & ~condition.any_deps_match(condition.any_deps_in_progress())
        & ~condition.in_progress()
    ).with_label("new and sound upstream")
