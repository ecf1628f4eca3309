"""Steps each in a transaction of its own, as commands and assets call them."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine

from cdm_pipelines.hub.publish import promote as _promote
from cdm_pipelines.steps.customers import publication
from cdm_pipelines.steps.profile import models
from cdm_pipelines.steps.stewardship import customer, decisions, review

P = ParamSpec("P")
R = TypeVar("R")


def committed(step: Callable[Concatenate[Connection, P], R]) -> Callable[Concatenate[Engine, P], R]:
    """A step that is given an engine, and committed."""

    def run(engine: Engine, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with engine.begin() as connection:
            return step(connection, *args, **kwargs)

    return run


same = committed(decisions.same)
different = committed(decisions.different)
confirm = committed(decisions.confirm)
set_value = committed(decisions.set_value)
undo = committed(decisions.undo)
constraints = committed(decisions.constraints)
logged = committed(customer.decisions)
dossier = committed(customer.dossier)
queue = committed(review.queue)
waiting = committed(review.waiting)
names = committed(review.names)
stage_customers = committed(publication.stage_customers)
publish_customers = committed(publication.publish_customers)
fit_models = committed(models.fit_models)
promote = committed(_promote)
