"""What expires when, as a table of rules; and policies that cannot be used are refused with file, key and fix."""

import datetime as dt
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.privacy.retention import (
    CUSTOMERS_SCHEMA,
    DATED_SCHEMA,
    WAITS,
    Facts,
    Terms,
    expired,
    plan,
    staying,
)
from cdm_pipelines.privacy.retention_policy import Kept, RetentionPolicy, kept_by_purpose
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.operate.checkup import check_configuration

POLICIES: Path = Settings.model_fields["policies"].default
SHIPPED = RetentionPolicy.load(POLICIES)
TODAY = dt.date(2026, 6, 1)
CRM = Kept(1826, "service", "as long as customer, then 730 days", ("marketing",))
SHOP = Kept(400, "analytics", "400")
TERMS = Terms(SHIPPED, {"crm/contact": CRM, "shop/customer": SHOP}, {"quarantine": 40})


def customer(
    golden_id: str, touched: str, origin: str = "crm/contact", consented: str = "", kept: str = ""
) -> dict[str, Any]:
    return {
        "golden_id": golden_id,
        "origin": origin,
        "records": 1,
        "touched": dt.date.fromisoformat(touched),
        "consented": consented,
        "kept": kept,
    }


def dated(what: str, since: str, subject: str = "x", kept: str = "") -> dict[str, Any]:
    return {
        "what": what,
        "place": f"{what}/a",
        "subject": subject,
        "number": 1,
        "since": dt.date.fromisoformat(since),
        "kept": kept,
    }


def facts(*rows: dict[str, Any]) -> Facts:
    people = [row for row in rows if "golden_id" in row]
    others = [row for row in rows if "what" in row]
    return Facts(pa.Table.from_pylist(people, CUSTOMERS_SCHEMA), pa.Table.from_pylist(others, DATED_SCHEMA))


@pytest.mark.parametrize(
    ("rows", "due", "rule", "kept"),
    [
        ([customer("a", "2021-06-01")], "2026-06-01", "purposes.yaml: service", ""),
        ([customer("a", "2025-04-27", "shop/customer")], "2026-06-01", "purposes.yaml: analytics, 400", ""),
        # known to two sources: the purpose counts that keeps longest
        (
            [customer("a", "2021-06-01"), customer("a", "2021-06-01", "shop/customer")],
            "2026-06-01",
            "purposes.yaml: service",
            "",
        ),
        # a source entity that no purpose is known of
        ([customer("a", "2023-06-01", "new/one")], "2026-06-01", "customers.customer_for", ""),
        (
            [customer("a", "2021-06-01", consented="analytics,marketing")],
            "2026-06-01",
            "service",
            "the customer consents to marketing",
        ),
        ([customer("a", "2021-06-01", consented="analytics")], "2026-06-01", "service", ""),
        ([customer("a", "2021-06-01", kept="is restricted")], "2026-06-01", "service", "is restricted"),
        ([dated("invoice", "2018-12-31")], "2026-01-01", "documents.invoice, 7 years", ""),
        ([dated("invoice", "2019-01-01")], "2027-01-01", "documents.invoice, 7 years", ""),
        ([dated("order", "2018-02-01", kept="is billed")], "2026-01-01", "documents.order", "is billed"),
        ([dated("interactions", "2024-04-02")], "2026-06-01", "interactions, 790 days", ""),
        ([dated("landing", "2024-06-01")], "2026-06-01", "landing, 730 days", ""),
        # the policy of pruning is stricter
        ([dated("quarantine", "2026-04-22")], "2026-06-01", "quarantine, 40 days", ""),
        ([dated("legal_hold", "2026-06-01", "invoice")], "2026-06-01", "legal_holds.yaml", ""),
    ],
)
def test_a_rule_says_when_something_expires(
    rows: list[dict[str, Any]], due: str, rule: str, kept: str
) -> None:
    [row] = plan(TERMS, facts(*rows), TODAY).to_pylist()
    assert row["due"] == dt.date.fromisoformat(due)
    assert rule in row["rule"]
    assert row["kept"] == kept


def test_the_day_before_nothing_goes_and_what_stays_is_told_with_its_reason() -> None:
    known = facts(customer("a", "2021-06-01"), customer("b", "2021-06-01", kept="was confirmed by a steward"))
    before, on = (plan(TERMS, known, day) for day in (TODAY - dt.timedelta(days=1), TODAY))
    assert not expired(before, TODAY - dt.timedelta(days=1)).num_rows
    assert expired(on, TODAY)["subject"].to_pylist() == ["a"]
    assert staying(on, TODAY)["kept"].to_pylist() == ["was confirmed by a steward"]


def test_what_is_kept_for_ever_is_in_no_plan() -> None:
    policy = SHIPPED.model_copy(update={"history": None, "documents": {}})
    terms = Terms(policy, {}, {})
    known = facts(dated("history", "2000-01-01"), dated("order", "2000-01-01"))
    assert not plan(terms, known, TODAY).num_rows


def test_no_more_go_at_once_than_the_policy_says_and_the_oldest_first() -> None:
    policy = SHIPPED.model_copy(update={"customers": SHIPPED.customers.model_copy(update={"at_once": 2})})
    terms = Terms(policy, {"crm/contact": CRM}, {})
    rows = [customer(name, f"20{year}-01-01") for name, year in (("a", 15), ("b", 13), ("c", 14), ("d", 13))]
    made = plan(terms, facts(*rows, dated("raw", "2010-01-01")), TODAY)
    assert expired(made, TODAY)["subject"].to_pylist() == ["x", "b", "d"]
    assert {(row["subject"], row["kept"]) for row in staying(made, TODAY).to_pylist()} == {
        ("c", WAITS),
        ("a", WAITS),
    }


_DAYS = st.dates(dt.date(2010, 1, 1), dt.date(2030, 1, 1))
_PEOPLE = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["crm/contact", "shop/customer"])),
    unique=True,
    max_size=8,
)


@settings(deadline=None, max_examples=30)
@given(people=_PEOPLE, touched=st.fixed_dictionaries(dict.fromkeys("abcd", _DAYS)), order=st.randoms())
def test_a_plan_follows_from_the_facts_whatever_their_order(
    people: list[tuple[str, str]], touched: dict[str, dt.date], order: Any
) -> None:
    rows = [customer(name, touched[name].isoformat(), origin) for name, origin in people]
    rows += [dated("raw", day.isoformat(), name) for name, day in touched.items()]
    shuffled = list(rows)
    order.shuffle(shuffled)
    made = plan(TERMS, facts(*rows), TODAY)
    assert made.equals(plan(TERMS, facts(*shuffled), TODAY))
    assert made.num_rows == len({name for name, _ in people}) + len(touched)
    later = TODAY + dt.timedelta(days=1)
    gone = expired(made, TODAY).to_pylist()
    assert all(row in expired(plan(TERMS, facts(*rows), later), later).to_pylist() for row in gone)


def test_a_legal_duty_keeps_no_customer_and_the_longest_purpose_does() -> None:
    purposes = Purposes.load(POLICIES / "purposes.yaml")
    kept = kept_by_purpose(SHIPPED, purposes, all_contracts())
    assert set(kept) == {"crm/account", "crm/contact", "erp/customer", "shop/customer"}
    assert {one.days for one in kept.values()} == {1096 + 730}
    assert "legal_duty" not in {one.purpose for one in kept.values()}
    assert kept["crm/contact"].while_consented == ("marketing",)


def policies(folder: Path, **changed: tuple[str, str]) -> Path:
    """The shipped policies with a text replaced in files by name."""
    for name in ("retention", "purposes", "legal_holds"):
        path = folder / f"{name}.yaml"
        shutil.copy(POLICIES / path.name, path)
        if name in changed:
            before, after = changed[name]
            text = path.read_text(encoding="utf-8")
            assert before in text
            path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("changed", "key", "fix"),
    [
        (("quarantine: 90", "quarantine: -90"), "quarantine", "greater than or equal to 31"),
        (("quarantine: 90", "quarantine: soon"), "quarantine", "integer"),
        (("quarantine: 90", "quarantaine: 90"), "quarantaine", "not permitted"),
        (("customer_for: 1096", "customer_for: 0"), "customers.customer_for", "greater than or equal"),
        (("at_once: 1000", "at_once: 0"), "customers.at_once", "greater than or equal to 1"),
        (("  order: {dated", "  ordre: {dated"), "documents.ordre", "choose from"),
        (("dated: ordered_at", "dated: status"), "documents.order.dated", "choose from ordered_at"),
        (("with: [order_line", "with: [party"), "documents.order.with", "names no order"),
        (("years: 7}", "years: 6}"), "documents.invoice.years: 6 is shorter than a duty", "Write 7 or more"),
        (("years: 7, with", "years: 2, with"), "documents.order.years: 2 is shorter than a duty", "AWR"),
        (("raw: 1096", "raw: 100"), "raw: 100 is less than landing (730)", "Make landing as short"),
        (("landing: 730", "landing: null"), "raw: 1096 is less than landing (for ever)", "as short"),
        (("interactions: 790", "interactions: 100"), "interactions: 100 is less than landing", "as short"),
        (("version: 1", "version: 2"), "version", "1"),
        (("documents:", "documents: ["), "YAML", "Compare it"),
        (("history: 1826", "history: 1826\nhistory: 90"), "history is given twice", "Compare it"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_with_file_key_and_fix(
    tmp_path: Path, changed: tuple[str, str], key: str, fix: str
) -> None:
    folder = policies(tmp_path, retention=changed)
    with pytest.raises(PrivacyPolicyError, match=re.escape(key)) as refused:
        RetentionPolicy.load(folder)
    assert "retention.yaml" in str(refused.value)
    assert fix in str(refused.value)


def test_a_purpose_whose_words_cannot_be_counted_is_told(tmp_path: Path) -> None:
    folder = policies(tmp_path, purposes=("retention: 1095", "retention: while it is useful"))
    purposes = Purposes.load(folder / "purposes.yaml")
    with pytest.raises(PrivacyPolicyError, match=r"purposes\.yaml: purposes\.analytics\.retention") as told:
        kept_by_purpose(RetentionPolicy.load(folder), purposes, all_contracts())
    assert "`as long as customer, then 730 days`" in str(told.value)


def test_cdm_check_tells_what_is_wrong_with_the_policy(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    own = load_settings(home=tmp_path, policies=folder)
    (folder / "retention.yaml").write_text("version: 1\n", encoding="utf-8")
    assert any("retention.yaml: customers: Field required" in one for one in check_configuration(own))


def test_a_folder_of_an_earlier_release_goes_by_the_shipped_policy(tmp_path: Path) -> None:
    folder = policies(tmp_path)
    (folder / "retention.yaml").unlink()
    assert RetentionPolicy.load(folder) == SHIPPED
    assert not SHIPPED.apply
