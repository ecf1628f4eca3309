"""Products, invoices and refunds agree with the orders, lines and payments of the same files."""

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from demo_deliveries import DATA, DAYS, Delivery, Row

from cdm_demo import generate, generator
from cdm_demo.generator import DEMO_START
from cdm_demo.headers import (
    ERP_INVOICE,
    ERP_ORDER,
    ERP_ORDER_LINE,
    ERP_PAYMENT,
    ERP_PRODUCT,
    ERP_REFUND,
    SHOP_ORDER,
    Extract,
)

NO_DATE = "00000000"


@pytest.fixture(scope="module", params=["committed", "made"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """The committed extracts, and some that the generator makes now."""
    if request.param == "committed":
        return Delivery(DATA)
    folder = tmp_path_factory.mktemp("transactions")
    generate(1_500, 3, 8, folder, DEMO_START, interactions=0)
    return Delivery(folder)


def amount(written: str) -> Decimal:
    return Decimal(written.replace(",", "."))


def of_all_days(made: Delivery, extract: Extract) -> list[Row]:
    return [row for day in DAYS for row in made.rows(extract, day)]


def latest(made: Delivery, extract: Extract) -> dict[str, Row]:
    """Rows by their key, as the last day that tells of them does."""
    found: dict[str, Row] = {}
    for day in DAYS:
        found |= made.by_key(extract, day)
    return found


def test_every_article_that_was_ordered_is_a_product_at_its_price(made: Delivery) -> None:
    products = made.by_key(ERP_PRODUCT, DAYS[0])
    assert products == made.by_key(ERP_PRODUCT, DAYS[2])
    for line in of_all_days(made, ERP_ORDER_LINE):
        assert line["ARKTX"] == products[line["MATNR"]]["MAKTX"]
    for line in of_all_days(made, SHOP_ORDER):
        assert amount(products[line["Lineitem sku"]]["KBETR"]) == Decimal(line["Lineitem price"])
    for row in products.values():
        assert 0 < amount(row["STPRS"]) < amount(row["KBETR"])
        assert row["ZZMERK"]
        assert row["PRDHA"].count(" > ") in {1, 2}
    assert len({row["ZZMERK"] for row in products.values()}) > 5


def test_every_order_has_one_invoice_of_its_amount_that_is_settled_when_it_is_paid(made: Delivery) -> None:
    orders, invoices = latest(made, ERP_ORDER), latest(made, ERP_INVOICE)
    paid = {row["VBELN"]: row["AUGDT"] for row in of_all_days(made, ERP_PAYMENT)}
    billed = Counter(row["AUBEL"] for row in invoices.values())
    assert set(billed.values()) == {1}
    # Those of the last two days are not all billed yet.
    assert {number for number, order in orders.items() if order["AUDAT"] < "20260601"} <= set(billed)
    for row in invoices.values():
        order = orders[row["AUBEL"]]
        assert (row["WRBTR"], row["KUNRG"]) == (order["BRTWR"], order["KUNNR"])
        assert order["AUDAT"] <= row["FKDAT"] < row["NETDT"]
        assert row["AUGDT"] == paid.get(row["AUBEL"], NO_DATE)
        assert row["FKDAT"] <= row["AEDAT"] <= "20260603"
        assert (row["MADAT"] == NO_DATE) == (row["MANST"] == "0")


def test_some_pay_late_and_are_reminded_and_some_never_pay(made: Delivery) -> None:
    invoices = latest(made, ERP_INVOICE).values()
    late = [row for row in invoices if row["AUGDT"] != NO_DATE and row["AUGDT"] > row["NETDT"]]
    overdue = [row for row in invoices if row["AUGDT"] == NO_DATE and row["NETDT"] < "20260603"]
    assert 0.1 < len(late) / len(invoices) < 0.5
    assert 0.02 < len(overdue) / len(invoices) < 0.15
    assert {row["MANST"] for row in overdue} >= {"0", "2", "3"}
    assert any(row["ZZBETW"] for row in overdue)


def test_an_invoice_comes_again_only_when_it_has_changed(made: Delivery) -> None:
    known: dict[str, Row] = {}
    again = 0
    for day in DAYS:
        for number, row in made.by_key(ERP_INVOICE, day).items():
            assert known.get(number) != row
            again += number in known
            known[number] = row
    assert again > 3


def test_refunds_are_of_orders_and_of_lines_that_are_there_and_pay_back_no_more_than_was_paid(
    made: Delivery,
) -> None:
    orders = latest(made, ERP_ORDER)
    lines = {(row["VBELN"], row["POSNR"]): row for row in of_all_days(made, ERP_ORDER_LINE)}
    back: dict[str, Decimal] = defaultdict(Decimal)
    refunds = of_all_days(made, ERP_REFUND)
    for row in refunds:
        order = orders[row["AUBEL"]]
        assert row["KUNRG"] == order["KUNNR"]
        assert order["AUDAT"] < row["FKDAT"] <= "20260603"
        if row["AUPOS"] != "000000":
            assert amount(row["FKIMG"]) <= amount(lines[row["AUBEL"], row["AUPOS"]]["KWMENG"])
        assert amount(row["NETWR"]) + amount(row["MWSBK"]) == amount(row["WRBTR"])
        back[row["AUBEL"]] += amount(row["WRBTR"])
    assert len(refunds) > 30
    assert len({row["BEZEI"] for row in refunds}) == 5
    # Tax is rounded by line and by order: a cent or so. Goodwill comes on top of what was sent back.
    assert all(sum_ <= amount(orders[number]["BRTWR"]) * Decimal("1.11") + 1 for number, sum_ in back.items())


def test_blocks_share_no_document_and_no_article_comes_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "BLOCK", 200)
    generate(1_000, 1, 3, tmp_path, DEMO_START, interactions=0)
    delivery = Delivery(tmp_path)
    for extract in (ERP_PRODUCT, ERP_INVOICE, ERP_REFUND):
        rows = delivery.rows(extract, DAYS[0])
        assert len(rows) == len(delivery.by_key(extract, DAYS[0]))
        assert rows
    assert not (tmp_path / "landing" / "web").exists()
