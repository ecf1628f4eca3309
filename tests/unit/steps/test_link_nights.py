"""Nights that link what has changed, after what may change between two of them: the kind of a record, a policy."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.model import Column, Delivery, Format, KindRule, PartyKind, SourceContract
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.parties import Linked, link_parties
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

DESK = SourceContract(
    source="desk",
    entity="visitor",
    version="1",
    owner="",
    description="",
    location="desk/visitor/{date}*.csv",
    format=Format.CSV,
    delivery=Delivery.DELTA,
    columns=(
        Column("id", key_position=1),
        Column("kind"),
        Column("name", maps_to=("party.name",)),
        Column("email", maps_to=("party.email",)),
        Column("born", maps_to=("party.birth_date",)),
    ),
    default_country="NL",
    party_kind=KindRule(PartyKind.PERSON, "kind", {"o": PartyKind.ORGANISATION}),
)


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """An installation with policies of its own."""
    policies = shutil.copytree(load_settings().policies, tmp_path / "policies")
    return load_settings(
        home=tmp_path,
        landing_url=str(tmp_path / "landing"),
        lake_url=str(tmp_path / "lake"),
        policies=policies,
        threads=1,
    )


def night(own: Settings, date: str, rows: Sequence[tuple[str, ...]]) -> Linked:
    path = Path(own.landing_url) / "desk" / "visitor" / f"{date}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "kind", "name", "email", "born"), *rows])
    lake = Lake(own.lake_url)
    process_day(own, lake, DESK, date)
    build_records(lake, [DESK], [Entity.PARTY])
    return link_parties(lake, own)


def test_a_record_that_changes_its_kind_stays_in_the_clusters(own: Settings) -> None:
    people = [
        (f"p{n}", "p", f"Hidde Wartena{chr(97 + n)}", f"h{n}@wartena.example.org", "") for n in range(20)
    ]
    firms = [(f"o{n}", "o", f"Veilinghuis {n} BV", f"kassa@veiling{n}.example.org", "") for n in range(20)]
    night(own, "2026-06-02", [*people, *firms])
    linked = night(own, "2026-06-03", [("p3", "o", "Veilinghuis 3 BV", "kassa@veiling3.example.org", "")])
    assert not linked.everything
    clusters = tables.clusters(Lake(own.lake_url))
    clusters.compact_now()
    found = {row["record_id"]: row["cluster_id"] for row in clusters.read().to_pylist()}
    assert len(found) == 40
    link_parties(Lake(own.lake_url), own, rebuild=True)
    assert {row["record_id"]: row["cluster_id"] for row in clusters.read().to_pylist()} == found


def test_comparisons_in_another_order_are_the_same_policy(own: Settings) -> None:
    names = ("Hidde", "Wiebe", "Froukje", "Sjoerd", "Anne", "Ube", "Renske", "Oebele")
    spelled = {"a": "Wartena", "b": "Wartna"}
    people = [
        (f"{copy}{n}", "p", f"{given} {surname}", f"{given}@w.example.org", f"19{n + 50}-03-09")
        for n, given in enumerate(names)
        for copy, surname in spelled.items()
    ]
    night(own, "2026-06-02", people)
    path = own.policies / "linkage" / "person.yaml"
    policy = yaml.safe_load(path.read_text())
    policy["comparisons"] = dict(reversed(policy["comparisons"].items()))
    path.write_text(yaml.safe_dump(policy, sort_keys=False))
    linked = night(own, "2026-06-03", [("a0", "p", "Hidde Wartena", "other@w.example.org", "1950-03-09")])
    assert not linked.fitted
    assert not linked.everything
    matches = tables.matches(Lake(own.lake_url))
    order = [(name, "ascending") for name in ("left_id", "right_id")]
    found = matches.read().sort_by(order)
    assert found.num_rows
    assert set(found["birth_date"].to_pylist()) == {5}
    link_parties(Lake(own.lake_url), own, rebuild=True)
    assert matches.read().sort_by(order).equals(found)
