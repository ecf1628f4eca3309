"""What the paths of the API share: the house, refusals in the description, and writes that may be repeated.

Belongs here: that. Does not belong here: paths.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from cdm_pipelines.console.answers import answer
from cdm_pipelines.console.caller import Caller, Scope
from cdm_pipelines.console.errors import ClashError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.problems import MEDIA_TYPE, problem, understood
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.hub import console as hub

_WHEN = {
    400: "The request cannot be used.",
    401: "Nobody is signed in.",
    403: "The role may not.",
    404: "Nothing there, or nothing that the role sees.",
    409: "It contradicts what there is.",
    413: "Too large.",
    422: "A value is none of its kind.",
    429: "Too many requests.",
    503: "Not available for the moment.",
}


def refusals(when: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Of the description: refusals by status, with when they come; each is a ``Problem`` of the models."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": words, "content": content} for status, words in when.items()}


REFUSALS = refusals(_WHEN)
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Chosen by the caller: the same write with the same key within a day is done once.",
    ),
]
Work = Callable[[Eyes], tuple[int, dict[str, Any]]]
"""A write in a transaction: the status and content of its answer, numbers and states alone."""


class Told(APIRoute):
    """A path whose errors are problems, whatever they are."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the path."""
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except (HTTPException, RequestValidationError):
                raise
            except Exception as error:
                return problem(understood(error))

        return told


def house_of(request: Request) -> House:
    """What all requests share."""
    house: House = request.app.state.house
    return house


def written(request: Request, tool: str, asked: object, key: str | None, work: Work) -> Response:
    """Do a write in one transaction, once for each idempotency key.

    Raises:
        ClashError: The key was used for something else.
    """
    house = house_of(request)
    with house.eyes(request, Scope.WRITE, tool) as eyes:
        before = _kept(eyes.connection, eyes.caller, tool, key, asked) if key else None
        if before is not None:
            return answer(request, before.answer, before.status or 200)
        status, content = work(eyes)
        if key:
            hub.keep_answer(eyes.connection, _name(eyes.caller), key, status, content)
    return answer(request, content, status)


def _kept(
    connection: Connection, caller: Caller, tool: str, key: str, asked: object
) -> hub.KeptAnswer | None:
    digest = sha256(json.dumps([tool, asked], default=str, sort_keys=True).encode()).digest()
    before = hub.begin_answer(connection, _name(caller), key, digest)
    if before is not None and before.asked != digest:
        raise ClashError(
            "This idempotency key was used for another request within a day; choose another one."
        )
    return before


def _name(caller: Caller) -> str:
    return f"{caller.role}:{caller.who}"
