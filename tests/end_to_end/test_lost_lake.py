"""A lake that was lost, in whole or in part, never shrinks the hub; what is meant to go, goes."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.steps.customers.lost_days import LostDaysError
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.store import layout
from cdm_pipelines.store.compaction import compact

from .conftest import DAYS, Deployment
from .test_commands import read_csv, write_csv
from .test_damaged_lake import Company

SOURCES = ("crm", "erp", "shop")


def ingest(company: Company, days: tuple[str, ...], source: str = "") -> None:
    for day in days:
        for contract in all_contracts():
            if source in ("", contract.source):
                process_day(company.deployment.settings, company.lake, contract, day)


@pytest.fixture(scope="module")
def made(
    deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Company]:
    """Makes a company with three days ingested and published."""

    def make() -> Company:
        company = Company(deploy(), {}, tmp_path_factory.mktemp("whole") / "lake")
        ingest(company, DAYS)
        company.customers()
        shutil.copytree(company.lake.url, company.whole)
        company.published.update(company.deployment.published())
        return company

    return make


@pytest.fixture(scope="module")
def published(made: Callable[[], Company]) -> Company:
    """One whose hub no test changes for good."""
    return made()


@pytest.fixture
def company(published: Company) -> Iterator[Company]:
    """The same, with the lake as it was for the next test."""
    yield published
    shutil.rmtree(published.lake.url, ignore_errors=True)
    shutil.copytree(published.whole, published.lake.url)


def drop(company: Company, *patterns: str) -> None:
    for pattern in patterns:
        found = list(Path(company.lake.url).glob(pattern))
        assert found, pattern
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def a_day(source: str, day: str) -> tuple[str, ...]:
    return f"raw/{source}/*/{day}.parquet", f"valid/{source}/*/{day}.parquet", f"standard/{source}/*/{day}"


LOSSES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "one source": (("*/shop",), "shop", f"--from {DAYS[0]} --to {DAYS[2]} --source shop"),
    "one entity": (("*/crm/contact",), "crm/contact", f"--from {DAYS[0]} --to {DAYS[2]} --source crm"),
    "one day": (a_day("erp", DAYS[1]), "erp/customer", f"--date {DAYS[1]} --source erp"),
    "the first day": (a_day("crm", DAYS[0]), "crm/account", f"--date {DAYS[0]} --source crm"),
    "the newest day": (a_day("shop", DAYS[2]), "shop/customer", f"--date {DAYS[2]} --source shop"),
    "a day and what was made of it": (
        (*a_day("crm", DAYS[0]), "records", "link"),
        "crm/account",
        f"--date {DAYS[0]} --source crm",
    ),
}


@pytest.mark.parametrize("what", LOSSES)
def test_what_is_lost_stops_the_next_publication_and_is_told(company: Company, what: str) -> None:
    patterns, source, command = LOSSES[what]
    drop(company, *patterns)
    with pytest.raises(LostDaysError) as told:
        company.customers()
    message = str(told.value)
    assert source in message
    assert f"`cdm run {command}`" in message
    assert "Restore the lake from a backup" in message
    assert "cdm remove-source" in message
    assert company.deployment.published() == company.published


@pytest.mark.parametrize("source", SOURCES[1:])
def test_an_empty_lake_with_one_source_delivered_again_does_not_shrink_the_hub(
    company: Company, source: str
) -> None:
    shutil.rmtree(company.lake.url)
    ingest(company, DAYS, source)
    with pytest.raises(LostDaysError) as told:
        company.customers()
    others = {row[0] for row in company.published["golden.crosswalk"]} - {source}
    assert all(f"{other}/" in str(told.value) for other in others)
    assert f"--source {source}`" not in str(told.value)
    retired = int(str(re.search(r"([\d,]+) customers would be retired", str(told.value))[1]).replace(",", ""))  # type: ignore[index]
    alone = company.deployment.query(
        f"SELECT count(*) FROM (SELECT golden_id FROM golden.crosswalk GROUP BY 1 "
        f"HAVING NOT bool_or(source = '{source}')) AS t"
    )
    assert [(retired,)] == alone
    assert retired
    assert company.deployment.published() == company.published
    for other in set(SOURCES) - {source}:
        ingest(company, DAYS, other)
    company.customers()
    assert company.deployment.published() == company.published


def test_the_whole_job_refuses_with_an_error_in_words(company: Company) -> None:
    shutil.rmtree(company.lake.url)
    told = company.deployment.cdm("run", "--date", DAYS[2], "--source", "shop", code=1)
    assert "customers would be retired" in " ".join(told.split())
    assert company.deployment.published() == company.published


def test_a_hub_of_an_earlier_release_is_guarded_too(company: Company) -> None:
    company.deployment.alter("ALTER TABLE ops.source_day RENAME TO kept")
    company.deployment.alter("CREATE TABLE ops.source_day (LIKE ops.kept INCLUDING ALL)")
    drop(company, "*/crm/contact", "records", "link")
    try:
        with pytest.raises(LostDaysError, match=r"crm/contact \(all days\)"):
            company.customers()
    finally:
        company.deployment.alter("DROP TABLE ops.source_day")
        company.deployment.alter("ALTER TABLE ops.kept RENAME TO source_day")
    assert company.deployment.published() == company.published


def test_what_is_meant_to_go_goes(made: Callable[[], Company]) -> None:
    company = made()
    contact = company.deployment.landing / "crm" / "contact" / f"{DAYS[2]}.csv"
    write_csv(contact, read_csv(contact)[:-3])  # a record that a newer snapshot lacks ends as ever
    ingest(company, DAYS[2:], "crm")
    company.customers()
    assert count(company, "source = 'crm' AND NOT active") >= 3

    drop(company, *a_day("erp", DAYS[1]))
    day = ("--from", DAYS[1], "--to", DAYS[1], "--yes")
    company.deployment.ask("remove-source", "erp", "--entity", "customer", *day)
    with pytest.raises(LostDaysError, match="erp/order"):
        company.customers()
    company.deployment.ask("remove-source", "erp", *day)
    company.customers()
    assert count(company, "source = 'erp'")

    assert all(one.fault is None for one in compact(company.lake, lambda _month: True))
    crm = count(company, "source = 'crm'")
    assert "6 days" in company.deployment.ask("remove-source", "shop", "--yes")
    assert not [path for layer in layout.LAYERS for path in company.lake.paths(f"{layer}/shop")]
    company.customers()
    assert (count(company, "source = 'shop'"), count(company, "source = 'crm'")) == (0, crm)
    nobody = company.deployment.ask("remove-source", "nobody", "--yes", code=2)
    assert "nothing of nobody" in nobody
    assert "customers are made from crm/" in nobody


def count(company: Company, condition: str) -> int:
    ((number,),) = company.deployment.query(f"SELECT count(*) FROM golden.crosswalk WHERE {condition}")
    return int(number)


def test_packed_days_give_the_same_customers_and_are_delivered_anew(company: Company) -> None:
    lake = company.lake
    before = {path: lake.content(path) for layer in layout.LAYERS for path in lake.paths(layer)}
    files = len(lake.lying_alone(""))
    assert all(one.fault is None for one in compact(lake, lambda _month: True))
    assert len(lake.lying_alone("")) < files / 2
    assert {path: lake.content(path) for layer in layout.LAYERS for path in lake.paths(layer)} == before
    company.customers(rebuild=True)
    assert company.deployment.published() == company.published
    ingest(company, DAYS[1:2])
    company.customers()
    assert company.deployment.published() == company.published
    assert all(one.fault is None for one in compact(lake, lambda _month: True))
    assert {path: lake.content(path) for layer in layout.LAYERS for path in lake.paths(layer)} == before
    pack = layout.standard_path(all_contracts()[0], DAYS[0], Entity.PARTY).rpartition("/")[0]
    (Path(lake.url) / f"{pack.rpartition('/')[0]}/{DAYS[0][:7]}.zip").unlink()
    with pytest.raises(Exception, match="is missing"):
        company.customers()
