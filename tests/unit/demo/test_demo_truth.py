"""The truth covers every record once and its labels are visible in the extracts."""

import itertools
from collections import Counter, defaultdict

import pytest
from demo_deliveries import DATA, DAYS, Delivery, Row, key_of
from stdnum import iban
from stdnum.nl import btw

from cdm_demo.headers import (
    CRM_ACCOUNT,
    CRM_CONTACT,
    ERP_CUSTOMER,
    EXTRACTS,
    PARTY_EXTRACTS,
    SHOP_CUSTOMER,
    Extract,
)

DEMO = Delivery(DATA)
PLANTED = DEMO.truth("planted")


def test_every_key_ever_delivered_is_in_the_truth_exactly_once() -> None:
    delivered: set[tuple[str, str, str]] = set()
    for extract in PARTY_EXTRACTS:
        for day in DAYS:
            for cells in DEMO.cells(extract, day)[1:]:
                if cells[0]:
                    delivered.add((extract.source, extract.entity, cells[0].removeprefix("'")))
    listed = Counter((r["source"], r["entity"], r["record_id"]) for r in DEMO.truth("party"))
    assert set(listed) == delivered
    assert set(listed.values()) == {1}


def test_persons_and_organisations_are_never_the_same_party() -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    natural = {k for day in DAYS for k, r in DEMO.by_key(ERP_CUSTOMER, day).items() if r["STKZN"] == "X"}
    for row in DEMO.truth("party"):
        person = row["entity"] == "contact" or row["source"] == "shop" or row["record_id"] in natural
        kinds[row["truth_id"][0]].add("person" if person else "organisation")
    assert kinds == {"P": {"person"}, "O": {"organisation"}}


def test_a_good_part_of_the_parties_is_in_several_sources_and_some_are_twice_in_one() -> None:
    sources: dict[str, list[str]] = defaultdict(list)
    for row in DEMO.truth("party"):
        sources[row["truth_id"]].append(row["source"])
    spread = Counter(len(set(found)) for found in sources.values())
    assert spread[3] > 250
    assert spread[2] > 300
    twice = sum(max(Counter(found).values()) > 1 for found in sources.values())
    assert 0.04 < twice / len(sources) < 0.15


def _crm_by_party() -> dict[str, Row]:
    party = DEMO.party_of()
    rows = DEMO.by_key(CRM_CONTACT, DAYS[0])
    return {party["crm", "contact", key]: row for key, row in sorted(rows.items(), reverse=True)}


def test_labels_of_the_structure_show_in_the_records() -> None:
    structure = {r["truth_id"]: r for r in DEMO.truth("structure")}
    assert {r["role"] for r in structure.values()} == {
        "organisation", "contact", "head", "partner", "child", "twin", "lodger",
    }  # fmt: skip
    for label in ("moved", "renamed", "junior", "shared_mailbox", "shared_mobile", "parent"):
        assert any(r[label] for r in structure.values()), label
    crm = _crm_by_party()
    acting = [structure[party]["role"] == "contact" for party, row in crm.items() if row["AccountId"]]
    assert acting
    assert all(acting)
    same = total = 0
    for party, labels in structure.items():
        head = crm.get(labels["household"])
        if labels["role"] == "child" and not labels["moved"] and party in crm and head is not None:
            total += 1
            home, there = crm[party]["MailingPostalCode"], head["MailingPostalCode"]
            same += home.replace(" ", "").upper() == there.replace(" ", "").upper()
    assert total
    assert same / total > 0.6


def test_every_planted_flaw_is_where_the_list_says() -> None:
    kinds = Counter(row["kind"] for row in PLANTED)
    assert set(kinds) == {
        "impossible_date", "date_far_away", "email_without_at", "phone_zeros", "bad_postcode",
        "wrong_check_digit", "ragged", "null_key", "duplicate_key",
    }  # fmt: skip
    extracts = {(e.source, e.entity): e for e in EXTRACTS}
    files = {(e.source, e.entity, day): DEMO.cells(e, day) for e in PARTY_EXTRACTS for day in DAYS}
    for flaw in PLANTED:
        extract = extracts[flaw["source"], flaw["entity"]]
        cells = files[flaw["source"], flaw["entity"], flaw["date"]]
        row = cells[int(flaw["row"]) - 1]
        assert row[0].removeprefix("'") == flaw["record_id"]
        value = row[extract.columns.index(flaw["column"])] if flaw["column"] else ""
        match flaw["kind"]:
            case "ragged":
                assert len(row) != len(extract.columns)
            case "null_key":
                assert row[0] == ""
            case "duplicate_key":
                assert sum(other[0] == row[0] for other in cells) == 2
            case "email_without_at":
                assert value
                assert "@" not in value
            case "phone_zeros":
                assert value.strip("'0") == ""
            case "impossible_date":
                assert value.replace("-", "") == "19790230"
            case "date_far_away":
                assert value == "99991231"
            case _:
                assert value


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("extract", PARTY_EXTRACTS, ids=lambda e: f"{e.source}-{e.entity}")
def test_no_bad_row_is_missing_from_the_list(extract: Extract, day: str) -> None:
    header, *rows = DEMO.cells(extract, day)
    count = Counter(
        f["kind"]
        for f in PLANTED
        if (f["source"], f["entity"], f["date"]) == (extract.source, extract.entity, day)
    )
    keys = Counter(row[0] for row in rows if row[0])
    assert count["ragged"] == sum(len(row) != len(header) for row in rows)
    assert count["null_key"] == sum(row[0] == "" for row in rows)
    assert count["duplicate_key"] == sum(n - 1 for n in keys.values())


@pytest.mark.parametrize(
    ("extract", "column"), [(CRM_CONTACT, "Email"), (ERP_CUSTOMER, "ZZSMTP"), (SHOP_CUSTOMER, "Email")]
)
def test_no_bad_mailbox_is_missing_from_the_list(extract: Extract, column: str) -> None:
    bad = {
        f["record_id"] for f in PLANTED if f["kind"] == "email_without_at" and f["source"] == extract.source
    }
    shown = {key: row[column] for key, row in DEMO.by_key(extract, DAYS[0]).items()}
    assert {key for key, mailbox in shown.items() if mailbox and "@" not in mailbox} == bad


def test_check_digits_hold_except_where_planted() -> None:
    wrong = {(f["record_id"], f["column"]) for f in PLANTED if f["kind"] == "wrong_check_digit"}
    assert wrong
    checked = Counter[str]()
    for day in DAYS:
        for row in DEMO.rows(ERP_CUSTOMER, day):
            for column, valid in (("ZZIBAN", iban.is_valid), ("STCEG", btw.is_valid)):
                if not row[column] or (column == "STCEG" and not row[column].startswith("NL")):
                    continue
                checked[column] += 1
                assert valid(row[column]) == ((row["KUNNR"], column) not in wrong)
        for row in DEMO.rows(CRM_ACCOUNT, day):
            assert row["KvK_Number__c"] == "" or (
                len(row["KvK_Number__c"]) == 8 and row["KvK_Number__c"].isdigit()
            )
    assert min(checked.values()) > 300


def test_later_days_change_a_little() -> None:
    for extract in (CRM_CONTACT, CRM_ACCOUNT, ERP_CUSTOMER):
        for before, after in itertools.pairwise(DAYS):
            old, new = DEMO.by_key(extract, before), DEMO.by_key(extract, after)
            changed = [key for key in old.keys() & new.keys() if old[key] != new[key]]
            assert len(changed) + len(new.keys() - old.keys()) < 0.08 * len(new)
    contacts = [DEMO.by_key(CRM_CONTACT, day) for day in DAYS]
    assert contacts[2].keys() - contacts[0].keys()
    assert contacts[0].keys() - contacts[2].keys()
    deleted = [sum(row["IsDeleted"] == "true" for row in day.values()) for day in contacts]
    assert deleted[0] < deleted[2]
    moved = [
        key for key in contacts[0].keys() & contacts[2].keys()
        if contacts[0][key]["MailingPostalCode"] != contacts[2][key]["MailingPostalCode"]
    ]  # fmt: skip
    assert moved


def test_what_changed_says_so() -> None:
    """A changed row of a snapshot has a newer time; some were changed after the previous export had left."""
    evening = 0
    for before, after in itertools.pairwise(DAYS):
        old, new = DEMO.by_key(CRM_CONTACT, before), DEMO.by_key(CRM_CONTACT, after)
        for key in old.keys() & new.keys():
            if old[key] != new[key]:
                assert old[key]["LastModifiedDate"] < new[key]["LastModifiedDate"]
                evening += new[key]["LastModifiedDate"][:10] == before
    assert evening


def test_the_shop_delivers_only_what_is_new_or_changed() -> None:
    base = DEMO.by_key(SHOP_CUSTOMER, DAYS[0])
    for day in DAYS[1:]:
        delta = DEMO.rows(SHOP_CUSTOMER, day)
        assert 0 < len(delta) < 0.1 * len(base)
        assert all(base.get(key_of(SHOP_CUSTOMER, row)) != row for row in delta)


def test_who_moved_has_two_addresses_and_who_did_not_has_one() -> None:
    party = DEMO.party_of()
    homes: dict[str, set[str]] = defaultdict(set)
    for extract, column in (
        (CRM_CONTACT, "MailingPostalCode"), (ERP_CUSTOMER, "PSTLZ"), (SHOP_CUSTOMER, "Default Address Zip"),
    ):  # fmt: skip
        for key, row in DEMO.by_key(extract, DAYS[0]).items():
            code = row[column].replace(" ", "").strip("'").upper()
            if code:
                homes[party[extract.source, extract.entity, key]].add(code)
    moved = {r["truth_id"] for r in DEMO.truth("structure") if r["moved"]} & homes.keys()
    settled = homes.keys() - moved
    assert sum(len(homes[p]) > 1 for p in moved) > 0.25 * len(moved)
    assert sum(len(homes[p]) > 1 for p in settled) < 0.04 * len(settled)
