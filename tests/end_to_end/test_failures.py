"""What goes wrong stays where it went wrong: one source, one day, and yesterday's customers stay in service."""

import gzip
from collections.abc import Callable

import psycopg
import pytest

from cdm_pipelines.components.launch import run_job
from cdm_pipelines.components.session import open_session

from .conftest import DAYS, Deployment


@pytest.fixture
def day_one(lived: Callable[..., Deployment]) -> Deployment:
    return lived(DAYS[0])


def customers_of(deployment: Deployment, source: str) -> int:
    ((count,),) = deployment.query(f"SELECT count(*) FROM golden.crosswalk WHERE source = '{source}'")
    return int(count)


def test_a_refused_file_keeps_its_source_at_yesterday_and_no_other(
    day_one: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: digest for path, digest in day_one.lake().items() if "crm/contact" in path}
    contact = day_one.landing / "crm" / "contact" / f"{DAYS[1]}.csv"
    contact.write_bytes(b"")
    orders = day_one.query("SELECT count(*) FROM golden.customer_order")
    assert day_one.run(DAYS[1]) == 1
    said = capsys.readouterr().out
    assert f"crm/contact/{DAYS[1]}.csv" in said
    assert "empty" in said
    assert "Traceback" not in said
    assert {path: digest for path, digest in day_one.lake().items() if "crm/contact" in path} == before
    assert day_one.query("SELECT count(*) FROM golden.customer_order") > orders


def test_a_snapshot_cut_off_between_two_rows_does_not_end_customers(
    day_one: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    active = day_one.query("SELECT count(*) FROM golden.crosswalk WHERE active AND source = 'crm'")
    contact = day_one.landing / "crm" / "contact" / f"{DAYS[1]}.csv"
    lines = contact.read_bytes().splitlines(keepends=True)
    contact.write_bytes(b"".join(lines[: len(lines) // 4]))
    assert day_one.run(DAYS[1], sources=["crm"]) == 1
    assert "volume" in capsys.readouterr().out
    day_one.run(DAYS[1], sources=["shop"])
    assert day_one.query("SELECT count(*) FROM golden.crosswalk WHERE active AND source = 'crm'") >= active


def test_a_file_of_bad_rows_only_is_stopped_with_every_row_in_quarantine(day_one: Deployment) -> None:
    path = day_one.landing / "erp" / "customer" / f"{DAYS[1]}.csv"
    header, *rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + b"".join(b";" + row.partition(b";")[2] for row in rows))  # no key in any row
    before = customers_of(day_one, "erp")
    assert day_one.run(DAYS[1], sources=["erp"]) == 1
    assert customers_of(day_one, "erp") == before
    listed = day_one.cdm("quarantine", "list", "--source", "erp", "--date", DAYS[1])
    assert f"{len(rows)}" in listed.replace(",", "")
    assert "missing_key" in listed


def test_a_truncated_gzip_is_refused(day_one: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    path = day_one.landing / "shop" / "customer" / f"{DAYS[1]}.csv"
    packed = gzip.compress(path.read_bytes(), mtime=0)
    path.unlink()
    path.with_name(f"{DAYS[1]}.csv.gz").write_bytes(packed[: len(packed) // 2])
    assert day_one.run(DAYS[1], sources=["shop"]) == 1
    assert f"shop/customer/{DAYS[1]}.csv.gz" in capsys.readouterr().out


def test_a_stopped_publication_leaves_the_published_customers_in_service(
    day_one: Deployment, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    policies = tmp_path_factory.mktemp("policies")
    for source in day_one.settings.policies.rglob("*.yaml"):
        target = policies / source.relative_to(day_one.settings.policies)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    checks = policies / "checks.yaml"
    checks.write_text(
        checks.read_text(encoding="utf-8").replace("warn: 25", "warn: 0").replace("error: 250", "error: 1"),
        encoding="utf-8",
    )
    strict = Deployment(day_one.settings.model_copy(update={"policies": policies}))
    before = day_one.published(versions=True)
    assert strict.run(DAYS[1]) == 1
    assert "cluster_size" in capsys.readouterr().out
    assert day_one.published(versions=True) == before


def test_customers_are_published_and_told_though_their_tables_cannot_be_tidied_up(
    day_one: Deployment,
) -> None:
    """A session that keeps VACUUM from a table that is due, and nobody from writing to it."""
    url = day_one.settings.environment()["CDM_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE ops.bulk AS SELECT generate_series(1, 5000) AS n")
        connection.execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = 3000', current_database()); END $$"
        )
    with psycopg.connect(url) as holding:
        holding.execute("LOCK TABLE ops.bulk IN SHARE UPDATE EXCLUSIVE MODE")
        with open_session(day_one.settings) as session:
            outcome = run_job(session.definitions, "customers", session.instance)
            assert outcome.succeeded, outcome.failures
            told = [one.user_message for one in session.instance.all_logs(outcome.run_id)]
    assert any("Everything that was written stands" in one for one in told)


def test_no_personal_value_reaches_the_event_log(day_one: Deployment) -> None:
    (day_one.landing / "crm" / "contact" / f"{DAYS[1]}.csv").write_bytes(b"Id,Nobody\n1,Zeldzaamnaam\n")
    day_one.run(DAYS[1])
    people = day_one.query(
        "SELECT DISTINCT email FROM golden.customer WHERE email IS NOT NULL "
        "UNION SELECT phone FROM golden.customer WHERE phone IS NOT NULL "
        "UNION SELECT surname FROM golden.customer WHERE length(surname) > 7 UNION SELECT 'Zeldzaamnaam'"
    )
    log = " ".join(event for (event,) in day_one.query("SELECT event FROM dagster.event_logs"))
    assert len(log) > 10_000
    assert [value for (value,) in people if value in log] == []
