"""The code location: everything under ``defs/``, each asset with what defines it and where its code is.

Belongs here: putting the definitions together. Contracts and policies are read, for they are part of what defines an
asset. Nothing is opened or connected to: the lake and the hub are opened by the platform resource in a run.
"""

from pathlib import Path

import dagster as dg

from cdm_pipelines.components.code_references import with_code_references
from cdm_pipelines.components.code_version import with_code_versions
from cdm_pipelines.contracts.catalogue import DEFS
from cdm_pipelines.contracts.source_declaration import declared_soundly
from cdm_pipelines.settings import load_settings

_PACKAGE = Path(__file__).resolve().parents[1]


def load_definitions() -> dg.Definitions:
    """All assets, checks, jobs, schedules, sensors and resources.

    Raises:
        ContractError: A source is declared wrongly; Dagster would tell it in hundreds of lines.
    """
    declared_soundly(DEFS)
    found = dg.load_from_defs_folder(path_within_project=_PACKAGE)
    return with_code_references(with_code_versions(found, load_settings().policies))
