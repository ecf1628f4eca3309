"""Which records describe the same party: blocking, comparison, Fellegi-Sunter, clustering.

Belongs here: linking any table under a policy. Does not belong here: which tables are linked (defs), what becomes of
a cluster (identity, golden).
"""

from typing import TYPE_CHECKING

from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.policy.file import load_policy
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.loading import loaded_later

if TYPE_CHECKING:
    from cdm_pipelines.linkage.engines.base import Engine, LinkResult
    from cdm_pipelines.linkage.engines.local import LocalEngine, fit, link
    from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel

__all__ = [
    "Engine",
    "LinkResult",
    "LinkageError",
    "LinkageModel",
    "LinkagePolicy",
    "LocalEngine",
    "fit",
    "link",
    "load_policy",
]

_HOME = {
    "Engine": "engines.base",
    "LinkResult": "engines.base",
    "LocalEngine": "engines.local",
    "fit": "engines.local",
    "link": "engines.local",
    "LinkageModel": "model.fellegi_sunter",
}

__getattr__ = loaded_later(__name__, _HOME)  # policies alone must import fast
