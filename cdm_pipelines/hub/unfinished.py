"""That a restore has begun and not ended: until it has, the hub is opened for nothing else.

Belongs here: the note that says so, and the refusal. Does not belong here: restoring (steps.operate.restore).
"""

from pathlib import Path

from cdm_pipelines.hub.errors import HubError

UNFINISHED_RESTORE = "restore.json"
"""Name of the note under ``CDM_HOME``."""


def refuse_half_restored(home: Path) -> None:
    """Raise where a restore was cut short.

    Raises:
        HubError: It was; the text says how to end it.
    """
    if (home / UNFINISHED_RESTORE).exists():
        raise HubError(
            f"A restore into {home} has begun and not ended, so that hub and lake do not belong together. Run the same "
            "`cdm restore` again: it goes on where it was cut short."
        )
