"""Which connectors there are.

Belongs here: reading the shipped folders. Does not belong here: putting a contract in place (placing).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.contracts.odcs import SUFFIX
from cdm_pipelines.yaml_files import read_yaml

_FOLDER = Path(__file__).parent
_ABOUT = "connector.yaml"


class UnknownConnectorError(LookupError):
    """No connector has that name, or it has no such entity; the message lists those there are."""


@dataclass(frozen=True)
class Connector:
    """The contracts of one system.

    Attributes:
        name: As it is asked for, and the name of the source unless another is given.
        title: Name of the system.
        entities: What each entity is and how it is exported.
    """

    name: str
    title: str
    entities: Mapping[str, str]

    def contract(self, entity: str) -> str:
        """The text of the contract of an entity.

        Raises:
            UnknownConnectorError: There is no such entity.
        """
        if entity not in self.entities:
            raise UnknownConnectorError(
                f"{self.name} has no entity {entity!r}. {instead(entity, self.entities)}"
            )
        return (_FOLDER / self.name / f"{entity}{SUFFIX}").read_text(encoding="utf-8")


@cache
def connectors() -> tuple[Connector, ...]:
    """All connectors, by name."""
    found = []
    for path in sorted(_FOLDER.glob(f"*/{_ABOUT}")):
        about = read_yaml(path)
        found.append(Connector(path.parent.name, about["title"], about["entities"]))
    return tuple(found)


def connector_named(name: str) -> Connector:
    """The connector of that name.

    Raises:
        UnknownConnectorError: There is none.
    """
    for connector in connectors():
        if connector.name == name:
            return connector
    names = [connector.name for connector in connectors()]
    raise UnknownConnectorError(f"There is no connector {name!r}. {instead(name, names)}")
