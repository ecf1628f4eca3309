"""The environment of Dagster's processes.

Belongs here: the variables and the folder by which a Dagster process finds its instance and the same settings as
ours. Does not belong here: starting such a process; Dagster is not imported.
"""

from pathlib import Path

from cdm_pipelines import settings as settings_module
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.settings import Settings
from cdm_pipelines.store.files import make_private, write_whole


def dagster_environment(settings: Settings) -> dict[str, str]:
    """The variables that a Dagster process needs.

    Makes the folder for DAGSTER_HOME with a fresh copy of ``dagster.yaml``. The settings are among the variables,
    so that a process in another working folder has the same.

    Raises:
        HubError: there is no ``dagster.yaml``.
    """
    home = settings.home / "dagster"
    make_private(settings.home)
    make_private(home)
    write_whole(home / "dagster.yaml", instance_file().read_bytes())
    return {
        **settings.environment(),
        "DAGSTER_HOME": str(home),
    }


def instance_file() -> Path:
    """Where ``dagster.yaml`` is: in the checkout, or in the package where it was installed without one."""
    package = Path(settings_module.__file__).parent
    for folder in (package.parent, package):
        if (folder / "dagster.yaml").is_file():
            return folder / "dagster.yaml"
    raise HubError(f"dagster.yaml is missing in {package.parent}; restore it from the repository.")
