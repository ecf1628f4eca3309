"""Suggested contracts of what is around customers: events, tickets, invoices, refunds, products."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.odcs import parse_contract
from cdm_pipelines.contracts.sections import Report
from cdm_pipelines.ingest import read_file
from cdm_pipelines.quality.repeats import superseded_rows
from cdm_pipelines.quality.suggest import suggest_all
from cdm_pipelines.quality.validation import validate
from cdm_pipelines.standardise import standardise

EVENTS = "".join(
    json.dumps(
        {
            "event_date": "20260601",
            "event_timestamp": str(1_780_300_000_000_000 + number * 1_000_000),
            "event_name": ("page_view", "add_to_cart")[number % 2],
            "event_params": [{"key": "page_location", "value": {"string_value": "https://shop.example/"}}],
            "user_pseudo_id": f"{number + 1}.{number + 7}",
            "user_id": "C1" if number == 3 else None,
        }
    )
    + "\n"
    for number in range(8)
)
MAILING = """Campaign Id,Email Address,Action,Timestamp,URL
c1,a@example.nl,open,06/13/2026 10:00,
c1,b@example.nl,click,06/13/2026 10:01,https://shop.example
c2,a@example.nl,bounce,06/14/2026 10:00,
"""
TICKETS = """Id,Requester,Requester id,Requester email,Subject,Status,Via,Created at,Updated at,Solved at,Satisfaction
1,Jan,71,a@example.nl,Where,Closed,Mail,2026-06-01 10:00,2026-06-02 10:00,2026-06-02 10:00,Good
2,Piet,72,b@example.nl,Why,Open,Web form,2026-06-01 11:00,2026-06-02 10:00,,
3,Klaas,73,c@example.nl,Why,Closed,Chat,2026-06-01 11:00,2026-06-02 10:00,2026-06-03 10:00,Bad
"""
CALLS = """Call ID;Datum;Richting;Telefoonnummer;Soort contact;Resultaat
1;2026-06-01 10:00;Inkomend;0612345670;klacht;opgelost
2;2026-06-01 11:00;Uitgaand;0612345679;gesprek;geen gehoor
"""
INVOICES = """Factuurnummer;Debiteurnummer;Factuurdatum;Vervaldatum;Betaald op;Bedrag;Valuta;Aanmaningen
F1;K1;13-06-2026;27-06-2026;;12,50;EUR;0
F2;K2;14-06-2026;28-06-2026;20-06-2026;100,00;EUR;1
"""
OPEN_ITEMS = """Invoice number,Customer,Email,Invoice date,Due date,Amount due,Disputed
900,C1,a@example.nl,2026-06-01,2026-07-01,12.50,yes
901,C2,b@example.nl,2026-06-02,2026-07-02,10.00,no
"""
REFUNDS = """Refund ID,Order ID,Refunded at,Amount,Reason
R1,O1,2026-06-01,12.50,damaged
R2,O2,2026-06-02,10.00,other
"""
PRODUCTS = """Artikelnummer;Bezeichnung;Warengruppe;Marke;Preis;Einkaufspreis
A1;Rad;Fahrräder;Gazelle;999,00;500,00
A2;Helm;Zubehör;Abus;49,95;20,00
"""
ARTICLES = """Code article,Libellé,Famille,Marque,Prix de vente,Prix d'achat
A1,Velo,Velos,Gazelle,999.00,500.00
A2,Casque,Accessoires,Abus,49.95,20.00
"""


@pytest.mark.parametrize(
    ("name", "text", "entity", "expected"),
    [
        (
            "ga4.jsonl",
            EVENTS,
            Entity.INTERACTION,
            {"occurred_at": "2026-06-01T07:46:40Z", "kind": "visit", "token": "1.7", "channel": "web"},
        ),
        (
            "mailing.csv",
            MAILING,
            Entity.INTERACTION,
            {
                "occurred_at": "2026-06-13T08:00:00Z",
                "kind": "open",
                "party_email": "a@example.nl",
                "campaign": "c1",
            },
        ),
        (
            "tickets.csv",
            TICKETS,
            Entity.INTERACTION,
            {"kind": "ticket_opened", "channel": "email", "party_id": "71", "thread_id": "1"},
        ),
        (
            "calls.csv",
            CALLS,
            Entity.INTERACTION,
            {"interaction_id": "1", "kind": "complaint", "direction": "in", "party_phone": "+31612345670"},
        ),
        (
            "facturen.csv",
            INVOICES,
            Entity.INVOICE,
            {
                "invoice_id": "F1",
                "party_id": "K1",
                "issued_on": "2026-06-13",
                "due_on": "2026-06-27",
                "settled_on": None,
                "amount": "12.5",
                "currency": "EUR",
                "dunning_level": "0",
            },
        ),
        (
            "open.csv",
            OPEN_ITEMS,
            Entity.INVOICE,
            {"invoice_id": "900", "due_on": "2026-07-01", "disputed": "true", "party_email": "a@example.nl"},
        ),
        (
            "refunds.csv",
            REFUNDS,
            Entity.REFUND,
            {"refund_id": "R1", "order_id": "O1", "amount": "12.5", "reason": "damaged"},
        ),
        (
            "artikel.csv",
            PRODUCTS,
            Entity.PRODUCT,
            {
                "product_code": "A1",
                "name": "Rad",
                "category": "Fahrräder",
                "brand": "Gazelle",
                "price": "999",
                "cost": "500",
            },
        ),
        (
            "articles.csv",
            ARTICLES,
            Entity.PRODUCT,
            {"product_code": "A1", "category": "Velos", "cost": "500"},
        ),
    ],
)
def test_what_is_around_customers_is_recognised_and_read(
    tmp_path: Path, name: str, text: str, entity: Entity, expected: dict[str, str | None]
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    (suggestion,) = suggest_all(path, source="erp")
    contract = parse_contract(suggestion.to_yaml(), Report(name))
    assert contract.entities == (entity,)
    table = next(read_file(path, contract))
    found = validate(table, contract, superseded_rows(table, contract))
    assert (found.valid.num_rows, found.repairs.num_rows) == (table.num_rows, 0)
    first = (
        standardise(found.valid, replace(contract, default_country="NL"), "2026-06-30")
        .tables[entity]
        .to_pylist()[0]
    )
    assert {key: first[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        (
            "Customer id,First name,Last name,Email,Last action,Timestamp\n1,Jan,Berg,a@example.nl,open,2026-06-01\n",
            "party",
        ),
        ("Order number,Order date,SKU,Quantity,Price,Total\nO1,2026-06-01,A1,2,5.00,10.00\n", "order"),
        (
            "Invoice number,Order number,Order date,Total,Email\nF1,O1,2026-06-01,10.00,a@example.nl\n",
            "order",
        ),
    ],
)
def test_lists_of_customers_and_orders_stay_what_they_are(tmp_path: Path, text: str, entity: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    assert str(suggest_all(path, source="erp")[0].feeds) == entity
