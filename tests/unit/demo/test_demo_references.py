"""What refers to something refers to something that is there, and amounts add up."""

from collections import defaultdict
from decimal import Decimal

import pytest
from demo_deliveries import DATA, DAYS, Delivery

from cdm_demo.headers import (
    CRM_ACCOUNT,
    CRM_CONTACT,
    ERP_CUSTOMER,
    ERP_ORDER,
    ERP_ORDER_LINE,
    ERP_PAYMENT,
    SHOP_CUSTOMER,
    SHOP_ORDER,
)

DEMO = Delivery(DATA)


def amount(written: str) -> Decimal:
    return Decimal(written.replace(",", "."))


@pytest.fixture(scope="module")
def ids() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in DEMO.truth("party"):
        found[f"{row['source']}/{row['entity']}"].add(row["record_id"])
    return found


def test_contacts_belong_to_accounts_and_merged_records_have_a_master(ids: dict[str, set[str]]) -> None:
    employed = merged = 0
    for day in DAYS:
        accounts = set(DEMO.by_key(CRM_ACCOUNT, day))
        for row in DEMO.rows(CRM_CONTACT, day):
            if row["AccountId"]:
                employed += 1
                assert row["AccountId"] in ids["crm/account"]
            if row["MasterRecordId"]:
                merged += 1
                assert row["IsDeleted"] == "true"
                assert row["MasterRecordId"] in ids["crm/contact"]
                assert row["MasterRecordId"] != row["Id"]
        parents = {row["ParentId"] for row in DEMO.rows(CRM_ACCOUNT, day)} - {""}
        assert parents <= accounts | ids["crm/account"]
    assert employed > 300
    assert merged > 10


def test_the_master_of_a_merge_is_the_same_person() -> None:
    party = DEMO.party_of()
    for row in DEMO.rows(CRM_CONTACT, DAYS[2]):
        if row["MasterRecordId"]:
            assert party["crm", "contact", row["Id"]] == party["crm", "contact", row["MasterRecordId"]]


def test_orders_of_the_erp_have_customers_lines_and_amounts_that_add_up(ids: dict[str, set[str]]) -> None:
    known: set[str] = set()
    for day in DAYS:
        customers = set(DEMO.by_key(ERP_CUSTOMER, day))
        orders = DEMO.by_key(ERP_ORDER, day)
        lines = DEMO.rows(ERP_ORDER_LINE, day)
        goods: dict[str, Decimal] = defaultdict(Decimal)
        for line in lines:
            assert amount(line["KWMENG"]) * amount(line["NETPR"]) == amount(line["NETWR"])
            goods[line["VBELN"]] += amount(line["NETWR"])
        assert set(goods) == set(orders)
        assert not known & set(orders)
        known |= set(orders)
        for number, order in orders.items():
            assert order["KUNNR"] in ids["erp/customer"]
            assert goods[number] == amount(order["NETWR"])
            assert amount(order["NETWR"]) + amount(order["MWSBP"]) == amount(order["BRTWR"])
            assert order["AUDAT"] <= day.replace("-", "")
        # A customer may be hidden by a ragged row on the first day, never by anything else.
        assert len({o["KUNNR"] for o in orders.values()} - customers) <= 2
        for payment in DEMO.rows(ERP_PAYMENT, day):
            assert payment["VBELN"] in known
            assert payment["AUGDT"] <= day.replace("-", "")


def test_later_days_deliver_only_their_own_orders() -> None:
    for day in DAYS[1:]:
        assert {row["AUDAT"] for row in DEMO.rows(ERP_ORDER, day)} == {day.replace("-", "")}
        assert {row["Created at"][:10] for row in DEMO.rows(SHOP_ORDER, day)} == {day}


def test_orders_of_the_shop_name_the_mailbox_of_a_customer_and_add_up() -> None:
    mailboxes = {row["Email"] for day in DAYS for row in DEMO.rows(SHOP_CUSTOMER, day)}
    planted = {r["row"] for r in DEMO.truth("planted") if r["source"] == "shop"}
    unknown: set[str] = set()
    for day in DAYS:
        goods: dict[str, Decimal] = defaultdict(Decimal)
        heads = {}
        for row in DEMO.rows(SHOP_ORDER, day):
            goods[row["Name"]] += Decimal(row["Lineitem price"]) * Decimal(row["Lineitem quantity"])
            if row["Total"]:
                heads[row["Name"]] = row
            if row["Email"] not in mailboxes:
                unknown.add(row["Email"])
        for name, head in heads.items():
            assert goods[name] == Decimal(head["Subtotal"])
            assert goods[name] + Decimal(head["Shipping"]) == Decimal(head["Total"])
    # Only customers with a planted flaw show another mailbox, or none, than their orders do.
    assert len(unknown) <= len(planted)


def test_totals_of_shop_customers_are_those_of_their_orders() -> None:
    spent: dict[str, Decimal] = defaultdict(Decimal)
    for row in DEMO.rows(SHOP_ORDER, DAYS[0]):
        spent[row["Email"]] += Decimal(row["Total"] or 0)
    by_mailbox: dict[str, Decimal] = defaultdict(Decimal)
    for row in DEMO.by_key(SHOP_CUSTOMER, DAYS[0]).values():
        by_mailbox[row["Email"]] += Decimal(row["Total Spent"])
    same = [mailbox for mailbox in spent if spent[mailbox] == by_mailbox[mailbox]]
    assert len(same) > 0.97 * len(spent)
