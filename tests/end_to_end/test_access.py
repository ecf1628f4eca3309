"""A person gets everything that is known of them, and nothing of anybody else."""

import csv
import datetime as dt
import io
import json
import os
import shutil
import stat
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cdm_demo import generate
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import golden_ids
from cdm_pipelines.settings import load_settings
from cdm_pipelines.store.keys import RECORD_KEY

from .conftest import DAYS, Deployment
from .whose import Whose, cells_of, exclusive, lines_of, rows_of
from .whose import text_of as text_of_file


@dataclass(frozen=True)
class Company:
    """A deployment, and who every source record is in truth."""

    home: Deployment
    truth: dict[str, set[tuple[str, str, str]]]
    alike: dict[str, str]
    structure: list[dict[str, str]]
    consent: list[dict[str, str]]
    answers: dict[str, zipfile.ZipFile] = field(default_factory=dict)

    def known(self, true: str) -> zipfile.ZipFile:
        """The archive of whom somebody is in truth, as it was when it was first asked for."""
        id_ = self.alike[true]
        if id_ not in self.answers:
            self.answers[id_] = self.answer(id_)
        return self.answers[id_]

    def golden(self, true: str) -> dict[str, Any]:
        """The golden customer of whom somebody is in truth."""
        query = f"SELECT to_jsonb(c) FROM golden.customer c WHERE golden_id = '{self.alike[true]}'"
        return dict(self.home.query(query)[0][0])

    def answer(self, golden_id: str, *more: str) -> zipfile.ZipFile:
        """The archive of one customer."""
        out = Path(self.home.settings.home) / "answers"
        told = self.home.ask("privacy", "access", golden_id, "--to", str(out), *more)
        path = Path(told.replace("\n", "").partition(": hand it over")[0])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        path.unlink()
        return archive


@pytest.fixture(scope="module")
def company(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Company:
    out = tmp_path_factory.mktemp("company")
    generate(customers=120, days=1, seed=7, out=out)
    fresh = deploy(out / "landing").settings
    policies = fresh.home / "policies"
    shutil.copytree(fresh.policies, policies)
    (policies / "change_feed.yaml").write_text("sinks:\n  warehouse:\n    kind: files\n", encoding="utf-8")
    given = {n: getattr(fresh, n) for n in ("home", "landing_url", "lake_url", "database_url", "threads")}
    home = Deployment(load_settings(**given, policies=policies))
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
    structure, consent = (
        list(csv.DictReader((out / "truth" / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
        for name in ("structure", "consent")
    )
    return Company(home, dict(truth), alike, structure, consent)


def text_of(archive: zipfile.ZipFile) -> str:
    return "\n".join(archive.read(name).decode("utf-8-sig") for name in archive.namelist())


KINDS = ("shared mailbox", "housemate", "colleague")


@pytest.fixture(scope="module")
def kinds(company: Company) -> dict[str, str]:
    """One person of each kind, as the company was made, of whom another golden customer has the same thing."""
    home = company.home
    mailed = {row["Email Address"].strip().lower() for row in delivered(company, "mail/activity")}
    of = {row["truth_id"]: row for row in company.structure if row["truth_id"] in company.alike}
    households = Counter(row["household"] for row in of.values() if row["household"])
    employers = Counter(row["employer"] for row in of.values() if row["employer"])
    asked = {
        "shared mailbox": (
            [true for true, row in of.items() if row["shared_mailbox"] and row["household"]],
            "d.email = c.email",
        ),
        "housemate": (
            [
                true
                for true, row in of.items()
                if households[row["household"]] > 1 and not row["shared_mailbox"]
            ],
            "d.postcode = c.postcode AND d.house_number = c.house_number AND d.email <> c.email",
        ),
        "colleague": (
            [true for true, row in of.items() if employers[row["employer"]] > 1],
            "d.employer_id = c.employer_id",
        ),
    }
    found = {}
    for kind, (candidates, same) in asked.items():
        others = f"""SELECT 1 FROM golden.customer c JOIN golden.customer d ON d.golden_id <> c.golden_id AND {same}
            WHERE d.party_kind = 'person' AND c.golden_id = '{{}}'"""
        fit = [true for true in sorted(candidates) if home.query(others.format(company.alike[true]))]
        assert fit, kind
        if kind == "shared mailbox":
            fit = [true for true in fit if str(company.golden(true)["email"]).lower() in mailed]
            assert fit, "nobody with a shared mailbox was ever mailed"
        found[kind] = fit[0]
    assert len(set(found.values())) == len(KINDS)
    return found


@pytest.fixture(scope="module")
def chosen(company: Company, kinds: dict[str, str]) -> list[str]:
    """Persons in truth of whom all records were linked as they should be: one of each kind, and two more."""
    persons = {
        str(one)
        for (one,) in company.home.query(
            "SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' AND record_count > 1"
        )
    }
    found = [true for true, id_ in sorted(company.alike.items()) if id_ in persons]
    more = [one for one in found if one not in kinds.values()]
    contact = [one for one in more if any(key[:2] == ("crm", "contact") for key in company.truth[one])]
    return [*kinds.values(), contact[0], more[-1]]


def test_everything_is_in_it_and_nothing_of_others(company: Company, chosen: list[str]) -> None:
    golden = {
        str(id_): {str(value) for value in values if value}
        for id_, *values in company.home.query(
            "SELECT golden_id::text, email, phone, mobile, iban FROM golden.customer"
        )
    }
    for true in chosen:
        id_ = company.alike[true]
        archive = company.known(true)
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


def test_nothing_of_whom_one_lives_works_or_shares_a_mailbox_with_is_in_it(
    company: Company, kinds: dict[str, str]
) -> None:
    """Names with addresses, birth dates, numbers, orders and interactions of everybody else, as they were delivered."""
    hub, lines = rows_of(company.home), lines_of(company.home.landing)
    everybody = {row["golden_id"] for row in hub["golden.customer"] if row["party_kind"] == "person"}
    for kind, true in kinds.items():
        whose = Whose.of(hub, [company.alike[true]])
        own, mine, of_them = whose.numbers(lines), [], Whose.of(hub, everybody - whose.ids)
        theirs = of_them.values(company.home, lines)
        for name, of_file in lines.items():
            mine += [of_file[at] for at in own[name]]
            cells = cells_of(name, of_file)
            born = (row.get(column) for row in cells for column in ("Birthdate", "ZZGBDAT"))
            theirs |= {one for one in born if one and one.strip("0")}
        theirs |= {str(row["birth_date"]) for row in hub["golden.customer"] if row["birth_date"]}
        mine += [json.dumps(row) for rows in hub.values() for row in rows if whose.has(row)]
        of_others = exclusive(theirs, mine)
        assert len(of_others) > 400, kind
        answer = company.known(true)
        text = text_of(answer).lower()
        assert sorted(one for one in of_others if one in text) == [], kind
        orders = {number for _, number in of_them.orders - whose.orders}
        assert sorted(one for one in orders if f'"{one}"' in text) == [], kind
        assert len(orders) > 50


def test_interactions_are_theirs_alone_and_those_of_a_shared_mailbox_nobodys(
    company: Company, kinds: dict[str, str], chosen: list[str]
) -> None:
    hub, lines = rows_of(company.home), lines_of(company.home.landing)
    seen = 0
    for true in chosen:
        whose = Whose.of(hub, [company.alike[true]])
        wanted = set()
        for name, numbers in whose.numbers(lines).items():
            rows = cells_of(name, lines[name])
            if name.startswith("web/event"):
                wanted |= {event_id(rows[at]) for at in numbers}
            elif name.startswith(("mail/activity", "desk/ticket")):
                key = "Activity ID" if name.startswith("mail") else "Update ID"
                wanted |= {rows[at][key] for at in numbers}
        found = [row["record_id"] for row in read(company.known(true), "interactions")]
        assert set(found) == wanted, true
        seen += len(found)
    assert seen
    true = kinds["shared mailbox"]
    box = str(company.golden(true)["email"]).lower()
    mails = {
        row["Activity ID"]
        for row in delivered(company, "mail/activity")
        if row["Email Address"].lower() == box
    }
    assert mails
    assert mails.isdisjoint(row["record_id"] for row in read(company.known(true), "interactions"))


def test_orders_and_invoices_are_those_of_the_extracts(company: Company) -> None:
    """By their customer number of ERP, as the company was made; those of the shop by a mailbox that is theirs alone."""
    orders, invoices = delivered(company, "erp/order"), delivered(company, "erp/invoice")
    shop = delivered(company, "shop/order")
    boxes: defaultdict[str, set[str]] = defaultdict(set)
    of = {key: true for true, keys in company.truth.items() for key in keys}
    for name, key, address in (
        ("crm/contact", "Id", "Email"),
        ("shop/customer", "Customer ID", "Email"),
        ("erp/customer", "KUNNR", "ZZSMTP"),
    ):
        for row in delivered(company, name):
            source, entity = name.split("/")
            boxes[row[address].strip().lower()].add(of.get((source, entity, row[key].removeprefix("'")), "?"))
    billed_to = {row.get("KUNNR", row.get("KUNRG", "")) for row in (*orders, *invoices)}
    buyers = {of["erp", "customer", one] for one in billed_to if ("erp", "customer", one) in of}
    persons = sorted(one for one in buyers if one in company.alike and one.startswith("P"))[:3]
    mailed = {row["Email"].strip().lower() for row in shop}
    alone = {
        true: box for box, owners in boxes.items() if box in mailed and len(owners) == 1 for true in owners
    }
    persons += [one for one in sorted(alone) if one in company.alike and one not in persons][:2]
    assert len(persons) == 5
    seen: Counter[str] = Counter()
    for true in persons:
        numbers = {record for source, _, record in company.truth[true] if source == "erp"}
        archive = company.known(true)
        known = read(archive, "transactions/customer_order")
        found = {row["order_id"] for row in known if row["source"] == "erp"}
        assert found == {row["VBELN"] for row in orders if row["KUNNR"] in numbers}, true
        billed = {row["invoice_id"]: row for row in read(archive, "transactions/invoice")}
        wanted = {row["VBELN"]: row for row in invoices if row["KUNRG"] in numbers}
        assert set(billed) == set(wanted), true
        for number, row in wanted.items():
            assert float(billed[number]["amount"]) == float(row["WRBTR"].replace(",", ".")), number
        ordered = {row["Name"] for row in shop if row["Email"].strip().lower() == alone.get(true, "-")}
        assert ordered <= {row["order_id"] for row in known if row["source"] == "shop"}, true
        seen.update(erp=len(found), invoices=len(billed), shop=len(ordered))
    assert min(seen.values()) > 0


def test_consent_is_what_they_said_in_truth(company: Company) -> None:
    """By what the company was made with: the last word on each purpose and channel, and what follows from it."""
    said: defaultdict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for row in sorted(company.consent, key=lambda one: one["stated_at"]):
        said[row["truth_id"]][row["purpose"], row["channel"]] = row["state"]
    seen: set[str] = set()
    yes = {  # a flag without a time of its own counts from when it was delivered, after all of those
        ("shop", "customer", row["Customer ID"].removeprefix("'"))
        for row in delivered(company, "shop/customer")
        if row["Accepts Email Marketing"] == "yes"
    }
    persons = [one for one in said if one in company.alike and one.startswith("P")]
    for true in sorted(persons):
        if not set(said[true].values()) - seen:
            continue  # one person of each state will do
        archive = company.known(true)
        statements = read(archive, "consent/statements")
        last = {}
        for row in sorted(statements, key=lambda one: one.get("stated_at", "")):
            last[row["purpose"], row.get("channel", "")] = row["state"]
        flagged = not yes.isdisjoint(company.truth[true])
        for (purpose, channel), state in said[true].items():
            if flagged and (purpose, channel) == ("marketing", "email"):
                continue
            assert last.get((purpose, channel)) == state, (true, purpose, channel)
            follows = [row for row in read(archive, "consent") if row["purpose"] == purpose]
            allowed = {bool(row["allowed"]) for row in follows if row.get("channel") == channel}
            if state in {"withdrawn", "objected"}:
                assert allowed == {False}, (true, purpose)
            elif allowed != {True}:
                continue  # it was too long ago, or somebody else with the mailbox says no
            seen.add(state)
    assert seen >= {"given", "withdrawn", "objected"}


def test_sources_purposes_and_retention_are_those_of_their_records(
    company: Company, chosen: list[str]
) -> None:
    """Which source says each value, for what each column is used and on what ground, how long it is kept."""
    contracts = {one.name: one for one in all_contracts()}
    for true in chosen:
        archive = company.known(true)
        sources = {f"{source}/{entity}" for source, entity, _ in company.truth[true]}
        from_ = {row["record"] for row in read(archive, "customer") if row.get("record")}
        assert from_
        assert from_ <= {"/".join(key) for key in company.truth[true]}
        purposes = read(archive, "purposes")
        of_parties = [row for row in purposes if row["source"] in sources]
        assert {(row["source"], row["column"]) for row in of_parties} == {
            (name, column.name)
            for name in sources
            for column in contracts[name].columns
            if (column.privacy or "").startswith("user")
        }
        assert all(row["purposes"] and row["legal basis"] and row["category"] for row in of_parties)
        assert {row["owner"] for row in of_parties} == {contracts[name].owner for name in sources}
        kept = {row["where"]: row for row in read(archive, "retention")}
        assert {f"{layer}/{name}" for name in sources for layer in ("landing", "raw", "standard")} <= {
            "/".join(where.split("/")[:3]) for where in kept
        }
        without = {"crm/contact", "erp/customer", "shop/customer"} - sources
        assert [where for where in kept if any(f"/{name}" in where for name in without)] == []
        assert "golden/customer" in kept
        assert all(row["kept"] and row["erased"] for row in kept.values())


def test_files_that_are_handed_out_can_be_read_by_their_owner_alone(
    company: Company, chosen: list[str], tmp_path: Path
) -> None:
    """Whatever the mask of whoever runs the command: archives, exports, rejected rows and the handbook of roles."""
    before = os.umask(0)
    try:
        home = company.home
        home.ask("privacy", "access", company.alike[chosen[0]], "--to", str(tmp_path / "access"))
        for form in ("csv", "parquet", "jsonl"):
            home.ask("export", "golden", "--format", form, "--out", str(tmp_path / f"golden.{form}"))
        rejected = str(tmp_path / "rejected.csv")
        home.ask("quarantine", "export", "crm/contact", "--date", DAYS[0], "--out", rejected)
        home.ask("handbook", "--out", str(tmp_path / "handbook"))
    finally:
        os.umask(before)
    files = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*") if path.is_file()}
    assert len(files) > 8
    modes = {str(name): oct(stat.S_IMODE(path.stat().st_mode)) for name, path in files.items()}
    assert {name for name, mode in modes.items() if mode != "0o600"} == set()


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
    """The rows of an extract of the first day, as they were delivered."""
    lines = text_of_file(company.home.landing / name / f"{DAYS[0]}.csv").splitlines()
    return list(csv.DictReader(lines, delimiter=max(",;", key=lines[0].count)))


def read(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    path = f"json/{name}.json"
    return json.loads(archive.read(path)) if path in archive.namelist() else []


def test_each_cell_that_was_delivered_is_in_it(company: Company, chosen: list[str]) -> None:
    true = chosen[0]
    archive = company.known(true)
    delivered = read(archive, "delivered")
    cells = {(row["source"], row["column"], row["value"]) for row in delivered}
    seen = 0
    for source, entity, record in company.truth[true]:
        start = text_of_file(company.home.landing / source / entity / f"{DAYS[0]}.csv")
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
    said = [row for true in chosen for row in read(company.known(true), "profile")]
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
    [(former,)] = home.query(f"SELECT job_title FROM golden.customer WHERE golden_id = '{id_}'")
    home.ask("steward", "set", id_, "job_title=keeper of bees", "--by", "Stien", "--because", "he told us")
    assert home.run(DAYS[0], sources=["crm"]) == 0
    for role in ("service", "sales"):
        home.ask("customer", id_, "--role", role)
    home.ask("privacy", "object", id_, "--purpose", "marketing", "--by", "Petra", "--reason", "letter 12")
    archive = company.answer(id_, "--language", "en")
    [version] = read(archive, "history")
    assert version.get("job_title") == former
    assert version["golden_id"] == id_
    [now] = [row["value"] for row in read(archive, "customer") if row["attribute"] == "job_title"]
    assert now == "keeper of bees"
    [decision] = read(archive, "decisions")
    assert (decision["kind"], decision["decided"]) == ("set", f"{dt.datetime.now(dt.UTC):%Y-%m-%d}")
    assert set(decision["records"].split(", ")) <= {"/".join(key) for key in company.truth[true]}
    heard = {(row["recipient"], row["told"]): row for row in read(archive, "recipients")}
    assert set(heard) == {("warehouse", "customer.created"), ("warehouse", "customer.changed")}
    assert {int(row["events"]) for row in heard.values()} == {1}
    assert all("no values" in row["what"] for row in heard.values())
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
    assert read(other, "decisions") == read(other, "history") == []
    assert "Halfway" not in text_of(other)
