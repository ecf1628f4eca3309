"""A person gets everything that is known of them, and nothing of anybody else."""

import csv
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from cdm_demo import generate

from .conftest import DAYS, Deployment


@dataclass(frozen=True)
class Company:
    """A deployment, and who every source record is in truth."""

    home: Deployment
    truth: dict[str, set[tuple[str, str, str]]]
    alike: dict[str, str]

    def answer(self, golden_id: str, *more: str) -> zipfile.ZipFile:
        """The archive of one customer."""
        out = Path(self.home.settings.home) / "answers"
        told = self.home.ask("privacy", "access", golden_id, "--to", str(out), *more)
        path = Path(told.replace("\n", "").partition(": hand it over")[0])
        archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        path.unlink()
        return archive


@pytest.fixture(scope="module")
def company(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Company:
    out = tmp_path_factory.mktemp("company")
    generate(customers=120, days=1, seed=7, out=out)
    home = deploy(out / "landing")
    assert home.run(DAYS[0]) == 0
    truth: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
    with (out / "truth" / "party.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            truth[row["truth_id"]].add((row["source"], row["entity"], row["record_id"]))
    golden: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for id_, *key in home.query("SELECT golden_id::text, source, entity, record_id FROM golden.crosswalk"):
        golden[str(id_)].add((str(key[0]), str(key[1]), str(key[2])))
    whole = {frozenset(records): id_ for id_, records in golden.items()}
    alike = {
        true: whole[frozenset(records)] for true, records in truth.items() if frozenset(records) in whole
    }
    return Company(home, dict(truth), alike)


def text_of(archive: zipfile.ZipFile) -> str:
    return "\n".join(archive.read(name).decode("utf-8-sig") for name in archive.namelist())


@pytest.fixture(scope="module")
def chosen(company: Company) -> list[str]:
    """Persons in truth of whom several records were linked as they should be; some share address and mailbox."""
    persons = {
        str(one)
        for (one,) in company.home.query(
            "SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' AND record_count > 1"
        )
    }
    shared = {
        str(one)
        for (one,) in company.home.query(
            """SELECT golden_id::text FROM golden.customer c WHERE EXISTS (SELECT FROM golden.customer d
               WHERE d.golden_id <> c.golden_id AND (d.email = c.email
               OR (d.postcode = c.postcode AND d.house_number = c.house_number)))"""
        )
    }
    found = [true for true, id_ in sorted(company.alike.items()) if id_ in persons]
    assert any(company.alike[true] in shared for true in found)
    return [one for one in found if company.alike[one] in shared][:4] + [
        one for one in found if company.alike[one] not in shared
    ][:2]


def test_everything_is_in_it_and_nothing_of_others(company: Company, chosen: list[str]) -> None:
    golden = {
        str(id_): {str(value) for value in values if value}
        for id_, *values in company.home.query(
            "SELECT golden_id::text, email, phone, mobile, iban FROM golden.customer"
        )
    }
    for true in chosen:
        id_ = company.alike[true]
        archive = company.answer(id_)
        text = text_of(archive)
        records = {(row["source"], row["entity"], row["record_id"]) for row in read(archive, "records/party")}
        assert records == company.truth[true]
        for name, entity in (("customer_order", "order"), ("invoice", "invoice")):
            [(number,)] = company.home.query(f"SELECT count(*) FROM golden.{name} WHERE golden_id = '{id_}'")
            assert len(read(archive, f"transactions/{name}")) == number
            assert len(read(archive, f"records/{entity}")) == number
        for value in golden[id_]:
            assert value in text
        of_others = {value for other, values in golden.items() if other != id_ for value in values} - golden[
            id_
        ]
        assert not [value for value in of_others if value in text]
        persons = [keys for other, keys in company.truth.items() if other != true and other.startswith("P")]
        others = {
            key[2] for keys in persons for key in keys
        }  # the number of an employer is in the row of who works there
        assert not [one for one in others if len(one) > 8 and f'"{one}"' in text]


def read(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    path = f"json/{name}.json"
    return json.loads(archive.read(path)) if path in archive.namelist() else []


def test_each_cell_that_was_delivered_is_in_it(company: Company, chosen: list[str]) -> None:
    true = chosen[0]
    archive = company.answer(company.alike[true])
    delivered = read(archive, "delivered")
    cells = {(row["source"], row["column"], row["value"]) for row in delivered}
    seen = 0
    for source, entity, record in company.truth[true]:
        with (company.home.landing / source / entity / f"{DAYS[0]}.csv").open(
            encoding="utf-8-sig", newline=""
        ) as lines:
            start = lines.read()
        delimiter = ";" if start.partition("\n")[0].count(";") else ","
        for row in csv.DictReader(io.StringIO(start), delimiter=delimiter):
            if record in row.values() or f"'{record}" in row.values():
                missing = [
                    name
                    for name, value in row.items()
                    if value and (f"{source}/{entity}", name, value.removeprefix("'")) not in cells
                ]
                assert not missing, f"{source}/{entity}"
                seen += 1
    assert seen


def test_the_profile_says_its_logic_in_words(company: Company, chosen: list[str]) -> None:
    said = [row for true in chosen for row in read(company.answer(company.alike[true]), "profile")]
    assert said
    assert all(row["logic"] and row["follows from"] and row["purpose"] for row in said)


def test_the_archive_can_be_checked_and_read_by_everybody(company: Company, chosen: list[str]) -> None:
    archive = company.answer(company.alike[chosen[0]], "--language", "en")
    manifest = json.loads(archive.read("manifest.json"))
    assert set(manifest["files"]) == set(archive.namelist()) - {"manifest.json"}
    for name, told in manifest["files"].items():
        assert sha256(archive.read(name)).hexdigest() == told["sha256"]
    english = archive.read("index.html").decode()
    dutch = company.answer(company.alike[chosen[0]]).read("index.html").decode()
    assert "What we work out of you" in english
    assert "Wat wij van u afleiden" in dutch
    for page in (english, dutch):
        assert "<script" not in page
        assert "http://" not in page.replace("http://www.w3.org", "")
    rows = list(csv.DictReader(io.StringIO(archive.read("csv/records/party.csv").decode("utf-8-sig"))))
    assert len(rows) == len(read(archive, "records/party"))


def test_a_record_names_its_person_and_nobody_is_told(company: Company, chosen: list[str]) -> None:
    key = "/".join(min(company.truth[chosen[0]]))
    by_record = read(company.answer(key), "records/party")
    assert by_record == read(company.answer(company.alike[chosen[0]]), "records/party")
    nobody = "00000000-0000-5000-8000-000000000000"
    assert f"There is no golden id {nobody}" in company.home.ask("privacy", "access", nobody, code=1)


def test_an_answer_that_cannot_be_written_is_told_and_does_not_count(
    company: Company, chosen: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    asked = "SELECT count(*) FROM privacy.request"
    before = company.home.query(asked)
    for folder in (str(tmp_path / "file"), "/proc/self"):
        told = company.home.ask("privacy", "access", company.alike[chosen[0]], "--to", folder, code=2)
        assert f"{folder} cannot be used as a folder" in told.replace("\n", " ")
        assert company.home.query(asked) == before
