"""A file without a policy: what is chosen from its columns, and what a user is told about it."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from cdm_pipelines.linkage import LinkageError, load_policy
from cdm_pipelines.steps.linking.files import link_files
from cdm_pipelines.steps.linking.suggest_policy import suggest_policy, write_policy
from cdm_pipelines.steps.linking.suggested_policy import ROW_NUMBER, SuggestedPolicy

PERSONS = pd.DataFrame(
    {
        "customer_id": [f"c{n}" for n in range(6)],
        "first_name": ["Jan", "Jan", "Els", "Els", "Bram", "Sanne"],
        "last_name": ["Klaassen", "Klaasen", "Vos", "Vos", "Prins", "Kok"],
        "dob": ["03-02-1971", "03-02-1971", "05-04-1983", "05-04-1983", "07-06-1965", "09-08-1990"],
        "zip": ["3511 AB", "3511 AB", "1012 CD", "1012 CD", "9711 EF", "8911 GH"],
        "e-mail": ["jan@x.example", "jan@x.example", "els@y.example", None, "bram@z.example", None],
        "cluster": ["1", "1", "2", "2", "3", "4"],
        "true_surname": ["Klaassen", "Klaassen", "Vos", "Vos", "Prins", "Kok"],
        "shoe size": ["42", "42", "38", "38", "44", "39"],
    }
)
COMPANIES = pd.DataFrame(
    {
        "debtor no": ["1", "2", "3"],
        "company": ["Bakkerij Bos BV", "Bos Bakkerij", "Garage Vos"],
        "vat number": ["NL001234567B01", "NL001234567B01", "NL009999999B01"],
        "postcode": ["3511 AB", "3511 AB", "1012 CD"],
        "city": ["Utrecht", "Utrecht", "Amsterdam"],
    }
)


def written(folder: Path, frame: pd.DataFrame, name: str = "people.csv", separator: str = ",") -> Path:
    path = folder / name
    frame.to_csv(path, index=False, sep=separator)
    return path


def columns(suggested: SuggestedPolicy) -> dict[str, str]:
    return {choice.name: choice.column for choice in suggested.chosen}


def test_persons_are_linked_by_what_their_columns_mean(tmp_path: Path) -> None:
    suggested = suggest_policy([written(tmp_path, PERSONS)])
    assert (suggested.kind, suggested.id) == ("person", "customer_id")
    assert columns(suggested) == {
        "given_name": "first_name",
        "surname": "last_name",
        "birth_date": "dob",
        "postcode": "zip",
        "email": "e-mail",
    }
    policy = suggested.policy()
    assert policy.columns["birth_date"].clean == "date_dmy"
    assert set(policy.comparisons) == {"given_name", "surname", "birth_date", "address", "email"}


def test_columns_that_tell_who_is_who_are_never_used(tmp_path: Path) -> None:
    suggested = suggest_policy([written(tmp_path, PERSONS)])
    assert (
        suggested.left_out["cluster"]
        == suggested.left_out["true_surname"]
        == "its name says that it tells who is who"
    )
    answers = PERSONS[["customer_id", "cluster"]].assign(
        truth_id="x", surname_label="y", golden_email="a@b.example"
    )
    with pytest.raises(LinkageError, match="too little to link on"):
        suggest_policy([written(tmp_path, answers, "answers.csv")])
    unique = PERSONS.drop(columns="customer_id").assign(cluster=range(6))
    assert suggest_policy([written(tmp_path, unique, "unique.csv")]).id == ROW_NUMBER


def test_organisations_are_told_from_persons(tmp_path: Path) -> None:
    suggested = suggest_policy([written(tmp_path, COMPANIES)])
    assert suggested.kind == "organisation"
    assert columns(suggested)["organisation_name"] == "company"
    assert columns(suggested)["vat_number"] == "vat number"
    named = COMPANIES[["debtor no", "postcode", "city"]].assign(name=["Bos B.V.", "Vos GmbH", "Kok"])
    assert suggest_policy([written(tmp_path, named, "named.csv")]).kind == "organisation"


def test_a_whole_name_is_enough_with_a_date_of_birth(tmp_path: Path) -> None:
    whole = pd.DataFrame(
        {
            "nr": [f"n{n}" for n in range(6)],
            "full name": PERSONS["first_name"] + " " + PERSONS["last_name"],
            "birth place": "Urk",
            "born_clean": "x",
            "date of birth": PERSONS["dob"],
        }
    )
    suggested = suggest_policy([written(tmp_path, whole)])
    assert columns(suggested) == {
        "full_name": "full name",
        "birth_date": "date of birth",
        "birth_place": "birth place",
    }
    assert set(suggested.policy().comparisons) == {"full_name", "birth_date", "birth_place"}
    done = link_files([tmp_path / "people.csv"], write_policy(suggested, tmp_path / "out"), tmp_path / "out")
    assert done.records == 6


def test_headers_that_say_how_values_were_treated_and_dates_long_ago(tmp_path: Path) -> None:
    old = PERSONS[["customer_id", "first_name", "last_name"]].assign(
        dob=[f"16{n}0-02-03" for n in range(6)], postcode_clean=PERSONS["zip"]
    )
    suggested = suggest_policy([written(tmp_path, old)])
    assert columns(suggested)["birth_date"] == "dob"
    assert columns(suggested)["postcode"] == "postcode_clean"


def test_dates_that_linkage_cannot_read_are_left_out(tmp_path: Path) -> None:
    worded = PERSONS.assign(dob=[f"{n + 1} March 19{n}0" for n in range(6)])
    suggested = suggest_policy([written(tmp_path, worded)])
    assert "birth_date" not in columns(suggested)
    assert "dob" in suggested.left_out


def test_a_file_without_ids_is_linked_by_its_rows(tmp_path: Path) -> None:
    file = written(tmp_path, PERSONS.drop(columns="customer_id"), separator=";")
    suggested = suggest_policy([file])
    assert suggested.id == ROW_NUMBER
    out = tmp_path / "out"
    assert link_files([file], write_policy(suggested, out), out).records == len(PERSONS)
    clusters = pd.read_parquet(out / "clusters.parquet").sort_values("record_id")
    assert clusters["record_id"].tolist() == [f"{n:09d}" for n in range(1, 7)]


def test_files_that_name_a_column_differently_are_told(tmp_path: Path) -> None:
    one, two = written(tmp_path, PERSONS, "crm.csv"), tmp_path / "shop.csv"
    PERSONS.rename(columns={"last_name": "achternaam"}).to_csv(two, index=False)
    suggested = suggest_policy([one, two])
    told = "\n".join(suggested.told())
    assert "shop.csv has surname in 'achternaam', which is not read: call it 'last_name' there too" in told
    assert suggested.policy().source == "source"


def test_what_was_chosen_is_told_in_words_and_stands_in_the_file(tmp_path: Path) -> None:
    suggested = suggest_policy([written(tmp_path, PERSONS)])
    told = "\n".join(suggested.told())
    for part in ("person policy", "birth_date  dob  95%", "Record id: column 'customer_id'", "shoe size"):
        assert part in told
    path = write_policy(suggested, tmp_path / "out")
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["extends"] == "person"
    assert load_policy(path).comparisons
    assert not any(value in path.read_text(encoding="utf-8") for value in ("Klaassen", "jan@x"))


def test_a_policy_that_someone_changed_is_not_overwritten(tmp_path: Path) -> None:
    suggested = suggest_policy([written(tmp_path, PERSONS)])
    path = write_policy(suggested, tmp_path)
    assert write_policy(suggested, tmp_path) == path
    path.write_text(path.read_text(encoding="utf-8") + "seed: 5\n", encoding="utf-8")
    with pytest.raises(LinkageError, match="--policy"):
        write_policy(suggested, tmp_path)
    assert path.read_text(encoding="utf-8").endswith("seed: 5\n")


@pytest.mark.parametrize(
    "frame", [PERSONS[["customer_id", "shoe size"]], PERSONS[["customer_id", "last_name"]]]
)
def test_too_little_to_link_on_is_told(tmp_path: Path, frame: pd.DataFrame) -> None:
    with pytest.raises(LinkageError, match="Rename columns") as caught:
        suggest_policy([written(tmp_path, frame)])
    assert frame.columns[1] in str(caught.value)
