"""What has expired goes, exactly what a dry run says, and a person who comes back as a customer comes in."""

import datetime as dt
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cdm_pipelines.components.launch import run_job
from cdm_pipelines.components.session import open_session
from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.privacy.certificate import Certificate
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.rights import erasure, retention
from cdm_pipelines.steps.rights.retention import Planned

from .conftest import DAYS, Deployment
from .test_after_erasure import everything, shown
from .test_commands import read_csv, write_csv

PETRA = Actor("Petra", Role.PRIVACY_OFFICER)
AS_OF = dt.date(2026, 11, 1)
"""Five months after the days that were run."""
APPLY = ("--apply", "--by", "Petra", "--yes", "--as-of", AS_OF.isoformat())
AT_ONCE = 20
SOURCES = ["crm", "erp", "shop", "web"]
CONFIRMED = "0127517431"
ORDERS = ("0020000001", "0020000002")
"""Of the customer who is confirmed."""
EVERYTHING = {
    *("customer", "order", "invoice", "interactions", "landing", "raw", "valid", "quarantine"),
    *("outbox", "feed_files", "history", "access_log", "legal_hold"),
}
POLICY = f"""
version: 1
customers: {{customer_for: 300, at_once: {AT_ONCE}}}
documents:
  invoice: {{dated: issued_on, years: 7}}
  order: {{dated: ordered_at, years: 7, with: [order_line, payment, refund]}}
interactions: 100
landing: 60
raw: 90
valid: 90
quarantine: 31
outbox: 31
feed_files: 31
history: 31
access_log: 31
"""
SINKS = "sinks:\n  warehouse:\n    kind: files\n    purpose: service\n"


def with_policies(home: Deployment) -> Deployment:
    """A deployment with policies of its own."""
    own = home.settings
    policies = own.home / "policies"
    shutil.copytree(own.policies, policies)
    (policies / "retention.yaml").write_text(POLICY, encoding="utf-8")
    (policies / "change_feed.yaml").write_text(SINKS, encoding="utf-8")
    purposes = (policies / "purposes.yaml").read_text(encoding="utf-8")
    (policies / "purposes.yaml").write_text(
        purposes.replace("then 730 days", "then 30 days"), encoding="utf-8"
    )
    given = {n: getattr(own, n) for n in ("home", "landing_url", "lake_url", "database_url", "threads")}
    return Deployment(load_settings(**given, policies=policies))


@contextmanager
def patched(home: Deployment) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in home.settings.environment().items():
            patch.setenv(name, value)
        yield


@dataclass(frozen=True)
class Lived:
    """A deployment of which much has expired, before and after it was let go.

    Attributes:
        home: The deployment.
        delivered: A copy of what was delivered.
        dry: What the dry run said.
        told: The same, as the command told it.
        before: Golden customers as they were.
        certificate: Of what was let go, by the same plan; it was cut short and gone on with.
    """

    home: Deployment
    delivered: Path
    dry: Planned
    told: str
    before: list[tuple[Any, ...]]
    certificate: Certificate

    @property
    def gone(self) -> set[str]:
        """Golden ids of whom the dry run named."""
        rows = self.dry.expired.to_pylist()
        return {str(row["subject"]) for row in rows if row["what"] == "customer"}


def customers(home: Deployment) -> list[tuple[Any, ...]]:
    return home.query("SELECT * FROM golden.customer ORDER BY golden_id")


def long_ago(home: Deployment) -> None:
    """Two orders are of 2016; the invoice of one of them as well."""
    for name, numbers in (("order", ORDERS), ("invoice", ORDERS[:1])):
        path = home.landing / "erp" / name / f"{DAYS[0]}.csv"
        lines = path.read_text(encoding="cp1252").split("\n")
        lines = [
            line.replace("20240718", "20160718") if any(number in line for number in numbers) else line
            for line in lines
        ]
        path.write_text("\n".join(lines), encoding="cp1252")


def age(home: Deployment) -> None:
    """What the runs of today left behind is a year old; of a person erased long ago an invoice had to be kept."""
    home.alter("UPDATE ops.publication SET published_at = published_at - interval '1 year'")
    home.alter(
        "UPDATE golden.customer_history SET valid_from = valid_from - interval '1 year', "
        "valid_to = valid_to - interval '1 year'"
    )
    home.ask("customer", str(customers(home)[0][0]))
    home.alter("UPDATE ops.access_log SET accessed_at = accessed_at - interval '1 year'")
    home.alter("INSERT INTO privacy.legal_hold VALUES (99, 1, 'invoice', '{}', 'a law', '2026-01-01')")
    home.alter("INSERT INTO privacy.legal_hold VALUES (99, 2, 'invoice', '{}', 'a law', '2031-01-01')")
    for path in (Path(home.settings.lake_url) / "publish" / "feed").rglob("*.jsonl"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r'"time": ?"\d{4}', '"time": "2025', text), encoding="utf-8")


@pytest.fixture(scope="module")
def lived(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Lived:
    home = with_policies(deploy())
    for path in files_of(home.landing):
        if DAYS[2] in path.name or path.relative_to(home.landing).parts[0] not in SOURCES:
            path.unlink()  # what is never read is nobody's yet
    long_ago(home)
    delivered = tmp_path_factory.mktemp("delivered") / "landing"
    shutil.copytree(home.landing, delivered)
    assert home.run(DAYS[0], sources=SOURCES) == 0
    home.ask("steward", "confirm", f"erp/customer/{CONFIRMED}", "--by", "Stien")
    [(restricted,)] = home.query(
        """SELECT min(golden_id::text) FROM golden.customer WHERE party_kind = 'person' AND record_count = 1
           AND NOT EXISTS (SELECT FROM privacy.consent c WHERE c.golden_id = customer.golden_id AND allowed)"""
    )
    home.ask("privacy", "restrict", restricted, "--by", "Petra")
    assert home.run(DAYS[1], sources=SOURCES) == 0
    age(home)
    before = customers(home)
    files = home.lake()
    with open_hub(home.settings) as engine:
        with engine.connect() as connection:
            dry = retention.planned(home.settings, connection, AS_OF)
        told = home.ask("privacy", "retention", "--as-of", AS_OF.isoformat(), "--rows")
        assert (customers(home), home.lake()) == (before, files)  # a dry run changes nothing
        with pytest.raises(CutShortError):
            retention.apply(home.settings, engine, PETRA, AS_OF, progress=cut_short)
        assert "was begun" in home.ask("privacy", "retention", *APPLY, code=1)
        [certificate] = erasure.resume(home.settings, engine, PETRA)
    return Lived(home, delivered, dry, told, before, certificate)


class CutShortError(Exception):
    """Stands for whatever ends a process."""


def cut_short(place: str) -> None:
    if place == "records/party":
        raise CutShortError


def counted(rows: Iterable[dict[str, Any]]) -> Counter[tuple[str, str, str]]:
    return Counter((str(row["what"]), str(row["place"]), str(row["due"])) for row in rows)


def test_what_a_dry_run_lists_is_what_goes_and_what_the_certificate_says(lived: Lived) -> None:
    expired = lived.dry.expired.to_pylist()
    content = lived.certificate.content
    assert content["ground"] == "retention"
    assert content["left"] == []
    assert Counter((what, place, due) for what, place, _, due in content["expired"]) == counted(expired)
    files = {row["subject"] for row in expired if row["what"] in ("landing", "raw", "valid", "feed_files")}
    assert files <= {subject for _, _, subject, _ in content["expired"]}
    steps = {place: rows for place, rows, _ in content["erased"]}
    wanted: Counter[str] = Counter()
    for row in expired:
        if row["what"] not in ("customer", "order", "invoice"):
            wanted[f"{row['place']}, {row['what']}"] += row["number"]
    assert {name: steps.get(name) for name in wanted} == dict(wanted)
    assert {row["what"] for row in expired} == EVERYTHING
    assert steps["golden/customer"] == len(lived.gone) == AT_ONCE


def test_the_certificate_and_the_summary_name_nobody(lived: Lived) -> None:
    text = json.dumps(dict(lived.certificate.content))
    assert not any(one in text for one in lived.gone)
    assert all(one in lived.told for one in lived.gone)  # asked for, golden ids are listed, and no value
    emails = {str(row[0]) for row in lived.home.query("SELECT email FROM golden.customer WHERE email <> ''")}
    assert not any(one in lived.told for one in emails)


def test_who_and_what_did_not_expire_is_untouched(lived: Lived) -> None:
    now = customers(lived.home)
    assert now == [row for row in lived.before if str(row[0]) not in lived.gone]
    assert not lived.gone & {str(row[0]) for row in now}
    reasons = Counter(row["kept"] for row in lived.dry.staying.to_pylist() if row["what"] == "customer")
    assert reasons["was confirmed by a steward"] == 1
    assert reasons["is restricted"] == 1
    assert reasons["the customer consents to marketing"] > 10
    assert reasons["waits for its turn: customers.at_once"]
    named = {row["subject"] for row in lived.dry.expired.to_pylist() if row["what"] == "landing"}
    landing = {str(path.relative_to(lived.home.landing)) for path in files_of(lived.home.landing)}
    assert not named & landing
    assert {f"crm/contact/{DAYS[1]}.csv", f"erp/customer/{DAYS[1]}.csv"} <= landing  # the newest of each
    assert lived.home.query("SELECT until::text FROM privacy.legal_hold WHERE request_id = 99") == [
        ("2031-01-01",)
    ]


def files_of(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def test_documents_go_when_no_law_has_them_kept_also_of_a_customer_who_stays(lived: Lived) -> None:
    orders = {str(row[0]) for row in lived.home.query("SELECT order_id FROM golden.customer_order")}
    assert ORDERS[0] not in orders
    assert ORDERS[1] in orders  # its invoice is of 2024
    assert not lived.home.query(f"SELECT * FROM golden.order_line WHERE order_id = '{ORDERS[0]}'")
    kept = [row for row in lived.dry.staying.to_pylist() if row["what"] == "order"]
    assert [row["kept"] for row in kept] == ["is billed by a document that stays"]
    assert lived.home.query(f"SELECT * FROM golden.crosswalk WHERE record_id = '{CONFIRMED}'")


def test_the_next_run_works_through_few_and_comes_to_what_a_rebuild_does(lived: Lived) -> None:
    home = lived.home
    assert home.run(DAYS[1], sources=["crm"]) == 0  # of the others nothing is left of that day
    staged = shown(home, "golden/staged")
    assert 0 < staged["customers worked through"] < staged["dagster/row_count"] / 4
    left = everything(home)
    assert home.run(DAYS[1], sources=["crm"], rebuild=True) == 0
    assert everything(home) == left


def test_the_schedules_run_lets_go_the_rest_and_applying_again_nothing_more(lived: Lived) -> None:
    home = lived.home
    policy = home.settings.policies / "retention.yaml"
    said = POLICY.replace(f"at_once: {AT_ONCE}", "at_once: 1000")
    policy.write_text(f"{said}apply: true\n", encoding="utf-8")
    with patched(home), open_session(home.settings) as session:
        first = run_job(session.definitions, "retention", session.instance)
        assert first.succeeded, first.failures
        again = run_job(session.definitions, "retention", session.instance)
        assert again.succeeded, again.failures
        assert not again.warnings
    assert len(home.query("SELECT * FROM privacy.certificate")) == 2
    left = home.query("SELECT golden_id::text FROM golden.customer")
    assert len(left) < len(lived.before) - AT_ONCE
    with open_hub(home.settings) as engine:
        found, done = retention.apply(home.settings, engine, PETRA, AS_OF)
    assert done is None
    assert not found.expired.num_rows
    assert "nothing" not in home.ask("privacy", "certificate", "2")
    assert home.query("SELECT golden_id::text FROM golden.customer") == left
    assert not [row for row in home.query("SELECT state FROM privacy.request") if row[0] == "open"]


def test_the_old_records_are_kept_out_and_one_that_its_source_changed_is_a_new_customer(lived: Lived) -> None:
    home = lived.home
    before = {str(row[0]) for row in home.query("SELECT golden_id FROM golden.customer")}
    shutil.copytree(lived.delivered, home.landing, dirs_exist_ok=True)
    path = home.landing / "crm" / "contact" / f"{DAYS[1]}.csv"
    rows = read_csv(path)
    here = {str(row[0]) for row in home.query("SELECT record_id FROM golden.crosswalk")}
    back = next(row for row in rows if row["Id"] and row["Id"] not in here and row["IsDeleted"] == "false")
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    write_csv(
        path,
        [
            {**row, "LastModifiedDate": f"{tomorrow:%Y-%m-%dT%H:%M:%S.000Z}"} if row is back else row
            for row in rows
        ],
    )
    assert home.run(DAYS[0], DAYS[1], SOURCES) == 0
    now = {str(row[0]) for row in home.query("SELECT golden_id FROM golden.customer")}
    [(again,)] = home.query(f"SELECT golden_id::text FROM golden.crosswalk WHERE record_id = '{back['Id']}'")
    assert now == before | {again}
    assert not now & lived.gone
    told = Path(home.settings.lake_url) / "publish" / "kept_out" / "crm" / "contact.json"
    assert DAYS[1] in json.loads(told.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--apply",), "--by NAME"),
        (("--apply", "--by", "Petra", "--as-of", "2999-01-01"), "yet to come"),
        (("--as-of", "soon"), "YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_done_is_told(lived: Lived, arguments: tuple[str, ...], told: str) -> None:
    assert told in lived.home.ask("privacy", "retention", *arguments, code=2)


def test_a_day_that_is_yet_to_come_can_be_looked_at(lived: Lived) -> None:
    assert "2040" in lived.home.ask("privacy", "retention", "--as-of", "2040-01-01")
