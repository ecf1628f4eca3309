"""A policy is validated when it is made, and its errors name file, key and fix."""

from pathlib import Path

import pytest
import yaml
from linkage_examples import policy

from cdm_pipelines.linkage import LinkageError, load_policy
from cdm_pipelines.linkage.policy.shipped import SHIPPED

PERSON = SHIPPED / "person.yaml"


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["person", "organisation"])
def test_shipped_policies_load(name: str) -> None:
    loaded = load_policy(SHIPPED / f"{name}.yaml")
    assert loaded.name == name
    assert loaded.comparisons
    assert len(loaded.fingerprint) == 64


def test_benchmark_policies_load_and_use_their_columns_only() -> None:
    folder = Path(__file__).parents[3] / "benchmarks" / "policies"
    for path in sorted(folder.glob("*.yaml")):
        loaded = load_policy(path)
        assert loaded.blocking
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "columns" in written:
            assert set(loaded.columns) == set(written["columns"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "extends: person\nthresholds: {mach: 0.9}",
            ["mine.yaml", "thresholds.mach", "did you mean 'match'"],
        ),
        ("extends: persoon", ["mine.yaml", "extends", "did you mean 'person'"]),
        ("extends: mine.yaml", ["mine.yaml", "extends itself"]),
        ("extends: person\ncolums: {}", ["mine.yaml", "colums", "did you mean 'columns'"]),
        (
            "extends: person\ncomparisons: {surname: {colunm: surname}}",
            ["comparisons.surname", "colunm", "did you mean 'column'"],
        ),
        ("extends: person\ncomparisons: {x: {kind: surnam}}", ["comparisons.x", "unknown kind", "surname"]),
        (
            "extends: person\nblocking: [{keys: surnme}]",
            ["blocking rule 1", "surnme", "did you mean 'surname'"],
        ),
        ("extends: person\nblocking: [{keys: email, windw: 3}]", ["windw", "did you mean 'window'"]),
        ("extends: person\nderived: {x: {of: surname, take: frist}}", ["derived.x.take"]),
        ("extends: person\nthresholds: {match: 0.5, review: 0.9}", ["review must not be above match"]),
        (
            "extends: person\nclustering: {contradictions: [[gender]]}",
            ["clustering.contradictions", "gender"],
        ),
        ("extends: person\nseed: many", ["seed"]),
        (
            "extends: person\ncomparisons: {weight: {kind: exact, column: gender}}",
            ["comparisons.weight", "pairs have a column of that name", "choose another"],
        ),
        ("- a list", ["a policy is a mapping"]),
        ("a: [", ["line 2", "cannot be read as YAML"]),
        ("id: x", ["columns", "blocking", "comparisons"]),
        (
            "extends: person\nblocking: [{keys: email}, {keys: email}]",
            ["two rules have the same name"],
        ),
    ],
)
def test_errors_name_file_key_and_fix(tmp_path: Path, text: str, told: list[str]) -> None:
    with pytest.raises(LinkageError) as caught:
        load_policy(write(tmp_path, text))
    for part in told:
        assert part in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(LinkageError, match="no such policy file"):
        load_policy(tmp_path / "none.yaml")


def test_a_policy_that_extends_another_has_the_columns_it_names(tmp_path: Path) -> None:
    text = """
extends: person
id: rec_id
source: null
columns: {given_name: voornaam, surname: achternaam, birth_date: geboren}
thresholds: {match: 0.97}
"""
    loaded = load_policy(write(tmp_path, text))
    assert {name: column.column for name, column in loaded.columns.items()} == {
        "given_name": "voornaam",
        "surname": "achternaam",
        "birth_date": "geboren",
    }
    assert loaded.columns["birth_date"].clean == "date"
    assert set(loaded.comparisons) == {"given_name", "surname", "birth_date"}
    assert loaded.comparisons["given_name"].reads_optionally == ("surname",)
    assert all(key not in {"email", "postcode", "any_phone"} for rule in loaded.blocking for key in rule.keys)
    assert loaded.thresholds.match == 0.97
    assert loaded.thresholds.review == load_policy(PERSON).thresholds.review


def test_a_change_that_names_no_columns_keeps_them_all(tmp_path: Path) -> None:
    loaded = load_policy(write(tmp_path, "extends: person\nseed: 7"))
    assert set(loaded.columns) == set(load_policy(PERSON).columns)
    assert loaded.seed == 7


def test_fingerprint_follows_content_not_file(tmp_path: Path) -> None:
    same = load_policy(write(tmp_path, PERSON.read_text(encoding="utf-8"), "other.yaml"))
    assert same.fingerprint == load_policy(PERSON).fingerprint
    changed = load_policy(write(tmp_path, "extends: person\nseed: 7"))
    assert changed.fingerprint != same.fingerprint


def test_a_company_s_own_table_of_names_counts(tmp_path: Path) -> None:
    write(tmp_path, "johannes: [jantje]", "given_names.yaml")
    own = load_policy(write(tmp_path, "extends: person"))
    assert own.fingerprint != load_policy(PERSON).fingerprint


def test_the_policy_in_the_documentation_loads(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "explanation" / "linkage.md").read_text(encoding="utf-8")
    example = text.partition("```yaml\n")[2].partition("```")[0]
    loaded = load_policy(write(tmp_path, example))
    assert loaded.columns["birth_date"].clean == "date_dmy"
    for section in type(loaded).model_fields:
        assert section in {"folder", "name"} or f"`{section}`" in text, (
            f"docs/explanation/linkage.md does not tell of {section}"
        )


def test_policies_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        policy().seed = 1  # type: ignore[misc]
