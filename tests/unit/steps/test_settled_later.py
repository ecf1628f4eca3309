"""What is delivered open and completed weeks later, on real PostgreSQL: an invoice, an order, and visits."""

import csv
import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import committed
import pytest
import yaml
from sqlalchemy import Engine, text

from cdm_demo import generate
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts, contract_named
from cdm_pipelines.enrichment.catalogue import built_in
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.profile.enrich import company_of, enrich
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

pytestmark = pytest.mark.slow

Row = dict[str, Any]
FIRST = dt.date(2026, 6, 1)
NUMBER = "0091000001"
ON = ("payment", "engagement", "rfm")
Seen = tuple[Decimal, Decimal, Decimal, int]
"""What is open of the debtor and of the shopper, what that one bought less returns, and how often it visited."""


@dataclass(frozen=True)
class Company:
    """A small company, of which customer ``debtor`` has an invoice and customer ``shopper`` visits."""

    settings: Settings
    engine: Engine
    debtor: str
    shopper: str
    email: str

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_url)

    def invoiced(self, day: dt.date, settled: dt.date | None) -> None:
        """Deliver the invoice of 100.00 of the first day, settled or not."""
        row = {
            "VBELN": NUMBER,
            "KUNRG": self.debtor,
            "FKDAT": "20260601",
            "NETDT": "20260701",
            "WAERK": "EUR",
        }
        row |= {"AUGDT": f"{settled:%Y%m%d}" if settled else "00000000", "WRBTR": "100,00", "MANST": "0"}
        self._deliver("erp/invoice", day, row, ";", "cp1252")

    def _deliver(self, name: str, day: dt.date, row: Row, delimiter: str, encoding: str) -> None:
        """Deliver a row, on the first day after what came then."""
        folder = Path(self.settings.landing_url) / name
        names = (folder / f"{FIRST}.csv").read_text(encoding=encoding).splitlines()[0].split(delimiter)
        with (folder / f"{day}.csv").open("a", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(file, names, delimiter=delimiter, lineterminator="\r\n", restval="")
            if day != FIRST:
                writer.writeheader()
            writer.writerow(row)
        process_day(self.settings, self.lake, contract_named(name), str(day))

    def visited(self, day: dt.date) -> None:
        """Deliver one visit."""
        at = int(dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000
        params = [{"key": "event_id", "value": {"string_value": f"visit{day}"}}]
        own = {"event_name": "page_view", "user_id": self.shopper, "user_pseudo_id": "77.88", "items": []}
        event = {
            "event_timestamp": str(at),
            "event_params": params,
            "traffic_source": {"medium": "(none)"},
            **own,
        }
        path = Path(self.settings.landing_url) / "web" / "event" / f"{day}.jsonl"
        path.write_text(json.dumps(event) + "\n", encoding="utf-8")
        process_day(self.settings, self.lake, contract_named("web/event"), str(day))

    def ordered(self, day: dt.date, paid: dt.date | None) -> None:
        """Deliver the order of 100.00 that the shopper placed on the first day, with the number of its payment.

        Once it is paid, 40.00 of it are paid back.
        """
        row = {"Name": "#90001", "Email": self.email}
        row |= {"Financial Status": "partially_refunded" if paid else "pending"}
        row |= {"Paid at": f"{paid} 12:00:00 +0200" if paid else "", "Created at": f"{FIRST} 12:00:00 +0200"}
        row |= {"Refunded Amount": "40.00" if paid else "0.00"}
        row |= {"Currency": "EUR", "Total": "100.00", "Payment Method": "iDEAL", "Payment Reference": "c1"}
        row |= {"Lineitem quantity": "1", "Lineitem name": "Lamp", "Lineitem price": "100.00"}
        self._deliver("shop/order", day, row, ",", "utf-8-sig")

    def published(self) -> Seen:
        """What is seen once all is published."""
        build_records(self.lake, all_contracts(), list(Entity))
        link_parties(self.lake, self.settings, decided=committed.constraints(self.engine))
        assert not committed.stage_customers(self.engine, self.lake, self.settings).stopped
        company = company_of(self.lake, self.settings)
        fitted = committed.fit_models(self.engine, company)
        with self.engine.begin() as connection:
            assert not [
                one.problem for one in enrich(connection, company, fitted.models).values() if one.problem
            ]
        committed.publish_customers(self.engine, self.lake, self.settings)
        return self.seen()

    def seen(self) -> Seen:
        whose = "(SELECT golden_id FROM golden.crosswalk WHERE active AND source = '{}' AND record_id = '{}')"
        query = f"""SELECT (SELECT open_amount FROM profile.payment
                            WHERE golden_id = {whose.format("erp", self.debtor)}),
                    (SELECT open_amount FROM profile.payment
                     WHERE golden_id = {whose.format("shop", self.shopper)}),
                    (SELECT net FROM profile.rfm WHERE golden_id = {whose.format("shop", self.shopper)}),
                    (SELECT visits_30 FROM profile.engagement
                     WHERE golden_id = {whose.format("shop", self.shopper)})"""
        with self.engine.connect() as connection:
            invoice, order, net, visits = connection.execute(text(query)).one()
        return invoice, order, net, visits or 0


@pytest.fixture(params=[7, 30], ids=lambda days: f"fitted every {days} days")
def company(
    tmp_path: Path, new_database: Callable[..., str], _template: str, request: pytest.FixtureRequest
) -> Iterator[Company]:
    policies = tmp_path / "policies"
    shutil.copytree(load_settings().policies, policies)
    policy = yaml.safe_load((policies / "enrichment.yaml").read_text())
    policy["refit_days"] = request.param
    policy["enrichers"] = {name: {"enabled": False} for name in built_in() if name not in ON}
    (policies / "enrichment.yaml").write_text(yaml.safe_dump(policy))
    generate(30, 1, 5, tmp_path)
    settings = load_settings(
        home=tmp_path,
        landing_url=str(tmp_path / "landing"),
        lake_url=str(tmp_path / "lake"),
        database_url=new_database(_template),
        policies=policies,
        threads=1,
    )
    lake = Lake(settings.lake_url)
    for contract in all_contracts():
        process_day(settings, lake, contract, str(FIRST))
    build_records(lake, all_contracts(), list(Entity))
    busy = {
        row["party_record_id"]
        for entity in (Entity.ORDER, Entity.INVOICE)
        for row in tables.records(lake, entity).read().to_pylist()
    }
    parties = [row for row in tables.records(lake, Entity.PARTY).read().to_pylist() if row["active"]]
    quiet = {
        source: min(
            (one["record_id"], one["email"])
            for one in parties
            if one["source"] == source and one["record_id"] not in busy and one["email"]
        )
        for source in ("erp", "shop")
    }
    with open_hub(settings) as engine:
        yield Company(settings, engine, quiet["erp"][0], *quiet["shop"])


def test_what_is_settled_or_paid_on_a_later_day_is_and_visits_count_until_the_next_fit(
    company: Company,
) -> None:
    """Delivered open on day 1 and 10, complete on day 20; on day 21 somebody types a date of a year far away."""
    company.invoiced(FIRST, None)
    company.ordered(FIRST, None)
    days = {1: company.published()}
    for number, settled in ((10, None), (20, dt.date(2026, 6, 20)), (21, dt.date(2099, 6, 20))):
        day = FIRST + dt.timedelta(number - 1)
        company.invoiced(day, settled)
        company.ordered(day, settled)
        company.visited(day)
        days[number] = company.published()
    due, none, left = Decimal("100.00"), Decimal(0), Decimal("60.00")
    visits = days[1][-1]
    assert days == {
        1: (due, due, due, visits),
        10: (due, due, due, visits + 1),
        20: (none, none, left, visits + 2),
        21: (due, left, left, visits + 3),
    }
