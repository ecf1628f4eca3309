"""Working on whom a change reaches gives what working on everybody gives: random neighbourhoods, changed at random.

Each customer is made from few addresses, names and contact points, so that almost everybody has something in common
with somebody: flats over the guard, receptions, phones of too many, organisations next door, people without an address.
"""

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
from enricher_tables import AS_OF, base_tables, gid

from cdm_pipelines.enrichment import household, organisation, quality
from cdm_pipelines.enrichment.declaration import Enricher
from cdm_pipelines.enrichment.work import Work, opened
from cdm_pipelines.steps.profile.neighbours import Near, near

Row = dict[str, Any]
World = dict[int, Row]
"""A golden customer by number; ``records`` are its records, by number of their own."""
ENRICHERS = (household.ENRICHER, organisation.ENRICHER, quality.ENRICHER)
WORLDS = {"fast": 12, "ci": 40, "thorough": 1_500}
"""How many are tried of each enricher, by profile of Hypothesis."""
STREETS = [
    ("Kerkstraat", "1234 AB", "Ede"),
    ("Kerkstraat", "1234 AC", "Ede"),
    ("Dorpsweg", "5678 CD", "Epe"),
    ("Rue Haute", "1000", "Brussel"),
    ("Lange Laan", "9012 EF", "Urk"),
    ("Postbus", "3456 GH", "Ede"),
]
NAMES = [
    "Jansen",
    "Bakker",
    "Jansen-de Vries",
    "Vries",
    "Smit",
    "Nowak",
    "Molenaar",
    "Kok",
    "Bakker Smit",
    "Boer",
]
FIRMS = [
    "Jansen",
    "Jansen Holding",
    "Jansen Ede",
    "Bakker Beheer",
    "Bakker",
    "Noord Export",
    "Noord",
    "Zuid Services",
]
PHONES = [
    "+31318123456",
    "+31318123457",
    "+31612345678",
    "+31687654321",
    "+31318000000",
    "+31620000000",
    "+3225551234",
]
MAILS = ["a@mail.example", "b@mail.example", "info@jansen.example", "c@bakker.example", "d@mail.example"]
NUMBERS = ["12345678", "87654321", "11112222"]
IBANS = ["NL91ABNA0417164300", "NL20INGB0001234567"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try as many worlds as the profile asks for."""
    if "seed" in metafunc.fixturenames:
        profile = metafunc.config.getoption("--hypothesis-profile") or "ci"
        metafunc.parametrize("seed", range(WORLDS.get(profile, WORLDS["ci"])))


def some(rng: random.Random, values: list[Any], share: float = 0.5) -> Any:
    return rng.choice(values) if values and rng.random() < share else None


def address(rng: random.Random) -> Row:
    street, postcode, city = rng.choice(STREETS)
    where = {
        "street": street,
        "house_number": str(rng.randint(1, rng.choice([1, 2, 9]))),
        "postcode": postcode,
        "city": city,
    }
    addition = some(rng, ["A", "B", "2 hoog"], 0.25)
    return {**where, "house_addition": addition, "country": "BE" if city == "Brussel" else "NL"}


def said(rng: random.Random, number: int, *, firm: bool) -> Row:
    """What is said of somebody."""
    named = {"organisation_name": rng.choice(FIRMS)} if firm else {"surname": rng.choice(NAMES)}
    if firm:
        named |= {"coc_number": some(rng, NUMBERS, 0.2), "trade_name": some(rng, FIRMS, 0.2)}
    else:
        born = f"{rng.choice([1935, 1975, 1980, 2003, 2012])}-0{rng.randint(1, 9)}-01"
        named |= {"birth_date": some(rng, [born], 0.7), "iban": some(rng, IBANS, 0.1)}
    lives = address(rng) if rng.random() < 0.85 else {}
    # Some have a phone of their own; others one of few, which so are those of more than a household.
    own = f"+3161{number:07}" if rng.random() < 0.7 else some(rng, PHONES, 0.7)
    return {
        **lives, **named, "party_kind": "organisation" if firm else "person", "phone": own,
        "mobile": some(rng, PHONES, 0.06), "email": some(rng, MAILS, 0.25),
    }  # fmt: skip


def customer(rng: random.Random, number: int, firms: list[int]) -> Row:
    golden = said(rng, number, firm=rng.random() < 0.2)
    golden |= {
        "status": "inactive" if rng.random() < 0.04 else "active",
        "employer_id": some(rng, firms, 0.15),
    }
    golden["first_seen"] = f"2026-0{rng.randint(1, 5)}-01"
    return golden | {
        "records": {number * 10 + at: record(rng, golden, number) for at in range(rng.randint(1, 3))}
    }


def record(rng: random.Random, golden: Row, number: int) -> Row:
    """A record that says mostly what the golden customer says."""
    own = {name: value for name, value in golden.items() if name not in ("status", "records", "first_seen")}
    other = said(rng, number, firm=golden["party_kind"] == "organisation")
    own |= {name: value for name, value in other.items() if rng.random() < 0.15}
    if rng.random() < 0.3:
        own |= address(rng)
    if own.get("employer_id") is not None:
        own["employer_id"] = rng.choice([str(own["employer_id"]), None])
    dated = f"2026-0{rng.randint(1, 5)}-0{rng.randint(1, 9)}T00:00:00Z"
    return own | {"modified_at": some(rng, [dated], 0.7), "last_seen": f"2026-05-0{rng.randint(1, 9)}"}


def world(rng: random.Random) -> World:
    made: World = {}
    for number in range(1, rng.choice([8, 15, 40, 90])):
        made[number] = customer(rng, number, firms_of(made))
    if rng.random() < 0.3:  # a flat of many, some of whom share a name
        flat = address(rng)
        for number in rng.sample(sorted(made), len(made) // 3):
            for row in (made[number], *made[number]["records"].values()):
                row.update(flat)
    return made


def changed(rng: random.Random, before: World) -> World:
    """The same world a night later."""
    after = copy.deepcopy(before)
    for _ in range(rng.randint(1, 4)):
        rng.choice(CHANGES)(rng, after, *rng.sample(sorted(after), 2))
    for one in after.values():  # as golden customers name those that are there
        if one["employer_id"] is not None and one["employer_id"] not in after:
            one["employer_id"] = None
    return after


def moved(rng: random.Random, after: World, number: int, _: int) -> None:
    rewritten(after[number], address(rng))


def moved_in(rng: random.Random, after: World, number: int, other: int) -> None:
    rewritten(after[number], {name: after[other].get(name) for name in address(rng)})


def other_contact(rng: random.Random, after: World, number: int, _: int) -> None:
    phone = {rng.choice(["phone", "mobile"]): some(rng, PHONES)}
    rewritten(after[number], {**phone, "email": some(rng, MAILS)})


def renamed(rng: random.Random, after: World, number: int, _: int) -> None:
    firm = after[number]["party_kind"] == "organisation"
    name = {"organisation_name": rng.choice(FIRMS)} if firm else {"surname": rng.choice(NAMES)}
    rewritten(after[number], name)


def new(rng: random.Random, after: World, *_: int) -> None:
    number = max(after) + 1
    after[number] = customer(rng, number, firms_of(after))


def gone(_: random.Random, after: World, number: int, __: int) -> None:
    if len(after) > 4:
        del after[number]


def merged(_: random.Random, after: World, number: int, other: int) -> None:
    if len(after) > 4:
        after[number]["records"] |= after.pop(other)["records"]


def split(rng: random.Random, after: World, number: int, _: int) -> None:
    one, other = after[number], max(after) + 1
    first = min(one["records"])
    after[other] = {**one, "records": {first: one["records"].pop(first)}}
    one["records"] = one["records"] or {other * 10: record(rng, one, other)}


def other_record(rng: random.Random, after: World, number: int, _: int) -> None:
    records = after[number]["records"]
    records[rng.choice(sorted(records))] = record(rng, after[number], number)


def other_job(rng: random.Random, after: World, number: int, _: int) -> None:
    after[number]["employer_id"] = some(rng, firms_of(after))


def died(_: random.Random, after: World, number: int, __: int) -> None:
    after[number]["deceased"] = None if after[number].get("deceased") else "true"


CHANGES = (moved, moved_in, other_contact, renamed, new, gone, merged, split, other_record, other_job, died)


def firms_of(world: World) -> list[int]:
    return [number for number, one in world.items() if one["party_kind"] == "organisation"]


def rewritten(one: Row, values: Row) -> None:
    for row in (one, *one["records"].values()):
        row.update(values)


@contextmanager
def work_on(world: World, orders: Mapping[int, int], ids: pa.Array | None = None) -> Iterator[Work]:
    """The work on a world, or on some of its customers."""
    some_of = None if ids is None else {int(one[-12:]) for one in ids.to_pylist()}
    those = {n: one for n, one in world.items() if some_of is None or n in some_of}
    golden = [
        {k: v for k, v in one.items() if k != "records"}
        | {"golden_id": n, "employer_id": gid(one["employer_id"]) if one["employer_id"] else None}
        for n, one in those.items()
    ]
    parties = [
        {**row, "customer": n, "record_id": str(key), "entity": "customer"}
        for n, one in those.items() for key, row in one["records"].items()
    ]  # fmt: skip
    bought = [
        {"source": "till", "customer": n, "order_id": str(n), "ordered_at": "2026-03-01T00:00:00Z",
         "total_amount": f"{orders[n]}.00", "status": "paid"} for n in those if n in orders
    ]  # fmt: skip
    tables = base_tables({"golden_customer": golden, "state_party": parties, "state_order": bought})
    with opened(
        tables, as_of=AS_OF, horizon=AS_OF, currency="EUR", timezone="Europe/Amsterdam", threads=1
    ) as work:
        yield work


def rows_of(enricher: Enricher, work: Work, fitted: Mapping[str, Any] | None) -> dict[str, Row]:
    table = enricher.shaped(enricher.compute(work.of(enricher.parameters(), fitted)))
    return {row["golden_id"]: row for row in table.to_pylist()}


def as_among_everybody(
    enricher: Enricher, before: World, after: World, bought: Sequence[int] = ()
) -> tuple[set[str], dict[str, Row], dict[str, Row]]:
    """Work on whom a change reaches; gives who that was, and the rows of everybody before and after."""
    ordered = {n: 1 + n for n in before}
    latter_orders = ordered | dict.fromkeys(bought, 100)
    numbers = [n for n in sorted({*before, *after}) if before.get(n) != after.get(n) or n in bought]
    touched = pa.array([gid(n) for n in numbers], pa.string())
    assert enricher.neighbours is not None
    with work_on(before, ordered) as work:
        fitted = enricher.fit(work.of(enricher.parameters())) if enricher.fit else None
        former = rows_of(enricher, work, fitted)
        links = enricher.neighbours.links(work.of(enricher.parameters()))
    with work_on(after, latter_orders) as work:
        expected = rows_of(enricher, work, fitted)
        of_everybody = enricher.neighbours.links(work.of(enricher.parameters()))
    with work_on(after, latter_orders, touched) as work:
        own = work.of(enricher.parameters())
        found = near(enricher.neighbours, own, links, touched, touched[:0], most=10**9, threads=1)
    assert isinstance(found, Near)
    assert as_set(found.links) == as_set(of_everybody), "what is kept is what working on everybody would keep"
    concerned = set(found.concerned.to_pylist())
    with work_on(after, latter_orders, found.needed) as work:
        rows = {one: row for one, row in rows_of(enricher, work, fitted).items() if one in concerned}
    assert rows | {one: row for one, row in former.items() if one not in concerned} == expected
    return concerned, former, expected


@pytest.mark.hypothesis
@pytest.mark.parametrize("enricher", ENRICHERS, ids=[one.name for one in ENRICHERS])
def test_whom_a_change_reaches_come_out_as_among_everybody(enricher: Enricher, seed: int) -> None:
    rng = random.Random(seed)
    before = world(rng)
    after = changed(rng, before)
    as_among_everybody(enricher, before, after, rng.sample(sorted(after), 2))


# Changes of one customer that reach far: of whom the row becomes another one


FLAT = {"street": "Kerkstraat", "house_number": "12", "postcode": "1234 AB", "city": "Ede", "country": "NL"}
HOUSE = {"street": "Dorpsweg", "house_number": "7", "postcode": "5678 CD", "city": "Epe", "country": "NL"}
AWAY = {"street": "Rue Haute", "house_number": "3", "postcode": "1000", "city": "Brussel", "country": "BE"}
LINE, MOBILE = "+31318123456", "+31612345678"


def person(surname: str, lives: Row | None = FLAT, **more: Any) -> Row:
    own = {"party_kind": "person", "surname": surname, **(lives or {}), **more}
    return {"status": "active", "employer_id": None, "first_seen": "2026-01-01", **own, "records": {0: own}}


def firm(lives: Row, **more: Any) -> Row:
    own = {"party_kind": "organisation", "organisation_name": "Smit Beheer", **lives, **more}
    return {"status": "active", "employer_id": None, "first_seen": "2026-01-01", **own, "records": {0: own}}


def people(*rows: Row) -> World:
    """Numbered, each with a record of its own; and others elsewhere, so that names have their frequency."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    others = [
        person(f"Stranger{one}{other}", {**AWAY, "house_number": f"{100 + 26 * n + m}"})
        for n, one in enumerate(letters)
        for m, other in enumerate(letters)
    ]
    return {n: {**row, "records": {n: row["records"][0]}} for n, row in enumerate([*rows, *others], start=1)}


def flat(count: int = 6) -> list[Row]:
    return [person(f"Resident{'abcdefghij'[n]}") for n in range(count)]


def a_seventh_has_the_phone_of_two_in_a_flat() -> tuple[World, World]:
    sharing = [person("Wevers", mobile=MOBILE), person("Kuipers", mobile=MOBILE)]
    apart = [person(f"Far{'abcd'[n]}", {**AWAY, "house_number": str(n)}, mobile=MOBILE) for n in range(4)]
    new = {**HOUSE, "house_number": "99"}
    return people(*sharing, *apart, person("New", new), *flat()), people(
        *sharing, *apart, person("New", new, mobile=MOBILE), *flat()
    )


def who_bridged_two_names_leaves_a_reception() -> tuple[World, World]:
    """A line of four names is a reception's: so it joins nobody elsewhere either."""
    house = [person(name, HOUSE, mobile=MOBILE) for name in ("Jansen", "Vries", "Smit", "Kok")]
    pair = [person("Wevers", mobile=MOBILE), person("Kuipers", mobile=MOBILE)]
    bridge = person("Jansen-de Vries", HOUSE)
    return people(*pair, bridge, *house, *flat()), people(
        *pair, person("Jansen-de Vries", AWAY), *house, *flat()
    )


def who_was_known_longest_moves_away_from_one_without_an_address() -> tuple[World, World]:
    without = person("Bakker", None, phone=LINE)
    here, longest = person("Jansen", HOUSE, phone=LINE), person("Jansen", HOUSE, first_seen="2020-01-01")
    return people(without, here, longest), people(
        without, here, {**longest, **AWAY, "records": {0: {**longest, **AWAY}}}
    )


def the_other_spelling_of_a_postcode() -> tuple[World, World]:
    spelled = {**HOUSE, "postcode": "5678 CE"}
    here, other = person("Molenaar", HOUSE), person("Molenaar", spelled, first_seen="2020-01-01")
    return people(here, person("Smit", HOUSE), other), people(
        here, person("Smit", HOUSE), person("Kok", spelled)
    )


def one_of_a_couple_dies() -> tuple[World, World]:
    left, other = person("Jansen", HOUSE), person("Bakker", HOUSE)
    return people(left, other, *flat()), people(left, {**other, "deceased": "true"}, *flat())


def an_organisation_moves_in() -> tuple[World, World]:
    couple = [person("Jansen", HOUSE), person("Bakker", HOUSE)]
    return people(*couple, firm(AWAY)), people(*couple, firm(HOUSE))


def an_office_takes_over_a_phone() -> tuple[World, World]:
    pair = [person("Wevers", mobile=MOBILE), person("Kuipers", mobile=MOBILE)]
    return people(*pair, firm(AWAY), *flat()), people(*pair, firm(AWAY, phone=MOBILE), *flat())


def a_neighbour_of_a_phone_of_too_many() -> tuple[World, World]:
    """Of whom seven have the phone, few live where somebody moves in; among those few it must still join nobody."""
    pair = [person("Wevers", mobile=MOBILE), person("Kuipers", mobile=MOBILE)]
    apart = [person(f"Far{'abcde'[n]}", {**AWAY, "house_number": str(n)}, mobile=MOBILE) for n in range(5)]
    return people(person("New", AWAY), *pair, *apart, *flat()), people(person("New"), *pair, *apart, *flat())


def a_neighbour_of_the_phone_of_a_reception() -> tuple[World, World]:
    house = [person(name, HOUSE, mobile=MOBILE) for name in ("Jansen", "Vries", "Smit", "Kok")]
    pair = [person("Wevers", mobile=MOBILE), person("Kuipers", mobile=MOBILE)]
    return people(person("New", AWAY), *pair, *house, *flat()), people(person("New"), *pair, *house, *flat())


def somebody_else_has_the_phone_of_a_neighbour_of(*others: Row) -> tuple[World, World]:
    """Others elsewhere, who keep a phone from joining two, are two steps from the change."""
    pair = [person("Wevers", mobile=MOBILE), person("Kuipers", mobile=MOBILE)]
    far, neighbour = {**AWAY, "house_number": "50"}, person("Boer", mobile="+31687654321")
    before = [person("New", far), neighbour, *pair, *others, *flat()]
    return people(*before), people(person("New", far, mobile="+31687654321"), *before[1:])


def a_reception_two_steps_away() -> tuple[World, World]:
    names = ("Jansen", "Vries", "Smit", "Kok")
    return somebody_else_has_the_phone_of_a_neighbour_of(*(person(n, HOUSE, mobile=MOBILE) for n in names))


def who_keeps_a_line_from_being_a_reception_two_steps_away() -> tuple[World, World]:
    names = ("Jansen", "Vries", "Smit", "Kok")
    sharing = [person(name, HOUSE, mobile=MOBILE) for name in names]
    return somebody_else_has_the_phone_of_a_neighbour_of(*sharing, person("Jansen-de Vries", HOUSE))


def an_office_two_steps_away() -> tuple[World, World]:
    return somebody_else_has_the_phone_of_a_neighbour_of(firm(HOUSE, phone=MOBILE))


@pytest.mark.parametrize(
    ("change", "becomes_another"),
    [
        (a_seventh_has_the_phone_of_two_in_a_flat, {1, 2}),
        (who_bridged_two_names_leaves_a_reception, {1, 2}),
        (who_was_known_longest_moves_away_from_one_without_an_address, {1, 2}),
        (the_other_spelling_of_a_postcode, {1}),
        (one_of_a_couple_dies, {1, 2}),
        (an_organisation_moves_in, {1, 2}),
        (an_office_takes_over_a_phone, {1, 2}),
        (a_neighbour_of_a_phone_of_too_many, {1}),
        (a_neighbour_of_the_phone_of_a_reception, {1}),
        (a_reception_two_steps_away, set()),
        (who_keeps_a_line_from_being_a_reception_two_steps_away, set()),
        (an_office_two_steps_away, set()),
    ],
)
def test_a_change_of_one_reaches_far(
    change: Callable[[], tuple[World, World]], becomes_another: set[int]
) -> None:
    concerned, before, after = as_among_everybody(household.ENRICHER, *change())
    other = {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}
    assert {gid(number) for number in becomes_another} <= other <= concerned
    assert len(concerned) < 20, "nor further than it must"


def test_who_says_the_same_reaches_nobody() -> None:
    before = people(person("Jansen", HOUSE), person("Bakker", HOUSE))
    assert as_among_everybody(household.ENRICHER, before, before, [1, 2])[0] == set()


def as_set(links: pa.Table) -> set[tuple[bytes, int, int]]:
    return {tuple(row.values()) for row in links.to_pylist()}
