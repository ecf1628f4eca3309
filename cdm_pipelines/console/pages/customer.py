"""The page of a customer: who, how to reach, orders, profile, consent, journey, history, and why each value is so.

Belongs here: which panels a role has, and their content. Does not belong here: reading (console.reads).
"""

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cdm_pipelines.console import reads
from cdm_pipelines.console.cases import link_of
from cdm_pipelines.console.errors import ForbiddenError, RefusedError, UnknownError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.pages.asking import eyes, house_of
from cdm_pipelines.console.pages.render import rendered
from cdm_pipelines.console.pages.review import bars
from cdm_pipelines.console.reads import Row, address_of, name_of
from cdm_pipelines.console.related import household, organisation
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.golden.policy import golden_groups
from cdm_pipelines.golden.provenance import EVERYTHING_ELSE
from cdm_pipelines.hub.history import SUMMARY
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.insight.action_policy import ActionPolicy
from cdm_pipelines.privacy.views import CUSTOMER
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.asking import TELLING
from cdm_pipelines.steps.profile.enrich import policy_of
from cdm_pipelines.store.keys import RECORD_KEY

_REACH = ("mobile", "phone", "email")
_TELLING = [f"{enricher}_{column}" for enricher, column in TELLING]
_HIDDEN = frozenset({"golden_id", *SUMMARY})
_MOST_ORDERS, _MOST_TOUCHES, _MOST_STEPS, _MOST_RECORDS = 20, 100, 100, 200
CONTACTS = {
    "Open tickets": "service_open_tickets",
    "Open since": "service_oldest_open_on",
    "Last ticket": "service_last_ticket_on",
    "Last contact by us": "engagement_last_contact_by_us",
    "Last contact by the customer": "engagement_last_contact_by_customer",
}
"""Columns of the profile that tell of open issues and last contacts, by what they are called."""
LAST_TICKET = "Last about a ticket"
_OF_TICKETS = frozenset({"ticket_opened", "ticket_solved", "ticket_rated"})
"""Touches that are about a ticket."""


def customer(request: Request) -> Response:
    """The page, as of now or of a day."""
    golden_id = _id(request)
    house = house_of(request)
    as_of = request.query_params.get("as_of", "")
    with eyes(request, "console customer") as one:
        panels: dict[str, Any]
        if as_of:
            then = reads.as_of(one, golden_id, _end_of(as_of, house_of(request).settings.timezone))
            row, panels = then.values, _panels_then(then, house)
        else:
            now = reads.known(one, golden_id)
            if now != golden_id:
                return RedirectResponse(f"/customers/{now}", 303)
            row = reads.customer(one, golden_id)
            panels = _panels(one, golden_id, request)
        caller, sight = one.caller, one.sight
    row = house.in_clear(row)
    content: dict[str, Any] = {name: panels.get(name) for name in _PANELS}
    for name, most in _MOST.items():
        content[name] = content[name] if content[name] is None else content[name][:most]
    return rendered(
        request,
        "customer.html",
        caller,
        sight=sight,
        golden_id=golden_id,
        as_of=as_of,
        name=name_of(row),
        address=address_of(row),
        summary={name: row[name] for name in row if name in SUMMARY},
        values=_values(
            row, panels.get("provenance") or [], panels.get("published") or {}, sight.clear(CUSTOMER)
        ),
        deceased=bool(row.get("deceased")),
        dagster=house.settings.dagster_url,
        sees_history=reads.HISTORY in sight.tables,
        decides="decisions" in sight.role.changes,
        reach=[(name, row[name]) for name in _REACH if row.get(name)],
        glance=_glance(panels.get("profile") or []),
        contacts=_contacts(panels.get("profile") or [], panels.get("journey") or []),
        told_why=panels.get("provenance") is not None,
        name_of=name_of,
        more=_more(panels),
        groups=_grouped(
            panels.get("profile") or [], house.kept("enrichers", lambda: enrichers_of(house.settings))
        ),
        **content,
    )


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["golden_id"])
    except ValueError:
        raise UnknownError("There is no customer of this id, or none that your role sees.") from None


def _end_of(day: str, timezone: str) -> dt.datetime:
    try:
        return dt.datetime.combine(dt.date.fromisoformat(day), dt.time.max, ZoneInfo(timezone))
    except ValueError:
        raise RefusedError("That is no day: write it as 2026-03-01.") from None


def _values(
    row: Row, provenance: list[Row], published: Mapping[str, Row], clear: Collection[str]
) -> list[dict[str, Any]]:
    """Golden values with why each is so, and when it was published, where the role sees that.

    Values that lost are shown where the role reads all that they are values of in ``clear``.
    """
    told: Mapping[str, Row] = {str(one["attribute"]): one for one in provenance}
    group_of = {column: group for group, columns in golden_groups().items() for column in columns}
    found = []
    for name, value in row.items():
        if name in _HIDDEN or value is None:
            continue
        why = told.get(name) or told.get(group_of.get(name, name)) or told.get(EVERYTHING_ELSE)
        group = golden_groups().get(group_of.get(name, name), (name,))
        told_why = _why(why, shows=set(group) <= set(clear)) if why else None
        found.append({"name": name, "value": value, "why": told_why, "published": published.get(name)})
    return found


def _why(row: Row, *, shows: bool) -> dict[str, Any]:
    losers = row.get("losers")
    lost = json.loads(losers) if isinstance(losers, str) else losers or []
    return {
        "rule": row.get("rule"),
        "record": "/".join(str(row.get(key)) for key in RECORD_KEY),
        "decision": row.get("decision_id"),
        "lost": [
            {
                "value": one.get("value") if shows else None,
                "record": "/".join(str(one[key]) for key in RECORD_KEY if key in one),
            }
            for one in lost
        ],
    }


def _panels(one: Eyes, golden_id: UUID, request: Request) -> dict[str, Any]:
    """What the role sees of each panel; those that it does not see are left out."""
    house = house_of(request)
    in_clear = house.in_clear
    found: dict[str, Any] = {}
    asked: dict[str, Callable[[], Any]] = {
        "provenance": lambda: [
            in_clear(row) for row in reads.of_customer(one, reads.PROVENANCE, golden_id)[1]
        ],
        "records": lambda: only(
            reads.of_customer(one, reads.RECORDS, golden_id, order=RECORD_KEY, limit=_MOST_RECORDS)[1],
            *RECORD_KEY,
        ),
        "records in all": lambda: reads.count(one, reads.RECORDS, golden_id),
        "orders": lambda: _orders(reads.orders(one, golden_id, limit=_MOST_ORDERS)[1]),
        "orders in all": lambda: reads.count(one, reads.ORDERS, golden_id),
        "household": lambda: household(one, golden_id),
        "organisation": lambda: organisation(one, golden_id),
        "profile": lambda: _profile(one, golden_id),
        "consent": lambda: only(
            reads.consent(one, golden_id, house.settings)[1], "purpose", "channel", "allowed", "why"
        ),
        "next_action": lambda: _next_action(one, golden_id, house),
        "journey": lambda: reads.journey(one, golden_id, house.settings)[1],
        "published": lambda: reads.published(one, golden_id),
        "history": lambda: [in_clear(row) for row in reads.timeline(one, golden_id)[1]][::-1],
    }
    for name, ask in asked.items():
        try:
            found[name] = ask()
        except ForbiddenError:
            continue
    return found


def _next_action(one: Eyes, golden_id: UUID, house: House) -> dict[str, Any]:
    """What to do next, and why not something else; a page in Dutch shows the Dutch words of the policy."""
    _, rows = reads.of_customer(one, reads.NEXT_ACTION, golden_id)
    row = rows[0] if rows else {}
    policy = house.kept("next best actions", lambda: ActionPolicy.load(house.settings.policies))
    return {
        "row": row,
        "says": {"en": policy.says("en"), "nl": policy.says("nl")},
        "against": reasons_of(row.get("excluded")),
    }


def reasons_of(excluded: str | None) -> dict[str, list[str]]:
    """By action, the codes of what speaks against it, of how the hub keeps them."""
    parts = (one.partition(": ") for one in (excluded or "").split("; ") if one)
    return {action: reasons.split(", ") for action, _, reasons in parts}


def only(rows: Iterable[Row], *names: str) -> list[Row]:
    """Rows with these columns: what the role does not see is empty."""
    return [{name: row.get(name) for name in names} for row in rows]


def _orders(rows: Iterable[Row]) -> list[Row]:
    return [
        {
            **only([row], "order_id", "ordered_at", "status", "currency", "total_amount")[0],
            "lines": only(row.get("order_lines") or (), "product_name", "product_code", "quantity"),
        }
        for row in rows
    ]


_PANELS = (
    *("records", "orders", "profile", "consent", "next_action", "journey", "history"),
    *("household", "organisation"),
)
_MOST = {"records": _MOST_RECORDS, "orders": _MOST_ORDERS, "journey": _MOST_TOUCHES, "history": _MOST_STEPS}


def _more(panels: Mapping[str, Any]) -> dict[str, int]:
    """By panel that shows the last rows alone, how many there are."""
    found = {name: panels.get(f"{name} in all") or len(panels.get(name) or ()) for name in _MOST}
    return {name: number for name, number in found.items() if number > _MOST[name]}


def _panels_then(then: reads.Then, house: House) -> dict[str, Any]:
    """What is kept of a former day beside the values."""
    return {
        "provenance": None if then.provenance is None else [house.in_clear(row) for row in then.provenance]
    }


def _contacts(profile: list[dict[str, Any]], journey: list[Row]) -> list[tuple[str, Any]]:
    """Open issues and last contacts, each with what it is called; empty where the role sees none of them."""
    values = {one["name"]: one["value"] for one in profile}
    found = [(words, values[name]) for words, name in CONTACTS.items() if name in values]
    ticket = next((one for one in journey if one["what"] in _OF_TICKETS), None)
    if ticket is not None:
        about = " · ".join(str(ticket[name]) for name in ("number", "detail") if ticket[name])
        found.append((LAST_TICKET, f"{ticket['day'] or ''} {about}".strip()))
    return found


def enrichers_of(settings: Settings) -> list[str]:
    """The enrichers that are switched on, a company's own among them."""
    return list(policy_of(settings).chosen)


def _glance(profile: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What says most of a customer."""
    by_name = {one["name"]: one for one in profile}
    return [by_name[name] for name in _TELLING if name in by_name]


def _grouped(profile: list[dict[str, Any]], enrichers: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """What is worked out, by the enricher that does it."""
    found: dict[str, list[dict[str, Any]]] = {}
    longest_first = sorted([*enrichers, "withheld"], key=len, reverse=True)
    for one in profile:
        group = next((name for name in longest_first if one["name"].startswith(f"{name}_")), "other")
        found.setdefault(group, []).append({**one, "short": one["name"].removeprefix(f"{group}_")})
    return found


def _profile(one: Eyes, golden_id: UUID) -> list[dict[str, Any]]:
    """What is worked out of the customer, without what the golden customer says itself."""
    seen = one.sight.see_that_sees(reads.WIDE)
    golden = set(one.sight.columns(CUSTOMER))
    _, rows = reads.of_customer(one, reads.WIDE, golden_id)
    row = rows[0] if rows else {}
    return [
        {"name": each.column.name, "value": row[each.column.name], "means": each.column.description}
        for each in seen.columns
        if each.column.name not in golden and row.get(each.column.name) is not None
    ]


def record(request: Request) -> Response:
    """What a source delivered of one of the customer's records."""
    golden_id, house = _id(request), house_of(request)
    named = Record(*(request.path_params[key] for key in RECORD_KEY))
    with eyes(request, "console record") as one:
        now, rows = reads.cells(one, golden_id, named, house.settings)
        caller, sight = one.caller, one.sight
    cells = [house.in_clear(row) if row["clear"] else row for row in rows]
    return rendered(
        request, "record.html", caller, sight=sight, golden_id=now, record=str(named), cells=cells
    )


def link(request: Request) -> Response:
    """Why a record is the customer's: its best link with another one, taken apart."""
    golden_id, house = _id(request), house_of(request)
    named = Record(*(request.path_params[key] for key in RECORD_KEY))
    with eyes(request, "console link") as one:
        now, rows = reads.of_customer(one, reads.RECORDS, golden_id, limit=reads.ALL)
        records = [Record(*(str(row[key]) for key in RECORD_KEY)) for row in rows]
        if named not in records:
            raise UnknownError("The customer has no such record.")
        others = [each for each in records if each != named]
        steps, found, threshold = link_of(one, house, named, others)
        one.note([reads.RECORDS, CUSTOMER], [now])
        caller, sight = one.caller, one.sight
    return rendered(
        request,
        "link.html",
        caller,
        sight=sight,
        golden_id=now,
        record=str(named),
        steps=bars(steps),
        link=found,
        threshold=threshold,
        alone=not others,
    )


ROUTES = (
    Route("/customers/{golden_id}", customer),
    Route("/customers/{golden_id}/links/{source}/{entity}/{record_id:path}", link),
    Route("/customers/{golden_id}/records/{source}/{entity}/{record_id:path}", record),
)
