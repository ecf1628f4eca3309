"""The files look as Salesforce, SAP and Shopify deliver them."""

import csv
import os
import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from demo_deliveries import DATA, DAYS, Delivery

from cdm_demo.headers import (
    CRM_ACCOUNT,
    CRM_CONTACT,
    ERP_CUSTOMER,
    ERP_INVOICE,
    ERP_ORDER,
    ERP_ORDER_LINE,
    ERP_REFUND,
    EXTRACTS,
    SHOP_CUSTOMER,
    SHOP_ORDER,
    Extract,
)

DEMO = Delivery(DATA)
SHARED = Path(os.environ.get("BENCHMARK_DATA", Path(__file__).parents[4] / "shared" / "data"))
REAL_HEADERS = {
    "salesforce_contact_api_fields.csv": CRM_CONTACT,
    "shopify_customers_header.csv": SHOP_CUSTOMER,
    "shopify_orders_header.csv": SHOP_ORDER,
}


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("extract", EXTRACTS, ids=lambda e: f"{e.source}-{e.entity}")
def test_every_extract_of_every_day_has_the_declared_header(extract: Extract, day: str) -> None:
    header, *rows = DEMO.cells(extract, day)
    assert tuple(header) == extract.columns
    # Not every day something is paid back.
    assert rows or (extract is ERP_REFUND and day != DAYS[0])


@pytest.mark.parametrize("name", REAL_HEADERS)
def test_headers_are_those_of_the_real_systems(name: str) -> None:
    """But for fields that a company adds itself, which Salesforce marks by how they end."""
    path = SHARED / "extracts" / "headers" / name
    if not path.is_file():
        pytest.skip(f"{path} is not there; BENCHMARK_DATA names the folder of the shared data")
    with path.open(encoding="utf-8", newline="") as file:
        own = [one for one in REAL_HEADERS[name].columns if not one.endswith("__c")]
        assert next(csv.reader(file)) == own


def test_salesforce_quotes_every_cell() -> None:
    for extract in (CRM_CONTACT, CRM_ACCOUNT):
        content = DEMO.path(extract, DAYS[0]).read_text(encoding="utf-8")
        assert "\r" not in content
        assert all(record.startswith('"') for record in re.split(r'(?<=")\n(?=")', content.rstrip("\n")))
        assert not re.search(r'(?<!")\n(?!$)"0', content)


def test_sap_writes_code_page_1252_with_windows_line_ends() -> None:
    for extract in (e for e in EXTRACTS if e.source == "erp"):
        raw = DEMO.path(extract, DAYS[0]).read_bytes()
        assert raw.endswith(b"\r\n")
        assert raw.count(b"\n") == raw.count(b"\r\n")
    customers = DEMO.path(ERP_CUSTOMER, DAYS[0]).read_bytes()
    with pytest.raises(UnicodeDecodeError):
        customers.decode("utf-8")


def test_letters_that_code_page_1252_lacks_are_degraded_in_the_erp_and_kept_in_the_crm() -> None:
    crm = DEMO.path(CRM_CONTACT, DAYS[0]).read_text(encoding="utf-8")
    foreign = set("şğıłŞĞİćńśźżęą") & set(crm)
    assert foreign
    assert not foreign & set(DEMO.path(ERP_CUSTOMER, DAYS[0]).read_text(encoding="cp1252"))


def test_sap_dates_and_decimals() -> None:
    for row in DEMO.rows(ERP_CUSTOMER, DAYS[0]):
        assert re.fullmatch(r"\d{8}", row["ERDAT"] + "")
        assert re.fullmatch(r"\d{8}", row["ZZGBDAT"])
        assert row["LOEVM"] in {"", "X"}
        assert (row["STKZN"] == "X") == (row["KTOKD"] == "ZPAR")
    for row in DEMO.rows(ERP_ORDER, DAYS[0]):
        assert re.fullmatch(r"\d+,\d\d", row["NETWR"])
    for row in DEMO.rows(ERP_INVOICE, DAYS[0]):
        assert re.fullmatch(r"\d{8}", row["AUGDT"])
        assert re.fullmatch(r"\d+,\d\d", row["WRBTR"])
    assert {row["KWMENG"][-4:] for row in DEMO.rows(ERP_ORDER_LINE, DAYS[0])} == {",000"}


def test_shopify_puts_an_apostrophe_before_long_numbers() -> None:
    assert DEMO.path(SHOP_CUSTOMER, DAYS[0]).read_bytes().startswith(b"\xef\xbb\xbf")
    for row in DEMO.rows(SHOP_CUSTOMER, DAYS[0]):
        assert re.fullmatch(r"'\d{13}", row["Customer ID"])
        for column in ("Default Address Zip", "Default Address Phone", "Phone"):
            assert row[column] == "" or row[column].startswith("'")


def test_later_lines_of_a_shopify_order_leave_its_own_cells_blank() -> None:
    rows = DEMO.rows(SHOP_ORDER, DAYS[0])
    seen: set[str] = set()
    for row in rows:
        first = row["Name"] not in seen
        seen.add(row["Name"])
        assert (row["Total"] != "") == (row["Financial Status"] != "") == (row["Id"] != "") == first
        assert row["Lineitem name"]
    assert len(rows) > len(seen)


def test_times_are_those_of_the_system() -> None:
    for row in DEMO.rows(CRM_CONTACT, DAYS[1]):
        made = datetime.fromisoformat(row["CreatedDate"])
        changed = datetime.fromisoformat(row["LastModifiedDate"])
        assert made <= changed
        assert changed.date().isoformat() <= DAYS[1]
    offsets = Counter(
        (row["Created at"][5:7], row["Created at"][-5:]) for row in DEMO.rows(SHOP_ORDER, DAYS[0])
    )
    assert offsets["01", "+0200"] == offsets["07", "+0100"] == 0
    assert offsets["01", "+0100"] > 0
    assert offsets["07", "+0200"] > 0
