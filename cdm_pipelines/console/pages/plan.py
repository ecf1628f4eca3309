"""The page of a plan: what a changed policy would do before it does it.

Belongs here: the form and what came of it. Does not belong here: planning (console.plans).
"""

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cdm_pipelines.console import plans
from cdm_pipelines.console.caller import Scope
from cdm_pipelines.console.errors import RefusedError
from cdm_pipelines.console.pages.asking import eyes, house_of
from cdm_pipelines.console.pages.render import rendered
from cdm_pipelines.contracts.odcs import SUFFIX

PLACE = "/plan"
_FIRST = "survivorship.yaml"


def page(request: Request) -> Response:
    """The policy in force, to be changed, and the last plan of whoever looks."""
    house = house_of(request)
    with eyes(request, "console plan") as one:
        one.sight.see_that_may("policies")
        caller, sight = one.caller, one.sight
    known = plans.policies(house.settings)
    file = request.query_params.get("file", _FIRST)
    file = file if file in known else next(iter(known), "")
    work, plan = plans.planned(house.works, caller.who)
    return rendered(
        request,
        "plan.html",
        caller,
        sight=sight,
        files=list(known),
        file=file,
        text=known[file].read_text(encoding="utf-8") if file else "",
        work=work,
        plan=plan,
    )


def state(request: Request) -> Response:
    """How the plan goes, as a part of the page."""
    with eyes(request, "console plan") as one:
        one.sight.see_that_may("policies")
        caller, sight = one.caller, one.sight
    work, _ = plans.planned(house_of(request).works, caller.who)
    return rendered(request, "work.html", caller, sight=sight, work=work, place=f"{PLACE}/state")


async def make(request: Request) -> Response:
    """Have a plan made of a changed policy: typed, or one or more files, contracts among them."""
    house = house_of(request)
    async with request.form() as form:
        changed, contracts = await _changed(form, list(plans.policies(house.settings)))

    def done() -> None:
        with eyes(request, "console plan", Scope.WRITE) as one:
            plans.plan(one, house.settings, house.works, changed, contracts)

    await run_in_threadpool(done)
    return RedirectResponse(PLACE, 303)


async def _changed(form: FormData, known: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The text of each policy and each contract that changes: of files, or else of the policy as it was typed."""
    changed: dict[str, str] = {}
    contracts: dict[str, str] = {}
    for one in form.getlist("files"):
        if not isinstance(one, UploadFile) or not one.filename:
            continue
        try:
            text = (await one.read()).decode()
        except UnicodeDecodeError:
            raise RefusedError("The file is not UTF-8.") from None
        if one.filename.endswith(SUFFIX):
            contracts[one.filename] = text
            continue
        named = [name for name in known if name.rpartition("/")[2] == one.filename]
        if len(named) != 1:
            raise RefusedError(f"Give the policy that changes; there are {', '.join(known)}.")
        changed[named[0]] = text
    if not changed and not contracts:
        changed[str(form.get("file", ""))] = str(form.get("text", ""))
    return changed, contracts


ROUTES = (
    Route(PLACE, page),
    Route(PLACE, make, methods=["POST"]),
    Route(f"{PLACE}/state", state),
)
