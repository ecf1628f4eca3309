"""The places of next best actions.

Belongs here: declarations, beside the tables (``schema_actions``). Does not belong here: other tables of the hub
(``places``).
"""

from collections.abc import Iterator

from cdm_pipelines.hub.schema_actions import action_choice, action_policy, next_best_action
from cdm_pipelines.hub.table_places import of_persons, place_of, with_ids
from cdm_pipelines.store.register import Keeps, Kept, Place, Retention

_BY_ID = "golden id"


def places() -> Iterator[Place]:
    """What customers get next, what was chosen before, and by which policy."""
    yield of_persons(
        next_best_action,
        _BY_ID,
        with_ids(next_best_action, "golden_id"),
        Retention(Keeps.REPLACED, "by each run of activation/next_best_action"),
    )
    yield of_persons(
        action_choice,
        _BY_ID,
        with_ids(action_choice, "golden_id"),
        Retention(
            Keeps.BY_OWNER,
            "as policies/pruning.yaml says (action_choices), so that what actions bring can be measured",
        ),
    )
    yield place_of(
        action_policy,
        Retention(Keeps.FOR_EVER, "so that choices can be measured by the policy that made them"),
        Kept("holds rules of the company, and names nobody"),
    )
