"""The hub at its newest version, with what each role sees.

Belongs here: doing the one with the other, or neither. Does not belong here: either (hub.migrate, ``access``). What the
second one imports is loaded only where the first one did anything: every command goes through here.
"""

from sqlalchemy import Connection, Engine

from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.settings import Settings


def bring_up(engine: Engine, settings: Settings) -> None:
    """Bring the hub to the newest version, and where that changed anything what roles see with it, in one transaction.

    Raises:
        HubError: It cannot be brought there.
        PrivacyPolicyError: The policy of roles cannot be used.
    """

    def views_of_roles(connection: Connection) -> None:
        from cdm_pipelines.steps.privacy.access import apply  # noqa: PLC0415 - see above

        apply(connection, settings)

    migrate(engine, then=views_of_roles)
