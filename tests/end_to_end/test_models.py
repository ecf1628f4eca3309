"""The pipeline's models through time: drift, former models, what differs between two, and the way back."""

import datetime as dt
import re
import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.identity.chain import Head, sealed
from cdm_pipelines.identity.constraints import constraints_of
from cdm_pipelines.identity.decisions import Decision, Draft, Kind, Record, confirm, different, same
from cdm_pipelines.identity.effective import effective
from cdm_pipelines.linkage import LinkageModel
from cdm_pipelines.linkage.model.remarks import TAUGHT
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.linking import model_versions
from cdm_pipelines.steps.linking.checks import DRIFT_UNKNOWN
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

from .conftest import Deployment, Pipeline, materialized


@pytest.fixture
def own(pipeline: Pipeline, tmp_path: Path) -> Deployment:
    """A copy of the linked day, to change."""
    lake = tmp_path / "lake"
    shutil.copytree(pipeline[0].settings.lake_url, lake)
    return Deployment(load_settings(home=tmp_path, landing_url=str(tmp_path), lake_url=str(lake), threads=1))


def test_a_former_model_is_kept_told_apart_and_brought_back(own: Deployment, tmp_path: Path) -> None:
    lake = Lake(own.settings.lake_url)
    assert "person: there is no former model" in own.ask("link", "model", "--diff", "previous")
    first = lake.read_json(layout.model_path("person"))
    fitted = LinkageModel.from_json(first)
    surname = fitted.comparisons["surname"]
    other = replace(surname, m=(surname.m[0] / 8, *surname.m[1:]))
    changed = replace(fitted, match=0.5, comparisons={**fitted.comparisons, "surname": other})
    model_versions.put(lake, PartyKind.PERSON, changed)
    told = own.ask("link", "model")
    assert f"person: former models, the last one first: {fitted.fingerprint}" in told
    assert f"fingerprint {changed.fingerprint}" in told

    picture = tmp_path / "both.svg"
    told = own.ask("link", "model", "--diff", "previous", "--picture", str(picture))
    assert f"person: model {fitted.fingerprint} (then) and {changed.fingerprint} (now)" in told
    assert re.search(rf"accepted from probability +│ +{fitted.match:.4f} │ +0.5000", told)
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in told.splitlines() if line.count("│") > 6
    ]
    assert rows[0][:2] == ["surname", "different"]
    assert rows[0][-1] == "-3.00"
    assert {row[-1] for row in rows[1:]} == {"+0.00"}
    assert "organisation: there is no former model" in told
    assert "match weights then" in picture.read_text(encoding="utf-8")
    kept = Path(lake.url) / "link" / "former_models" / "person" / f"0001-{fitted.fingerprint}.json"
    assert told.split("organisation:")[0] == own.ask("link", "model", "--diff", str(kept))

    assert "a is not a former model" in own.ask("link", "model", "--diff", "z", code=1).replace("'z'", "a")
    assert "is not a former model; there is" in own.ask("link", "model", "--restore", "z", code=1)
    assert f"model {fitted.fingerprint} is back" in own.ask(
        "link", "model", "--restore", fitted.fingerprint[:6]
    )
    assert lake.read_json(layout.model_path("person")) == first
    assert not link_parties(lake, own.settings).fitted
    link_parties(lake, own.settings, refit=True)
    assert [one.fingerprint for one in model_versions.versions(lake, PartyKind.PERSON)] == [
        fitted.fingerprint,
        changed.fingerprint,
    ], "the same model, fitted again, is no new one"


def test_a_fit_learns_from_what_stewards_decided_unless_told_otherwise(own: Deployment) -> None:
    lake = Lake(own.settings.lake_url)
    parties = tables.records(lake, Entity.PARTY).read().to_pylist()
    people = [
        Record(row["source"], row["entity"], row["record_id"])
        for row in parties
        if row["party_kind"] == "person"
    ]
    drafts = [
        Draft(Kind.SAME, same(people[0], people[-1]), "Stien", ""),
        Draft(Kind.DIFFERENT, different(people[1:3], people[-3:-1]), "Stien", ""),
        Draft(Kind.DIFFERENT, different(people[3:4], [Record("crm", "contact", "nobody")]), "Stien", ""),
        Draft(Kind.CONFIRM, confirm(people[5:8]), "Stien", ""),
    ]
    log: list[Decision] = []
    for number, draft in enumerate(drafts):
        entry, details = sealed(draft, Head(number), dt.datetime(2026, 6, 1, tzinfo=dt.UTC))
        log.append(entry.decision(details))
    decided = constraints_of(effective(log))
    untaught = link_parties(lake, own.settings, refit=True)
    assert untaught.labels == {"person": 0, "organisation": 0}
    taught = link_parties(lake, own.settings, refit=True, decided=decided)
    assert taught.labels == {"person": 5, "organisation": 0}
    assert taught.models["person"].comparisons != untaught.models["person"].comparisons
    assert taught.models["organisation"] == untaught.models["organisation"]
    deaf = own.settings.model_copy(update={"learn_from_decisions": False})
    alone = link_parties(lake, deaf, refit=True, decided=decided)
    assert alone.labels == {"person": 0, "organisation": 0}
    assert alone.models == untaught.models


def test_a_model_of_another_policy_is_not_brought_back(own: Deployment) -> None:
    lake = Lake(own.settings.lake_url)
    today = LinkageModel.from_json(lake.read_json(layout.model_path("organisation")))
    older = replace(today, policy="0" * 64)
    model_versions.put(lake, PartyKind.ORGANISATION, older)
    told = own.ask("link", "model")
    assert "organisation: the policy has changed since; the next run fits anew" in told
    assert "person: the policy has changed" not in told
    assert link_parties(lake, own.settings).fitted
    told = own.ask("link", "model", "--restore", older.fingerprint, code=1)
    assert "was fitted under another organisation policy" in told
    assert LinkageModel.from_json(lake.read_json(layout.model_path("organisation"))) == today


def test_drift_is_nothing_on_the_day_of_the_fit_and_a_warning_when_records_change(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    deployment, done = pipeline
    assert pattern_drift(done) == (True, None, DRIFT_UNKNOWN), "so few pairs tell nothing"
    records = tables.records(Lake(deployment.settings.lake_url), Entity.PARTY).read()
    position = records.schema.get_field_index("record_id")
    copies = [pc.binary_join_element_wise(records["record_id"], number, "-") for number in "123"]
    more = pa.concat_tables([records, *(records.set_column(position, "record_id", ids) for ids in copies)])
    own = load_settings(home=tmp_path, lake_url=str(tmp_path / "lake"), threads=1)
    larger, parties = Deployment(own), tables.records(Lake(own.lake_url), Entity.PARTY)
    parties.write(more, more.schema, "more")
    passed, figure, told = pattern_drift(materialized(larger))
    assert (passed, figure) == (True, 0)
    assert told == "person: stability index 0.000; organisation: stability index 0.000"

    position = more.schema.get_field_index("birth_date")
    unborn = pa.nulls(len(more), more.schema.field(position).type)
    parties.write(more.set_column(position, "birth_date", unborn), more.schema, "unborn")
    passed, figure, told = pattern_drift(materialized(larger))
    assert not passed
    assert figure is not None
    assert figure > 0.25
    moved = r"person: stability index [\d.]+, most moved birth_date equal: \d+\.\d% of pairs then, 0\.0% now;"
    assert re.search(moved, told)
    assert "If that is here to stay, fit anew with `cdm run --date DAY --refit` (warning above 0.25)" in told


def test_the_run_says_whether_its_fits_settled_and_learned_everything(own: Deployment) -> None:
    lake = Lake(own.settings.lake_url)
    for kind, column, said in (
        (PartyKind.PERSON, "", {"converged": False, "iterations": 7}),
        (PartyKind.ORGANISATION, "address", {"converged": True}),
    ):
        model = LinkageModel.from_json(lake.read_json(layout.model_path(kind)))
        taught = {name: 0.0 if name == column else 500.0 for name in model.comparisons}
        told = replace(model, training={"expected_matches": 500.0, TAUGHT: taught, **said})
        lake.write_json(layout.model_path(kind), told.to_json())
    checks = {one.check_name: one for one in materialized(own).get_asset_check_evaluations()}
    for name, of, text in (
        ("settled", PartyKind.PERSON, "the fit stopped after 7 steps and had not settled"),
        ("learned", PartyKind.ORGANISATION, "how matches look in address was never learned"),
    ):
        assert (checks[name].passed, checks[name].severity) == (False, dg.AssetCheckSeverity.WARN)
        description = str(checks[name].description)
        assert description.startswith(f"{of}: {text}")
        assert [kind for kind in PartyKind if f"{kind}: " in description] == [of]


def pattern_drift(done: dg.ExecuteInProcessResult) -> tuple[bool, float | None, str]:
    """Whether the check passed, its figure and what it says; that it warns and stops nothing."""
    assert done.success
    (check,) = [one for one in done.get_asset_check_evaluations() if one.check_name == "pattern_drift"]
    assert check.severity == dg.AssetCheckSeverity.WARN
    figure = check.metadata["figure"].value if "figure" in check.metadata else None
    assert figure is None or isinstance(figure, float)
    return check.passed, figure, str(check.description)
