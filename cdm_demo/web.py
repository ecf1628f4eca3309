"""Visits of the web shop, as Google Analytics 4 exports their events to BigQuery.

Belongs here: who visits when, logs in, looks at what, orders; the events of visits, and the truth of whose they are.
Does not belong here: tokens (devices), orders (orders).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from cdm_demo.dates import sap_day, unix_seconds
from cdm_demo.devices import DEVICES, KIOSK, NO_TOKEN, STRANGER, TABLET, Devices, Tokens, devices, tokens
from cdm_demo.draws import Draws, Flags, Ints, Text, Weights
from cdm_demo.headers import WEB_EVENT
from cdm_demo.orders import Orders
from cdm_demo.products import brands, category
from cdm_demo.touches import Audience, Chunk, Column, Stage, chunks, pick, whole
from cdm_demo.words import articles

TOKEN_COLUMNS = ("token", "truth_id", "device")
"""One row per token. truth_id: whose alone it is; shared for several customers, none for a stranger or no token."""

VISIT_COLUMNS = ("token", "visit", "truth_id", "device", "identified")
"""One row per visit. visit: its ``ga_session_id``. truth_id: who really visited, none for a stranger. identified: login
where events of it carry the customer's id, order where it only ends in an order of the customer's."""

_EVENTS = (
    "page_view",
    "view_item",
    "view_search_results",
    "add_to_cart",
    "scroll",
    "login",
    "purchase",
    "promo_click",
)
_PAGE, _ITEM, _SEARCH, _CART, _SCROLL, _LOGIN, _PURCHASE, _PROMOTION = range(8)
_USUAL = (22, 50, 12, 11, 4, 0, 0, 1)
_LENGTHS, _MEAN_LENGTH = (28, 24, 18, 13, 9, 8), 2.8
_GAP = 25
_MEASURED, _LOGS_IN, _LOGS_IN_TO_ORDER = 0.6, 0.22, 0.75
"""Shares: of orders whose visit was measured, of visits with a login, of orders placed by who is logged in."""

_SITE = "https://www.huisenhof.example"
_PAGES = ("/", "/sale", "/categorie/wonen", "/categorie/buiten", "/klantenservice", "/winkels")
_OWN_PAGES = ("/winkelwagen", "/account/inloggen", "/bestelling/bedankt")
_TERMS = tuple(
    f"/zoeken?q={term}"
    for term in ("lamp", "eettafel", "handdoek", "barbecue", "pannenset", "bureaustoel", "verf", "tuinslang")
)
_DEVICES = tuple(
    f',"device":{{"category":"{name}","language":"nl-nl"}}' for name in ("mobile", "desktop", "tablet")
)
_TRAFFIC = (
    ("(direct)", "(none)", "(direct)", 40),
    ("(organic)", "organic", "google", 30),
    ("merk", "cpc", "google", 12),
    ("nieuwsbrief", "email", "mailchimp", 14),
    ("(referral)", "referral", "tweakers.example", 4),
)
_IN_STORE = ("zuil", "instore", "kiosk")


@dataclass(frozen=True, slots=True)
class ShopOrders:
    """Orders of the shop, and by whom.

    Attributes:
        orders: The orders.
        party: Position of the customer per order.
        name: As #1001.
    """

    orders: Orders
    party: Ints
    name: Text


@dataclass(frozen=True, slots=True)
class _Visits:
    """Visits; one value per visit in every array.

    Attributes:
        party: Position of who visits, -1 for a stranger.
        day: Day number.
        began: When its first event happened, in seconds since 1970.
        order: Position of the order that is placed, -1 for none.
        length: Number of events.
        logged: Whether the visitor logs in.
        on: The device.
    """

    party: Ints
    day: Ints
    began: Ints
    order: Ints
    length: Ints
    logged: Flags
    on: Devices


@dataclass(frozen=True, slots=True)
class Web:
    """Events of one block, and their truth.

    Attributes:
        chunks: Rows of the days' files.
        tokens: Lines of ``truth/tokens.csv``.
        visits: Lines of ``truth/visits.csv``.
    """

    chunks: Iterator[Chunk]
    tokens: list[str]
    visits: list[str]


def web(stage: Stage, bought: ShopOrders, *, events: int, block: int) -> Web:
    """Visits of one block.

    Args:
        stage: Who can visit, when, and how much they look around.
        bought: Orders of the shop: some of them were seen being placed.
        events: How many there are to be, about.
        block: Number of the block's first party.
    """
    visits = _visits(stage, bought, events, block)
    known = tokens(visits.on, visits.began)
    return Web(_events(stage, bought, visits, known), *_truth(visits, known, stage.audience))


def looked_at_by_a_machine(day: str) -> bytes:
    """The one event of a day on which nobody came: the company's own machine looks whether the shop is up.

    Args:
        day: YYYY-MM-DD.
    """
    moment = datetime.fromisoformat(f"{day}T01:00:00+00:00")
    parameters = {"event_id": {"string_value": f"m{day}"}, "page_location": {"string_value": f"{_SITE}/"}}
    event = {
        "event_date": day.replace("-", ""),
        "event_timestamp": str(int(moment.timestamp()) * 1_000_000),
        "event_name": "page_view",
        "event_params": [{"key": key, "value": value} for key, value in parameters.items()],
        "user_pseudo_id": "null",
        "device": {"category": "desktop", "language": "nl-nl"},
        "traffic_source": {"name": "(direct)", "medium": "(none)", "source": "(direct)"},
        "items": [],
    }
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def _visits(stage: Stage, bought: ShopOrders, events: int, block: int) -> _Visits:
    draws, audience, behaviour, window = stage.draws, stage.audience, stage.behaviour, stage.window
    orders = bought.orders
    measured = draws.chance("measured", len(orders), _MEASURED) & (orders.day >= window.start - window.back)
    order = np.flatnonzero(measured)
    more = max(events - int(len(order) * (_MEAN_LENGTH + 1)), events // 3)
    size = int(more / _MEAN_LENGTH / 0.85)
    online = audience.account != ""
    able = np.flatnonzero(online)
    kind = draws.pick("who", size, (78, 20, 2) if len(able) else (0, 1, 0))
    levels = (behaviour.visits[able] * 1000).astype(np.int64)
    who = able[Weights(levels).at(draws.uniform("visitor", size))] if len(able) else np.full(size, -1)
    party = np.where(kind == 1, -1, who)
    day = window.days_of(draws.uniform("day", size))
    keeps = np.where(party >= 0, behaviour.engaged(np.maximum(party, 0), day), 1.0)
    at = np.flatnonzero(draws.uniform("keeps", size) < keeps)
    second = 8 * 3600 + draws.integers("second", size, 0, 15 * 3600)
    party, day = (
        np.concatenate([party[at], bought.party[order]]),
        np.concatenate([day[at], orders.day[order]]),
    )
    kiosk = np.concatenate([kind[at] == 2, np.zeros(len(order), dtype=bool)])
    placed = np.concatenate([np.full(len(at), -1), order])
    total = len(party)
    on = devices(
        draws.below("devices"), party, kiosk=kiosk, numbers=audience.number, household=audience.household,
        online=online, block=block,
    )  # fmt: skip
    logged = draws.chance("logs in", total, np.where(placed >= 0, _LOGS_IN_TO_ORDER, _LOGS_IN))
    # Who uses a shared device begins by logging in: that it is shared must be there to be seen.
    moment = day * 86_400 + np.concatenate([second[at], orders.second[order]])
    logged |= (on.kind == KIOSK) | ((on.kind == TABLET) & _first_of_each(on.number, party, moment))
    logged &= (party >= 0) & online[np.maximum(party, 0)]
    length = 1 + draws.pick("length", total, _LENGTHS)
    length = np.maximum(length, 1 + logged + (placed >= 0))
    begins = np.maximum(orders.second[order] - _GAP * (length[len(at) :] - 1), 0)
    began = unix_seconds(day, np.concatenate([second[at], begins]))
    return _Visits(party, day, began, placed, length, logged, on)


def _first_of_each(device: Ints, party: Ints, moment: Ints) -> Flags:
    """Whether a visit is the first of that party on that device."""
    order = np.lexsort((moment, party, device))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(device[order]) != 0) | (np.diff(party[order]) != 0)
    flags = np.zeros(len(order), dtype=bool)
    flags[order[new]] = True
    return flags


def _truth(visits: _Visits, known: Tokens, audience: Audience) -> tuple[list[str], list[str]]:
    """Lines of the tokens and of the visits."""
    who = np.where(visits.party >= 0, audience.truth[np.maximum(visits.party, 0)], "none")
    identified = np.where(visits.logged, "login", np.where(visits.order >= 0, "order", ""))
    shown = [f'"{value.replace(chr(34), chr(34) * 2)}"' if '"' in value else value for value in known.value]
    kind = visits.on.kind
    lowest, highest = np.full(len(shown), 1 << 40), np.full(len(shown), -1)
    np.minimum.at(lowest, known.of_visit, visits.party)
    np.maximum.at(highest, known.of_visit, visits.party)
    lines = []
    for at, (token, one, other) in enumerate(zip(shown, lowest.tolist(), highest.tolist(), strict=True)):
        device = int(kind[known.first[at]])
        if device != NO_TOKEN:
            whose = "none" if device == STRANGER else audience.truth[one] if one == other else "shared"
            lines.append(f"{token},{whose},{DEVICES[device]}")
    order = np.lexsort((known.of_visit, visits.began))
    cells = zip(
        known.of_visit[order].tolist(), visits.began[order].tolist(), who[order], kind[order].tolist(),
        identified[order], strict=True,
    )  # fmt: skip
    return lines, [f"{shown[t]},{second},{party},{DEVICES[d]},{how}" for t, second, party, d, how in cells]


def _events(stage: Stage, bought: ShopOrders, visits: _Visits, known: Tokens) -> Iterator[Chunk]:
    draws, window, counters = stage.draws, stage.window, stage.counters
    visit = np.repeat(np.arange(len(visits.party)), visits.length)
    size = len(visit)
    step = np.arange(size) - np.repeat(np.cumsum(visits.length) - visits.length, visits.length)
    name = draws.pick("event", size, _USUAL)
    name = np.where(step == 0, _PAGE, name)
    name = np.where((step == 1) & visits.logged[visit], _LOGIN, name)
    last = step == visits.length[visit] - 1
    name = np.where(last & (visits.order[visit] >= 0), _PURCHASE, name)
    micros = (visits.began[visit] + _GAP * step) * 1_000_000 + draws.integers("micros", size, 0, 20_000_000)
    serial = counters.touch + 1 + np.arange(size)
    counters.touch += size
    late = draws.chance("arrives late", len(visits.party), 0.06)
    file_day = np.where(
        visits.day >= window.start, window.file_day(visits.day) + (late & (visits.day < window.end - 1)), 0
    )
    parts = _line(stage, bought, visits, known, (visit, step, name, micros, serial))
    yield from chunks(WEB_EVENT, file_day[visit], np.lexsort((serial, micros)), parts, window.days)


def _line(
    stage: Stage,
    bought: ShopOrders,
    visits: _Visits,
    known: Tokens,
    events: tuple[Ints, Ints, Ints, Ints, Ints],
) -> list[Column]:
    """The parts of each event's line; fields that are null are left out, whole numbers are texts, as BigQuery does."""
    draws, audience = stage.draws, stage.audience
    visit, step, name, micros, serial = events
    order = np.where(name == _PURCHASE, visits.order[visit], -1)
    article = _articles(draws, bought.orders, order)
    low = int(visits.day.min(initial=stage.window.end))
    days = sap_day(np.arange(low, stage.window.end))
    account = np.where(visits.logged[visit] & (step >= 1), visits.party[visit], -1)
    came = draws.pick("traffic", len(visits.party), [weight for *_, weight in _TRAFFIC])
    came = np.where(visits.on.kind == KIOSK, len(_TRAFFIC), came)
    traffic = [_traffic(name, medium, source) for name, medium, source, _ in _TRAFFIC]
    items = _items()
    shows = (name == _ITEM) | (name == _CART) | (name == _PURCHASE)
    transaction = ',{{"key":"transaction_id","value":{{"string_value":"{}"}}}}'
    return [
        '{"event_date":"',
        pick(days, visits.day[visit] - low),
        '","event_timestamp":"',
        whole(micros),
        '","event_name":"',
        pick(_EVENTS, name),
        '","event_params":[{"key":"event_id","value":{"string_value":"e',
        whole(serial),
        '"}},{"key":"ga_session_id","value":{"int_value":"',
        whole(visits.began[visit]),
        f'"}}}},{{"key":"page_location","value":{{"string_value":"{_SITE}',
        _location(draws, name, article),
        '"}}',
        pick([transaction.format(order) for order in bought.name], order),
        '],"user_pseudo_id":"',
        pick([value.replace('"', '\\"') for value in known.value], known.of_visit[visit]),
        '"',
        pick([f',"user_id":"{account}"' for account in audience.account], account),
        pick(_DEVICES, visits.on.slot[visit]),
        pick([*traffic, _traffic(*_IN_STORE)], came[visit]),
        pick([*items, ',"items":[]}'], np.where(shows, article, len(items))),
    ]


def _traffic(name: str, medium: str, source: str) -> str:
    return f',"traffic_source":{{"name":"{name}","medium":"{medium}","source":"{source}"}}'


def _articles(draws: Draws, orders: Orders, order: Ints) -> Ints:
    """The article of each event: the first one of its order, else one that is much looked at."""
    stock = len(articles())
    popular = Weights([int(1_000_000 / (rank + 3)) for rank in range(stock)])
    looked = (popular.at(draws.uniform("article", len(order))) * 23 + 5) % stock
    if not len(orders):
        return looked
    lead = np.flatnonzero(orders.line_number == 1)
    first = np.zeros(len(orders), dtype=np.int64)
    first[orders.line_order[lead]] = orders.article[lead]
    return np.where(order >= 0, first[np.maximum(order, 0)], looked)


def _location(draws: Draws, name: Ints, article: Ints) -> Column:
    """Path of the page, by the kind of event."""
    size, stock = len(name), articles()
    paths = [*_PAGES, *_OWN_PAGES, *_TERMS, *(f"/p/{one.code}" for one in stock)]
    page = draws.pick("page", size, (44, 12, 16, 12, 6, 10))
    term = draws.integers("term", size, 0, len(_TERMS))
    own, terms = len(_PAGES), len(_PAGES) + len(_OWN_PAGES)
    at = np.select(
        [
            name == _CART,
            name == _LOGIN,
            name == _PURCHASE,
            name == _SEARCH,
            (name == _ITEM) | (name == _SCROLL),
        ],
        [own, own + 1, own + 2, terms + term, terms + len(_TERMS) + article],
        page,
    )
    return pick(paths, at)


def _items() -> list[str]:
    """The end of an event's line that shows one article."""
    ends = []
    for number, (one, brand) in enumerate(zip(articles(), brands(), strict=True)):
        shown = {
            "item_id": one.code, "item_name": one.name, "item_brand": brand, "item_category": category(number, one),
            "price": one.price / 100, "quantity": "1",
        }  # fmt: skip
        ends.append(f',"items":[{json.dumps(shown, ensure_ascii=False, separators=(",", ":"))}]}}')
    return ends
