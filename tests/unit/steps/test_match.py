"""A record is matched as the next run would link it: held out from demo data, typed, and compared with the run."""

import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sqlalchemy import Engine, text

from cdm_demo import generate
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.identity.constraints import NOTHING_DECIDED, Constraints
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.linkage.model.fellegi_sunter import log2_odds
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.standardise.typed import LONGEST, fields
from cdm_pipelines.steps.customers.publication import publish_customers, stage_customers
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.match import Matcher, MatchRefusedError, NotReadyError
from cdm_pipelines.steps.linking.match_answer import MatchAnswer, Verdict
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.rights.erasure import Asked, erase
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

DAY = "2026-06-01"
HELD_OUT = 100
SHARED = (("email", "email"), ("phone", "mobile"))
"""Groups of contact details, by their first column, and the field that holds one."""
SOURCES = [one for one in all_contracts() if Entity.PARTY in one.entities]
Typed = dict[str, str]


@dataclass
class Company:
    """An installation, and how its sources deliver some records that they hold back at first."""

    settings: Settings
    engine: Engine
    held_out: dict[Record, tuple[PartyKind, Typed]] = field(default_factory=dict)
    held: Matcher | None = None

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_url)

    def night(self, decided: Constraints = NOTHING_DECIDED) -> None:
        """Link what is delivered, and publish it."""
        build_records(self.lake, SOURCES, [Entity.PARTY])
        link_parties(self.lake, self.settings, decided=decided)
        with self.engine.begin() as connection:
            assert not stage_customers(connection, self.lake, self.settings).stopped
        with self.engine.begin() as connection:
            publish_customers(connection, self.lake, self.settings)

    def customers(self) -> dict[Record, str]:
        with self.engine.connect() as connection:
            rows = connection.execute(
                text("SELECT source, entity, record_id, golden_id FROM golden.crosswalk")
            )
            return {Record(*key): str(golden_id) for *key, golden_id in rows}

    def matcher(self, decided: Constraints = NOTHING_DECIDED) -> Matcher:
        return Matcher.load(self.lake, self.settings, decided)

    def newest(self) -> Matcher:
        if self.held is None or self.held.stale(self.lake):
            self.held = self.matcher()
        return self.held

    def match(self, values: Typed, matcher: Matcher | None = None, **how: Any) -> MatchAnswer:
        with self.engine.connect() as connection:
            return (matcher or self.newest()).match(connection, values, **how)

    def golden(self, golden_id: str) -> Typed:
        """Golden values of a customer, as somebody would type them."""
        with self.engine.connect() as connection:
            query = text("SELECT * FROM golden.customer WHERE golden_id = :id")
            row = connection.execute(query, {"id": golden_id}).mappings().one()
        return {name: str(row[name]) for name in fields() if row.get(name) is not None}


@dataclass(frozen=True)
class Nights:
    """A night without some records, what was answered of them, and the night with them."""

    company: Company
    answers: dict[Record, MatchAnswer]
    before: dict[Record, str]
    after: dict[Record, str]
    stale: tuple[bool, bool]


def lay(lake: Lake, contract: SourceContract, rows: pa.Table, made: str) -> None:
    """Put a day into the lake as a run leaves it there."""
    path = layout.standard_path(contract, DAY, Entity.PARTY)
    schema = lake.schema(path)
    with lake.writer(path, schema) as writer:
        writer.write_table(rows.cast(schema))
        writer.add_key_value_metadata({layout.FINGERPRINT: f"{made} {contract.name}", layout.CONTENT: ""})


@pytest.fixture(scope="module")
def nights(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str], _template: str
) -> Iterator[Nights]:
    home, demo = (tmp_path_factory.mktemp(name) for name in ("home", "demo"))
    generate(customers=800, days=1, seed=11, out=demo)
    for contract in SOURCES:
        folder = f"landing/{contract.source}/{contract.entity}"
        shutil.copytree(demo / folder, home / folder)
    settings = load_settings(
        home=home,
        landing_url=str(home / "landing"),
        lake_url=str(home / "lake"),
        database_url=new_database(_template),
        threads=1,
    )
    lake = Lake(settings.lake_url)
    whole = {}
    for contract in SOURCES:
        process_day(settings, lake, contract, DAY)
        whole[contract] = lake.read(layout.standard_path(contract, DAY, Entity.PARTY))
    everybody = [(contract, row) for contract, rows in whole.items() for row in rows.to_pylist()]
    with open_hub(settings) as engine:
        company = Company(settings, engine)
        for contract, row in random.Random(5).sample(everybody, HELD_OUT):
            values = {name: str(row[name]) for name in fields() if row.get(name) is not None}
            record = Record(contract.source, contract.entity, row["record_id"])
            company.held_out[record] = PartyKind(row["party_kind"]), values
        for contract, rows in whole.items():
            gone = [one.record_id for one in company.held_out if contract.name == "/".join(one[:2])]
            ids = pa.array(gone, pa.string())
            lay(lake, contract, rows.filter(pc.invert(pc.is_in(rows["record_id"], ids))), "less")
        company.night()
        before, matcher = company.customers(), company.matcher()
        answers = {
            record: company.match(values, matcher, kind=kind, record=record)
            for record, (kind, values) in company.held_out.items()
        }
        fresh = matcher.stale(lake)
        for contract, rows in whole.items():
            lay(lake, contract, rows, "whole")
        company.night()
        yield Nights(company, answers, before, company.customers(), (fresh, matcher.stale(lake)))


@pytest.fixture
def company(nights: Nights) -> Company:
    return nights.company


@pytest.fixture
def somebody(nights: Nights) -> tuple[str, Typed]:
    """A customer of several records, of whom much is known, and the golden values."""
    known = list(nights.after.values())
    for golden_id in sorted(set(known)):
        if known.count(golden_id) == 3:
            values = nights.company.golden(golden_id)
            if {
                "given_name",
                "surname",
                "birth_date",
                "email",
                "mobile",
                "postcode",
                "street",
            } <= values.keys():
                return golden_id, values
    raise AssertionError("the demo has no such customer")


def test_each_of_a_hundred_records_joins_the_customer_that_the_run_puts_it_with(nights: Nights) -> None:
    expected, found = {}, {}
    for record, answer in nights.answers.items():
        golden_id = nights.after[record]
        expected[record] = golden_id if golden_id in nights.before.values() else None
        found[record] = None if answer.golden_id is None else str(answer.golden_id)
    assert len(found) == HELD_OUT
    assert found == expected
    verdicts = [answer.verdict for answer in nights.answers.values()]
    assert verdicts.count(Verdict.JOINS) > HELD_OUT / 2
    assert verdicts.count(Verdict.NEW) > 3


def test_a_matcher_says_when_something_else_was_linked(nights: Nights) -> None:
    assert nights.stale == (False, True)


def test_a_candidate_tells_keys_weights_and_reasons_and_no_value(nights: Nights) -> None:
    for record, answer in nights.answers.items():
        told = repr(answer)
        values = nights.company.held_out[record][1]
        for name in ("surname", "email", "birth_date", "mobile", "organisation_name", "street"):
            assert values.get(name, "\0") not in told, name
        for candidate in answer.candidates:
            assert candidate.record in candidate.records
            odds = sum(step.weight for step in candidate.waterfall)
            near_one = 2.0 ** (odds - 50)  # what 53 bits tell of odds
            assert odds == pytest.approx(log2_odds(candidate.probability), abs=1e-6 + near_one)
            assert candidate.waterfall[0].comparison == "prior odds"
            assert str(candidate.golden_id) == nights.before[candidate.record]
        joins = [one for one in answer.candidates if one.verdict is Verdict.JOINS]
        assert bool(joins) == (answer.verdict is Verdict.JOINS)
        assert answer.golden_id in {one.golden_id for one in joins} | {None}


def test_however_it_is_typed_it_is_the_same_customer(company: Company, somebody: tuple[str, Typed]) -> None:
    golden_id, values = somebody
    year, month, day = values["birth_date"].split("-")
    typed = {
        "full_name": f"  {values['given_name'].upper()} {values.get('surname_prefix', '')} {values['surname'].upper()}",
        "birth_date": f"{day}/{month}/{year}",
        "email": f"<{values['email'].upper()}>",
        "phone": values["mobile"].replace("+31", "0031 (0)"),
        "address_line": f"{values['street']} {values.get('house_number', '')}",
        "postcode": values["postcode"].lower().replace(" ", ""),
    }
    answer = company.match(typed)
    assert (answer.verdict, str(answer.golden_id)) == (Verdict.JOINS, golden_id)
    assert answer.faults == ()
    name_alone = company.match({"given_name": values["given_name"], "surname": values["surname"]})
    assert name_alone.verdict is not Verdict.JOINS, "a name is no person"


def test_bad_values_are_told_by_field_and_left_out(company: Company, somebody: tuple[str, Typed]) -> None:
    golden_id, values = somebody
    bad = {
        "email": "info@bedrijf.nl",
        "phone": "0031612345678",
        "iban": "NL44RABO0123456788",
        "postcode": "?",
        "city": "x" * (LONGEST + 1),
        "street": "Kerkstraat \x00",
        "initials": "\ud800",
        "country": "Verweggistan",
    }
    answer = company.match({**values, **bad})
    told = {fault.field: (fault.rule, fault.left_out) for fault in answer.faults}
    assert told == {
        "city": ("too_long", True),
        "country": ("unknown_code", True),
        "email": ("shared_mailbox", True),
        "iban": ("doubtful", True),
        "initials": ("undecodable", True),
        "phone": ("placeholder", True),
        "postcode": ("no_content", True),
        "street": ("nul_byte", True),
    }
    assert all(fault.fix and fault.meaning for fault in answer.faults)
    assert not any(
        value.strip("?") and value in repr(answer.faults) for value in bad.values() if len(value) > 1
    )
    good = {name: value for name, value in values.items() if name not in bad}
    assert replace(answer, faults=()) == company.match(good)
    assert str(answer.golden_id) == golden_id


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "Give a name"),
        ({"surname": "  ", "email": ""}, "Give a name"),
        ({"email": "hidde@wartena.nl", "postcode": "1234 AC"}, "a mailbox without a name is nobody's"),
        ({"surname": "onbekend", "phone": "0000000000"}, "Give a name"),
        ({"organisation_name": "n.v.t."}, "Give the name of the organisation"),
        ({"surnaam": "Wartena"}, "choose from .*surname"),
        ({"email_kind": "personal", "surname": "Wartena"}, "A field is none of a party's"),
    ],
)
def test_a_record_that_tells_of_nobody_is_refused(company: Company, values: Typed, message: str) -> None:
    with pytest.raises(MatchRefusedError, match=message):
        company.match(values)


def test_what_is_wrong_is_told_of_a_record_that_is_refused(company: Company) -> None:
    with pytest.raises(MatchRefusedError) as refused:
        company.match({"surname": "onbekend", "email": "nobody"})
    assert {fault.field for fault in refused.value.faults} == {"surname", "email"}


def test_values_of_nobody_bind_nobody(company: Company, somebody: tuple[str, Typed]) -> None:
    _, values = somebody
    stranger = {"given_name": "Hidde", "surname": "Oldersma"}
    shared = {**stranger, "email": values["email"], "mobile": values["mobile"]}
    assert company.match(shared).compared, "a mailbox and a phone in common are looked at"
    nobody = {**stranger, "email": "no-reply@veiling.nl", "phone": "0000000000", "postcode": "1234 AB"}
    answer = company.match(nobody)
    assert (answer.verdict, answer.compared) == (Verdict.NEW, 0)


def test_a_detail_that_the_record_makes_everybodys_weighs_nothing(
    company: Company, somebody: tuple[str, Typed]
) -> None:
    golden_id, values = somebody
    matcher = company.matcher()
    typed = {name: values[name] for name in ("given_name", "surname", "email", "mobile")}
    assert str(company.match(typed, matcher).golden_id) == golden_id
    stranger = {**typed, "given_name": "Hidde", "surname": "Oldersma"}
    everybodys = {
        kind: replace(one, unlike_names=2) if kind is PartyKind.PERSON else one
        for kind, one in matcher.kinds.items()
    }
    assert company.match(stranger, matcher).compared
    assert not company.match(stranger, replace(matcher, kinds=everybodys)).compared
    assert str(company.match(typed, replace(matcher, kinds=everybodys)).golden_id) == golden_id
    known = matcher.kinds[PartyKind.PERSON]
    shared = {known.secret.digest(f"{group}|{values[name]}".encode()) for group, name in SHARED}
    told = {PartyKind.PERSON: replace(known, shared=frozenset(shared))}
    assert not company.match(stranger, replace(matcher, kinds=told)).compared, (
        "a run found them to be everybody's"
    )


def test_many_threads_get_the_answer_that_one_gets(nights: Nights) -> None:
    matcher = nights.company.matcher()
    asked = [values for _, values in list(nights.company.held_out.values())[:6]] * 3

    def ask(values: Typed) -> MatchAnswer:
        return nights.company.match(values, matcher)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, asked)) == [ask(values) for values in asked]


def test_nobody_is_looked_for_before_anything_is_linked(
    settings: Settings, company: Company, tmp_path: Path
) -> None:
    with pytest.raises(NotReadyError, match="run a day first"):
        Matcher.load(Lake(settings.lake_url), settings, NOTHING_DECIDED)
    policies = tmp_path / "policies"
    (policies / "linkage").mkdir(parents=True)
    for path in company.settings.policies.rglob("*.yaml"):
        target = policies / path.relative_to(company.settings.policies)
        target.parent.mkdir(exist_ok=True)
        target.write_text(path.read_text().replace("match: 0.8", "match: 0.7"))
    changed = company.settings.model_copy(update={"policies": policies})
    with pytest.raises(NotReadyError, match="under these policies"):
        Matcher.load(company.lake, changed, NOTHING_DECIDED)


def test_a_record_that_a_source_has_is_no_new_one(company: Company, nights: Nights) -> None:
    record, (_, values) = next(iter(company.held_out.items()))
    with pytest.raises(MatchRefusedError, match=f"There is a record {record} already"):
        company.match(values, record=record)
    assert str(company.match(values).golden_id) == nights.after[record], "of the customer that has it by now"


def test_accounts_that_are_kept_encrypted_are_compared(
    company: Company, settings: Settings, tmp_path: Path
) -> None:
    policies = tmp_path / "policies"
    shutil.copytree(settings.policies, policies)
    (policies / "protection.yaml").write_text("categories: [user.financial.bank_account]")
    own = settings.model_copy(update={"policies": policies, "landing_url": company.settings.landing_url})
    lake, contract = Lake(own.lake_url), next(one for one in SOURCES if one.name == "erp/customer")
    process_day(own, lake, contract, DAY)
    build_records(lake, [contract], [Entity.PARTY])
    link_parties(lake, own)
    rows = tables.records(lake, Entity.PARTY).read()
    sound = pc.and_(pc.is_valid(rows["iban"]), pc.is_null(rows["invalid_attributes"]))
    rows = rows.filter(pc.and_(sound, pc.equal(rows["party_kind"], "person")))
    iban = Vault.of(own, lake).open(rows)["iban"][0].as_py()
    assert iban != rows["iban"][0].as_py(), "it lies encrypted"
    other = Company(own, company.engine)
    assert other.match({"surname": "Oldersma", "iban": iban}).compared
    assert not other.match({"surname": "Oldersma", "iban": "NL91 ABNA 0417 1643 00"}).compared


def test_what_a_steward_parted_stays_apart(company: Company, somebody: tuple[str, Typed]) -> None:
    golden_id, _ = somebody
    one, *others = sorted(record for record, customer in company.customers().items() if customer == golden_id)
    with company.engine.begin() as connection:
        for other in others:
            decisions.different(connection, str(one), str(other), Actor("Stien", Role.STEWARD))
        decided = decisions.constraints(connection)
    undecided = company.matcher()
    company.night(decided)
    after = company.customers()
    assert after[one] != after[others[0]]
    values = company.golden(after[one])
    parted = company.match(values, company.matcher(decided))
    joined = {str(each.golden_id) for each in parted.candidates if each.verdict is Verdict.JOINS}
    assert len(joined & {after[one], after[others[0]]}) == 1
    both = {str(each.golden_id) for each in company.match(values, undecided).candidates}
    assert {after[one], after[others[0]]} <= both
    told_later = company.match(values, company.matcher().decided_by(company.lake, decided))
    assert told_later == parted


def test_an_erased_person_is_found_by_no_matcher(company: Company, nights: Nights) -> None:
    after = company.customers()
    known = list(after.values())
    golden_id = next(
        one
        for one in sorted(set(known))
        if known.count(one) == 2 and {"email", "surname", "birth_date"} <= company.golden(one).keys()
    )
    values, older = company.golden(golden_id), company.matcher()
    assert str(company.match(values, older).golden_id) == golden_id
    others = random.Random(3).sample(sorted({one for one in known if one != golden_id}), 20)
    expected = {one: company.match(company.golden(one), older) for one in others}
    erase(company.settings, company.engine, Asked([golden_id], Actor("Petra", Role.PRIVACY_OFFICER), "Petra"))
    assert older.stale(company.lake)
    with company.engine.connect() as connection:
        of_persons = """SELECT count(*) FROM golden.crosswalk JOIN golden.customer USING (golden_id)
                        WHERE party_kind = 'person'"""
        persons = connection.execute(text(of_persons)).scalar_one()
    assert len(company.matcher().kinds[PartyKind.PERSON].lookup) == persons, (
        "whoever was linked with them is there"
    )
    for matcher in (older, company.matcher()):
        answer = company.match(values, matcher)
        assert golden_id not in {str(one.golden_id) for one in answer.candidates}
        for one, before in expected.items():
            assert company.match(company.golden(one), matcher).golden_id == before.golden_id
