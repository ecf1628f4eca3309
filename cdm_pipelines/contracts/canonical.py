"""The canonical model: what a customer is, and what is known around one, each declared once.

Belongs here: what the rest of the project asks the declarations. Does not belong here: the declarations themselves
(``entities``), how a source spells a value (contracts) or how it is parsed (standardise).
"""

from functools import lru_cache

from cdm_pipelines.contracts import entities as _entities  # noqa: F401 - declares the entities
from cdm_pipelines.contracts.entity import (
    Attribute,
    Entity,
    EntityDeclaration,
    Input,
    KeptAs,
    OfItself,
    OfNobody,
    OfParent,
    OfParty,
    ValueType,
    declaration,
    declarations,
    with_state,
)

__all__ = [
    "Attribute",
    "Entity",
    "EntityDeclaration",
    "Input",
    "KeptAs",
    "OfItself",
    "OfNobody",
    "OfParent",
    "OfParty",
    "ValueType",
    "attributes",
    "declaration",
    "declarations",
    "published_entities",
    "targets",
    "with_state",
]


def attributes(entity: Entity, *, golden_only: bool = False) -> tuple[Attribute, ...]:
    """The attributes of an entity, in their declared order."""
    return tuple(a for a in declaration(entity).attributes if a.golden or not golden_only)


def published_entities() -> tuple[EntityDeclaration, ...]:
    """The entities that are published as they are, each in a table of its own: all that have a state, but the party."""
    states = (one for one in with_state() if one.kept is KeptAs.STATE)
    return tuple(one for one in states if not isinstance(one.whose, OfItself))


def targets() -> dict[str, Attribute | Input]:
    """Everything that a contract's ``mapsTo`` may name, by path."""
    return _targets(declarations())


@lru_cache(maxsize=1)
def _targets(declared: tuple[EntityDeclaration, ...]) -> dict[str, Attribute | Input]:
    attributes = {target.path: target for one in declared for target in one.attributes}
    return attributes | {target.path: target for one in declared for target in one.inputs}
