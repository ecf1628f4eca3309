"""``cdm link explain`` and ``cdm link model``: on files that were linked, and on what the pipeline linked."""

import csv
import re
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.defs.customers.link import MATCHES, MODEL
from cdm_pipelines.settings import load_settings
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

from .conftest import Deployment, Pipeline, materialized

GIVEN = ("Jan", "Katrijn", "Willem", "Sjoukje", "Bas", "Femke", "Otto", "Nelleke")
FAMILY = ("Klaassen", "Poppenkast", "Wever", "Dijkstra", "Ooievaar", "Zonneveld")
COLUMNS = {
    "id": "number",
    "surname": "family_name",
    **dict.fromkeys(("given_name", "birth_date", "postcode")),
}


@dataclass(frozen=True)
class Files:
    """Two linked files and what linking them wrote."""

    home: Deployment
    folder: Path

    @property
    def given(self) -> tuple[str, ...]:
        """The files and options that were linked with."""
        names = ("crm.csv", "shop.csv", "--policy", "policy.yaml", "--out", "linked")
        return tuple(name if name.startswith("--") else str(self.folder / name) for name in names)

    def ask(self, *arguments: str, code: int = 0) -> str:
        return self.home.ask("link", *arguments, code=code)


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """An installation whose pipeline linked nothing."""
    home = tmp_path_factory.mktemp("nowhere")
    return Deployment(load_settings(home=home, landing_url=str(home), lake_url=str(home / "lake")))


@pytest.fixture(scope="module")
def files(nowhere: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("files")
    people = [
        {
            "number": f"{n:03d}",
            "given_name": GIVEN[n % len(GIVEN)],
            "family_name": FAMILY[n // 3 % len(FAMILY)],
            "birth_date": f"{1950 + n * 7 % 50}-{n % 12 + 1:02d}-{n * 5 % 28 + 1:02d}",
            "postcode": f"{1000 + n * 37} AB",
        }
        for n in range(120)
    ]
    for source in ("crm", "shop"):
        with (folder / f"{source}.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(people[0]))
            writer.writeheader()
            writer.writerows(people)
    columns = {name: column or name for name, column in COLUMNS.items() if name != "id"}
    policy = {"extends": "person", "id": "number", "columns": columns}
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
    found = Files(nowhere, folder)
    assert "240 records" in found.ask(*found.given)
    return found


def test_a_pair_of_one_cluster(files: Files, tmp_path: Path) -> None:
    picture = tmp_path / "new" / "pair.svg"
    told = files.ask("explain", "crm|007", "shop|007", *files.given, "--picture", str(picture))
    assert "crm|007 and shop|007: probability 1.0000, a match by itself" in told
    for word in ("prior odds", "given_name", "surname", "birth_date", "address", "related records", "equal"):
        assert word in told
    assert re.search(r"Blocking rules that made a pair of them: .*birth_date", told)
    assert re.search(r"They are in one cluster, of \d+ records", told)
    assert "  crm|007 and shop|007: probability 1.0000" in told
    pairs = pq.read_table(files.folder / "linked" / "pairs.parquet").to_pylist()
    (pair,) = (p for p in pairs if (p["left_id"], p["right_id"], p["left_source"]) == ("007", "007", "crm"))
    sums = [float(x) for x in re.findall(r"│ +([+-]\d+\.\d\d) │ [ █│]+│$", told, flags=re.MULTILINE)]
    assert sums[-1] - sums[0] == pytest.approx(pair["weight"], abs=0.02)
    texts = {e.text for e in ET.fromstring(picture.read_text(encoding="utf-8")).iter()}
    assert {"crm|007", "shop|007", "posterior odds", "birth_date"} <= texts


def test_values_are_shown_when_asked_for_and_else_as_shapes(files: Files) -> None:
    told = files.ask("explain", "crm|007", "shop|007", *files.given)
    assert "aaaaaaa" in told
    assert not re.search("nelleke|wever|1259", told, flags=re.IGNORECASE)
    told = files.ask("explain", "crm|007", "shop|007", *files.given, "--show-values")
    assert "nelleke" in told
    assert "aaaaaaa" not in told


def test_a_pair_of_two_clusters(files: Files) -> None:
    told = files.ask("explain", "crm|007", "shop|008", *files.given)
    assert "no match by itself" in told
    assert "No blocking rule made a pair of them." in told
    assert (
        "They are in two clusters, because:\n  crm|007 and shop|008 contradict each other: different " in told
    )
    assert "below the review threshold" in told


def test_a_model_without_clusters_explains_the_score_alone(files: Files) -> None:
    given = (*files.given[:-1], str(files.folder / "linked"))
    model = ("--model", str(files.folder / "linked" / "model.json"))
    told = files.ask("explain", "crm|007", "shop|007", *given[:-2], *model)
    assert "a match by itself" in told
    assert "clusters they are in is known with --out" in told


def test_the_model_as_a_table_and_a_picture(files: Files, tmp_path: Path) -> None:
    picture = tmp_path / "model.svg"
    told = files.ask("model", *files.given, "--picture", str(picture))
    assert "fitted on 240 records" in told
    assert "0.0% of records would not match a perfect copy of themselves" in told
    for word in ("two of three parts", "related", "bits"):
        assert word in told
    texts = {e.text for e in ET.fromstring(picture.read_text(encoding="utf-8")).iter()}
    assert {
        "policy: match weights (bits)",
        "policy: pairs from the review threshold on, by log2 odds",
    } <= texts
    alone = files.ask("model", "--out", str(files.folder / "linked"))
    assert "fitted on 240 records" in alone
    assert "perfect copy" not in alone


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (
            ["explain", "crm|007", "shop|999"],
            1,
            "There is no record 'shop|999'; write source|record_id. Sources: crm,",
        ),
        (["explain", "007", "shop|008"], 1, "2 sources have a record '007'; write source|record_id."),
        (["explain", "crm|007", "crm|007"], 1, "The two names are of one record"),
        (["explain", "crm|007", "shop|007", "--picture", "pair.png"], 2, "pictures are SVG"),
    ],
)
def test_questions_without_an_answer(files: Files, arguments: list[str], code: int, told: str) -> None:
    assert told in files.ask(*arguments[:3], *files.given, *arguments[3:], code=code)


def test_files_without_what_is_needed_with_them(files: Files, tmp_path: Path) -> None:
    crm, policy = files.given[0], files.given[2:4]
    asked = ("explain", "crm|007", "crm|008")
    assert "Say with --policy" in files.ask(*asked, crm, code=2)
    assert "Name the files" in files.ask(*asked, *policy, code=2)
    assert "Say with --out" in files.ask(*asked, crm, *policy, code=1)
    assert "has no model.json" in files.ask(*asked, crm, *policy, "--out", str(tmp_path), code=1)
    assert "not a linkage model" in files.ask(*asked, crm, *policy, "--model", crm, code=1)
    assert "Nothing is linked yet" in files.ask(*asked, code=1)
    assert "Nothing is linked yet" in files.ask("model", code=1)


def test_records_that_are_no_longer_what_was_linked(files: Files, tmp_path: Path) -> None:
    kept = (files.folder / "crm.csv").read_text(encoding="utf-8").splitlines()
    later = tmp_path / "crm.csv"
    later.write_text("\n".join([*kept[:3], kept[4].replace("003", "new")]), encoding="utf-8")
    told = files.ask("explain", "crm|new", "crm|001", str(later), *files.given[2:], code=1)
    assert "crm|new is not linked yet" in told
    told = files.ask("explain", "crm|000", "crm|001", str(later), *files.given[2:], code=1)
    assert "The records no longer have 'shop|000'" in told


def test_help_shows_the_options_of_linking_and_the_other_commands(files: Files) -> None:
    told = files.ask("--help")
    for word in ("explain", "model", "--policy", "--out", "--model"):
        assert word in told
    assert "Missing argument" in files.ask(code=2)


# What the pipeline linked


def records_of(deployment: Deployment, *, together: bool) -> tuple[str, str]:
    """Two records of one cluster, or the first records of the two largest clusters of persons."""
    rows = tables.clusters(Lake(deployment.settings.lake_url)).read().to_pylist()
    largest = Counter(row["cluster_id"] for row in rows if row["source"] == "crm/contact").most_common(2)
    found = [
        [f"{row['source']}|{row['record_id']}" for row in rows if row["cluster_id"] == cluster]
        for cluster, _ in largest
    ]
    return (found[0][0], found[0][-1]) if together else (found[0][0], found[1][0])


def test_two_records_that_the_pipeline_linked(pipeline: Pipeline, tmp_path: Path) -> None:
    deployment, _ = pipeline
    left, right = records_of(deployment, together=True)
    picture = tmp_path / "pair.svg"
    told = deployment.ask("link", "explain", left, right, "--picture", str(picture))
    assert f"{left} and {right}: probability" in told
    assert "They are in one cluster" in told
    ET.fromstring(picture.read_text(encoding="utf-8"))


def test_two_records_that_the_pipeline_kept_apart(pipeline: Pipeline) -> None:
    deployment, _ = pipeline
    told = deployment.ask("link", "explain", *records_of(deployment, together=False))
    assert "They are in two clusters, because:" in told
    assert "threshold" in told


def test_two_records_that_their_own_source_merged(pipeline: Pipeline, tmp_path: Path) -> None:
    deployment, _ = pipeline
    left, right = records_of(deployment, together=False)
    records = tables.records(Lake(deployment.settings.lake_url), Entity.PARTY).read()
    source, _, record_id = left.partition("|")
    here = pc.equal(pc.binary_join_element_wise(records["source"], records["entity"], "/"), source)
    merged = pc.if_else(pc.and_(here, pc.equal(records["record_id"], record_id)), right.split("|")[1], None)
    settings = load_settings(home=tmp_path, lake_url=str(tmp_path / "lake"), threads=1)
    position = records.schema.get_field_index("merged_into")
    records = records.set_column(position, "merged_into", merged.cast(pa.string()))
    tables.records(Lake(settings.lake_url), Entity.PARTY).write(records, records.schema, "merged")
    own = Deployment(settings)
    materialized(own)
    told = own.ask("link", "explain", left, right)
    assert "They were decided to be the same party: that holds, whatever they score." in told
    assert re.search(r"They are in one cluster, .*\n  .*: decided", told)
    assert "decided" not in deployment.ask("link", "explain", left, right)


def test_a_person_and_an_organisation(pipeline: Pipeline) -> None:
    deployment, _ = pipeline
    rows = tables.clusters(Lake(deployment.settings.lake_url)).read().to_pylist()
    account = next(row["record_id"] for row in rows if row["source"] == "crm/account")
    person = records_of(deployment, together=True)[0]
    told = deployment.ask("link", "explain", person, f"crm/account|{account}", code=1)
    assert "is of kind person, " in told
    assert "the two kinds are never linked" in told


def test_the_models_of_the_pipeline(pipeline: Pipeline) -> None:
    deployment, _ = pipeline
    told = deployment.ask("link", "model")
    assert "person: fitted on" in told
    assert "organisation: fitted on" in told
    assert told.count("would not match a perfect copy of themselves") == 2


def test_metadata_shows_the_model_and_its_pairs_and_no_value(pipeline: Pipeline) -> None:
    deployment, done = pipeline
    metadata = {
        event.asset_key: event.materialization.metadata
        for event in done.get_asset_materialization_events()
        if event.asset_key
    }
    share = metadata[MODEL]["share of person records that no copy of themselves would match"].value
    assert isinstance(share, float)
    assert 0 <= share < 0.2
    names = [
        (MODEL, "weights of {}"),
        (MATCHES, "candidate pairs of {} by log2 odds"),
        (MATCHES, "expected precision and recall of {}"),
    ]
    words = set()
    for kind in ("person", "organisation"):
        for key, name in names:
            text = metadata[key][name.format(kind)].value
            assert isinstance(text, str)
            assert len(text) < 40_000
            (encoded,) = re.findall(r"^!\[[^\]]+\]\(data:image/svg\+xml;base64,([^)]+)\)$", text)
            drawn = ET.fromstring(b64decode(encoded))
            words |= {word.lower() for e in drawn.iter() if e.text for word in re.findall(r"\w{4,}", e.text)}
    assert {"given_name", "candidate", "birth_date"} <= words
    records = tables.records(Lake(deployment.settings.lake_url), Entity.PARTY).read()
    values = {
        v.lower()
        for name in ("surname", "given_name", "city", "email")
        for v in records[name].to_pylist()
        if v
    }
    assert not words & values
