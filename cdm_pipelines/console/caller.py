"""Who asks: a person who is signed in, or a program with a key, in a role.

Belongs here: that, and what they may do. Does not belong here: finding out who it is (``signin``, ``guard``), what a
role sees (``sight``).
"""

from dataclasses import dataclass
from enum import StrEnum

from cdm_pipelines.console.errors import ForbiddenError
from cdm_pipelines.contracts.actor import Actor
from cdm_pipelines.contracts.actor import Role as As


class Scope(StrEnum):
    """What a program with a key may do; a person may do all that their role may."""

    READ = "read"
    MATCH = "match"
    WRITE = "write"


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        who: Login name, or the name of a program.
        role: In which they act.
        roles: In which they may act.
        scopes: What they may do.
        per_minute: Requests that they may make a minute.
        secret: Of the session, for signing out; empty for a program.
    """

    who: str
    role: str
    roles: tuple[str, ...]
    scopes: frozenset[Scope]
    per_minute: int
    secret: str = ""

    @property
    def is_person(self) -> bool:
        """Whether somebody is signed in, and it is no program."""
        return bool(self.secret)

    def actor(self, role: As) -> Actor:
        """As decisions and certificates name them."""
        return Actor(self.who, role)

    def see_that_may(self, scope: Scope) -> None:
        """See that a key was made for this.

        Raises:
            ForbiddenError: It was not.
        """
        if scope not in self.scopes:
            raise ForbiddenError(
                f"This key may not {scope}: make one with `cdm token make NAME --role {self.role} --scope {scope}`."
            )

    def see_that_is_person(self) -> None:
        """See that somebody is signed in: who has a key may be anybody, also whoever proposed what it would approve.

        Raises:
            ForbiddenError: It is a key that asks.
        """
        if not self.is_person:
            raise ForbiddenError(
                "This needs a person who has signed in: proposing, approving and other changes on pages are for "
                "people, and a key is no second pair of eyes. Sign in, or use the API (/v1)."
            )
