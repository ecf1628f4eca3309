"""Another company is looked at, taken in and given away again: on real files, steps and PostgreSQL."""

import csv
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from cdm_demo import generate
from cdm_demo.takeover import CompanyB, company_b
from cdm_pipelines.contracts import catalogue
from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.contracts.canonical import with_state
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import source_days
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.insight.report_words import Language
from cdm_pipelines.insight.takeover_page import TEMPLATES, dutch, page
from cdm_pipelines.insight.takeover_report import Assessment, as_json
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.quality.thresholds import ACCEPTABLE
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.consent.staging import stage_consent
from cdm_pipelines.steps.customers import lost_days
from cdm_pipelines.steps.customers.publication import publish_customers, stage_customers
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.steps.takeover import divest as leaving_step
from cdm_pipelines.steps.takeover.apply import InPlace, put_in_place
from cdm_pipelines.steps.takeover.assess import assess
from cdm_pipelines.steps.takeover.divest import MANIFEST, forget_history, hand_out, leaving, take_out
from cdm_pipelines.steps.takeover.folder import TakeoverError
from cdm_pipelines.store.file_store import FileStore
from cdm_pipelines.store.files import write_whole
from cdm_pipelines.store.lake import Lake

DAY, SEED, CUSTOMERS, NAME = "2026-06-01", 7, 300, "companyb"
OURS = ("crm", "erp", "shop")
STEWARD = Actor("alma", Role.STEWARD)
LOGS = {
    "golden.customer_history",
    "golden.customer_version",
    "identity.event",
    "identity.golden_id",
    "identity.decision",
    "identity.decision_detail",
    "identity.decision_head",
    "privacy.consent_state",
}
"""What remembers that something was: registry of ids, events, versions, decisions."""


@dataclass
class House:
    """An installation with sources in a folder of its own."""

    settings: Settings
    engine: Engine
    defs: Path
    b: CompanyB

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_url)

    def run(self, *sources: str) -> None:
        """What `cdm run` does for some sources, without Dagster."""
        all_contracts.cache_clear()
        for contract in all_contracts():
            if contract.source in sources:
                process_day(self.settings, self.lake, contract, DAY, accept=ACCEPTABLE)
        build_records(self.lake, all_contracts(), [one.entity for one in with_state()])
        with self.engine.begin() as connection:
            decided = decisions.constraints(connection)
        link_parties(self.lake, self.settings, decided=decided)
        with self.engine.begin() as connection:
            staged = stage_customers(connection, self.lake, self.settings, accept=ACCEPTABLE)
            assert not staged.stopped
            stage_consent(connection, self.lake, self.settings)
        with self.engine.begin() as connection:
            publish_customers(connection, self.lake, self.settings)

    def published(self) -> dict[str, list[str]]:
        """Every published table but what is a log."""
        with self.engine.connect() as connection:
            named = connection.scalars(
                text(
                    "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_type = "
                    "'BASE TABLE' AND table_schema IN ('golden', 'privacy', 'profile', 'identity') ORDER BY 1"
                )
            )
            return {
                table: sorted(
                    json.dumps(row, sort_keys=True, default=str)
                    for row in connection.scalars(text(f"SELECT to_jsonb(t) FROM {table} AS t"))
                )
                for table in named
                if table not in LOGS
            }

    def everything(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Checksums of the lake, and every row of the hub with its version."""
        root = Path(self.settings.lake_url)
        files = {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
        with self.engine.connect() as connection:
            named = connection.scalars(
                text(
                    "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_type = "
                    "'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
                )
            ).all()
            rows = {
                table: sorted(
                    connection.scalars(text(f"SELECT md5(concat(t.xmin::text, t::text)) FROM {table} t"))
                )
                for table in named
            }
        return files, rows

    def ids(self) -> dict[tuple[str, str, str], str]:
        with self.engine.connect() as connection:
            rows = connection.execute(
                text("SELECT source, entity, record_id, golden_id::text FROM golden.crosswalk")
            )
            return {(row[0], row[1], row[2]): row[3] for row in rows}

    def apply(self, folder: Path | None = None, name: str = NAME) -> InPlace:
        all_contracts.cache_clear()
        with self.engine.connect() as connection:
            return put_in_place(
                self.settings, connection, folder or self.b.folder, name, date=DAY, defs=self.defs
            )

    def divest(self, name: str = NAME) -> int:
        """As the command does; returns how many former versions went."""
        all_contracts.cache_clear()
        with self.engine.connect() as connection:
            found = leaving(self.settings, connection, name, self.defs)
        with self.engine.begin() as connection:
            take_out(self.settings, connection, found, STEWARD, self.defs)
        self.run()
        with self.engine.begin() as connection:
            return forget_history(self.settings, connection, name)


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str], _template: str
) -> Iterator[House]:
    home = tmp_path_factory.mktemp("home")
    generate(customers=CUSTOMERS, days=1, seed=SEED, out=home, interactions=0)
    for folder in (home / "landing").iterdir():
        if folder.name not in OURS:
            shutil.rmtree(folder)
    b = company_b(home, customers=CUSTOMERS, seed=SEED, out=home / "b", size=150, days=1)
    shutil.copytree(catalogue.DEFS, home / "defs")
    settings = load_settings(
        home=home / "home",
        landing_url=str(home / "landing"),
        lake_url=str(home / "home" / "lake"),
        database_url=new_database(_template),
        threads=1,
    )
    with pytest.MonkeyPatch.context() as patch, open_hub(settings) as engine:
        patch.setattr(catalogue, "DEFS", home / "defs")
        made = House(settings, engine, home / "defs", b)
        made.run(*OURS)
        yield made
    all_contracts.cache_clear()


@pytest.fixture(scope="module")
def assessed(house: House) -> tuple[Assessment, bool]:
    """The report, and whether lake and hub are what they were."""
    before = house.everything()
    found = assess(house.settings, house.b.folder, NAME)
    return found, house.everything() == before


def test_assessing_writes_nothing(house: House, assessed: tuple[Assessment, bool]) -> None:
    assert assessed[1]
    assert not (house.settings.home / "plan").exists()
    assert not (house.defs / NAME).exists()


def test_the_overlap_is_within_the_interval(house: House, assessed: tuple[Assessment, bool]) -> None:
    found = assessed[0]
    assert found.overlap is not None
    assert house.b.ours == round(0.3 * house.b.customers)
    assert found.overlap.low <= house.b.ours <= found.overlap.high
    assert found.overlap.high - found.overlap.low < 0.2 * house.b.customers  # and it tells something
    assert found.records == house.b.records
    assert abs(found.customers - house.b.customers) <= 3  # rows are not customers


def test_counts_of_the_report_are_those_of_the_files(house: House, assessed: tuple[Assessment, bool]) -> None:
    found = {one.entity: one for one in assessed[0].files}
    with (house.b.folder / "toestemmingen.csv").open(encoding="utf-8", newline="") as lines:
        said = list(csv.DictReader(lines, delimiter=";"))
    assert found["klanten"].read == house.b.records
    assert found["klanten"].suggested
    assert found["toestemmingen"].read == len(said)
    assert not found["toestemmingen"].suggested
    consent = assessed[0].consent
    assert consent.strange == {"loterij": sum(row["Doel"] == "loterij" for row in said)}
    newsletter = [row for row in said if row["Doel"] == "newsletter"]
    marketing = next(one for one in consent.purposes if one.purpose == "marketing")
    assert marketing.given == sum(row["Status"] == "aangemeld" for row in newsletter)
    assert marketing.given + marketing.refused + marketing.nothing == assessed[0].customers


def test_ids_that_both_have_are_told(house: House, assessed: tuple[Assessment, bool]) -> None:
    with house.engine.connect() as connection:
        ours = set(connection.scalars(text("SELECT record_id FROM golden.crosswalk")))
    same = sum(one in ours for one in house.b.truth)
    assert same > 5
    assert assessed[0].ids.same == same
    assert "told apart by source" in assessed[0].ids.told.en


def test_the_report_holds_no_value_of_anybody(house: House, assessed: tuple[Assessment, bool]) -> None:
    with (house.b.folder / "klanten.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    values = {
        row[name]
        for row in rows
        for name in ("Klantnummer", "Achternaam", "E-mail", "Telefoon", "Geboortedatum", "Adres")
        if len(row[name]) > 5
    }
    html, plain = page(assessed[0]), json.dumps(as_json(assessed[0]))
    assert len(values) > 300
    assert not [one for one in values if one in html or one in plain]
    assert "http" not in html.replace("http://www.w3.org", "")  # works offline


def test_the_report_is_read_in_dutch_too(house: House, assessed: tuple[Assessment, bool]) -> None:
    template = (TEMPLATES / "takeover.html").read_text(encoding="utf-8")
    said = set(re.findall(r"""\bt\("([^"]+)\"""", template))
    assert len(said) > 50
    assert said - dutch().keys() == set()
    for english, words in dutch().items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", words)), english
    found = assessed[0]
    html = page(found, Language.DUTCH)
    assert '<html lang="nl">' in html
    assert f"Overname van {found.name}" in html
    assert found.trusted.nl in html
    assert not [one for one in said - set(dutch().values()) if "{" not in one and f">{one}<" in html]


def test_amounts_are_in_the_currency_of_the_business_case(assessed: tuple[Assessment, bool]) -> None:
    work = tuple(replace(one, unit=(1.0, 2.0, 1234.5)) for one in assessed[0].cleaning)
    pounds = replace(assessed[0], cleaning=work, currency="GBP")
    assert "£ 1,234.50" in page(pounds)
    assert "£ 1.234,50" in page(pounds, Language.DUTCH)
    assert "€" not in page(pounds)
    assert "CHF 1,234.50" in page(replace(pounds, currency="CHF"))


def test_unit_costs_make_a_price_and_faulty_ones_are_told(
    house: House, assessed: tuple[Assessment, bool], tmp_path: Path
) -> None:
    assert assessed[0].total is None
    policies = tmp_path / "policies"
    shutil.copytree(house.settings.policies, policies)
    own = house.settings.model_copy(update={"policies": policies})
    costs = policies / "business_case.yaml"
    shipped = costs.read_text(encoding="utf-8")
    decision, merging = "one decision of a steward, unit: EUR", "records of one customer together, unit: EUR"
    assert decision in shipped
    assert merging in shipped
    priced = shipped.replace(decision, f"{decision}, low: 1, likely: 2, high: 4")
    costs.write_text(priced.replace(merging, f"{merging}, likely: 0.5"), encoding="utf-8")
    found = assess(own, house.b.folder, NAME)
    low = found.doubtful * 1 + found.duplicates * 0.5
    high = found.doubtful * 4 + found.duplicates * 0.5
    assert found.currency == "EUR"
    assert found.total == (low, found.doubtful * 2 + found.duplicates * 0.5, high)
    costs.write_text(shipped.replace(merging, f"{merging}, likely: -1"), encoding="utf-8")
    with pytest.raises(PrivacyPolicyError, match=r"inputs\.cost_of_merging_a_record"):
        assess(own, house.b.folder, NAME)


def test_what_was_taken_in_is_what_was_foreseen_and_leaves_without_a_trace(
    house: House, assessed: tuple[Assessment, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, ids = house.published(), house.ids()
    placed = house.apply()
    assert {path.name for path in placed.written} == {
        "klanten.odcs.yaml",
        "toestemmingen.odcs.yaml",
        "defs.yaml",
    }
    house.run(NAME)
    after = house.ids()
    assert len(set(after.values())) == assessed[0].golden_after
    # An id that is one of ours is another record: ours have the customer that they had, or one that B's records join.
    same = [key for key in after if key[0] == NAME and any(key[2] == ours[2] for ours in ids)]
    assert same
    ours_by_id = {key[2]: after[key] for key in ids}
    assert sum(after[key] == ours_by_id[key[2]] for key in same) <= 1
    assert len(after) == len(ids) + house.b.records
    assert house.apply().done  # a second time there is nothing to do
    with pytest.raises(TakeoverError, match="is taken"):
        house.apply(other_folder(house, tmp_path / "other"))
    with pytest.raises(TakeoverError, match="is taken"):
        assess(house.settings, house.b.folder, NAME)

    joined = next(key for key in after if key[0] == NAME and after[key] in ids.values())
    with house.engine.begin() as connection:
        made = decisions.confirm(connection, after[joined], STEWARD, "seen")
    handed = hand_out(house.settings, NAME, tmp_path / "buyer", house.defs)
    assert handed["party"] == house.b.records
    with house.engine.connect() as connection:
        found = leaving(house.settings, connection, NAME, house.defs)
    assert found.records == house.b.records
    assert found.decisions == (made.decision.decision_id,)
    killed_at_each_step(house, monkeypatch)
    assert hand_out(house.settings, NAME, tmp_path / "buyer", house.defs) == handed  # as it was when complete
    house.divest()

    now = house.published()
    assert {name: now[name] for name in before} == before
    assert house.ids() == ids
    assert not (house.defs / NAME).exists()
    assert not (Path(house.settings.landing_url) / NAME).exists()
    assert not [path for path in house.everything()[0] if NAME in path]
    with house.engine.connect() as connection:
        log = decisions.read_log(connection)
        registry = connection.execute(
            text("SELECT status, count(*) FROM identity.golden_id WHERE source = :name GROUP BY 1"),
            {"name": NAME},
        ).all()
    assert log[-1].undoes == made.decision.decision_id
    assert dict(map(tuple, registry)).keys() == {"retired"}
    manifest = json.loads((tmp_path / "buyer" / MANIFEST).read_text())
    for path, digest in manifest["sha256"].items():
        assert hashlib.sha256((tmp_path / "buyer" / path).read_bytes()).hexdigest() == digest
    with pytest.raises(TakeoverError, match="no source companyb"):
        house.divest()


class KilledError(Exception):
    """Stands for the end of the process."""


def killed(*_: object) -> None:
    raise KilledError


def first(working: Callable[..., Any]) -> Callable[..., Any]:
    """Works once, and is killed then."""
    calls = iter((working,))

    def call(*arguments: object) -> None:
        next(calls, killed)(*arguments)

    return call


def begun_and_killed(house: House, found: leaving_step.Leaving) -> None:
    with house.engine.begin() as connection:
        take_out(house.settings, connection, found, STEWARD, house.defs)
        killed()


def killed_at_each_step(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin to divest, and be killed: after one extract, before the days go, before the transaction is committed."""
    deleted = FileStore.delete
    for broken in ("extract", "days", "commit"):
        all_contracts.cache_clear()
        with house.engine.connect() as connection:
            found = leaving(house.settings, connection, NAME, house.defs)
        with monkeypatch.context() as patch:
            if broken == "extract":
                patch.setattr(FileStore, "delete", first(deleted))
            if broken == "days":
                patch.setattr(lost_days, "remove", killed)
            with pytest.raises(KilledError):
                begun_and_killed(house, found)
        if broken == "commit":  # days are gone from the lake, and the hub does not know: nothing is published
            with pytest.raises(lost_days.LostDaysError):
                house.run()


def other_folder(house: House, folder: Path) -> Path:
    """Company B's extracts with another column."""
    folder.mkdir()
    (folder / "klanten.csv").write_text("Klantnummer;Voornaam;Achternaam\n1;Ans;Vermeer\n2;Piet;Vermeer\n")
    return folder


def test_an_apply_that_was_killed_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, ids = other_folder(house, tmp_path / "other"), house.ids()
    with monkeypatch.context() as patch:
        patch.setattr("cdm_pipelines.steps.takeover.apply.write_whole", first(write_whole))
        with pytest.raises(KilledError):
            house.apply(folder, "half")
    assert [path.name for path in (house.defs / "half").iterdir()] == ["klanten.odcs.yaml"]
    assert len(house.apply(folder, "half").written) == 1
    house.run("half")
    assert len(house.ids()) == len(ids) + 2
    house.divest("half")
    assert house.ids() == ids


def test_the_only_source_of_customers_does_not_leave(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    only = {source_days.SourceDay("crm", "contact", "party", DAY)}
    monkeypatch.setattr(source_days, "known_days", lambda _: only)
    with house.engine.connect() as connection, pytest.raises(TakeoverError, match="only source"):
        leaving(house.settings, connection, "crm", house.defs)


@pytest.mark.parametrize("name", ["nobody", "../crm", "", "crm/contact", "."])
def test_an_unknown_source_does_not_leave(house: House, name: str) -> None:
    with house.engine.connect() as connection, pytest.raises(TakeoverError, match="There is no source"):
        leaving(house.settings, connection, name, house.defs)


def test_an_export_goes_into_a_new_folder_only(house: House, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(TakeoverError, match="something else"):
        hand_out(house.settings, "crm", tmp_path, house.defs)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_an_export_of_earlier_is_not_taken_for_that_of_a_source_that_came_again(
    house: House, tmp_path: Path
) -> None:
    folder, handed = other_folder(house, tmp_path / "other"), tmp_path / "handed"
    house.apply(folder, "again")
    house.run("again")
    assert hand_out(house.settings, "again", handed, house.defs) == {"party": 2}
    house.divest("again")
    with (folder / "klanten.csv").open("a") as more:
        more.write("3;Tom;Smit\n")
    house.apply(folder, "again")
    house.run("again")
    with pytest.raises(TakeoverError, match="holds an earlier export of again"):
        hand_out(house.settings, "again", handed, house.defs)
    assert hand_out(house.settings, "again", tmp_path / "new", house.defs) == {"party": 3}
    assert b"Smit" in (tmp_path / "new" / "records" / "party.csv").read_bytes()
    house.divest("again")


def test_extracts_that_land_elsewhere_are_handed_out_and_go(house: House, tmp_path: Path) -> None:
    folder, landing = other_folder(house, tmp_path / "other"), Path(house.settings.landing_url)
    house.apply(folder, "elsewhere")
    contract = house.defs / "elsewhere" / "klanten.odcs.yaml"
    place = 'customProperties:\n      - {property: location, value: "exchange/klanten_{date}.csv"}'
    said = contract.read_text(encoding="utf-8")
    contract.write_text(said.replace("customProperties:", place, 1), encoding="utf-8")
    (landing / "exchange").mkdir()
    next((landing / "elsewhere" / "klanten").iterdir()).rename(landing / "exchange" / f"klanten_{DAY}.csv")
    (landing / "exchange" / "letter.txt").write_text("mine")
    house.run("elsewhere")
    hand_out(house.settings, "elsewhere", tmp_path / "handed", house.defs)
    assert (tmp_path / "handed" / "extracts" / "exchange" / f"klanten_{DAY}.csv").is_file()
    house.divest("elsewhere")
    assert [path.name for path in (landing / "exchange").iterdir()] == ["letter.txt"]
