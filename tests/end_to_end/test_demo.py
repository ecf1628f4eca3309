"""``cdm demo`` on the extracts that come with the project: what it says, and what became of their planted flaws."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.settings import load_settings
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

from .conftest import ROOT, Deployment

DATA = ROOT / "data"
QUARANTINED = {"ragged": "ragged", "null_key": "missing_key", "duplicate_key": "superseded"}
REPAIRED = {
    "impossible_date": "not_date",
    "date_far_away": "implausible_date",
    "email_without_at": "not_email",
    "phone_zeros": "not_phone",
}
MARKED = {
    ("bad_postcode", "MailingPostalCode"): "postcode",
    ("bad_postcode", "PSTLZ"): "postcode",
    ("bad_postcode", "Default Address Zip"): "postcode",
    ("wrong_check_digit", "ZZIBAN"): "iban",
}
"""Kept, and named in ``invalid_attributes``: a good value of another record wins."""
LISTED = {("wrong_check_digit", "VAT_Number__c"), ("wrong_check_digit", "STCEG")}
"""NL123456789B01, which is nobody's: in ``placeholders.yaml``."""
LEFT_OUT = {("phone_zeros", "Default Address Phone"), ("bad_postcode", "BillingPostalCode")}
"""A column that the contract maps to nothing; XXXX, which stands for an unknown postcode."""


@dataclass(frozen=True)
class Demo:
    """A deployment after ``cdm demo``, and what was printed."""

    deployment: Deployment
    printed: str


@dataclass(frozen=True)
class Fate:
    """What became of one delivered row."""

    rejected_for: set[str]
    blanked: dict[str, str]
    marked: set[str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str], _template: str) -> Demo:
    home = tmp_path_factory.mktemp("demo")
    settings = load_settings(
        home=home, landing_url=str(DATA / "landing"), database_url=new_database(_template), threads=1
    )
    deployment = Deployment(settings)
    return Demo(deployment, deployment.ask("demo"))


def column(text: str, name: str, row: str) -> int:
    """A number from the printed table of rows per source."""
    table = text.partition("Rows per source")[2].partition("└")[0]
    lines = [[cell.strip() for cell in re.split("[│┃]", line)] for line in table.splitlines()]
    (heading,) = [cells for cells in lines if name in cells]
    (found,) = [cells for cells in lines if row in cells]
    return int(found[heading.index(name)].replace(",", ""))


def test_the_summary_shows_rows_per_source_that_add_up(demo: Demo) -> None:
    for entity in sorted(contract.name for contract in all_contracts()):
        read, accepted, quarantined = (
            column(demo.printed, name, entity) for name in ("read", "accepted", "quarantined")
        )
        assert read == accepted + quarantined
        assert read > 0
    assert column(demo.printed, "repaired", "crm/contact") > 0


def test_the_customers_are_right(demo: Demo) -> None:
    found = re.search(r"precision ([\d.]+), recall ([\d.]+)", demo.printed)
    assert found is not None
    assert float(found[1]) >= 0.99
    assert float(found[2]) >= 0.9


def test_the_summary_counts_what_is_published(demo: Demo) -> None:
    found = re.search(r"([\d,]+) source records are ([\d,]+) golden customers", demo.printed)
    assert found is not None
    ((records, customers),) = demo.deployment.query(
        "SELECT (SELECT count(*) FROM golden.crosswalk), (SELECT count(*) FROM golden.customer)"
    )
    assert [int(figure.replace(",", "")) for figure in found.groups()] == [records, customers]


def test_five_merges_and_the_next_steps_are_shown(demo: Demo) -> None:
    table = demo.printed.partition("Five customers")[2].partition("The profile of one customer")[0]
    rows = [[cell.strip() for cell in line.split("│")] for line in table.splitlines() if line.startswith("│")]
    merges: dict[str, set[str]] = {}
    for row in rows:
        merges.setdefault(row[1], set()).add(row[2])
    assert sorted(merges) == list("12345")
    assert all(len(sources) > 1 for sources in merges.values())
    for step in ("make up", "cdm customer", "cdm quarantine list"):
        assert step in demo.printed


def test_one_profile_is_shown_in_part_and_the_segments_of_all(demo: Demo) -> None:
    told, _, segments = demo.printed.partition("The profile of one customer")[2].partition("Segments")
    golden_id = re.search(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", told)
    assert golden_id is not None
    rows = [[cell.strip() for cell in line.split("│")[1:4]] for line in told.splitlines() if "│" in line]
    values = {name: value for name, value, _ in rows}
    ((segment, orders, net, stage),) = demo.deployment.query(
        "SELECT rfm_segment, rfm_orders, rfm_net, lifecycle_stage FROM profile.customer "
        f"WHERE golden_id = '{golden_id[0]}'"
    )
    assert {name: values[f"rfm_{name}"] for name in ("segment", "orders", "net")} == {
        "segment": segment,
        "orders": f"{orders} orders",
        "net": f"{net} EUR",
    }
    assert values["lifecycle_stage"] == stage
    assert 12 <= len(values) <= 20
    assert "purchases.net" in {follows for _, _, follows in rows}
    shown = [[cell.strip() for cell in line.split("│")[1:5]] for line in segments.splitlines() if "│" in line]
    assert [(name, int(customers)) for name, customers, _, _ in shown] == demo.deployment.query(
        "SELECT coalesce(segment, 'none'), count(*) FROM profile.rfm GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    bars = [len(bar) for *_, bar in shown]
    assert bars == sorted(bars, reverse=True)
    assert bars[-1] >= 1


def test_households_and_organisations_add_up_to_their_customers(demo: Demo) -> None:
    assert demo.deployment.query(
        "SELECT count(*) > 500, sum(size) = (SELECT count(*) FROM profile.household_member), "
        "sum(net) = (SELECT sum(net) FROM profile.rfm JOIN profile.household_member USING (golden_id)), "
        "bool_and(size = cardinality(members)) FROM profile.household"
    ) == [(True, True, True, True)]
    assert demo.deployment.query(
        "SELECT count(*) > 100, sum(organisations) = (SELECT count(*) FROM profile.organisation_member), "
        "sum(net) = (SELECT sum(net) FROM profile.rfm JOIN profile.organisation_member USING (golden_id)), "
        "bool_and(head = ANY(members)) FROM profile.organisation"
    ) == [(True, True, True, True)]


def test_a_second_demo_changes_nothing(demo: Demo) -> None:
    rows, files = demo.deployment.published(versions=True), demo.deployment.lake()
    again = demo.deployment.ask("demo")
    assert demo.deployment.published(versions=True) == rows
    assert demo.deployment.lake() == files
    summary = again[again.index("Rows per source") : again.index("3 days in")]
    assert summary in demo.printed


def fates(deployment: Deployment, day: str, name: str) -> dict[int, Fate]:
    """What became of each row of a day, by its number in the file."""
    lake = Path(deployment.settings.lake_url)
    found: dict[int, Fate] = {}
    for row in pq.read_table(lake / "raw" / name / f"{day}.parquet", columns=["_row"]).to_pylist():
        found[row["_row"]] = Fate(set(), {}, set())
    for row in pq.read_table(lake / "quarantine" / name / f"{day}.parquet").to_pylist():
        found[row["_row"]].rejected_for.update(reason["rule"] for reason in json.loads(row["_reasons"]))
    for row in pq.read_table(lake / "repairs" / name / f"{day}.parquet").to_pylist():
        if row["action"] == "blanked":
            found[row["_row"]].blanked[row["column"]] = row["rule"]
    for row in pq.read_table(lake / "standard" / name / day / "party.parquet").to_pylist():
        found[row["_row"]].marked.update((row["invalid_attributes"] or "").split(",") if row else ())
    return found


def test_every_planted_flaw_is_dealt_with(demo: Demo) -> None:
    with (DATA / "truth" / "planted.csv").open(encoding="utf-8", newline="") as lines:
        planted = list(csv.DictReader(lines))
    known: dict[tuple[str, str], dict[int, Fate]] = {}
    missed = []
    for flaw in planted:
        day, name = flaw["date"], f"{flaw['source']}/{flaw['entity']}"
        if (day, name) not in known:
            known[day, name] = fates(demo.deployment, day, name)
        fate, kind, where = known[day, name][int(flaw["row"])], flaw["kind"], (flaw["kind"], flaw["column"])
        if kind in QUARANTINED:
            well = fate.rejected_for == {QUARANTINED[kind]}
        elif kind in REPAIRED and where not in LEFT_OUT:
            well = fate.blanked == {flaw["column"]: REPAIRED[kind]} and not fate.rejected_for
        elif where in LISTED:
            well = fate.blanked == {flaw["column"]: "placeholder"} and not fate.rejected_for
        elif where in MARKED:
            well = MARKED[where] in fate.marked and not fate.rejected_for
        else:
            well = where in LEFT_OUT and not fate.rejected_for
        if not well:
            missed.append((day, name, flaw["row"], kind, fate))
    assert missed == []
    assert len(planted) > 80


def test_nothing_but_the_planted_flaws_is_rejected(demo: Demo) -> None:
    with (DATA / "truth" / "planted.csv").open(encoding="utf-8", newline="") as lines:
        flawed = {
            (row["date"], row["source"], row["entity"], int(row["row"])) for row in csv.DictReader(lines)
        }
    lake = Path(demo.deployment.settings.lake_url)
    for path in sorted((lake / "quarantine").rglob("*.parquet")):
        source, entity = path.parts[-3:-1]
        rows = pq.read_table(path, columns=["_row"])["_row"].to_pylist()
        assert {(path.stem, source, entity, row) for row in rows} <= flawed


def test_no_blanked_value_is_published(demo: Demo) -> None:
    ((dates, mailboxes),) = demo.deployment.query(
        "SELECT count(*) FILTER (WHERE birth_date NOT BETWEEN '1900-01-01' AND '2026-06-03'), "
        "count(*) FILTER (WHERE email NOT LIKE '%@%') FROM golden.customer"
    )
    assert (dates, mailboxes) == (0, 0)


def delivered(entity: str) -> dict[str, dict[str, str]]:
    """Rows of an entity of the ERP by the number in their first column, as the last day that tells of them does."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((DATA / "landing" / "erp" / entity).glob("*.csv")):
        with path.open(encoding="cp1252", newline="") as lines:
            found |= {next(iter(row.values())): row for row in csv.DictReader(lines, delimiter=";")}
    return found


def test_products_invoices_and_refunds_are_published_to_the_cent(demo: Demo) -> None:
    query = demo.deployment.query
    invoices, refunds, products = delivered("invoice"), delivered("refund"), delivered("product")

    def total(rows: dict[str, dict[str, str]], column: str) -> Decimal:
        return sum((Decimal(row[column].replace(",", ".")) for row in rows.values()), Decimal())

    ((number, amount, known, open_, reminders, disputed),) = query(
        "SELECT count(*), sum(amount), count(golden_id), count(*) FILTER (WHERE settled_on IS NULL), "
        "sum(dunning_level), count(*) FILTER (WHERE disputed) FROM golden.invoice"
    )
    assert (number, amount) == (len(invoices), total(invoices, "WRBTR"))
    assert open_ == sum(row["AUGDT"] == "00000000" for row in invoices.values())
    assert reminders == sum(int(row["MANST"]) for row in invoices.values())
    assert disputed == sum(row["ZZBETW"] == "X" for row in invoices.values())
    # A row that is cut off hides a customer now and then.
    assert known > 0.98 * number
    shop: list[Decimal] = []
    for path in sorted((DATA / "landing" / "shop" / "order").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            shop += [
                Decimal(row["Refunded Amount"]) for row in csv.DictReader(lines) if row["Refunded Amount"]
            ]
    back = [amount for amount in shop if amount]
    assert 0 < len(back) < len(shop)
    assert query(
        "SELECT source, count(*), sum(amount), count(line_id) FROM golden.refund GROUP BY 1 ORDER BY 1"
    ) == [
        (
            "erp",
            len(refunds),
            total(refunds, "WRBTR"),
            sum(row["AUPOS"] != "000000" for row in refunds.values()),
        ),
        ("shop", len(back), sum(back), 0),
    ]
    assert query("SELECT count(*), sum(price), sum(cost), count(DISTINCT brand) FROM golden.product") == [
        (len(products), total(products, "KBETR"), total(products, "STPRS"), 9)
    ]
    assert query(
        "SELECT count(*) FROM golden.order_line LEFT JOIN golden.product USING (product_code) WHERE name IS NULL"
    ) == [(0,)]


@pytest.mark.parametrize("attribute", ["phone", "vat_number", "iban"])
def test_a_marked_value_is_published_only_where_there_is_no_better_one(demo: Demo, attribute: str) -> None:
    table = tables.records(Lake(demo.deployment.settings.lake_url), Entity.PARTY).read()
    records = {
        (row["source"], row["entity"], row["record_id"]): row for row in table.to_pylist() if row[attribute]
    }
    good, marked = set(), set()
    for *record, golden_id, published in demo.deployment.query(
        f"SELECT source, entity, record_id, golden_id, {attribute} FROM golden.crosswalk "
        "JOIN golden.customer USING (golden_id)"
    ):
        row = records.get(tuple(record))
        if row is None:
            continue
        if attribute not in (row["invalid_attributes"] or "").split(","):
            good.add(golden_id)
        elif row[attribute] == published:
            marked.add(golden_id)
    assert good
    assert good & marked == set()
