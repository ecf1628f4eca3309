"""The step that asks whether a model of responses is used for the choice of a day.

Belongs here: reading what was drawn evenly and what came of it. Does not belong here: fitting and judging the model
(insight.action_model), which loads only where one is asked for.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.insight.action_choice import TREATED
from cdm_pipelines.insight.action_policy import GOLDEN_ID, ActionPolicy, Model
from cdm_pipelines.insight.action_rules import Numbers, flags, numbers
from cdm_pipelines.steps.activation.action_results import happened, past, typed
from cdm_pipelines.steps.profile.reading import Company


@dataclass(frozen=True)
class Used:
    """Whether a model is used.

    Attributes:
        uplift: Customers x actions: responses that each adds, not a number of an action that it knows nothing of; None
            where it is not used.
        words: Why, or why not.
    """

    uplift: Numbers | None
    words: str


def fitted_uplift(
    connection: Connection, company: Company, policy: ActionPolicy, customers: pa.Table, as_of: dt.date
) -> Used:
    """Responses that each action adds, by a model where one is asked for and beats the best single action."""
    if policy.model is None:
        return Used(None, "none is asked for in next_best_action.yaml (model)")
    if not policy.by_value:
        return Used(None, "not used, because without value and cost of every action the order decides")
    keys = [one.key for one in policy.actions]
    found = past(connection, company, dict.fromkeys(keys, policy.outcome), as_of).choices
    kinds = {name: customers.schema.field(name).type for name in policy.model.features}
    return of_past(policy, policy.model, found, customers.select(list(kinds)))


def of_past(policy: ActionPolicy, model: Model, found: pa.Table, features: pa.Table) -> Used:
    """The same of choices with their responses, for customers with their features now."""
    from cdm_pipelines.insight.action_model import Logged, fit  # noqa: PLC0415 - scikit-learn takes a second to load

    said = [json.loads(one) for one in found["context"].to_pylist()]
    names = set(model.features)
    if any(not names <= row.keys() for row in said[-1:]) or not said:
        return Used(None, "not used, because no choice that had its time to respond has all of its features")
    kinds = {one.name: one.type for one in features.schema}
    then = pa.table({name: typed([row.get(name) for row in said], kind) for name, kind in kinds.items()})
    done = happened(found)
    data = Logged(
        features=then,
        done=done,
        even=found["variant"].to_numpy(zero_copy_only=False) != TREATED,
        responded=flags(found["responded"]),
        propensity=numbers(found["propensity"]),
        possible=_possible(found["propensities"].to_pylist(), policy),
        value=np.nan_to_num(numbers(found["value"])),
        customer=found[GOLDEN_ID].to_numpy(zero_copy_only=False).astype(np.str_),
    )
    keys = [one.key for one in policy.actions]
    costs = np.array([float(one.cost or 0) for one in policy.actions])
    fitted = fit(model, keys, costs, data)
    return Used(fitted.uplift(features, keys) if fitted.used else None, fitted.words)


def _possible(said: list[str], policy: ActionPolicy) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    spelled, codes = np.unique(np.array(said), return_inverse=True)
    read: list[Mapping[str, float]] = [json.loads(one) for one in spelled.tolist()]
    return np.array([[one.key in each for one in policy.actions] for each in read], np.bool_)[codes]
