"""The page of stewards: one case after another, decided by one key each.

Belongs here: its routes, and from a case to what templates show. Does not belong here: the queue and what keys do
(console.desk), what a case holds (console.cases).
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cdm_pipelines.console.alike import alike as cases_alike
from cdm_pipelines.console.caller import Scope
from cdm_pipelines.console.cases import CONFLICT, Case, Key, Line, case
from cdm_pipelines.console.desk import KINDS, MOST_AT_ONCE, Desk, Told, alike, answer, desk, pin, settle, undo
from cdm_pipelines.console.errors import ConsoleError, RefusedError, UnknownError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.pages.asking import eyes, house_of
from cdm_pipelines.console.pages.render import rendered
from cdm_pipelines.console.problems import told as told_of
from cdm_pipelines.console.proposed import apart_of, proposed
from cdm_pipelines.console.reads import name_of
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.console.writes import Wanted
from cdm_pipelines.linkage.explain.pair import PRIOR, Step
from cdm_pipelines.privacy.roles import CLEAR
from cdm_pipelines.privacy.views import CUSTOMER
from cdm_pipelines.standardise.single import settable

_MOST_RECORDS = 12
_WIDTH = 50.0
_MOST_SIGNS, _MOST_DIGITS = 500, 18


def review(request: Request) -> Response:
    """The case that is next, or one that is named."""
    key = request.query_params.get("case", "")
    wanted = Key.parse(key) if key else None
    first = _digits(request.query_params.get("from", "")) or 0
    of_proposals = request.query_params.get("of") == "proposals"
    return _shown(request, "review.html", wanted, proposal_from=first if of_proposals else None)


def customer(request: Request) -> Response:
    """A customer as a case, or with another one."""
    try:
        ids = [UUID(request.path_params["golden_id"])]
        other = request.query_params.get("with", "")
        ids += [UUID(other)] if other else []
    except ValueError:
        raise UnknownError("There is no customer of this id, or none that your role sees.") from None
    return _shown(request, "review.html", Key.of(*ids))


def _shown(
    request: Request,
    template: str,
    wanted: Key | None = None,
    told: Told | None = None,
    *,
    proposal_from: int | None = None,
) -> Response:
    house = house_of(request)
    with eyes(request, "console review") as one:
        found = desk(one, wanted, proposal_from=proposal_from)
        content = _content(one, house, found)
        caller, sight = one.caller, one.sight
    of_proposals = proposal_from is not None
    return rendered(
        request, template, caller, sight=sight, told=told, desk=found, of_proposals=of_proposals, **content
    )


def _content(one: Eyes, house: House, found: Desk) -> dict[str, Any]:
    """What is shown of a case."""
    empty: dict[str, Any] = {
        "case": None,
        "proposed": None if found.proposal is None else proposed(one, house, found.proposal, found.log),
        "more": 0,
        "lines": [],
        "records": [],
        "steps": [],
        "settable": [],
        "names": [],
    }
    if found.key is None:
        return empty
    key = found.key
    if key.kind == CONFLICT and found.item is not None:
        key = key.about(found.item["left_id"], found.item["right_id"])
    try:
        held = case(one, house, key, found.log, apart_of(found.proposal))
    except UnknownError:
        return empty
    every = [record for side in held.sides for record in side.records]
    order = every[:_MOST_RECORDS]
    return {
        **empty,
        "case": held,
        "more": len(every) - len(order),
        "names": _names(held),
        "lines": [_line(line, len(order)) for line in held.lines],
        "records": [
            {
                "record": record,
                "side": next(at for at, side in enumerate(held.sides) if record in side.records),
                "details": {line.name: line.of_records[at] for line in held.details},
                "linked": held.link is not None and record in {held.link.left, held.link.right},
            }
            for at, record in enumerate(order)
        ],
        "steps": bars(held.steps),
        "settable": _settable(one) if held.together is not None else [],
    }


def _names(held: Case) -> list[str]:
    """By what the sides are called."""
    values = [{line.name: line.sides[at] for line in held.lines} for at in range(len(held.sides))]
    return [name_of(row) for row in values]


def _settable(one: Eyes) -> list[str]:
    """Attributes that the role may set: it reads them in clear."""
    seen = one.sight.tables.get(CUSTOMER)
    clear = (
        {each.column.name for each in seen.columns if each.shown.how == CLEAR} if seen is not None else set()
    )
    return [name for name in settable() if name in clear]


def _line(line: Line, records: int) -> dict[str, Any]:
    """A line with what differs marked."""
    sides = [
        _parts(value, line.sides[1 - at] if line.differs else value) for at, value in enumerate(line.sides)
    ]
    others = {str(value) for value in line.of_records if value is not None}
    return {
        "name": line.name,
        "sides": sides,
        "differs": line.differs,
        "together": line.together,
        "records": [
            _parts(value, line.together if len(others) > 1 else value) for value in line.of_records[:records]
        ],
        "many": len(others) > 1,
    }


def _parts(value: Any, other: Any) -> tuple[Any, str, str, str] | None:
    """A value with what of it is unlike another one: the value, and of text what is before, unlike and behind."""
    if value is None:
        return None
    if other is None or value == other:
        return value, "", "", ""
    if not isinstance(value, str) or not isinstance(other, str):
        return value, "", "all", ""
    before = _shared(value, other)
    behind = _shared(value[before:][::-1], other[before:][::-1])
    unlike = value[before : len(value) - behind]
    if not unlike or 2 * (before + behind) < len(value):
        return value, "", "all", ""
    return value, value[:before], unlike, value[len(value) - behind :]


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def bars(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The steps of a waterfall, each with the bar of what it adds."""
    most = max((abs(step.bits + step.term) for step in steps), default=1.0) or 1.0
    found = []
    for step in steps:
        bits = step.bits + step.term
        width = round(abs(bits) / most * _WIDTH, 1)
        found.append(
            {
                "name": step.name,
                "meaning": "1 of {number} pairs" if step.name == PRIOR else step.meaning,
                "number": round(1 + 2.0**-bits) if step.name == PRIOR else None,
                "left": step.left,
                "right": step.right,
                "bits": bits,
                "total": step.total,
                "width": width,
                "start": _WIDTH if bits >= 0 else _WIDTH - width,
            }
        )
    return found


async def decide(request: Request) -> Response:
    """What was said of a case; then the next one."""
    form = await request.form()
    key, kind = Key.parse(str(form.get("case", ""))), str(form.get("as", ""))
    apart, reason = [_plain(one) for one in form.getlist("apart")], _plain(form.get("reason", ""))

    def work(one: Eyes, house: House) -> Told:
        if kind == "undo" and key.kind != CONFLICT:
            return undo(one, house)
        return answer(one, house, key, kind, apart=apart, reason=reason)

    return await run_in_threadpool(_done, request, work, key)


async def take_back(request: Request) -> Response:
    """Take back what was decided last."""
    return await run_in_threadpool(_done, request, undo, None)


async def set_value(request: Request) -> Response:
    """Pin a value of a customer."""
    form = await request.form()
    key = Key.parse(str(form.get("case", "")))
    expires = _plain(form.get("expires", ""))
    try:
        until = dt.date.fromisoformat(expires) if expires else None
    except ValueError:
        raise RefusedError("That is no day: write it as 2026-03-01.") from None
    named = [_plain(form.get(name, "")) for name in ("customer", "attribute", "value", "reason")]
    wanted = Wanted("set", named[0], None, named[1], named[2], until, None, named[3])
    return await run_in_threadpool(_done, request, lambda one, house: pin(one, house, key, wanted), key)


async def decide_alike(request: Request) -> Response:
    """Say the same of all chosen cases."""
    form = await request.form()
    keys = [Key.parse(str(one)) for one in form.getlist("case")]
    kind = str(form.get("as", ""))
    return await run_in_threadpool(_done, request, lambda one, house: alike(one, house, keys, kind), None)


async def decide_proposal(request: Request) -> Response:
    """Approve or reject what somebody else proposed."""
    form = await request.form()
    number, approved = _number(form), form.get("as") == "approve"
    work: _Work = lambda one, house: settle(one, house, number, approved=approved)  # noqa: E731 - one of five alike
    return await run_in_threadpool(_done, request, work, None, proposal_from=number)


_Work = Callable[[Eyes, House], Told]


def _plain(given: object) -> str:
    """A field of a form as text that PostgreSQL can hold, no longer than people write."""
    return str(given).replace("\x00", "").strip()[:_MOST_SIGNS]


def _number(form: FormData) -> int:
    number = _digits(str(form.get("proposal", "")))
    if number is None:
        raise UnknownError("There is no such proposal.")
    return number


def _digits(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _done(request: Request, work: _Work, key: Key | None, *, proposal_from: int | None = None) -> Response:
    """Do something in a transaction of its own, and show what is next; a refusal is told beside the case."""
    house = house_of(request)
    try:
        with eyes(request, "console review", Scope.WRITE) as one:
            said = work(one, house)
    except ConsoleError as error:
        if error.status in {401, 403, 429}:
            raise
        said = Told(str(error), {}, bad=True, next=key)
    except Exception as error:
        known = told_of(error)
        if known is None or known.status >= 500:
            raise
        said = Told(str(known), {}, bad=True, next=key)
    if request.headers.get("hx-request"):
        return _shown(request, "desk.html", said.next, said, proposal_from=proposal_from)
    if said.bad:
        return _shown(request, "review.html", said.next, said, proposal_from=proposal_from)
    back = "/review" if proposal_from is None else f"/review?of=proposals&from={proposal_from}"
    return RedirectResponse(back, 303)


def alike_page(request: Request) -> Response:
    """The cases that are like one; a part of the page, or a page."""
    key = Key.parse(request.query_params.get("case", ""))
    part = bool(request.headers.get("hx-request"))
    with eyes(request, "console review") as one:
        one.sight.see_that_may("decisions")
        found = cases_alike(one, house_of(request), key, KINDS, MOST_AT_ONCE)
        caller, sight = one.caller, one.sight
    return rendered(
        request, "alike.html" if part else "alike-page.html", caller, sight=sight, key=key, alike=found
    )


ROUTES = (
    Route("/review", review),
    Route("/review/customer/{golden_id}", customer),
    Route("/review/alike", alike_page),
    Route("/review/decide", decide, methods=["POST"]),
    Route("/review/undo", take_back, methods=["POST"]),
    Route("/review/set", set_value, methods=["POST"]),
    Route("/review/decide-alike", decide_alike, methods=["POST"]),
    Route("/review/proposal", decide_proposal, methods=["POST"]),
)
