"""Search: the customer whom a person means is found, by whatever is typed, typing errors included."""

import datetime as dt
from pathlib import Path
from uuid import UUID

import hub_examples as examples
import pyarrow as pa
import pytest
from hub_examples import promote
from sqlalchemy import Engine, text

from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.extensions import require
from cdm_pipelines.hub.schema import customer_order
from cdm_pipelines.hub.search import NAME
from cdm_pipelines.hub.staging import stage
from cdm_pipelines.identity import golden_id
from cdm_pipelines.linkage import LinkagePolicy, fit, load_policy
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.search.find import Hit, SearchError, find, read
from cdm_pipelines.steps.search.rank import COMPARED, rank
from cdm_pipelines.steps.search.weigh import Models
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

ANNA, ACME, PIET = (
    golden_id("crm", "contact", "003A"),
    golden_id("crm", "account", "001X"),
    golden_id("erp", "customer", "77"),
)


def found(engine: Engine, typed: str, models: Models | None = None, limit: int = 10) -> list[str]:
    return [str(hit.golden_id) for hit in hits(engine, typed, models, limit)]


def hits(engine: Engine, typed: str, models: Models | None = None, limit: int = 10) -> list[Hit]:
    with engine.connect() as connection:
        return find(connection, typed, (lambda: models) if models else None, limit=limit)


@pytest.fixture
def hub(hub_engine: Engine) -> Engine:
    examples.published(hub_engine)
    return hub_engine


SEARCHES: list[tuple[str, str, list[str]]] = [
    ("surname, any case", "BERG", [ANNA]),
    ("words of a name in any order", "van der berg anna", [ANNA]),
    ("beginnings of words", "jans", [PIET]),
    ("a value that lost against the golden one", "Janssen", [PIET]),
    ("organisation", "acme wonen", [ACME]),
    ("name and town", "anna delft", [ANNA]),
    ("initial", "A. van der Berg", [ANNA]),
    ("name and year of birth", "Berg 1980", [ANNA]),
    ("name and date of birth", "Berg 29-2-1980", [ANNA]),
    ("a year of birth that is not the customer's", "Berg 1950", [ANNA]),
    ("e-mail, any case", " Anna@Example.NL ", [ANNA]),
    ("national phone number", "010-123 45 67", [ANNA]),
    ("international phone number", "+31 6 12345678", [ANNA]),
    ("international prefix", "0031612345678", [ANNA]),
    ("a number in another country", "0049612345678", []),
    ("how a number ends", "12345678", [ANNA]),
    ("postcode", "1234ab", sorted([ANNA, ACME])),
    ("postcode and house number", "1234 ab 12", [ANNA]),
    ("name, postcode and house number", "berg 1234ab 12", [ANNA]),
    ("postcode before a town", "1234 AB Delft", sorted([ANNA, ACME])),
    ("the digits of a postcode", "1234", sorted([ANNA, ACME])),
    ("name and the digits of a postcode", "berg 1234", [ANNA]),
    ("how a golden id begins", ACME[:8], [ACME]),
    ("how a golden id begins, with its dashes", ACME[:20].upper(), [ACME]),
    ("too little of a golden id", ACME[:7], []),
    ("record id, in any source", "77", sorted([ANNA, PIET])),
    ("golden id", ACME.upper(), [ACME]),
    ("nobody", "Pietersen", []),
    ("nothing", "   ", []),
    ("a wildcard is only a character", "%", []),
    ("and so is a quote", "'; DROP TABLE golden.search; --", []),
    ("letters swapped", "Anna Breg", [ANNA]),
    ("a letter too few", "Ana Berg", [ANNA]),
    ("a letter too many", "acme wonenn", [ACME]),
    ("accents that are not there", "Ánna Bérg", [ANNA]),
    ("a wrong letter in the mailbox", "anma@example.nl", [ANNA]),
    ("a wrong domain", "anna@exampel.nl", [ANNA]),
    ("a wrong digit early in a number", "06-12845678", [ANNA]),
    ("a wrong digit late in a number", "06-12345679", [ANNA]),
    ("a digit too few", "06-1234567", [ANNA]),
    ("a wrong letter in a postcode", "1234 AC 12", [ANNA]),
]


def test_search(hub: Engine) -> None:
    for description, typed, expected in SEARCHES:
        assert sorted(found(hub, typed)) == expected, description


MISSED: list[tuple[str, tuple[str, ...]]] = [
    ("Anna van der Berg 1980", ()),
    ("Anna Breg 1234", ()),
    ("Berg 1950", ("1950",)),
    ("Marieke Berg", ("marieke",)),
    ("M. Berg", ("M",)),
    ("Berg 9999", ("9999",)),
    ("Berg anna@example.nl", ()),
    ("Berg dorpstraat", ()),
    ("Berg molenweg", ("molenweg",)),
    ("Anna Berg 06-99999999", ("+31699999999",)),
    ("berg 1234 ab 12", ()),
    ("1234 ab 13", ("13",)),
    ("berg 1234 ab 99", ("99",)),
    ("1234 ab 1", ("1",)),
    ("1234 12", ()),
    ("1234 13", ("13",)),
    ("1234 AC 12", ("1234 AC",)),
    ("Berg 29-2-1980", ()),
    ("Berg 28-2-1980", ("1980-02-28",)),
    ("Berg 1980-12-02", ("1980-12-02",)),
    ("Berg 31-2-1980", ("1980-02-31",)),
    ("29-2-1980", ()),
    ("anma@example.nl", ("anma@example.nl",)),
    ("Berg anna@exampel.nl", ("anna@exampel.nl",)),
    ("010-1234567", ()),
    ("06-12345679", ("+31612345679",)),
    ("06-1234567", ("+3161234567",)),
    ("12345678", ("+3112345678",)),
    ("Berg 北京", ("北京",)),
    (ANNA, ()),
    ("77", ()),
]


def test_what_was_typed_and_is_not_the_customers_is_told(hub: Engine) -> None:
    told = {
        typed: {hit.missed for hit in hits(hub, typed) if str(hit.golden_id) == ANNA} for typed, _ in MISSED
    }
    assert told == {typed: {missed} for typed, missed in MISSED}


TELLS: list[tuple[str, bool]] = [
    ("1980", False),
    ("A. 1980", False),
    ("A.", False),
    ("1234", False),
    ("1234 12", False),
    ("1234 AB", False),
    ("Delft", False),
    ("Delft 1980", False),
    ("Breg", False),
    ("29-2-1980", True),
    ("Berg", True),
    ("Anna Breg", True),
    ("1234 AB 12", True),
    ("1234 AB 13", False),
    ("anna@example.nl", True),
    ("anma@example.nl", False),
    ("06-12345678", True),
    ("06-12345679", False),
    (ANNA, True),
    (ANNA[:8], True),
]


def test_what_many_share_tells_nobody_from_others(hub: Engine) -> None:
    told = {
        typed: {hit.tells for hit in hits(hub, typed) if str(hit.golden_id) == ANNA} for typed, _ in TELLS
    }
    assert told == {typed: {tells} for typed, tells in TELLS}


def test_who_is_known_by_all_of_it_comes_before_who_weighs_more(hub_engine: Engine, models: Models) -> None:
    people = [
        {"record_id": "x", "given_name": "Joost", "surname": "Zonneveld"},  # of no known town
        {"record_id": "y", "given_name": "Joos", "surname": "Sonneveld", "city": "Goes"},
    ]
    named = {"source": "erp", "entity": "customer"}
    examples.published(
        hub_engine, [*examples.PEOPLE, *({**named, **one, "cluster": one["record_id"]} for one in people)]
    )
    first, second = hits(hub_engine, "Joost Zonneveld Goes", models)
    assert (first.score or 0) < (second.score or 0)
    assert (first.missed, second.missed) == ((), ("goes",))


def test_a_day_of_birth_finds_who_was_born_on_it_among_all_of_the_year(hub_engine: Engine) -> None:
    days = [dt.date(1980, 1, 1) + dt.timedelta(days=at) for at in range(150)]
    named = {"source": "erp", "entity": "customer", "surname": "Berg"}
    born = [
        {**named, "record_id": f"{at}", "cluster": f"y{at}", "birth_date": day.isoformat()}
        for at, day in enumerate(days)
    ]
    examples.published(hub_engine, born)
    for at in range(0, 150, 10):
        first, second, *_ = hits(hub_engine, f"{days[at]:%d-%m-%Y}")
        assert (str(first.golden_id), first.missed) == (golden_id("erp", "customer", f"{at}"), ())
        assert second.missed


@pytest.mark.parametrize("weighed", [True, False], ids=["weighed", "by likeness"])
def test_of_three_with_the_name_the_one_of_the_area_comes_first(
    hub_engine: Engine, models: Models, weighed: bool
) -> None:
    named = {"source": "erp", "entity": "customer", "surname_prefix": "van der", "surname": "Berg"}
    bergs = [
        {**named, "record_id": key, "cluster": key, "given_name": given, "postcode": code, "city": town}
        for key, given, code, town in (
            ("a", "Anna", "2611 AA", "Delft"),
            ("b", "Bert", "3511 LN", "Utrecht"),
            ("c", "Carla", "3521 AL", "Utrecht"),
        )
    ]
    examples.published(hub_engine, bergs)
    first, *others = hits(hub_engine, "van der berg 3511", models if weighed else None)
    assert (str(first.golden_id), first.missed) == (golden_id("erp", "customer", "b"), ())
    assert {hit.missed for hit in others} == {("3511",)}
    assert len(others) == 2


def test_exact_matches_come_first_and_the_limit_holds(hub_engine: Engine) -> None:
    names = [("Anna", "Bergman"), ("Anna", "Berg"), ("Anna", "Aberg"), ("Berg", "Aarts")]
    extra = [
        {**row, "record_id": str(at), "cluster": f"x{at}", "given_name": given, "surname": surname}
        for at, (given, surname) in enumerate(names)
        for row in [{"source": "erp", "entity": "customer"}]
    ]
    examples.published(hub_engine, [*examples.PEOPLE, *extra])
    named = [hit.card["name"] for hit in hits(hub_engine, "berg")]
    assert named == ["Anna Berg", "Anna van der Berg", "Berg Aarts", "Anna Aberg", "Anna Bergman"]
    assert len(found(hub_engine, "berg", limit=1)) == 1


def test_ids_of_any_age_and_orders_lead_to_the_customer(hub: Engine) -> None:
    examples.published(hub, examples.changed("001X", cluster="piet"))
    assert found(hub, PIET) == [ACME]
    assert (hits(hub, PIET)[0].why, hits(hub, PIET)[0].score) == ("golden id", None)
    order = {"source": "shop", "entity": "order", "record_id": "o1", "order_id": "WEB-7", "golden_id": ACME}
    names = [column.name for column in customer_order.columns]
    table = pa.table(
        {name: pa.array([order.get(name, "true" if name == "active" else None)]) for name in names}
    )
    promote(hub, stage(hub, {"customer_order": table}).token)
    assert found(hub, "WEB-7") == [ACME]


def test_search_follows_what_is_published(hub: Engine) -> None:
    examples.published(hub, examples.changed("003A", surname="Zonneveld", email="az@example.nl"))
    assert found(hub, "Zonneveld") == [ANNA]
    assert found(hub, "Zonnevelt") == [ANNA], "a word that is new has its misspellings too"
    assert found(hub, "az@example.nl") == [ANNA]
    assert found(hub, "anna@example.nl") == [ANNA], "the shop still has the address that lost"
    examples.published(hub, [row for row in examples.PEOPLE if row["cluster"] != "acme"])
    assert found(hub, "acme wonen") == []
    with hub.connect() as connection:
        left = connection.scalar(
            text(
                "SELECT count(*) FROM golden.search s FULL JOIN golden.search_source v USING (golden_id, terms)"
            )
        )
    assert left == 2, "the table holds what its view says, no more and no less"


def test_a_rerun_leaves_the_search_tables_alone(hub: Engine) -> None:
    query = text(
        "SELECT xmin::text, ctid::text FROM golden.search UNION ALL SELECT xmin::text, word FROM golden.search_word"
    )
    with hub.connect() as connection:
        before = connection.execute(query).all()
    examples.published(hub, [{**row, "last_seen": "2026-06-02"} for row in examples.PEOPLE])
    with hub.connect() as connection:
        assert connection.execute(query).all() == before


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Jan de Vries 1971", {"words": ("Jan", "Vries"), "birth": "1971"}),
        ("1971 de Vries", {"words": ("Vries",), "birth": "1971"}),
        ("J.P. van der Berg", {"words": ("Berg",), "initials": ("J",)}),
        ("1234 AB 12", {"postcode": "1234 AB", "house_number": "12"}),
        ("jansen 1234ab 12a", {"words": ("jansen",), "postcode": "1234 AB", "house_number": "12"}),
        ("50677 47", {"postcode": "50677", "house_number": "47"}),
        ("06 12 34 56 78", {"phone": "+31612345678"}),
        ("(010) 123-45 67", {"phone": "+31101234567"}),
        ("de", {"words": ("de",)}),
    ],
)
def test_what_was_typed_is_taken_apart(typed: str, expected: dict[str, object]) -> None:
    query = read(typed)
    assert {
        name: value for name, value in vars(query).items() if value and name not in ("text", "name")
    } == expected


@pytest.mark.parametrize(
    "typed",
    [
        "\0",
        "x\0y",
        "\udcff",
        "\x1b[2J",
        "a " * 150,
        "%_" * 150,
        "1" * 300,
        "\U00010c0d\u45cd}",
        "\u4e2d\u6587",
    ],
)
def test_signs_that_no_text_has_and_the_longest_terms_are_answered_at_once(hub: Engine, typed: str) -> None:
    with hub.connect() as connection:
        connection.execute(text("SET statement_timeout = '30s'"))  # what is not bounded takes hours
        assert len(find(connection, typed)) <= 10


def test_a_text_without_end_is_told_its_bound() -> None:
    with pytest.raises(SearchError, match="at most 300 characters"):
        read("Jansen " * 1_000_000)


def test_errors_of_a_search_name_no_values(hub: Engine) -> None:
    with hub.begin() as connection:
        connection.execute(text("DROP TABLE golden.search"))
    with pytest.raises(HubError) as raised:
        found(hub, "anna@example.nl")
    assert "anna" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_an_extension_that_cannot_be_made_says_what_to_run(hub_engine: Engine) -> None:
    with hub_engine.connect() as connection, pytest.raises(HubError) as raised:
        require(connection, ["no_such_extension"])
    assert 'CREATE EXTENSION "no_such_extension"' in str(raised.value)
    assert "postgresql-contrib" in str(raised.value)


def test_an_extension_may_live_in_any_schema(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        connection.execute(text('CREATE SCHEMA "Extra things"'))
        connection.execute(text('CREATE EXTENSION fuzzystrmatch SCHEMA "Extra things"'))
        assert require(connection, ["fuzzystrmatch"]) == {"fuzzystrmatch": '"Extra things"'}


# Ranking by the linkage model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Kept models of persons and organisations, fitted to a few hundred made-up records."""
    settings = load_settings(home=tmp_path_factory.mktemp("models"))
    lake = Lake(str(settings.home / "lake"))
    for kind in ("person", "organisation"):
        policy = load_policy(settings.policies / "linkage" / f"{kind}.yaml")
        lake.write_json(layout.model_path(kind), fit(_records(policy), policy, threads=1).to_json())
    return Models.load(lake, settings)


def _records(policy: LinkagePolicy) -> pa.Table:
    """Every party twice, from two sources; surname Berg is common, the others are rare."""
    surnames = ["Berg"] * 5 + ["Zonneveld", "Aalders", "Kuiper", "Mulder", "Prins"]
    rows = []
    for number in range(300):
        party = {
            "given_name": ("Anna", "Piet", "Karin", "Joost", "Sanne", "Wim")[number % 6],
            "surname": surnames[number % 10],
            "surname_prefix": "van der" if number % 10 < 2 else None,
            "organisation_name": f"{surnames[number % 10]} {number // 3} Wonen",
            "birth_date": f"19{40 + number % 60}-{number % 12 + 1:02}-{number % 28 + 1:02}",
            "email": f"p{number}@example.nl",
            "phone": f"+3110{1000000 + number * 37}",
            "postcode": f"{1000 + number // 2} AB",
            "house_number": str(number % 90 + 1),
            "city": "Delft",
        }
        rows += [
            {**party, "source": source, "record_id": str(number)}
            for source in ("crm/contact", "shop/customer")
        ]
    columns = sorted({spec.column for spec in policy.columns.values()} | {"source", "record_id"})
    return pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows])


def test_the_model_ranks_by_what_agreement_weighs(hub_engine: Engine, models: Models) -> None:
    usual = {
        "source": "erp",
        "entity": "customer",
        "given_name": "Anna",
        "surname": "Berg",
        "postcode": "2600 AA",
    }
    twins = [
        {**usual, "record_id": "a", "cluster": "a", "birth_date": "1971-05-05", "house_number": "1"},
        {**usual, "record_id": "b", "cluster": "b", "birth_date": "1950-05-05", "house_number": "2"},
        {**usual, "record_id": "c", "cluster": "c", "surname": "Bergh", "email": "anna.berg@example.nl"},
    ]
    examples.published(hub_engine, [*examples.PEOPLE, *twins])
    by_key = {key: golden_id("erp", "customer", key) for key in "abc"}
    assert found(hub_engine, "Anna Berg 1971", models)[0] == by_key["a"]
    assert found(hub_engine, "Anna Berg 2600 AA 2", models)[0] == by_key["b"]
    assert found(hub_engine, "Anna Berg anna.berg@example.nl", models)[0] == by_key["c"]
    order = {str(hit.golden_id): hit for hit in hits(hub_engine, "Anna van der Berg", models)}
    assert min([ANNA, by_key["a"], by_key["b"]], key=list(order).index) == ANNA
    assert order[ANNA].why == "given_name equal, surname equal"
    assert order[by_key["a"]].why == "given_name equal, surname equal but for the prefix"
    organisation = hits(hub_engine, "Acme Wonen", models)
    assert [str(hit.golden_id) for hit in organisation] == [ACME]
    assert "name equal" in organisation[0].why


def test_a_kind_of_which_none_is_among_the_best_is_not_weighed(models: Models) -> None:
    nothing: dict[str, str | None] = dict.fromkeys(COMPARED)
    anna = {**nothing, "party_kind": "person", "given_name": "Anna", "surname": "Zonneveld"}
    persons = {UUID(int=number): (anna, {NAME}) for number in range(30)}
    acme = {**nothing, "party_kind": "organisation", "organisation_name": "Acme"}
    ranked = rank(read("Anna Zonneveld"), {**persons, UUID(int=99): (acme, {NAME})}, models)
    assert {one.golden_id for one in ranked} == set(persons)


def test_a_lost_value_weighs_like_the_customers_own(hub: Engine, models: Models) -> None:
    people = examples.changed("77", phone="+31101112233")
    people = [{**row, "phone": "+31101234567"} if row["record_id"] == "003A" else row for row in people]
    examples.published(hub, people)
    (lost,) = hits(hub, "010-1112233", models)[:1]
    assert str(lost.golden_id) == ANNA
    assert lost.why == "phone equal"


def test_a_model_of_another_policy_is_not_used(tmp_path: Path, models: Models, settings: Settings) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for kind, (_, model) in models.by_kind.items():
        lake.write_json(layout.model_path(kind), model.to_json().replace(model.policy, "0" * 64))
    assert Models.load(lake, settings).by_kind == {}
