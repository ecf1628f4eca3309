"""A person gets everything that is known of them, and nothing of anybody else."""

import csv
import io
import json
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cdm_demo import generate
from cdm_pipelines.hub import golden_ids
from cdm_pipelines.store.keys import RECORD_KEY

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


OF_ORDERS = ("order_line", "payment", "refund")
WITHOUT_A_VALUE = {"golden_id", "as_of", "model"}
"""Columns of every table of the profile: of whom, for which day, and by which model."""


def keys(rows: Iterable[Mapping[str, object]], *names: str) -> list[tuple[str, ...]]:
    return sorted(tuple(str(row.get(name, "")) for name in names) for row in rows)


def asked(company: Company, query: str) -> list[tuple[str, ...]]:
    found = company.home.query(query)
    return sorted(tuple("" if one is None else str(one) for one in row) for row in found)


def test_transactions_consent_and_profile_are_complete(company: Company, chosen: list[str]) -> None:
    """Held against the hub, asked in other words than the answer is."""
    seen: Counter[str] = Counter()
    tables = [
        str(name)
        for (name,) in company.home.query(
            """SELECT table_name FROM information_schema.columns JOIN information_schema.tables
               USING (table_schema, table_name) WHERE table_schema = 'profile' AND column_name = 'golden_id'
               AND table_type = 'BASE TABLE' AND table_name NOT IN ('withheld') ORDER BY 1"""
        )
    ]
    buyers = asked(company, "SELECT DISTINCT golden_id::text FROM golden.invoice")
    for id_ in [company.alike[true] for true in chosen] + [one for (one,) in buyers[:2]]:
        archive = company.answer(id_)
        for name in ("customer_order", "invoice"):
            expected = asked(
                company, f"SELECT source, entity, record_id FROM golden.{name} WHERE golden_id = '{id_}'"
            )
            assert keys(read(archive, f"transactions/{name}"), *RECORD_KEY) == expected, name
            seen[name] += len(expected)
        for name in OF_ORDERS:
            expected = asked(
                company,
                f"""SELECT t.source, t.entity, t.record_id FROM golden.{name} AS t
                    JOIN golden.customer_order AS o USING (source, order_id) WHERE o.golden_id = '{id_}'""",
            )
            assert keys(read(archive, f"transactions/{name}"), *RECORD_KEY) == expected, name
            seen[name] += len(expected)
        expected = asked(
            company, f"SELECT purpose, channel, allowed FROM privacy.consent WHERE golden_id = '{id_}'"
        )
        assert keys(read(archive, "consent"), "purpose", "channel", "allowed") == expected
        said = asked(
            company,
            f"SELECT source, purpose, channel, state FROM privacy.consent_statement WHERE golden_id = '{id_}'",
        )
        assert keys(read(archive, "consent/statements"), "source", "purpose", "channel", "state") == said
        seen["consent"] += len(expected)
        seen["statements"] += len(said)
        told = {(row["enricher"], row["what"]) for row in read(archive, "profile")}
        for table in tables:
            for (row,) in company.home.query(
                f"SELECT to_jsonb(t) FROM profile.{table} AS t WHERE golden_id = '{id_}'"
            ):
                held = {name for name, value in row.items() if value is not None} - WITHOUT_A_VALUE
                assert {(table.removesuffix("_member"), name) for name in held} <= told, table
                seen["profile"] += len(held)
    missing = {"customer_order", "invoice", "order_line", "payment", "consent", "statements", "profile"}
    assert {name for name in missing if not seen[name]} == set()


MAILBOX = "lower(email) FROM golden.customer"
OF_SHOP = "entity = 'customer' AND source = 'shop'"


def test_interactions_are_complete(company: Company) -> None:
    """Every line of an extract that has their mailbox or their number of the shop, by its own number."""
    mails = delivered(company, "mail/activity")
    events = (company.home.landing / "web" / "event" / f"{DAYS[0]}.jsonl").read_text(encoding="utf-8")
    visits = [one for one in map(json.loads, events.splitlines()) if one.get("user_id")]
    boxes = {row["Email Address"].strip().lower() for row in mails}
    alone = asked(
        company,
        "SELECT min(golden_id::text), lower(email) FROM golden.customer GROUP BY 2 HAVING count(*) = 1",
    )
    shoppers = asked(
        company,
        "SELECT golden_id::text, record_id FROM golden.crosswalk WHERE entity = 'customer' AND source = 'shop'",
    )
    numbers = {one["user_id"] for one in visits}
    chosen = [id_ for id_, box in alone if box in boxes][:2] + [
        id_ for id_, one in shoppers if one in numbers
    ][:2]
    assert len(chosen) == 4
    for id_ in chosen:
        found = [row["record_id"] for row in read(company.answer(id_), "interactions")]
        box = {one for other, one in alone if other == id_}
        number = {one for other, one in shoppers if other == id_}
        of_mails = {row["Activity ID"] for row in mails if row["Email Address"].strip().lower() in box}
        of_visits = {event_id(one) for one in visits if one["user_id"] in number}
        assert of_mails | of_visits
        assert of_mails | of_visits <= set(found)
        assert len(found) == len(set(found)), "each once"


def event_id(event: Mapping[str, Any]) -> str:
    [number] = [one["value"]["string_value"] for one in event["event_params"] if one["key"] == "event_id"]
    return str(number)


def delivered(company: Company, name: str) -> list[dict[str, str]]:
    path = company.home.landing / name / f"{DAYS[0]}.csv"
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


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
    golden_id = company.alike[chosen[0]]
    for name in (golden_id, golden_id[:8], golden_ids.short(golden_id)):
        assert by_record == read(company.answer(name), "records/party")
    assert "No golden id begins with ffffffff" in company.home.ask("privacy", "access", "ffffffff", code=1)
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


def test_what_was_done_with_their_data_is_in_it(company: Company, chosen: list[str]) -> None:
    """Restrictions, next best action, rejected rows and who read of them, in both languages and both forms."""
    home = company.home
    true = next(one for one in chosen if any(key[:2] == ("crm", "contact") for key in company.truth[one]))
    [contact] = [key[2] for key in sorted(company.truth[true]) if key[:2] == ("crm", "contact")][:1]
    id_ = company.alike[true]
    with (home.landing / "crm" / "contact" / f"{DAYS[0]}.csv").open("a", encoding="utf-8") as lines:
        lines.write(f'"{contact}","false","","","Halfway"\n')
    assert home.run(DAYS[0], sources=["crm"]) == 0
    for role in ("service", "sales"):
        home.ask("customer", id_, "--role", role)
    home.ask("privacy", "object", id_, "--purpose", "marketing", "--by", "Petra", "--reason", "letter 12")
    archive = company.answer(id_, "--language", "en")
    [rejected] = read(archive, "rejected/crm/contact")
    assert (rejected["day"], rejected["why"], rejected["LastName"]) == (DAYS[0], "ragged", "Halfway")
    [objection] = read(archive, "restrictions")
    assert (objection["purpose"], objection["kind"], objection["state"]) == ("marketing", "object", "done")
    [(action, excluded)] = home.query(
        f"SELECT action, excluded FROM activation.next_best_action WHERE golden_id = '{id_}'"
    )
    [told] = read(archive, "actions/next best action")
    assert (told.get("action"), told.get("excluded")) == (action, excluded)
    choices = home.query(f"SELECT count(*) FROM activation.action_choice WHERE golden_id = '{id_}'")
    assert [(len(read(archive, "actions/choices")),)] == choices
    readings = read(archive, "readings")
    by = {(one["role"], one["with"]) for one in readings}
    assert {("service", "cdm customer"), ("sales", "cdm customer")} <= by
    [(lines_of,)] = home.query(f"SELECT count(*) FROM ops.access_log WHERE '{id_}' = ANY(golden_ids)")
    assert len(readings) == lines_of
    assert all(one["when"] and one["purpose"] and one["categories"] for one in readings)
    dutch = company.answer(id_).read("index.html").decode()
    for page, headings in (
        (
            archive.read("index.html").decode(),
            ("Rejected rows", "Restrictions and objections", "What we mean to offer you"),
        ),
        (dutch, ("Afgekeurde regels", "Beperking en bezwaar", "Wie uw gegevens inzag")),
    ):
        assert [one for one in headings if f"<h2>{one}</h2>" not in page] == []
        assert "Halfway" in page
    for name in ("rejected/crm/contact", "restrictions", "actions/next best action", "readings"):
        assert f"csv/{name}.csv" in archive.namelist()
    everybody_else = next(one for one in chosen if one != true)
    other = company.answer(company.alike[everybody_else])
    assert read(other, "restrictions") == []
    assert "Halfway" not in text_of(other)
