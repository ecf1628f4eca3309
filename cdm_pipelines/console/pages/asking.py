"""What pages share: who asks, and their transaction; somebody who is not signed in is sent to do so.

Belongs here: that. Does not belong here: single pages.

A program may read pages with its key, and changes nothing there: what it may change has a place in the API.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from cdm_pipelines.console.caller import Scope
from cdm_pipelines.console.house import House
from cdm_pipelines.console.sight import Eyes


def house_of(request: Request) -> House:
    """What all requests share."""
    house: House = request.app.state.house
    return house


@contextmanager
def eyes(request: Request, tool: str, scope: Scope = Scope.READ) -> Iterator[Eyes]:
    """The transaction of a page, committed before the page is sent.

    Raises:
        SignInError, ForbiddenError, TooManyError: Nobody is signed in; they may not; they ask too often.
    """
    with house_of(request).eyes(request, scope, tool) as found:
        if scope is not Scope.READ:
            found.caller.see_that_is_person()
        yield found
