"""A plan says what then happens, row for row, and leaves nothing behind."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine

from cdm_pipelines.commands.run import run_days
from cdm_pipelines.contracts import catalogue
from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.contracts.catalogue import DEFS, contract_named
from cdm_pipelines.hub.connection import database_url
from cdm_pipelines.hub.published import published
from cdm_pipelines.hub.schema_privacy import consent
from cdm_pipelines.quality.thresholds import ACCEPTABLE
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.operate.coverage import coverage
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.plan.making import PlanError, plan, run_beside
from cdm_pipelines.steps.plan.outcome import Outcome, Plan
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, ROOT, Deployment

TABLES = {"customer": "golden.customer", "crosswalk": "golden.crosswalk", "provenance": "golden.provenance"}
KEYS = {
    "customer": "golden_id",
    "crosswalk": "source, entity, record_id",
    "provenance": "golden_id, attribute",
    "consent": "golden_id, purpose, channel",
}
Rows = Mapping[str, list[tuple[Any, ...]]]


@dataclass
class Company:
    """A deployment whose policies can be changed."""

    home: Deployment

    @property
    def settings(self) -> Settings:
        return self.home.settings

    def apply(self, changed: Path) -> None:
        """Put changed policies in the place of those in force, and run."""
        shutil.copytree(changed, self.settings.policies, dirs_exist_ok=True)
        assert run_days(self.settings, (DAYS[1], DAYS[1]), ["crm"], accept=ACCEPTABLE) == 0

    def published(self) -> Rows:
        tables = {name: published()[name].table for name in TABLES} | {"consent": consent}
        return {
            name: self.home.query(
                f"SELECT {', '.join(column.name for column in table.columns)} FROM {table} ORDER BY {KEYS[name]}"
            )
            for name, table in tables.items()
        }

    def registry(self) -> dict[UUID, tuple[str, UUID | None]]:
        rows = self.home.query("SELECT golden_id, status, alias_of FROM identity.golden_id")
        return {golden_id: (status, alias) for golden_id, status, alias in rows}

    def foresee(self, changed: Path, contracts: Path | None = None) -> Rows:
        with run_beside(self.settings, changed, contracts) as done:
            return {name: done.foreseen.rows(name) for name in KEYS}


@pytest.fixture(scope="module")
def company(deploy: Callable[..., Deployment]) -> Company:
    """Two days of the systems that know who customers are."""
    made = deploy()
    policies = made.settings.home / "policies"
    shutil.copytree(made.settings.policies, policies)
    given = {
        name: getattr(made.settings, name)
        for name in ("home", "landing_url", "lake_url", "database_url", "threads")
    }
    home = Deployment(load_settings(**given, policies=policies))
    assert home.run(*DAYS[:2], ["crm", "erp", "shop"]) == 0
    return Company(home)


def decide(company: Company) -> None:
    """A steward parts a customer, which the next run follows."""
    home = company.home
    [(golden, record)] = home.query(
        """SELECT golden_id::text, min(source || '/' || entity || '/' || record_id) FROM golden.crosswalk
        JOIN golden.customer USING (golden_id) WHERE party_kind = 'person' GROUP BY golden_id
        HAVING count(*) > 2 ORDER BY 1 LIMIT 1"""
    )
    home.ask("steward", "different", str(record), str(golden), "--by", "Stien")


def changed(folder: Path, company: Company, name: str, *edits: tuple[str, str]) -> Path:
    """A folder with one policy, other than the one in force."""
    text = (company.settings.policies / name).read_text(encoding="utf-8")
    for before, after in edits:
        text, times = re.subn(before, after, text)
        assert times, before
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def stricter(folder: Path, company: Company) -> Path:
    return changed(folder, company, "linkage/person.yaml", (r"match: [0-9.]+", "match: 0.995"))


def looser(folder: Path, company: Company) -> Path:
    return changed(folder, company, "linkage/person.yaml", (r"match: [0-9.]+", "match: 0.6"))


def other_trust(folder: Path, company: Company, first: str = "shop/customer") -> Path:
    order = f"trust:\n  - {first}\n  - crm/contact\n  - crm/account\n\nrules:"
    return changed(folder, company, "survivorship.yaml", (r"(?s)\ntrust:\n.*?\n\nrules:", f"\n{order}"))


def everything(company: Company) -> dict[str, object]:
    """Lake and hub to the byte: files, relations, rows with their versions and places, sequences."""
    hub = company.home.query(
        """SELECT c.oid, c.relfilenode, n.nspname || '.' || c.relname, c.relkind::text FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"""
    )
    rows = {
        name: company.home.query(f"SELECT ctid::text, xmin::text, t::text FROM {name} AS t ORDER BY 1")
        for _, _, name, kind in hub
        if kind == "r"
    }
    sequences = {
        name: company.home.query(f"SELECT last_value, is_called FROM {name}")
        for _, _, name, kind in hub
        if kind == "S"
    }
    home = company.settings.home
    files = {str(path.relative_to(home)): path.stat().st_mtime_ns for path in home.rglob("*")}
    return {"hub": hub, "rows": rows, "sequences": sequences, "lake": company.home.lake(), "home": files}


def test_a_plan_leaves_lake_and_hub_as_they_were(company: Company, tmp_path: Path) -> None:
    changes = other_trust(stricter(tmp_path, company), company)
    before = everything(company)
    made = plan(company.settings, changes)
    assert everything(company) == before
    assert made.customers.split
    assert made.attributes
    assert not (company.settings.home / "plan").exists()


def test_policies_that_say_the_same_change_nothing(company: Company, tmp_path: Path) -> None:
    shutil.copytree(company.settings.policies, tmp_path / "same")
    made = plan(company.settings, tmp_path / "same")
    assert made.outcome is Outcome.NOTHING
    assert made.waiting == 0
    assert made.notes == ("Every file says what the one in force says.",)
    assert not any(one.changed for one in made.taken)
    assert not any(model.fitted for model in made.models)
    told = company.home.ask("plan", "--policies", str(tmp_path / "same"))
    assert "Nothing would change." in told
    assert "Every file says what the one in force says." in told


@pytest.mark.parametrize("change", [other_trust, stricter, looser])
def test_what_is_foreseen_is_what_then_happens(
    company: Company, tmp_path: Path, change: Callable[[Path, Company], Path]
) -> None:
    if change is stricter:
        decide(company)
    changes = change(tmp_path, company)
    before, ids_before = company.published(), company.registry()
    foreseen, made = company.foresee(changes), plan(company.settings, changes)
    assert foreseen != before
    company.apply(changes)
    after = company.published()
    for name in KEYS:
        assert foreseen[name] == after[name], name
    columns = [column.name for column in published()["customer"].table.columns]
    assert told(made) == counted(columns, before, after)
    assert vars(made.ids) == moved_ids(ids_before, company.registry())
    fitted = {one.kind: one.fitted for one in made.models}
    assert fitted == {"person": change is not other_trust, "organisation": False}
    SAW[change](made)


def saw_trust(made: Plan) -> None:
    assert made.customers.changed > 3
    assert made.records.moved == 0
    assert any(one.sources[0].after == "shop/customer" for one in made.attributes)
    assert {one.kind for one in made.examples} == {"changed"}


def saw_splits(made: Plan) -> None:
    assert made.customers.split > 3
    assert made.ids.founded > 3
    assert made.outcome is Outcome.REFUSE
    assert len(made.examples) == 10
    assert any(note.startswith("Stewards have decided") for note in made.notes)
    assert {"split", "consent", "changed"} <= {one.kind for one in made.examples}


def saw_merges(made: Plan) -> None:
    assert made.customers.merged > made.customers.merged_into > 3
    assert made.ids.alias > 3
    assert made.examples[0].kind == "merged"
    assert len(made.examples[0].before) > len(made.examples[0].after)


SAW: Mapping[Callable[..., Path], Callable[[Plan], None]] = {
    other_trust: saw_trust,
    stricter: saw_splits,
    looser: saw_merges,
}


def told(made: Plan) -> dict[str, object]:
    """What the plan counts."""
    return {
        **vars(made.customers),
        "moved": made.records.moved,
        "attributes": {one.attribute: (one.filled, one.emptied, one.other) for one in made.attributes},
        "consent": {(one.purpose, one.channel): (one.lost, one.gained) for one in made.consent},
        "consent_lost": made.consent_lost,
        "consent_gained": made.consent_gained,
    }


def counted(columns: list[str], before: Rows, after: Rows) -> dict[str, object]:
    """The same, counted from the two published versions by other means."""
    old, new = ({row[:3]: row[3] for row in rows["crosswalk"]} for rows in (before, after))
    becomes, comes_from = defaultdict(set), defaultdict(set)
    for record in old.keys() & new.keys():
        becomes[old[record]].add(new[record])
        comes_from[new[record]].add(old[record])
    joined = {one for one, sources in comes_from.items() if len(sources) > 1}
    parted = {one for one, parts in becomes.items() if len(parts) > 1}
    golden = {one.name for one in attributes(Entity.PARTY, golden_only=True)}
    were, are = (
        {row[0]: dict(zip(columns, row, strict=True)) for row in rows["customer"]} for rows in (before, after)
    )
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    changed = set()
    for golden_id in were.keys() & are.keys():
        for name in golden:
            a, b = were[golden_id][name], are[golden_id][name]
            if a != b:
                changed.add(golden_id)
                kinds[name]["filled" if a is None else "emptied" if b is None else "other"] += 1
    return {
        "before": len(were),
        "after": len(are),
        "merged": len({one for id_ in joined for one in comes_from[id_]}),
        "merged_into": len(joined),
        "split": len(parted),
        "split_into": len({one for id_ in parted for one in becomes[id_]}),
        "changed": len(changed),
        "moved": sum(old[record] != new[record] for record in old.keys() & new.keys()),
        "attributes": {name: (one["filled"], one["emptied"], one["other"]) for name, one in kinds.items()},
        **answers(before, after, becomes),
    }


def answers(before: Rows, after: Rows, becomes: Mapping[UUID, set[UUID]]) -> dict[str, object]:
    """Whom a purpose reaches no more, or reaches then: a customer in service beside each that it becomes part of."""
    was, will = ({tuple(row[:3]): row[3] for row in rows["consent"]} for rows in (before, after))
    lost: defaultdict[tuple[str, str], set[UUID]] = defaultdict(set)
    gained: defaultdict[tuple[str, str], set[UUID]] = defaultdict(set)
    asked = {key[1:] for key in was} | {key[1:] for key in will}
    for old, parts in becomes.items():
        for new in parts:
            for purpose, channel in asked:
                if (old, purpose, channel) not in was and (new, purpose, channel) not in will:
                    continue
                one, other = (
                    answer.get((of, purpose, channel), answer.get((of, purpose, ""), False))
                    for answer, of in ((was, old), (will, new))
                )
                if one and not other:
                    lost[purpose, channel].add(old)
                if other and not one:
                    gained[purpose, channel].add(new)
    return {
        "consent": {one: (len(lost[one]), len(gained[one])) for one in sorted({*lost, *gained})},
        "consent_lost": len({one for ids in lost.values() for one in ids}),
        "consent_gained": len({one for ids in gained.values() for one in ids}),
    }


def moved_ids(
    before: Mapping[UUID, tuple[str, UUID | None]], after: Mapping[UUID, tuple[str, UUID | None]]
) -> dict[str, int]:
    found = Counter[str]()
    for golden_id, (status, alias) in after.items():
        was, stood_for = before.get(golden_id, ("", None))
        if (was, stood_for) != (status, alias):
            name = {"current": "restored" if was else "founded"}.get(status, status)
            found["redirected" if was == status else name] += 1
    return {name: found[name] for name in ("founded", "alias", "retired", "restored", "redirected")}


# Contracts, and days that wait


def test_contracts_and_days_that_wait_are_foreseen_too(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E-mail of the shop is given for marketing alone, and a day of the CRM has come that is not published."""
    policies, contracts = tmp_path / "policies", tmp_path / "contracts"
    shutil.copytree(company.settings.policies, policies)
    contracts.mkdir()
    given = (
        r"(\{property: mapsTo, value: party\.email\}\s+- \{property: purposes, value: \[)essential\.service, "
    )
    text, times = re.subn(given, r"\1", (DEFS / "shop" / "customer.odcs.yaml").read_text(encoding="utf-8"))
    assert times == 1
    (contracts / "customer.odcs.yaml").write_text(text, encoding="utf-8")
    new = text.replace("dataProduct: shop", "dataProduct: loyalty")
    (contracts / "member.odcs.yaml").write_text(new, encoding="utf-8")
    for name in ("crm/contact", "crm/account"):
        process_day(company.settings, Lake(company.settings.lake_url), contract_named(name), DAYS[2])

    before = company.published()
    foreseen, made = company.foresee(policies, contracts), plan(company.settings, policies, contracts)
    assert made.waiting > 0
    assert any("run first and plan then" in note for note in made.notes)
    assert [(one.file, str(one.effect)) for one in made.taken if one.changed] == [
        ("shop/customer", "in this plan"),
        ("loyalty/customer", "on days that arrive from now on"),
    ]
    assert made.records.come > 0
    assert any(note.startswith("loyalty/customer: no day of it has arrived") for note in made.notes)

    all_of_them = tmp_path / "defs"
    shutil.copytree(DEFS, all_of_them)
    shutil.copy(contracts / "customer.odcs.yaml", all_of_them / "shop" / "customer.odcs.yaml")
    monkeypatch.setattr(catalogue, "DEFS", all_of_them)
    catalogue.all_contracts.cache_clear()
    try:
        assert run_days(company.settings, (DAYS[2], DAYS[2]), ["crm"], accept=ACCEPTABLE) == 0
    finally:
        monkeypatch.undo()
        catalogue.all_contracts.cache_clear()
    after = company.published()
    assert after != before
    for name in KEYS:
        assert foreseen[name] == after[name], name


def test_policies_in_force_that_no_run_has_followed_yet_are_told(company: Company, tmp_path: Path) -> None:
    in_force = company.settings.policies / "survivorship.yaml"
    before = in_force.read_text(encoding="utf-8")
    looser(tmp_path / "changes", company)
    shutil.copy(other_trust(tmp_path, company, "erp/customer") / "survivorship.yaml", in_force)
    try:
        notes = plan(company.settings, tmp_path / "changes").notes
    finally:
        in_force.write_text(before, encoding="utf-8")
    assert any(one.startswith("survivorship.yaml or purposes.yaml in force: changed") for one in notes)


def test_a_run_that_writes_meanwhile_is_told(company: Company, tmp_path: Path) -> None:
    path = Path(company.settings.lake_url) / "link" / "linked.json"
    content = path.read_bytes()

    def write(_: str) -> None:
        path.write_bytes(content)  # the same, and yet another file than was read

    with pytest.raises(PlanError, match="A run wrote while the plan was being made"):
        plan(company.settings, stricter(tmp_path, company), progress=write)
    assert not (company.settings.home / "plan").exists()


# The command


def test_a_plan_for_a_machine(company: Company, tmp_path: Path) -> None:
    changes = stricter(tmp_path, company)
    made = json.loads(company.home.ask("plan", "--policies", str(changes), "--json", code=1))
    assert (made["schema"], made["outcome"]) == ("cdm.plan/1", "refuse")
    page = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    missing = {name for name in names_in(made) if f"`{name}`" not in page}
    assert missing == set()


def names_in(made: object) -> set[str]:
    """Every name of a field, at any depth."""
    if isinstance(made, list):
        return {name for one in made for name in names_in(one)}
    if isinstance(made, dict):
        return {*made, *(name for one in made.values() for name in names_in(one))}
    return set()


def test_values_are_shown_to_who_may_see_them_and_noted(company: Company, tmp_path: Path) -> None:
    changes = str(stricter(tmp_path, company))
    known = {
        str(value)
        for row in company.home.query("SELECT given_name, surname, email, phone FROM golden.customer")
        for value in row
        if value
    }
    lines = "SELECT count(*) FROM ops.access_log WHERE tool = 'cdm plan'"

    def values(*options: str) -> set[str]:
        told = json.loads(company.home.ask("plan", "--policies", changes, "--json", *options, code=1))
        shown = [one for example in told["examples"] for one in example["values"]]
        assert shown
        return {one[side] for one in shown for side in ("before", "after")} & known

    assert values() == set()
    assert company.home.query(lines) == [(0,)]
    assert values("--values") == set()  # an engineer sees no persons
    assert values("--values", "--role", "steward")
    noted = company.home.query(
        "SELECT role, cardinality(golden_ids) FROM ops.access_log WHERE tool = 'cdm plan'"
    )
    assert [role for role, _ in noted] == ["engineer", "steward"]
    assert all(number >= 10 for _, number in noted)


@pytest.mark.parametrize(
    ("name", "text", "code", "said"),
    [
        (None, "", 2, "there is no such folder"),
        ("README.md", "no policy", 2, "holds no policies"),
        ("survivorship.yaml", "trust: 1", 1, "survivorship.yaml: "),
        ("linkage/persons.yaml", "a: 1", 1, "did you mean linkage/person.yaml?"),
        ("survivorship.yml", "a: 1", 1, "did you mean survivorship.yaml?"),
        ("purposes.yaml", "purposes: [", 1, "purposes.yaml"),
    ],
)
def test_what_cannot_be_planned_with_is_told(
    company: Company, tmp_path: Path, *, name: str | None, text: str, code: int, said: str
) -> None:
    folder = tmp_path / "changes"
    if name is not None:
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text, encoding="utf-8")
    told = company.home.ask("plan", "--policies", str(folder), code=code)
    assert said in told
    assert str(folder) in told
    assert str(company.settings.home / "plan") not in told
    faulty = json.loads(
        company.home.ask("plan", "--policies", str(folder), "--json", code=code).partition("✗")[0]
    )
    assert faulty["outcome"] == "faulty"
    assert not (company.settings.home / "plan").exists()


def test_nothing_is_compared_with_nothing(settings: Settings, tmp_path: Path) -> None:
    told = Deployment(settings).ask("plan", "--policies", str(settings.policies), code=1)
    assert "Nothing is published yet" in told
    told = Deployment(settings).ask("plan", "--policies", str(settings.policies), "--json", code=1)
    assert '"outcome": "faulty"' in told


def test_what_a_killed_plan_leaves_is_declared_and_swept(company: Company, tmp_path: Path) -> None:
    changes = stricter(tmp_path, company)
    before = company.home.lake(), company.published()
    process = subprocess.Popen(
        [sys.executable, "-m", "cdm_pipelines.cli", "plan", "--policies", str(changes)],
        env=company.home.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    place = company.settings.home / "plan"
    while not any(place.glob("*/lake/link/**/*.arrow")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(place.glob("*/policies/survivorship.yaml"))
    engine = create_engine(database_url(company.settings))
    with engine.connect() as connection:
        found = coverage(all_places(company.settings), company.settings, connection)
    engine.dispose()
    assert [fault for fault in found.faults if "plan/" in fault] == []
    assert "home/plan" in found.seen
    assert (company.home.lake(), company.published()) == before
    company.home.ask("prune")
    assert not place.exists()
    assert plan(company.settings, changes).customers.split
