"""A file without a policy: what is chosen from its columns, and what a user is told about it."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import yaml

from cdm_pipelines.linkage import LinkageError, load_policy
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.steps.linking.files import link_files, read_files
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


def test_words_of_made_up_data_are_no_part_of_what_a_header_says(tmp_path: Path) -> None:
    """They are words of test sets, not of users; what looks like a postcode is one by its values all the same."""
    towns = ["Utrecht", "Utrecht", "Zwolle", "Zwolle", "Delft", "Assen"]
    named = PERSONS.drop(columns="zip").assign(city_synthetic=towns)
    assert "city" not in columns(suggest_policy([written(tmp_path, named, "made.csv")]))
    cleaned = PERSONS.drop(columns="zip").assign(city_clean=towns)
    assert columns(suggest_policy([written(tmp_path, cleaned, "cleaned.csv")]))["city"] == "city_clean"
    by_values = PERSONS.rename(columns={"zip": "postcode_synthetic"})
    assert (
        columns(suggest_policy([written(tmp_path, by_values, "values.csv")]))["postcode"]
        == "postcode_synthetic"
    )


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


def test_dates_that_nobody_can_read_are_left_out(tmp_path: Path) -> None:
    worded = PERSONS.assign(dob=[f"in the spring of 19{n}0" for n in range(6)])
    suggested = suggest_policy([written(tmp_path, worded)])
    assert "birth_date" not in columns(suggested)
    assert "dob" in suggested.left_out


@pytest.mark.parametrize(
    ("form", "clean"),
    [
        ("{d}-{m}-{y}", "date_dmy"),
        ("{d:02}{m:02}{y}", "date_dmy"),
        ("{d}{m:02}{y}", "date_dmy"),
        ("{d:02}/{m:02}/{yy:02}", "date_dmy"),
        ("{d}. {name} {y}", "date_dmy"),
        ("{m}/{d}/{y}", "date_mdy"),
        ("{m}/{d}/{yy:02} 0:00", "date_mdy"),
        ("{y}{m:02}{d:02}", "date"),
        ("{y}-{m}-{d}", "date"),
        ("{yy:02}{m:02}{d:02}", "date"),
    ],
)
def test_the_form_of_dates_is_found_from_the_values(tmp_path: Path, form: str, clean: str) -> None:
    days = [(3, 2, 1971), (13, 2, 1971), (25, 4, 1983), (5, 4, 1983), (17, 6, 1965), (9, 8, 1990)]
    dob = [form.format(d=d, m=m, y=y, yy=y % 100, name=_MONTHS[m - 1]) for d, m, y in days]
    suggested = suggest_policy([written(tmp_path, PERSONS.assign(dob=dob))])
    policy = suggested.policy()
    assert policy.columns["birth_date"].clean == clean
    read = encode(pa.table({"customer_id": PERSONS["customer_id"], **_used(PERSONS.assign(dob=dob))}), policy)
    assert read.columns["birth_date"].texts.tolist() == sorted(f"{y}{m:02}{d:02}" for d, m, y in days)
    assert not [doubt for doubt in suggested.doubts if "dates" in doubt]


_MONTHS = ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August")


def _used(frame: pd.DataFrame) -> dict[str, list[str | None]]:
    return {name: [None if pd.isna(v) else v for v in frame[name]] for name in frame.columns[1:6]}


def test_an_order_that_nothing_shows_is_told(tmp_path: Path) -> None:
    suggested = suggest_policy([written(tmp_path, PERSONS)])
    assert "the day is taken to come first" in "\n".join(suggested.told())


@pytest.mark.parametrize(
    "names",
    [
        ("by", "bm", "bd"),
        ("rec_by", "rec_bm", "rec_bd"),
        ("DOB_YEAR", "DOB_MON", "DOB_DAY"),
        ("geboortejaar", "geboortemaand", "geboortedag"),
        ("annee de naissance", "mois", "jour"),
        ("year", "month", "day"),
        ("column7", "column8", "column9"),
    ],
)
def test_a_date_of_birth_in_three_columns_is_one(tmp_path: Path, names: tuple[str, str, str]) -> None:
    people = _people()
    split = people["dob"].str.split("-", expand=True)
    split.columns = list(names)
    apart = pd.concat([people.drop(columns="dob"), split.sample(frac=1, axis=1, random_state=1)], axis=1)
    suggested = suggest_policy([written(tmp_path, apart)])
    born = next(choice for choice in suggested.chosen if choice.name == "birth_date")
    assert born.names == names
    assert not suggested.missed


def test_numbers_that_are_no_dates_of_birth_are_not_taken_for_them(tmp_path: Path) -> None:
    people = _people().assign(day=range(300), month=[n % 40 for n in range(300)], created="2024-01-05")
    suggested = suggest_policy([written(tmp_path, people.drop(columns="dob"))])
    assert "birth_date" not in columns(suggested)


def _people() -> pd.DataFrame:
    """Three hundred people with all that a file without headers can be told by."""
    letters = "abcdefghijklmnopqrst"
    return pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in range(300)],
            "given": [GIVEN[n % len(GIVEN)] for n in range(300)],
            "family": [f"{letters[n % 20]}{letters[n // 20]}sen" for n in range(300)],
            "dob": [f"{1930 + n % 70}-{1 + n % 12}-{1 + n % 28}" for n in range(300)],
            "code": [f"{1000 + 17 * (n % 90)} {letters[n % 9].upper()}B" for n in range(300)],
            "place": [f"{letters[n % 90 % 20]}{letters[n % 90 // 20]}dorp" for n in range(300)],
            "mail": [f"u{n}@mail.example" if n % 3 else None for n in range(300)],
            "number": [f"06{12345678 + 7919 * n}"[:10] if n % 2 else None for n in range(300)],
        }
    )


GIVEN = (
    *(
        "Jan",
        "Piet",
        "Kees",
        "Els",
        "Anna",
        "Maria",
        "Hendrik",
        "Johanna",
        "Peter",
        "Thomas",
        "Robert",
        "Margaret",
    ),
    *("Susan", "Laura", "Sara", "David", "Daniel", "Paul", "Emma", "Lisa", "Erik", "Karin", "Sandra"),
)


def test_columns_without_headers_are_told_by_their_values(tmp_path: Path) -> None:
    people = _people()
    people.columns = [f"column{n}" for n in range(1, 9)]
    assert columns(suggest_policy([written(tmp_path, people)])) == {
        "given_name": "column2",
        "surname": "column3",
        "birth_date": "column4",
        "postcode": "column5",
        "city": "column6",
        "email": "column7",
        "phone": "column8",
    }


def test_headers_of_other_languages(tmp_path: Path) -> None:
    """Each header with the name that it has in the policy."""
    tables = (
        {
            "nombre": "given_name",
            "apellido1": "surname",
            "apellido2": "second_surname",
            "fecha_nacimiento": "birth_date",
        }
        | {
            "calle": "street",
            "numero": "house_number",
            "cp": "postcode",
            "poblacion": "city",
            "movil": "mobile",
        },
        {"Vorname": "given_name", "Nachname": "surname", "Geb.-Datum": "birth_date", "Straße": "street"}
        | {"Hausnr.": "house_number", "PLZ": "postcode", "Ort": "city", "Mailadresse": "email"},
        {
            "prénom": "given_name",
            "nom": "surname",
            "né le": "birth_date",
            "rue": "street",
            "code postal": "postcode",
        }
        | {"ville": "city", "courriel": "email", "portable": "mobile"},
        {
            "firstname": "given_name",
            "middlename": "middle_name",
            "lastname": "surname",
            "housenum": "house_number",
        }
        | {
            "streetname": "street",
            "town": "city",
            "ZIP3": "postcode",
            "birthyear": "year_of_birth",
            "ssn": "national_id",
        },
    )
    people = _people()
    values = {
        "given_name": people["given"],
        "middle_name": people["given"].shift(3),
        "surname": people["family"],
        "second_surname": people["family"].shift(5),
        "birth_date": people["dob"],
        "year_of_birth": people["dob"].str[:4],
        "street": people["family"] + " road",
        "house_number": [str(1 + n % 80) for n in range(300)],
        "postcode": people["code"].str[:4],
        "city": people["place"],
        "email": people["mail"],
        "mobile": people["number"],
        "national_id": [f"{123456789 + 13 * (n // 2)}" for n in range(300)],
    }
    for table in tables:
        frame = pd.DataFrame(
            {"id": people["customer_id"]} | {name: values[meant] for name, meant in table.items()}
        )
        suggested = suggest_policy([written(tmp_path, frame)])
        assert {column: name for name, column in columns(suggested).items()} == table
        assert suggested.policy().comparisons


def test_a_line_of_street_and_number_is_read_as_both(tmp_path: Path) -> None:
    frame = PERSONS.assign(where=[f"{n} High Road" for n in range(6)])
    policy = suggest_policy([written(tmp_path, frame)]).policy()
    assert (policy.columns["street"].column, policy.columns["street"].clean) == ("where", "street")
    assert (policy.columns["house_number"].column, policy.columns["house_number"].clean) == (
        "where",
        "number",
    )


def test_what_may_tell_people_apart_and_is_not_used_is_said_first(tmp_path: Path) -> None:
    people = _people().assign(
        barcode=[f"x{n // 2}" for n in range(300)], club=[f"club {n % 3}" for n in range(300)]
    )
    suggested = suggest_policy([written(tmp_path, people)])
    assert list(suggested.missed) == ["barcode"]
    assert suggested.told()[0].startswith(
        "Not used though it may tell people apart: barcode (meaning not recognised"
    )
    assert suggested.to_yaml().startswith("# ! Not used though it may tell people apart: barcode")


def test_region_and_country_are_used_where_nothing_tells_more(tmp_path: Path) -> None:
    people = _people().assign(province=[f"p{n % 12}" for n in range(300)], country=["NL"] * 280 + ["BE"] * 20)
    with_place = suggest_policy([written(tmp_path, people)])
    assert "tells more" in with_place.left_out["province"]
    alone = suggest_policy([written(tmp_path, people.drop(columns=["code", "place"]))])
    assert columns(alone)["region"] == "province"
    assert "region tells more" in alone.left_out["country"]
    country = suggest_policy([written(tmp_path, people.drop(columns=["code", "place", "province"]))])
    assert "tells few people apart" in country.left_out["country"]


def test_a_header_alone_suggests_a_policy_too(tmp_path: Path) -> None:
    suggested = suggest_policy([written(tmp_path, PERSONS[:0])])
    assert {"given_name", "surname", "email"} <= set(columns(suggested))


def test_a_column_of_crosses_is_no_gender(tmp_path: Path) -> None:
    frame = PERSONS.assign(blocked=["x", "", "x", "", "", ""], column11=["m", "f", "m", "f", "", "m"])
    assert columns(suggest_policy([written(tmp_path, frame)]))["gender"] == "column11"


def test_a_file_without_ids_is_linked_by_its_rows(tmp_path: Path) -> None:
    file = written(tmp_path, PERSONS.drop(columns="customer_id"), separator=";")
    suggested = suggest_policy([file])
    assert suggested.id == ROW_NUMBER
    out = tmp_path / "out"
    assert link_files([file], write_policy(suggested, out), out).records == len(PERSONS)
    clusters = pd.read_parquet(out / "clusters.parquet").sort_values("record_id")
    assert clusters["record_id"].tolist() == [f"{n:09d}" for n in range(1, 7)]


def test_files_that_name_their_columns_differently_are_linked(tmp_path: Path) -> None:
    one, two = written(tmp_path, PERSONS, "crm.csv"), tmp_path / "shop.csv"
    split = (
        PERSONS["dob"]
        .str.split("-", expand=True)
        .set_axis(["geboortedag", "geboortemaand", "geboortejaar"], axis=1)
    )
    shop = pd.concat([PERSONS.drop(columns="dob").rename(columns={"last_name": "achternaam"}), split], axis=1)
    shop.to_csv(two, index=False)
    suggested = suggest_policy([one, two])
    by_name = {choice.name: choice.names for choice in suggested.chosen}
    assert by_name["surname"] == ("last_name", "achternaam")
    assert by_name["birth_date"] == ("dob", "geboortedag", "geboortemaand", "geboortejaar")
    policy = suggested.policy()
    assert policy.source == "source"
    read = encode(read_files([one, two], policy), policy)
    assert {read.columns[name].size for name in ("surname", "birth_date")} == {5, 4}
    assert all((read.columns[name].codes >= 0).all() for name in ("surname", "birth_date"))


def test_files_with_a_column_of_their_own_called_source_are_told_apart_by_their_names(tmp_path: Path) -> None:
    channel = PERSONS.assign(source=["web", "fair", ""] * 2)
    files = [written(tmp_path, channel, name) for name in ("shop.csv", "till.csv")]
    suggested = suggest_policy(files)
    policy = suggested.policy()
    assert policy.source == "file"
    out = tmp_path / "out"
    assert link_files(files, write_policy(suggested, out), out).records == 12
    clusters = pd.read_parquet(out / "clusters.parquet")
    assert clusters["source"].value_counts().to_dict() == {"shop": 6, "till": 6}
    taken = channel.assign(file=1, name_of_file=2, name_of_the_file=3)
    with pytest.raises(LinkageError, match="rename a column"):
        suggest_policy([written(tmp_path, taken, "a.csv"), files[0]])


def test_a_column_of_row_numbers_that_repeat_is_told(tmp_path: Path) -> None:
    frame = PERSONS.drop(columns="customer_id").assign(row_number=[1, 2, 1, 2, 1, 2])
    with pytest.raises(LinkageError, match="rename row_number"):
        suggest_policy([written(tmp_path, frame)])


def test_a_column_that_another_file_uses_for_something_else_is_told(tmp_path: Path) -> None:
    one = written(tmp_path, PERSONS.rename(columns={"zip": "code"}).assign(code="x1"), "crm.csv")
    two = written(tmp_path, PERSONS.rename(columns={"zip": "postcode"}), "shop.csv")
    both = suggest_policy([one, two])
    assert columns(both)["postcode"] == "postcode"
    clash = PERSONS.rename(columns={"last_name": "first_name", "first_name": "last_name"})
    assert len(suggest_policy([one, written(tmp_path, clash, "swapped.csv")]).chosen) >= 3


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
