"""With which models, and up to which decision, the records were linked.

Belongs here: remembering it beside the outcome. Does not belong here: what follows from it (customers).
"""

import json

from cdm_pipelines.identity.constraints import Constraints
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

MODEL, DECISIONS = "model", "decisions"


def write_linked_with(lake: Lake, model: str, decided: Constraints) -> None:
    """Remember with which models, and up to which decision, the records were linked."""
    newest = max(decided.decided.states, default=0)
    lake.write_text(layout.linked_path(), json.dumps({MODEL: model, DECISIONS: str(newest)}))


def linked_with(lake: Lake) -> dict[str, str]:
    """What ``write_linked_with`` remembered; empty where it is not known."""
    path = layout.linked_path()
    return dict(json.loads(lake.read_text(path))) if lake.exists(path) else {}
