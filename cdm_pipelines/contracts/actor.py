"""Who acts: a person, or the pipeline itself, in a role.

Belongs here: naming an actor. Does not belong here: what a role may see or do.
"""

from dataclasses import dataclass
from enum import StrEnum


class ActorError(ValueError):
    """Nobody can be named like this."""


class Role(StrEnum):
    """As what somebody acts."""

    STEWARD = "steward"
    ENGINEER = "engineer"
    SERVICE = "service"
    PRIVACY_OFFICER = "privacy officer"
    PIPELINE = "pipeline"


@dataclass(frozen=True)
class Actor:
    """Who acts, and as what.

    Attributes:
        name: A login name or a person's; never blank. Blanks around it are no part of it.
        role: The role in which they act.

    Raises:
        ActorError: The name is blank, or cannot be stored.
    """

    name: str
    role: Role

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.strip())
        object.__setattr__(self, "role", Role(self.role))
        if not self.name:
            raise ActorError("Say who acts: the name is blank.")
        if "\x00" in self.name:
            raise ActorError("A name may not hold the character NUL.")


PIPELINE = Actor("pipeline", Role.PIPELINE)
"""What no person does."""
