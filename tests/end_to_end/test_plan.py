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
from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.hub.connection import database_url
from cdm_pipelines.quality.thresholds import ACCEPTABLE
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.operate.coverage import coverage
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.plan.making import plan, run_beside
from cdm_pipelines.steps.plan.outcome import Outcome, Plan

from .conftest import DAYS, Deployment

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
        assert run_days(self.settings, (DAYS[1], DAYS[1]), accept=ACCEPTABLE) == 0

    def published(self) -> Rows:
        tables = {**TABLES, "consent": "privacy.consent"}
        return {name: self.home.query(f"SELECT * FROM {tables[name]} ORDER BY {KEYS[name]}") for name in tables}

    def registry(self) -> dict[UUID, tuple[str, UUID | None]]:
        rows = self.home.query("SELECT golden_id, status, alias_of FROM identity.golden_id")
        return {golden_id: (status, alias) for golden_id, status, alias in rows}

    def foresee(self, changed: Path, contracts: Path | None = None) -> Rows:
        with run_beside(self.settings, changed, contracts) as done:
            return {name: done.foreseen.rows(name) for name in KEYS}


@pytest.fixture(scope="module")
def company(deploy: Callable[..., Deployment]) -> Company:
    """Two days, the second with a decision of a steward that parts a customer."""
    made = deploy()
    policies = made.settings.home / "policies"
    shutil.copytree(made.settings.policies, policies)
    given = {
        name: getattr(made.settings, name)
        for name in ("home", "landing_url", "lake_url", "database_url", "threads")
    }
    home = Deployment(load_settings(**given, policies=policies))
    assert home.run(DAYS[0]) == 0
    [(golden, record)] = home.query(
        """SELECT golden_id::text, min(source || '/' || entity || '/' || record_id) FROM golden.crosswalk
        JOIN golden.customer USING (golden_id) WHERE party_kind = 'person' GROUP BY golden_id
        HAVING count(*) > 2 ORDER BY 1 LIMIT 1"""
    )
    home.ask("steward", "different", str(record), str(golden), "--by", "Stien")
    assert home.run(DAYS[1]) == 0
    return Company(home)


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
    return changed(folder, company, "linkage/person.yaml", (r"match: 0\.\d+", "match: 0.995"))


def other_trust(folder: Path, company: Company) -> Path:
    order = "trust:\n  - shop/customer\n  - crm/contact\n  - [erp/customer, crm/account]\n\nrules:"
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
    assert not any(one.changed for one in made.taken)
    assert not any(model.fitted for model in made.models)
    told = company.home.ask("plan", "--policies", str(tmp_path / "same"))
    assert "Nothing would change." in told
    assert "Every file says what the one in force says." in told


@pytest.mark.parametrize("change", [stricter, other_trust])
def test_what_is_foreseen_is_what_then_happens(
    company: Company, tmp_path: Path, change: Callable[[Path, Company], Path]
) -> None:
    changes = change(tmp_path, company)
    before, ids_before = company.published(), company.registry()
    foreseen, made = company.foresee(changes), plan(company.settings, changes)
    assert foreseen != before
    company.apply(changes)
    after = company.published()
    for name in KEYS:
        assert foreseen[name] == after[name], name
    columns = [name for (name,) in company.home.query(_COLUMNS)]
    assert told(made) == counted(columns, before, after)
    assert vars(made.ids) == moved_ids(ids_before, company.registry())
    assert {one.kind: one.fitted for one in made.models} == {
        "person": change is stricter,
        "organisation": False,
    }
    if change is stricter:
        assert made.customers.split > 1
        assert made.ids.founded > 1
        assert {"split", "consent"} <= {one.kind for one in made.examples}
    else:
        assert made.customers.changed > 3
        assert any(one.sources[0].after == "shop/customer" for one in made.attributes)
    assert plan(company.settings, changes).outcome is Outcome.NOTHING


_COLUMNS = """SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'golden' AND table_name = 'customer' ORDER BY ordinal_position"""


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
