"""With which models, and up to which decision, the records were linked.

Belongs here: remembering it beside the outcome. Does not belong here: what follows from it (customers).
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cdm_pipelines.identity.constraints import Constraints
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

MODEL, DECISIONS = "model", "decisions"
_MODELS = "models"


def write_linked_with(lake: Lake, models: Mapping[str, str], decided: Constraints) -> str:
    """Remember with which models, and up to which decision, the records were linked.

    Args:
        lake: The lake.
        models: Fingerprint of the model of each kind of party that has records.
        decided: What stewards decided.

    Returns:
        A fingerprint of all models.
    """
    model = sha256("".join(models.values()).encode()).hexdigest()[:16]
    newest = max(decided.decided.states, default=0)
    content = {MODEL: model, DECISIONS: str(newest), _MODELS: dict(models)}
    lake.write_json(layout.linked_path(), json.dumps(content))
    return model


def linked_with(lake: Lake) -> dict[str, str]:
    """The fingerprint of all models, and the newest decision; empty where it is not known."""
    found = _read(lake)
    return {name: str(found[name]) for name in (MODEL, DECISIONS) if name in found}


def linked_models(lake: Lake) -> dict[str, str]:
    """Fingerprint of the model of each kind of party that was linked; empty where it is not known."""
    return dict(_read(lake).get(_MODELS, {}))


def _read(lake: Lake) -> dict[str, Any]:
    path = layout.linked_path()
    return dict(json.loads(lake.read_json(path))) if lake.exists(path) else {}
