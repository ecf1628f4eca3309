"""What sources deliver wrongly of orders, returns, invoices, products, visits: handled, counted, said; none lost."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import committed
import pytest
from sqlalchemy import Engine, text

from cdm_demo import generate
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts, contract_named
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.days.tally import DayResult
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.profile.enrich import Enriched, company_of, enrich
from cdm_pipelines.steps.profile.figures import interactions_outcome
from cdm_pipelines.store.lake import Lake

pytestmark = pytest.mark.slow
DAYS = ("2026-06-01", "2026-06-02", "2026-06-03")
MICROS = 1_780_358_400_000_000  # 2026-06-02T00:00:00Z
Row = dict[str, Any]
DOCUMENT = {"AUDAT": "20260602", "ERDAT": "20260602", "GBSTK": "A", "WAERK": "EUR", "AEDAT": "20260602"}
BILL = {"FKDAT": "20260602", "NETDT": "20260702", "AUGDT": "00000000", "WAERK": "EUR", "MANST": "0"}
BACK = {"FKDAT": "20260602", "WAERK": "EUR", "AUPOS": "000000"}


@dataclass(frozen=True)
class Case:
    """Rows of one customer on one day, and what they do to the customer's profile.

    Attributes:
        name: What is wrong.
        orders: Rows of erp/order; ``KUNNR`` is the customer's unless a row says another.
        refunds: Rows of erp/refund.
        invoices: Rows of erp/invoice.
        gross, returned, counted, not_counted: What is added to the customer's ``rfm``.
        claims, open_amount: What is added to the customer's ``payment``: invoices, and what is open, of orders without
            an invoice too.
    """

    name: str
    orders: tuple[Row, ...] = ()
    refunds: tuple[Row, ...] = ()
    invoices: tuple[Row, ...] = ()
    gross: str = "0"
    returned: str = "0"
    counted: int = 0
    not_counted: int = 0
    claims: int = 0
    open_amount: str = "0"


CASES = (
    Case("a good order", orders=({"BRTWR": "100,00"},), counted=1, gross="100.00", open_amount="100.00"),
    Case("a negative total", orders=({"BRTWR": "-50,00"},), not_counted=1),
    Case("no total", orders=({"BRTWR": ""},), not_counted=1),
    Case("a total that is no number", orders=({"BRTWR": "veel"},), not_counted=1),
    Case("a total beyond belief", orders=({"BRTWR": "9999999999999999,00"},), not_counted=1),
    Case("a total of thirty digits", orders=({"BRTWR": "9" * 30},), not_counted=1),
    Case(
        "totals that are just believed",
        orders=({"BRTWR": "9" * 13},) * 2,
        counted=2,
        gross="19999999999998.00",
        open_amount="19999999999998.00",
    ),
    Case(
        "a line of millions of millions",
        orders=({"VBELN": "0088000005", "BRTWR": "10,00"},),
        counted=1,
        gross="10.00",
        open_amount="10.00",
    ),
    Case(
        "a return beyond belief",
        orders=({"VBELN": "0088000006", "BRTWR": "20,00"},),
        refunds=({"AUBEL": "0088000006", "WRBTR": "9999999999999999,00"},),
        counted=1,
        gross="20.00",
        open_amount="20.00",
    ),
    Case("a date in the future", orders=({"BRTWR": "10,00", "AUDAT": "20990101"},), not_counted=1),
    Case(
        "a clock that is a day ahead",
        orders=({"BRTWR": "10,00", "AUDAT": "20260603"},),
        counted=1,
        gross="10.00",
        open_amount="10.00",
    ),
    Case("a date a fortnight ahead", orders=({"BRTWR": "10,00", "AUDAT": "20260616"},), not_counted=1),
    Case("no date", orders=({"BRTWR": "10,00", "AUDAT": "00000000"},), not_counted=1),
    Case("a currency without a rate", orders=({"BRTWR": "10,00", "WAERK": "USD"},), not_counted=1),
    Case("a currency that is none", orders=({"BRTWR": "10,00", "WAERK": "XQZ"},), not_counted=1),
    Case("a currency that is no code", orders=({"BRTWR": "10,00", "WAERK": "?"},), not_counted=1),
    Case(
        "a currency by its sign",
        orders=({"BRTWR": "10,00", "WAERK": "€"},),
        counted=1,
        gross="10.00",
        open_amount="10.00",
    ),
    Case(
        "no currency, which is the company's own",
        orders=({"BRTWR": "10,00", "WAERK": ""},),
        counted=1,
        gross="10.00",
        open_amount="10.00",
    ),
    Case(
        "a return in a currency that is none",
        orders=({"VBELN": "0088000004", "BRTWR": "20,00"},),
        refunds=({"AUBEL": "0088000004", "WRBTR": "5,00", "WAERK": "?"},),
        counted=1,
        gross="20.00",
        open_amount="20.00",
    ),
    Case(
        "an order twice in a file",
        orders=({"VBELN": "0088000001", "BRTWR": "30,00"}, {"VBELN": "0088000001", "BRTWR": "40,00"}),
        counted=1,
        gross="40.00",
        open_amount="40.00",
    ),
    Case(
        "a return of more than was ordered",
        orders=({"VBELN": "0088000002", "BRTWR": "20,00"},),
        refunds=({"AUBEL": "0088000002", "WRBTR": "25,00"},),
        counted=1,
        gross="20.00",
        returned="25.00",
    ),
    Case(
        "a return that is written below zero",
        orders=({"VBELN": "0088000007", "BRTWR": "100,00"},),
        refunds=({"AUBEL": "0088000007", "WRBTR": "20,00-"},),
        counted=1,
        gross="100.00",
        returned="20.00",
        open_amount="80.00",
    ),
    Case(
        "a return of a year far away",
        orders=({"VBELN": "0088000008", "BRTWR": "100,00"},),
        refunds=({"AUBEL": "0088000008", "WRBTR": "20,00", "FKDAT": "20990101"},),
        counted=1,
        gross="100.00",
        open_amount="100.00",
    ),
    Case("a return without an order", refunds=({"AUBEL": "0099999999", "WRBTR": "25,00"},)),
    Case("a return of nothing known", refunds=({"AUBEL": "", "WRBTR": "25,00"},)),
    Case(
        "a return twice in a file",
        orders=({"VBELN": "0088000003", "BRTWR": "20,00"},),
        refunds=({"VBELN": "0068000001", "AUBEL": "0088000003", "WRBTR": "5,00"},) * 2,
        counted=1,
        gross="20.00",
        returned="5.00",
        open_amount="15.00",
    ),
    Case("an invoice of nobody", invoices=({"KUNRG": "0099999999", "WRBTR": "10,00"},)),
    Case("an invoice in the future", invoices=({"WRBTR": "10,00", "FKDAT": "20990101"},)),
    Case("an invoice without an amount", invoices=({"WRBTR": ""},)),
    Case("an invoice beyond belief", invoices=({"WRBTR": "9999999999999999,00"},)),
    Case(
        "an invoice due before it was issued",
        invoices=({"WRBTR": "10,00", "NETDT": "20260501"},),
        claims=1,
        open_amount="10.00",
    ),
    Case(
        "an invoice that will be settled in the future",
        invoices=({"WRBTR": "10,00", "AUGDT": "20990101"},),
        claims=1,
        open_amount="10.00",
    ),
    Case("a credit note", invoices=({"WRBTR": "-10,00"},), claims=1, open_amount="-10.00"),
)
NOBODY = ({"KUNNR": "0099999999", "BRTWR": "10,00"}, {"KUNNR": "0099999998", "BRTWR": "10,00"})
LONG = "t" * 10_000


def event(number: int, **more: Any) -> Row:
    """An event of the shop's export."""
    params = [{"key": "event_id", "value": {"string_value": f"bad{number}"}}]
    return {
        "event_timestamp": str(MICROS + number * 1_000_000),
        "event_name": "page_view",
        "event_params": params,
        "user_pseudo_id": "12.34",
        "traffic_source": {"medium": "(none)"},
        "items": [],
        **more,
    }


def events(shopper: str) -> list[Row | str]:
    """Visits of a customer, and what is wrong with some."""
    own = {"user_pseudo_id": "77.88"}
    return [
        event(1, user_id=shopper, **own),
        event(2, **own),
        event(3, event_name="hologram_opened", **own),
        event(4, event_timestamp=str(MICROS + 3_650 * 86_400_000_000), **own),
        event(5, user_pseudo_id=LONG),
        event(6, user_pseudo_id=LONG, user_id=shopper),
        event(7, user_pseudo_id="null", user_id=shopper),
        event(8, user_pseudo_id="null"),
        event(9, user_pseudo_id=None),
        event(10, user_id="nobody"),
        event(10, user_id="nobody"),
        '{"event_timestamp": ',
    ]


@dataclass(frozen=True)
class World:
    """A company on a day on which everything is wrong.

    Attributes:
        settings: Of it.
        engine: Its hub.
        whom: The golden customer of each case.
        before: Their ``rfm`` and ``payment`` of the day before.
        results: What became of the day's sources.
        enriched: What became of enrichers.
        shopper: Whom the visits are of.
    """

    settings: Settings
    engine: Engine
    whom: dict[str, str]
    before: dict[str, Row]
    results: dict[str, DayResult]
    enriched: dict[str, Enriched]
    shopper: str

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]


def figures(engine: Engine) -> dict[str, Row]:
    """What of every customer's profile is looked at."""
    query = """SELECT c.golden_id::text, coalesce(r.orders, 0) AS counted,
        coalesce(r.orders_not_counted, 0) AS not_counted,
        coalesce(r.gross, 0) AS gross, coalesce(r.returned, 0) AS returned,
        coalesce(p.invoices, 0) AS claims, coalesce(p.open_amount, 0) AS open_amount
        FROM golden.customer c LEFT JOIN profile.rfm r USING (golden_id)
        LEFT JOIN profile.payment p USING (golden_id)"""
    with engine.connect() as connection:
        return {row["golden_id"]: dict(row) for row in connection.execute(text(query)).mappings()}


def deliver(settings: Settings, name: str, date: str, rows: list[Row], *, more: bool = False) -> DayResult:
    """Write a file as the source does, of these rows; or with more what it delivered the day before, and them."""
    contract = contract_named(name)
    folder = Path(settings.landing_url) / name
    former = (folder / f"{DAYS[0]}.csv").read_text(encoding="cp1252")
    names = former.splitlines()[0].split(";")
    text_ = io.StringIO(newline="")
    writer = csv.DictWriter(text_, names, delimiter=";", lineterminator="\r\n", restval="")
    if not more:
        writer.writeheader()
    writer.writerows(rows)
    content = (former if more else "") + text_.getvalue()
    (folder / f"{date}.csv").write_text(content, encoding="cp1252", newline="")
    return process_day(settings, Lake(settings.lake_url), contract, date)


def numbered(rows: list[Row], kind: str) -> list[Row]:
    """Rows with a number each, where they say none."""
    return [{"VBELN": f"00{kind}{place:06}", **row} for place, row in enumerate(rows)]


def publish(settings: Settings, engine: Engine) -> dict[str, Enriched]:
    lake = Lake(settings.lake_url)
    build_records(lake, all_contracts(), list(Entity))
    link_parties(lake, settings, decided=committed.constraints(engine))
    assert not committed.stage_customers(engine, lake, settings).stopped
    company = company_of(lake, settings)
    fitted = committed.fit_models(engine, company)
    assert not fitted.problems
    with engine.begin() as connection:
        done = enrich(connection, company, fitted.models)
    committed.publish_customers(engine, lake, settings)
    return done


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str], _template: str
) -> Iterator[World]:
    home = tmp_path_factory.mktemp("world")
    generate(150, 1, 5, home)
    settings = load_settings(
        home=home,
        landing_url=str(home / "landing"),
        lake_url=str(home / "lake"),
        database_url=new_database(_template),
        threads=1,
    )
    lake = Lake(settings.lake_url)
    for contract in all_contracts():
        process_day(settings, lake, contract, DAYS[0])
    with open_hub(settings) as engine:
        publish(settings, engine)
        with engine.connect() as connection:
            debtors = connection.execute(
                text("""SELECT DISTINCT ON (golden_id) golden_id::text, record_id FROM golden.crosswalk
                        WHERE source = 'erp' AND active ORDER BY golden_id, record_id""")
            ).all()
            shopper = connection.scalar(
                text("SELECT min(record_id) FROM golden.crosswalk WHERE source = 'shop' AND active")
            )
        assert len(debtors) >= len(CASES)
        whom = dict(zip((case.name for case in CASES), debtors, strict=False))
        before = figures(engine)
        results = bad_day(settings, {name: record for name, (_, record) in whom.items()}, shopper)
        enriched = publish(settings, engine)
        ids = {name: golden for name, (golden, _) in whom.items()}
        yield World(settings, engine, ids, before, results, enriched, shopper)


def bad_day(settings: Settings, whom: dict[str, str], shopper: str) -> dict[str, DayResult]:
    """Deliver all cases as one day."""
    orders: list[Row] = [{**DOCUMENT, **row} for row in NOBODY]
    refunds: list[Row] = []
    invoices: list[Row] = []
    for case in CASES:
        number = whom[case.name]
        orders += [{"KUNNR": number, **DOCUMENT, **row} for row in case.orders]
        refunds += [{"KUNRG": number, **BACK, **row} for row in case.refunds]
        invoices += [{"KUNRG": number, **BILL, **row} for row in case.invoices]
    lake, results = Lake(settings.lake_url), {}
    product = {
        "MATNR": "BAD-1",
        "MAKTX": "Lamp",
        "ZZMERK": "X",
        "KBETR": "5,00",
        "STPRS": "1,00",
        "WAERS": "EUR",
    }
    categories = [{**product, "PRDHA": "Wonen > Lampen"}, {**product, "PRDHA": "Tuin > Licht"}]
    results["erp/product"] = deliver(settings, "erp/product", DAYS[1], categories, more=True)
    results["erp/order"] = deliver(settings, "erp/order", DAYS[1], numbered(orders, "81"))
    lines = {
        "VBELN": "0088000005",
        "POSNR": "000010",
        "MATNR": "BAD-1",
        "KWMENG": "8712345678901",
        "NETPR": "90000,00",
    }
    results["erp/order_line"] = deliver(settings, "erp/order_line", DAYS[1], [lines])
    results["erp/refund"] = deliver(settings, "erp/refund", DAYS[1], numbered(refunds, "61"))
    results["erp/invoice"] = deliver(settings, "erp/invoice", DAYS[1], numbered(invoices, "91"))
    web = Path(settings.landing_url) / "web" / "event" / f"{DAYS[1]}.jsonl"
    web.write_text(
        "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in events(shopper)),
        encoding="utf-8",
    )
    mail = Path(settings.landing_url) / "mail" / "activity"
    header = (mail / f"{DAYS[0]}.csv").read_text(encoding="utf-8").splitlines()[0]
    (mail / f"{DAYS[1]}.csv").write_text(header + "\n", encoding="utf-8")
    for name in ("web/event", "mail/activity"):
        results[name] = process_day(settings, lake, contract_named(name), DAYS[1])
    return results


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_row_does_to_a_profile_what_it_should(world: World, case: Case) -> None:
    golden = world.whom[case.name]
    before, now = world.before[golden], figures(world.engine)[golden]
    added = {name: now[name] - before[name] for name in now if name != "golden_id"}
    assert added == {
        "counted": case.counted,
        "not_counted": case.not_counted,
        "gross": Decimal(case.gross),
        "returned": Decimal(case.returned),
        "claims": case.claims,
        "open_amount": Decimal(case.open_amount),
    }


def test_nothing_is_lost_of_any_source(world: World) -> None:
    for name, result in world.results.items():
        assert result.reconciles, name
        assert not result.stopped, (name, result.verdicts)
    read = {name: (one.read, one.accepted, dict(one.reasons)) for name, one in world.results.items()}
    orders = len(NOBODY) + sum(len(case.orders) for case in CASES)
    refunds, invoices = (sum(len(getattr(case, name)) for case in CASES) for name in ("refunds", "invoices"))
    assert read["erp/order"] == (orders, orders - 1, {"conflicting_key": 1})
    assert read["erp/refund"] == (refunds, refunds - 1, {"superseded": 1})
    assert read["erp/invoice"] == (invoices, invoices, {})
    assert read["erp/product"][2] == {"conflicting_key": 1}
    assert read["web/event"] == (12, 10, {"superseded": 1, "unparsable": 1})
    assert read["mail/activity"] == (0, 0, {})
    assert world.results["web/event"].repairs["unknown_kind"] == 1
    assert world.results["web/event"].repairs["no_token"] == 2, "too long; the word null is no value at all"
    assert not [name for name, one in world.enriched.items() if one.problem]


def test_what_names_nobody_is_there_and_nobodys(world: World) -> None:
    whose = "SELECT count(*), count(golden_id) FROM golden.{} WHERE {} IN ('0099999999', '0099999998')"
    assert world.ask(whose.format("customer_order", "party_id")) == [(2, 0)]
    assert world.ask(whose.format("invoice", "party_id")) == [(1, 0)]
    assert world.ask("SELECT count(*) FROM golden.refund WHERE amount = 25 AND active") == [(3,)]


def test_of_two_categories_a_product_has_one(world: World) -> None:
    assert world.ask("SELECT category FROM golden.product WHERE product_code = 'BAD-1'") == [
        ("Tuin > Licht",)
    ]


def test_visits_are_counted_whatever_they_say(world: World) -> None:
    company = company_of(Lake(world.settings.lake_url), world.settings)
    counted = company.counted()
    with world.engine.connect() as connection, company.attached(NextVersion.of(connection)) as found:
        rows = found.read_all().to_pylist()
    attached = company.last_attached
    assert attached is not None
    assert attached.attached + sum(attached.anonymous.values()) == attached.accepted == counted.tally.counted
    outcome = interactions_outcome(counted, attached)
    assert outcome.checks["nothing_lost"].passed
    web = counted.by_source["web/event"]
    assert (web.unknown_kind, web.without_moment + web.in_future) == (0, 1), "kinds are marked before"
    [(golden,)] = world.ask(
        f"SELECT golden_id::text FROM golden.crosswalk WHERE source = 'shop' AND record_id = '{world.shopper}'"
    )
    ways = Counter[str]()
    for row in rows:
        if (
            row["golden_id"] == UUID(golden).bytes
            and row["source"] == "web"
            and str(row["day"]) in (*DAYS, "None")
        ):
            ways[row["attached_by"]] += row["touches"]
    assert ways == {"party": 3, "token": 2}, "what has no moment, and what has no token, is nobody's"


def test_all_orders_again_change_nothing(world: World) -> None:
    before = figures(world.engine)
    folder = Path(world.settings.landing_url) / "erp" / "order"
    (folder / f"{DAYS[2]}.csv").write_bytes((folder / f"{DAYS[1]}.csv").read_bytes())
    lake = Lake(world.settings.lake_url)
    assert process_day(world.settings, lake, contract_named("erp/order"), DAYS[2]).accepted > 0
    publish(world.settings, world.engine)
    assert figures(world.engine) == before
