"""The pages of privacy: requests and deadlines, proposals with four eyes, certificates, register, retention ahead.

Belongs here: those pages and forms. Does not belong here: doing what is asked (console.requests, console.writes,
steps.rights).
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cdm_pipelines.console import charts, requests, writes
from cdm_pipelines.console.caller import Scope
from cdm_pipelines.console.errors import RefusedError, UnknownError
from cdm_pipelines.console.pages.asking import eyes, house_of
from cdm_pipelines.console.pages.quality import number_of
from cdm_pipelines.console.pages.render import language_of, rendered
from cdm_pipelines.console.pages.words import translator
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.console.writes import Wanted
from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.hub import rights as hub
from cdm_pipelines.insight.report_words import Language as Figures
from cdm_pipelines.privacy.certificate import faults
from cdm_pipelines.privacy.processing import processing
from cdm_pipelines.privacy.processing_forms import FORMS
from cdm_pipelines.privacy.purposes import POLICY, Purposes
from cdm_pipelines.privacy.words import Language
from cdm_pipelines.steps.operate.processing import told_of
from cdm_pipelines.steps.rights.certifying import chain_of
from cdm_pipelines.steps.rights.erasure import EXPIRE, KIND
from cdm_pipelines.steps.rights.requests import tracked
from cdm_pipelines.steps.rights.retention import planned
from cdm_pipelines.steps.rights.retention_figures import by_month, by_reason, by_rule

PLACE = "/privacy"
AT_ONCE = ("restrict", "lift", "object", "rectify")
"""What needs nobody else."""
_MOST = 100


def overview(request: Request) -> Response:
    """Requests with their deadlines, what waits for somebody else, and the forms."""
    house = house_of(request)
    with eyes(request, "console privacy") as one:
        one.sight.see_that_may("requests")
        waiting = requests.waiting(one, house.works)
        found = tracked(one.connection, dt.datetime.now(dt.UTC).date())
        caller, sight = one.caller, one.sight
    purposes = Purposes.load(house.settings.policies / POLICY)
    return rendered(
        request,
        "privacy.html",
        caller,
        sight=sight,
        waiting=waiting,
        requests=found[::-1][:_MOST],
        late=sum(each.late for each in found) + sum(each.late for each in waiting),
        number=len(found),
        begun=any(each.request.kind in (KIND, EXPIRE) and each.request.subject for each in found),
        ongoing=requests.ongoing(house.works),
        customer=request.query_params.get("customer", "")[:_MOST],
        did=request.query_params.get("did", "") if request.query_params.get("did") in _DID else "",
        purposes=[key for key in purposes.by_key if purposes[key].can_be_refused],
        attributes=[one.name for one in attributes(Entity.PARTY, golden_only=True)],
        four_eyes=requests.needs_another(house.settings),
    )


_DID = frozenset({*AT_ONCE, "asked", "approved", "rejected"})


async def at_once(request: Request) -> Response:
    """Restrict, lift, object or rectify."""
    form = await _typed(request)
    kind = form.get("kind", "")
    if kind not in AT_ONCE:
        raise RefusedError("There is no such request.")
    wanted = Wanted(
        kind,
        customer=form.get("customer", "").strip(),
        attribute=form.get("attribute"),
        value=form.get("value", "").strip(),
        reason=form.get("reason", ""),
    )

    def done(one: Eyes) -> None:
        writes.answer_request(one, house_of(request).settings, kind, wanted, form.get("purpose", ""))

    return await _written(request, done, kind)


async def ask(request: Request) -> Response:
    """Ask for access or erasure; it is done at once where the policy wants no second pair of eyes."""
    form = await _typed(request)
    asked = requests.Asked(
        form.get("kind", ""), form.get("customer", ""), form.get("checked_by", ""), form.get("reason", "")
    )
    house = house_of(request)

    def done() -> Response:
        alone = not requests.needs_another(house.settings)
        with eyes(request, "console privacy", Scope.WRITE) as one:
            if alone and asked.kind == requests.ACCESS:
                return _zip(
                    *requests.hand_over_now(one, house.settings, asked, Language(language_of(request)))
                )
            if alone and asked.kind == requests.ERASE:
                requests.erase_now(one, house.works, asked)
                return RedirectResponse(f"{PLACE}?did=approved", 303)
            requests.ask(one, house.settings, asked)
        return RedirectResponse(f"{PLACE}?did=asked", 303)

    return await run_in_threadpool(done)


def _zip(number: int, content: bytes) -> Response:
    headers = {
        "content-disposition": f'attachment; filename="access-{number}.zip"',
        "cache-control": "no-store",
    }
    return Response(content, headers=headers, media_type="application/zip")


async def approve(request: Request) -> Response:
    """Approve what somebody else asked for; an erasure begins."""
    house, number = house_of(request), number_of(request.path_params["number"])

    def done() -> None:
        with eyes(request, "console privacy", Scope.WRITE) as one:
            found = requests.approve(one, number)
        requests.begin(house.works, found, one.caller.who)

    await run_in_threadpool(done)
    return RedirectResponse(f"{PLACE}?did=approved", 303)


async def reject(request: Request) -> Response:
    """Reject what somebody asked for, or take back one's own."""
    number = number_of(request.path_params["number"])

    def done(one: Eyes) -> None:
        requests.reject(one, number)

    return await _written(request, done, "rejected")


async def go_on(request: Request) -> Response:
    """Go on with an erasure that was cut short."""
    number = number_of(request.path_params.get("number", "0"))

    def done(one: Eyes) -> None:
        requests.go_on(one, house_of(request).works, number)

    return await _written(request, done, "approved")


async def _typed(request: Request) -> dict[str, str]:
    """What was typed into a form.

    Raises:
        RefusedError: It holds what nobody types.
    """
    form = {name: str(value) for name, value in (await request.form()).items()}
    if not all(value.isprintable() for value in form.values()):
        raise RefusedError("A text holds signs that cannot be written: type it anew.")
    return form


async def _written(request: Request, done: Callable[[Eyes], None], did: str) -> Response:
    def write() -> None:
        with eyes(request, "console privacy", Scope.WRITE) as one:
            done(one)

    await run_in_threadpool(write)
    return RedirectResponse(f"{PLACE}?did={did}", 303)


async def archive(request: Request) -> Response:
    """The archive of an access that was approved, once."""
    form = await request.form()
    language = Language.DUTCH if form.get("language") == "nl" else Language.ENGLISH
    house, number = house_of(request), number_of(request.path_params["number"])

    def made() -> tuple[int, bytes]:
        with eyes(request, "console access", Scope.WRITE) as one:
            return requests.handed_over(one, house.settings, number, language)

    return _zip(*await run_in_threadpool(made))


def one_request(request: Request) -> Response:
    """One request: what was done, and the certificate of an erasure."""
    number = number_of(request.path_params["number"])
    house = house_of(request)
    with eyes(request, "console privacy") as one:
        one.sight.see_that_may("requests")
        known = {
            each.request.request_id: each for each in tracked(one.connection, dt.datetime.now(dt.UTC).date())
        }
        if number not in known:
            raise UnknownError("There is no such request.")
        steps = [step for step in hub.steps_of(one.connection, number) if step["rows"]]
        chain = chain_of(one.connection)
        caller, sight = one.caller, one.sight
    return rendered(
        request,
        "privacy-request.html",
        caller,
        sight=sight,
        tracked=known[number],
        steps=steps,
        certificate=next((each for each in chain if each.request_id == number), None),
        faults=list(faults(chain)),
        erases=known[number].request.kind in (KIND, EXPIRE),
        work=requests.ongoing(house.works),
    )


def register(request: Request) -> Response:
    """The register of processing."""
    with eyes(request, "console privacy") as one:
        one.sight.see_that_may("requests")
        caller, sight = one.caller, one.sight
    record = processing(told_of(house_of(request).settings))
    return rendered(request, "privacy-register.html", caller, sight=sight, record=record, forms=list(FORMS))


def form_of_register(request: Request) -> Response:
    """The register of processing as a file."""
    with eyes(request, "console privacy") as one:
        one.sight.see_that_may("requests")
    name = request.path_params["form"]
    if name not in FORMS:
        raise UnknownError("There is no such page.")
    content = FORMS[name](processing(told_of(house_of(request).settings)))
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, headers=headers, media_type="application/octet-stream")


def retention(request: Request) -> Response:
    """What expires, by rule and by month."""
    house = house_of(request)
    with eyes(request, "console privacy") as one:
        one.sight.see_that_may("requests")
        found = planned(house.settings, one.connection, dt.datetime.now(dt.UTC).date())
        caller, sight = one.caller, one.sight
    months: Counter[str] = Counter()
    ahead = by_month(found)
    for row in ahead:
        months[row["month"]] += row["entries"]
    language = language_of(request)
    told = translator(language)("What expires in which month")
    return rendered(
        request,
        "privacy-retention.html",
        caller,
        sight=sight,
        today=found.today,
        expired=by_rule(found.expired),
        staying=by_reason(found.staying),
        ahead=ahead,
        drawing=charts.bars(dict(sorted(months.items())), told, Figures(language)) if months else "",
    )


_PROPOSAL = f"{PLACE}/proposals/{{number}}"
ROUTES: tuple[Any, ...] = (
    Route(PLACE, overview),
    Route(f"{PLACE}/at-once", at_once, methods=["POST"]),
    Route(f"{PLACE}/ask", ask, methods=["POST"]),
    Route(f"{PLACE}/go-on", go_on, methods=["POST"]),
    Route(f"{_PROPOSAL}/approve", approve, methods=["POST"]),
    Route(f"{_PROPOSAL}/reject", reject, methods=["POST"]),
    Route(f"{_PROPOSAL}/go-on", go_on, methods=["POST"]),
    Route(f"{_PROPOSAL}/archive", archive, methods=["POST"]),
    Route(f"{PLACE}/requests/{{number}}", one_request),
    Route(f"{PLACE}/register", register),
    Route(f"{PLACE}/register/{{form}}", form_of_register),
    Route(f"{PLACE}/retention", retention),
)
