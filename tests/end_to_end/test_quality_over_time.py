"""Scorecards and business case of a company whose faults are known: found with the right counts, and recomputed."""

import csv
import datetime as dt
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
import yaml
from sqlalchemy import text

from cdm_demo import generate
from cdm_pipelines.enrichment.scores import MOVES_A_YEAR
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.insight.currency import PRIOR_YEARS
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.insight.quality import measure
from cdm_pipelines.store.lake import Lake

from .conftest import Deployment

DAYS = ("2026-06-01", "2026-06-02")
HERE = ZoneInfo("Europe/Amsterdam")
ATTRIBUTES = {
    "Birthdate": "party.birth_date",
    "ZZGBDAT": "party.birth_date",
    "Email": "party.email",
    "ZZSMTP": "party.email",
    "Phone": "party.phone",
    "TELF1": "party.phone",
    "MailingPostalCode": "party.postcode",
    "BillingPostalCode": "party.postcode",
    "PSTLZ": "party.postcode",
    "Default Address Zip": "party.postcode",
    "VAT_Number__c": "party.vat_number",
    "STCEG": "party.vat_number",
    "ZZIBAN": "party.iban",
}
"""The attribute under which a bad cell is found. The shop's Default Address Phone feeds none, and nobody reads it."""
ROWS = {
    "duplicate_key": [("record_id", "not_repeated")],
    "null_key": [("record_id", "with_key"), ("", "accepted")],
    "ragged": [("", "accepted")],
}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("company")
    generate(customers=250, days=len(DAYS), seed=15, out=out)
    return out


@pytest.fixture(scope="module")
def deployment(company: Path, deploy: Callable[..., Deployment]) -> Deployment:
    made = deploy(company / "landing")
    assert made.run(DAYS[0], DAYS[-1]) == 0
    return made


def planted(company: Path) -> Counter[tuple[str, str, str, str, str]]:
    """Faults that were planted, as day, source, entity, attribute and measure under which they should be found."""
    found: Counter[tuple[str, str, str, str, str]] = Counter()
    with (company / "truth" / "planted.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            subject = (row["date"], row["source"], row["entity"])
            if row["column"] in ATTRIBUTES:
                attribute = ATTRIBUTES[row["column"]]
                digits = attribute in {"party.vat_number", "party.iban"}
                found[*subject, attribute, "check_digit" if digits else "fit"] += 1
            for attribute, measured in ROWS.get(row["kind"], ()):
                found[*subject, attribute, measured] += 1
    return found


def test_planted_faults_are_found_with_their_counts_and_no_others(
    company: Path, deployment: Deployment
) -> None:
    rows = deployment.query(
        """SELECT as_of::text, source, entity, attribute, measure, (denominator - numerator)::int
           FROM insight.quality WHERE entity IN ('contact', 'account', 'customer') AND source <> 'golden'
           AND measure IN ('fit', 'check_digit', 'accepted', 'with_key', 'not_repeated')"""
    )
    found = Counter({row[:5]: row[5] for row in rows if row[5]})
    expected = planted(company)
    assert sum(expected.values()) > 40
    assert found == expected


def test_friday_counts_every_row_that_has_a_fault(company: Path, deployment: Deployment) -> None:
    """Each planted bad cell is in a row of its own, and so is each row that was rejected."""
    faulty: Counter[tuple[str, ...]] = Counter()
    for (*subject, _attribute, measured), number in planted(company).items():
        if measured in {"fit", "check_digit", "accepted"}:
            faulty[tuple(subject)] += number
    rows = deployment.query(
        """SELECT as_of::text, source, entity, (denominator - numerator)::int FROM insight.quality
           WHERE measure = 'all' AND entity IN ('contact', 'account', 'customer')"""
    )
    assert Counter({row[:3]: row[3] for row in rows if row[3]}) == faulty


def test_completeness_is_that_of_the_standardised_files(deployment: Deployment) -> None:
    lake = Path(deployment.settings.lake_url)
    for day in DAYS:
        path = lake / "standard" / "crm" / "contact" / day / "party.parquet"
        [email, persons] = duckdb.execute(f"SELECT count(email), count(*) FROM '{path}'").fetchall()[0]
        assert deployment.query(
            f"""SELECT numerator, denominator FROM insight.quality WHERE as_of = '{day}' AND source = 'crm'
                AND entity = 'contact' AND attribute = 'party.email' AND measure = 'filled'"""
        ) == [(email, persons)]


def test_figures_of_the_published_state_are_what_other_queries_say(deployment: Deployment) -> None:
    [(sources, duplicates)] = deployment.query(
        """SELECT count(DISTINCT (source, entity)), sum(extra) FROM (
             SELECT source, entity, golden_id, row_number() OVER (PARTITION BY source, entity, golden_id) - 1 AS nth,
                    CASE WHEN row_number() OVER (PARTITION BY source, entity, golden_id) > 1 THEN 1 ELSE 0 END AS extra
             FROM golden.crosswalk WHERE active) AS numbered"""
    )
    assert deployment.query(
        """SELECT count(*), sum(denominator - numerator)::int FROM insight.quality
           WHERE measure = 'one_record_each'"""
    ) == [(sources, duplicates)]
    [(without,)] = deployment.query("SELECT count(*) FROM golden.customer WHERE email IS NULL")
    assert deployment.query(
        """SELECT (denominator - numerator)::int FROM insight.quality
           WHERE measure = 'has_value' AND attribute = 'party.email'"""
    ) == [(without,)]
    lost = Counter(
        (one["source"], one["entity"])
        for (losers,) in deployment.query(
            "SELECT losers FROM golden.provenance WHERE attribute = 'birth_date'"
        )
        for one in losers or ()
        if deployment.query(
            f"""SELECT active FROM golden.crosswalk WHERE source = '{one["source"]}' AND entity = '{one["entity"]}'
                AND record_id = '{one["record_id"]}'"""
        )
        == [(True,)]
    )
    found = deployment.query(
        """SELECT source, entity, (denominator - numerator)::int FROM insight.quality
           WHERE measure = 'agrees_with_golden' AND attribute = 'party.birth_date' AND numerator < denominator"""
    )
    assert {(row[0], row[1]): row[2] for row in found} == dict(lost)


def test_currency_follows_from_the_prior_and_our_own_moves(deployment: Deployment) -> None:
    told = deployment.query(
        """SELECT c.first_seen, l.moved_on, l.address_confirmed_on FROM profile.location l
           JOIN golden.customer c USING (golden_id)"""
    )
    [(last,)] = deployment.query("SELECT max(date)::date FROM ops.source_day")
    own = [(first, moved) for first, moved, _ in told if moved is not None and first < moved <= last]
    years = sum(
        ((moved if moved is not None and moved > first else last) - first).days / 365.25
        for first, moved, _ in told
    )
    rate = (MOVES_A_YEAR * PRIOR_YEARS + len(own)) / (PRIOR_YEARS + years)
    right = sum(
        2.718281828459045 ** (-rate * (last - on).days / 365.25) for _, _, on in told if on is not None
    )
    [(kept, of)] = deployment.query(
        "SELECT numerator, denominator FROM insight.quality WHERE measure = 'currency'"
    )
    assert abs(kept - right) < 1e-6
    assert of == sum(on is not None for _, _, on in told)


def test_measuring_again_changes_no_row(deployment: Deployment) -> None:
    before = deployment.query("SELECT * FROM insight.quality ORDER BY 1, 2, 3, 4, 5, 6")
    with open_hub(deployment.settings) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE insight.quality SET made_from = 'day ' WHERE measure = 'fit'"))
    with open_hub(deployment.settings) as engine, engine.begin() as connection:
        done = measure(connection, Lake(deployment.settings.lake_url), deployment.settings, "again")
    assert done.days > 0
    after = deployment.query("SELECT * FROM insight.quality ORDER BY 1, 2, 3, 4, 5, 6")
    assert [row[:11] for row in after] == [row[:11] for row in before]
    with open_hub(deployment.settings) as engine, engine.begin() as connection:
        assert (
            measure(connection, Lake(deployment.settings.lake_url), deployment.settings, "more").changed == 0
        )


def test_the_command_prints_scorecards_and_says_what_there_is_not(deployment: Deployment) -> None:
    told = deployment.ask("quality", "--source", "crm")
    assert "crm/contact" in told
    assert "erp/customer" not in told
    assert "There are of: crm," in deployment.ask("quality", "--source", "moon", code=2)
    assert "write YYYY-MM-DD" in deployment.ask("quality", "--as-of", "yesterday", code=2)


def test_volumes_are_what_other_queries_say_and_no_euro_is_told_without_inputs(
    deployment: Deployment,
) -> None:
    volumes = {
        (row[0], row[1]): row[2] for row in deployment.query("SELECT name, source, value FROM insight.volume")
    }
    [(records, customers)] = deployment.query(
        """SELECT count(*), count(DISTINCT golden_id) FROM golden.crosswalk WHERE active AND source = 'shop'
           AND entity = 'customer'"""
    )
    assert volumes["duplicate_records", "shop"] == records - customers
    [(unmailed,)] = deployment.query(
        "SELECT count(*) FROM golden.customer WHERE status = 'active' AND email IS NULL"
    )
    assert volumes["without_email", ""] == unmailed
    orders = deployment.query(
        """SELECT ordered_at, total_amount FROM golden.customer_order
           WHERE active AND source = 'erp' AND currency = 'EUR' AND total_amount IS NOT NULL"""
    )
    ages = [(dt.date(2026, 6, 2) - moment.astimezone(HERE).date()).days for moment, _ in orders]
    sold = sum(float(amount) for (_, amount), age in zip(orders, ages, strict=True) if 0 <= age < 365)
    assert abs(volumes["revenue", "erp"] - sold) < 0.01
    assert (
        deployment.query(
            "SELECT count(*), count(likely), count(missing) FROM insight.worth WHERE kind <> 'claim'"
        )[0][1]
        == 0
    )
    told = deployment.ask("business-case", "--improve", "duplicate_records:shop=50%")
    assert "not told" in told
    assert "Missing: fill in under inputs" in told


def test_every_euro_is_a_volume_times_what_the_company_says(deployment: Deployment, tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    shipped = Settings.model_fields["policies"].default
    policies.mkdir()
    for file in shipped.glob("*.yaml"):
        (policies / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    said = yaml.safe_load((shipped / "business_case.yaml").read_text(encoding="utf-8"))
    said["inputs"]["mailings_a_year"]["likely"] = 3
    said["inputs"]["cost_of_a_mail_piece"] |= {"low": 0.5, "likely": 0.95, "high": 1.2}
    (policies / "business_case.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    there = Deployment(deployment.settings.model_copy(update={"policies": policies}))
    page = tmp_path / "case.html"
    there.ask("business-case", "--html", str(page), "--improve", "duplicate_records:shop=100%")
    html = page.read_text(encoding="utf-8")
    [(duplicates, undeliverable, of_shop)] = there.query(
        """SELECT sum(value) FILTER (WHERE name = 'duplicate_records'),
                  sum(value) FILTER (WHERE name = 'undeliverable_addresses'),
                  sum(value) FILTER (WHERE name = 'duplicate_records' AND source = 'shop') FROM insight.volume"""
    )
    for volume in (duplicates, undeliverable, duplicates + undeliverable, of_shop):
        assert f"{Decimal(str(volume)) * 3 * Decimal('0.95'):,.2f}" in html
    assert html.count("<svg") == 3
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")


def test_a_policy_that_cannot_be_used_is_told_by_the_check(deployment: Deployment, tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    shipped = Settings.model_fields["policies"].default
    said = (shipped / "business_case.yaml").read_text(encoding="utf-8")
    (policies / "business_case.yaml").write_text(
        said.replace("goal: growth", "goal: grwth"), encoding="utf-8"
    )
    governance = (shipped / "governance.yaml").read_text(encoding="utf-8")
    (policies / "governance.yaml").write_text(
        f"{governance}  - {{dimension: vlidity, at_least: 2}}\n", encoding="utf-8"
    )
    for file in shipped.rglob("*.yaml"):
        target = policies / file.relative_to(shipped)
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            target.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    there = Deployment(deployment.settings.model_copy(update={"policies": policies}))
    told = there.ask("check", code=1)
    assert f"{policies / 'business_case.yaml'}: drivers.customers_within_reach.goal" in told.replace("\n", "")
    (policies / "business_case.yaml").write_text(said, encoding="utf-8")
    told = there.ask("check", code=1).replace("\n", "")
    assert "governance.yaml: targets.2.dimension" in told
    assert "targets.2.at_least" in told


def test_a_missed_target_is_told_with_its_owner(deployment: Deployment) -> None:
    [(value,)] = deployment.query(
        """SELECT value FROM ops.measurement WHERE asset = 'insight/quality' AND name = 'check targets'
           AND part = 'missed' ORDER BY measured_at DESC LIMIT 1"""
    )
    [(below,)] = deployment.query(
        """SELECT count(*) FROM insight.quality q WHERE target IS NOT NULL AND numerator / denominator < target
           AND as_of = (SELECT max(as_of) FROM insight.quality n WHERE (n.source, n.entity, n.attribute, n.measure)
                        = (q.source, q.entity, q.attribute, q.measure))"""
    )
    assert value == below
