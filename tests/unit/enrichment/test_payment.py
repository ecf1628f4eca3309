"""How customers pay: from invoices, and from orders and payments where there are none; the class by its rule."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from enricher_checks import by_customer, check_subset_equals_full, computed, fit, order
from enricher_tables import AS_OF, work_on
from pydantic import ValidationError

from cdm_pipelines.enrichment.payment import ENRICHER, PaymentParameters, explain_fit, picture


def invoice(
    number: int, customer: int, issued: str | None, due: str | None, amount: str | None, **more: Any
) -> Any:
    of = {"invoice_id": str(number), "customer": customer}
    return {**of, "issued_on": issued, "due_on": due, "amount": amount, **more}


def paid(number: int, of: int, on: str | None, amount: str) -> dict[str, Any]:
    at = {"paid_at": f"{on}T10:00:00Z" if on else None}
    return {"payment_id": str(number), "order_id": str(of), "amount": amount, **at}


def rows(**given: Any) -> dict[int, dict[str, Any]]:
    return by_customer(computed(ENRICHER, fit(ENRICHER, **given), **given))


def test_days_to_pay_open_and_overdue_from_invoices() -> None:
    found = rows(
        state_invoice=[
            invoice(1, 1, "2026-01-01", "2026-01-31", "100.00", settled_on="2026-01-21"),
            invoice(2, 1, "2026-02-01", "2026-03-03", "100.00", settled_on="2026-03-13"),
            invoice(3, 1, "2026-03-01", "2026-03-31", "50.00", settled_on="2026-03-02"),
            invoice(4, 1, "2026-05-01", "2026-05-31", "70.00"),
            invoice(5, 1, "2026-06-01", "2026-07-01", "30.00"),
            invoice(6, 1, "2026-06-01", "2026-07-01", "-20.00"),
        ]
    )[1]
    assert (found["claims"], found["invoices"]) == (6, 6)
    assert (found["median_days_to_pay"], found["last_days_to_pay"]) == (20, 40)
    assert (found["open_amount"], found["overdue_amount"], found["overdue_invoices"]) == (
        Decimal("80.00"),
        Decimal("70.00"),
        1,
    )
    assert (found["oldest_due_on"], found["last_paid_on"]) == (dt.date(2026, 5, 31), dt.date(2026, 3, 13))
    # Of three paid one was late; the open one is within the days of grace.
    assert found["share_late"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["credit_class"] == "B"


CLASSES: list[tuple[str, list[dict[str, Any]], str, str]] = [
    ("nothing known", [], "unknown", "fewer than 3"),
    ("60 days overdue", [{"due": 60}], "D", "60 days overdue"),
    ("59 days overdue", [{"due": 59}], "C", "30 days overdue"),
    ("29 days overdue", [{"due": 29}], "B", "more than 3 days overdue"),
    ("3 days overdue", [{"due": 3}], "unknown", "fewer than 3"),
    ("60 days overdue, but disputed", [{"due": 60, "disputed": "true"}], "unknown", "fewer than 3"),
    ("third reminder", [{"due": 0, "dunning_level": "3"}], "D", "reminder 3"),
    ("second reminder", [{"due": 0, "dunning_level": "2"}], "C", "reminder 2"),
    ("a reminder of what was paid since", [{"due": 90, "late": 0, "dunning_level": "3"}], "unknown", "fewer"),
    ("four paid in time", [{"due": 90, "late": 3}] * 4, "A", "fewer than 20%"),
    ("one of five late", [{"due": 90, "late": 4}] + [{"due": 90, "late": 3}] * 4, "B", "20% or more"),
    ("two of four late", [{"due": 90, "late": 4}] * 2 + [{"due": 90, "late": 0}] * 2, "C", "50% or more"),
]


@pytest.mark.parametrize(("what", "given", "expected", "reason"), CLASSES, ids=[one[0] for one in CLASSES])
def test_credit_class_and_its_rule(
    what: str, given: list[dict[str, Any]], expected: str, reason: str
) -> None:
    invoices = [invoice(0, 1, "2026-06-03", "2026-07-03", "10.00")]
    for number, one in enumerate(given, start=1):
        due = AS_OF - dt.timedelta(days=one["due"])
        more = {key: value for key, value in one.items() if key not in ("due", "late")}
        if "late" in one:
            more["settled_on"] = (due + dt.timedelta(days=one["late"])).isoformat()
        issued = due - dt.timedelta(days=30)
        invoices.append(invoice(number, 1, issued.isoformat(), due.isoformat(), "10.00", **more))
    found = rows(state_invoice=invoices)[1]
    assert found["credit_class"] == expected
    assert reason in found["credit_reason"]


def test_orders_and_payments_stand_in_where_an_order_has_no_invoice() -> None:
    found = rows(
        state_order=[
            order(1, 1, "2026-01-01", "100.00"),
            order(2, 1, "2026-02-01", "100.00"),
            order(3, 1, "2026-03-01", "50.00"),
            order(4, 2, "2026-03-01", "50.00", source="till"),  # of a source that delivers no payments
            order(5, 3, "2025-12-01", "50.00"),  # before the first that has any
        ],
        state_payment=[
            paid(1, 1, "2026-01-05", "40.00"),
            paid(2, 1, "2026-01-11", "59.98"),
            paid(3, 2, "2026-02-02", "30.00"),
        ],
        state_invoice=[
            invoice(1, 1, "2026-03-01", "2026-03-15", "50.00", order_id="3", settled_on="2026-03-05")
        ],
    )
    assert set(found) == {1}
    assert (found[1]["claims"], found[1]["invoices"]) == (3, 1)
    assert (found[1]["open_amount"], found[1]["oldest_due_on"]) == (Decimal("70.00"), dt.date(2026, 3, 3))
    assert (found[1]["median_days_to_pay"], found[1]["last_days_to_pay"]) == (7, 4)


def test_a_payment_that_its_source_has_not_dated_yet_is_no_payment() -> None:
    """Of a shop that says when it was paid, and of a till that never does."""
    given: dict[str, Any] = {
        "state_order": [
            order(1, 1, "2026-05-01", "100.00"),
            order(2, 2, "2026-05-01", "100.00"),
            order(3, 3, "2026-05-01", "100.00", source="till"),
        ],
        "state_payment": [
            paid(1, 1, None, "100.00"),
            paid(2, 2, "2026-05-10", "100.00"),
            {**paid(3, 3, None, "100.00"), "source": "till"},
        ],
    }
    found = rows(**given)
    assert [found[one]["open_amount"] for one in (1, 2, 3)] == [Decimal("100.00"), 0, 0]
    assert [found[one]["oldest_due_on"] for one in (1, 2, 3)] == [dt.date(2026, 5, 31), None, None]
    assert [found[one]["last_days_to_pay"] for one in (1, 2, 3)] == [None, 9, None]
    alone = {name: some[:1] for name, some in given.items()}
    assert rows(**alone)[1]["open_amount"] == Decimal("100.00")


def test_an_order_is_hidden_by_no_invoice_of_another_source_nor_by_one_that_does_not_count() -> None:
    """Of three orders that wait for their payment, only the one that its own source billed is no claim of its own."""
    found = rows(
        state_order=[order(n, n, "2026-05-01", "100.00") for n in (1, 2, 3)],
        state_payment=[paid(n, n, None, "100.00") for n in (1, 2, 3)],
        state_invoice=[
            invoice(1, 1, "2026-05-01", "2026-05-31", "7.00", order_id="1", source="shop"),
            invoice(2, 2, "2026-05-01", "2026-05-31", "7.00", order_id="2", source="erp"),
            invoice(3, 3, "2026-05-01", "2026-05-31", None, order_id="3"),
        ],
    )
    assert [str(found[one]["open_amount"]) for one in (1, 2, 3)] == ["7.00", "107.00", "100.00"]


def test_a_payment_counts_in_its_own_currency() -> None:
    """Of four orders of 100 dollars, at .9 each: paid in euros, in dollars at another rate, in both, and in crowns."""
    euro = {"currency": "EUR", "valid_from": dt.date(1, 1, 1), "rate": 1.0}
    dollar = [
        {"currency": "USD", "valid_from": dt.date(2026, 1, 1), "rate": 0.9},
        {"currency": "USD", "valid_from": dt.date(2026, 5, 10), "rate": 0.8},
    ]
    found = rows(
        rates=[euro, *dollar],
        state_order=[order(n, n, "2026-05-01", "100.00", currency="USD") for n in (1, 2, 3, 4)],
        state_payment=[
            {**paid(1, 1, "2026-05-11", "90.00"), "currency": "EUR"},
            {**paid(2, 2, "2026-05-11", "100.00"), "currency": "USD"},
            {**paid(3, 3, "2026-05-11", "45.00"), "currency": "EUR"},
            paid(4, 3, "2026-05-11", "30.00"),
            {**paid(5, 4, "2026-05-11", "100.00"), "currency": "NOK"},
        ],
    )
    assert [str(found[one]["open_amount"]) for one in (1, 2, 3, 4)] == ["0.00", "0.00", "18.00", "90.00"]


def test_what_was_returned_is_not_owed_and_a_payment_without_a_day_counts() -> None:
    found = rows(
        days_of_payment=[],
        state_order=[order(1, 1, "2026-01-01", "100.00"), order(2, 1, "2026-01-02", "10.00")],
        state_payment=[paid(1, 1, None, "60.00")],
        state_refund=[
            {"refund_id": "1", "order_id": "1", "amount": "40.00", "refunded_at": "2026-01-09T00:00:00Z"},
            {"refund_id": "2", "order_id": "2", "amount": "10.00", "refunded_at": "2026-01-09T00:00:00Z"},
        ],
    )[1]
    assert (found["open_amount"], found["overdue_invoices"]) == (Decimal("0.00"), 0)


def test_what_is_settled_or_paid_long_after_its_first_delivery_counts() -> None:
    """An extract delivers an invoice open, and again once it is settled; an order as a draft, and dated later."""
    early = {"first_seen": "2026-03-01"}
    found = rows(
        state_invoice=[
            invoice(1, 1, "2026-03-01", "2026-03-31", "100.00", settled_on="2026-03-20", **early),
            invoice(2, 1, "2026-03-10", "2026-04-09", "40.00", settled_on="2026-04-01", **early),
        ],
        state_order=[order(1, 2, "2026-05-01", "60.00", **early)],
        state_payment=[{**paid(1, 1, "2026-05-08", "60.00"), **early}],
    )
    one, other = found[1], found[2]
    assert (one["claims"], one["open_amount"], one["overdue_invoices"]) == (2, Decimal("0.00"), 0)
    assert (one["last_paid_on"], one["median_days_to_pay"]) == (dt.date(2026, 4, 1), 20.5)
    assert one["credit_class"] == "unknown"
    assert (other["claims"], other["open_amount"]) == (1, Decimal("0.00"))
    assert (other["last_paid_on"], other["last_days_to_pay"]) == (dt.date(2026, 5, 8), 7)


def test_bad_invoices_are_left_out_or_read_with_care_and_counted() -> None:
    given: dict[str, Any] = {
        "state_invoice": [
            invoice(1, 1, "2030-01-01", "2030-02-01", "10.00"),
            invoice(2, 1, "2026-01-01", "2026-02-01", None),
            invoice(3, 1, "2026-01-01", "2026-02-01", "10.00", currency="XXX"),
            invoice(
                4, 1, "2026-05-01", "2026-04-01", "10.00", settled_on="2027-01-01"
            ),  # settled in the future
            invoice(5, 1, None, None, "5.00"),
            invoice(6, 1, "2026-05-20", None, "1.00"),
            invoice(7, 1, "2026-05-20", None, "9999999999999999.00"),
        ],
        "state_order": [order(1, 2, "2026-05-01", "8.00")],
        "state_payment": [paid(1, 1, "2026-05-02", "9999999999999999.00"), paid(2, 1, "2026-05-03", "5.00")],
    }
    fitted = fit(ENRICHER, **given)
    assert fitted["not_counted"] == {
        "invoice in the future": 1,
        "invoice without an amount or a rate": 3,
        "payment without an amount or a rate": 1,
    }
    found = by_customer(computed(ENRICHER, fitted, **given))
    assert found[2]["open_amount"] == Decimal("3.00")
    row = found[1]
    assert (row["claims"], row["open_amount"], row["overdue_amount"]) == (
        3,
        Decimal("16.00"),
        Decimal("10.00"),
    )
    assert row["oldest_due_on"] == dt.date(2026, 5, 1)  # never before the day of issue


def test_a_subset_has_the_rows_that_it_has_among_everybody_and_sums_are_those_of_the_invoices() -> None:
    invoices, orders, payments = [], [], []
    for number in range(1, 200):
        customer = number % 23 + 1
        issued = AS_OF - dt.timedelta(days=number)
        due = issued + dt.timedelta(days=14 + number % 30)
        settled = due + dt.timedelta(days=number % 40 - 20)
        done = {"settled_on": settled.isoformat()} if number % 4 and settled <= AS_OF else {}
        invoices.append(
            invoice(number, customer, issued.isoformat(), due.isoformat(), f"{number}.10", **done)
        )
        orders.append(order(number + 500, customer + 5, issued.isoformat(), f"{number}.00"))
        payments.append(paid(number, number + 500, issued.isoformat(), f"{number - number % 3}.00"))
    given: dict[str, Any] = {"state_invoice": invoices, "state_order": orders, "state_payment": payments}
    table = check_subset_equals_full(ENRICHER, [2, 9, 28], **given)
    owed = Decimal(sum(number % 3 for number in range(1, 200)))
    owed += sum(Decimal(one["amount"]) for one in invoices if "settled_on" not in one)
    assert sum(table["open_amount"].to_pylist()) == owed
    assert sum(table["claims"].to_pylist()) == len(invoices) + len(orders)


def test_figures_hold_the_classes_and_how_everybody_pays() -> None:
    given: dict[str, Any] = {
        "state_invoice": [
            invoice(n, n, "2026-01-01", "2026-01-31", "10.00", settled_on=f"2026-01-0{n}") for n in (1, 3)
        ]
    }
    fitted = fit(ENRICHER, **given)
    assert explain_fit(fitted)["days_to_pay"] == {"lower quartile": 0.5, "median": 1.0, "upper quartile": 1.5}
    with work_on(**given) as work:
        figures = picture(computed(ENRICHER, fitted, **given), work)
    assert figures["credit_classes"].counts["unknown"] == 2  # type: ignore[union-attr]
    assert figures["open_amount_EUR"] == 0.0


def test_limits_out_of_order_are_refused_and_no_invoices_are_no_error() -> None:
    with pytest.raises(ValidationError, match="d_overdue_days must be more than c_overdue_days"):
        PaymentParameters(c_overdue_days=90)
    assert rows() == {}
