"""Groups of organisations: what joins them, what does not, and that no euro is lost or counted twice."""

from collections import defaultdict
from decimal import Decimal
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from demo_customers import demo_company, golden_of
from enricher_tables import AS_OF, gid, work_on
from hypothesis import given, settings
from hypothesis import strategies as st

from cdm_pipelines.enrichment.organisation import ENRICHER, OrganisationParameters, picture
from cdm_pipelines.enrichment.work import opened

Row = dict[str, Any]
EDE = {"street": "Kerkstraat", "house_number": "12", "postcode": "1234 AB", "city": "Ede", "country": "NL"}
EPE = {"street": "Dorpsweg", "house_number": "7", "postcode": "5678 CD", "city": "Epe", "country": "NL"}


def firm(number: int, name: str, address: Row = EDE, **more: Any) -> Row:
    return {
        "golden_id": number,
        "party_kind": "organisation",
        "status": "active",
        "first_seen": f"2026-01-{number % 28 + 1:02}",
        "organisation_name": name,
        **address,
        **more,
    }


def contact(number: int, employer: int, **more: Any) -> Row:
    return firm(
        number, "", party_kind="person", surname="Bos", organisation_name=None, employer_id=employer, **more
    )


def table_of(*rows: Row, orders: dict[int, list[str]] | None = None) -> pa.Table:
    """The enricher's table of customers with one record each, and their orders."""
    golden = [
        {**row, "employer_id": gid(row["employer_id"])} if row.get("employer_id") else row for row in rows
    ]
    records = [
        {
            k: v
            for k, v in {**row, "entity": "customer", "record_id": str(n)}.items()
            if k not in {"golden_id", "status"}
        }
        | {
            "customer": row["golden_id"],
            "employer_id": str(row["employer_id"]) if row.get("employer_id") else None,
        }
        for n, row in enumerate(rows)
    ]
    placed = [
        {"order_id": f"{who}-{n}", "record_id": f"o{who}-{n}", "source": "shop", "party_entity": "customer",
         "party_record_id": str(at), "ordered_at": "2026-05-01T10:00:00Z", "total_amount": total}
        for at, who in enumerate(row["golden_id"] for row in rows)
        for n, total in enumerate((orders or {}).get(who, ()))
    ]  # fmt: skip
    with work_on(golden_customer=golden, state_party=records, state_order=placed) as work:
        return ENRICHER.shaped(ENRICHER.compute(work.of(OrganisationParameters())))


def found(*rows: Row, orders: dict[int, list[str]] | None = None) -> dict[int, Row]:
    return {int(row["golden_id"][-12:]): row for row in table_of(*rows, orders=orders).to_pylist()}


def groups(rows: dict[int, Row]) -> set[frozenset[int]]:
    members = defaultdict(set)
    for number, row in rows.items():
        members[row["group_id"]].add(number)
    return {frozenset(numbers) for numbers in members.values() if len(numbers) > 1}


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ({"coc_number": "12345678"}, {"coc_number": "12345678"}, "same trade-register number"),
        ({"vat_number": "NL123456782B01"}, {"vat_number": "NL123456782B03"}, "same VAT number"),
        ({"email": "info@vega.nl"}, {"email": "inkoop@vega.nl"}, "same mail domain"),
        ({"employer_id": 2}, {}, "named as part of the other"),
    ],
)
def test_what_joins_two_organisations_wherever_they_are(one: Row, other: Row, reason: str) -> None:
    rows = found(
        firm(1, "Vega Techniek", **one), firm(2, "Vega Zorg", EPE, **other), firm(3, "Vega Bouw", EPE)
    )
    assert groups(rows) == {frozenset({1, 2})}
    assert (rows[1]["reasons"], rows[3]["role"]) == (reason, "single")


@pytest.mark.parametrize(
    "name", ["Bakkerij de Kok Holding", "BAKKERIJ DE KOK BEHEER", "Bakkerij De Kok Ede Vastgoe"]
)
def test_a_name_with_words_of_a_group_at_the_same_address(name: str) -> None:
    rows = found(firm(1, "Bakkerij de Kok"), firm(2, name), firm(3, "Bakkerij de Kok", EPE))
    assert groups(rows) == {frozenset({1, 2})}, "a baker of that name elsewhere is another one"
    assert {rows[1]["group_name"], rows[2]["group_name"]} <= {name, "Bakkerij de Kok"}


def test_unrelated_firms_in_one_business_centre() -> None:
    reception = "+31318123456"
    names = ("Alfa Advies", "Beta Bouw", "Jansen Holding", "Jansen Beheer", "Delta Design")
    tenants = [
        firm(n, name, phone=reception, email=f"post{n}@centrum-ede.nl") for n, name in enumerate(names, 1)
    ]
    pair = [firm(11, "Alfa Advies", EPE), firm(12, "Beta Bouw", EPE)]
    assert groups(found(*tenants, *pair)) == set()


def test_holdings_of_families_with_one_surname() -> None:
    assert (
        groups(
            found(
                firm(1, "Jansen Holding"),
                firm(2, "Jansen Beheer", EPE),
                firm(3, "Jansen", EPE, house_number="9"),
            )
        )
        == set()
    )


def test_a_free_mail_domain_and_that_of_an_accountant_join_nobody() -> None:
    rows = found(
        firm(1, "Ziggo Techniek", email="jansen@ziggo.nl"), firm(2, "Ziggo Bouw", EPE, email="info@ziggo.nl"),
        firm(3, "Vos Accountants", email="info@vosaccountants.nl"),
        firm(4, "Kapsalon Iris", EPE, email="iris@vosaccountants.nl"),
    )  # fmt: skip
    assert groups(rows) == set()


def test_the_head_is_who_is_named_then_who_is_called_a_holding() -> None:
    named = found(
        firm(1, "Vega Holding", employer_id=2), firm(2, "Zeta"), firm(3, "Vega Zorg", EPE, employer_id=2)
    )
    called = found(firm(1, "Vega Techniek", vat_number="DE1"), firm(2, "Vega Groep", EPE, vat_number="DE1"))
    assert [named[n]["role"] for n in (1, 2, 3)] == ["branch", "head", "branch"]
    assert named[1]["group_name"] == "Zeta"
    assert [(called[n]["role"], called[n]["branches"]) for n in (1, 2)] == [("branch", 1), ("head", 1)]


def test_contact_persons_and_what_they_buy_are_told_apart() -> None:
    rows = found(
        firm(1, "Vega Techniek", coc_number="12345678"), firm(2, "Vega Zorg", EPE, coc_number="12345678"),
        contact(10, 1), contact(11, 1), contact(12, 1, status="inactive"), contact(13, 2),
        orders={1: ["100.10", "0.20"], 2: ["50.00"], 10: ["7.00"], 13: ["1.00"]},
    )  # fmt: skip
    assert set(rows) == {1, 2}
    assert [rows[n]["contact_persons"] for n in (1, 2)] == [2, 1]
    assert [rows[n]["own_value"] for n in (1, 2)] == [Decimal("100.30"), Decimal("50.00")]
    assert [rows[n]["contact_value"] for n in (1, 2)] == [Decimal("7.00"), Decimal("1.00")]
    assert {rows[n]["group_value"] for n in (1, 2)} == {Decimal("150.30")}


CENTS = st.integers(0, 10_000_000).map(lambda cents: f"{cents // 100}.{cents % 100:02}")
FIRMS = st.lists(
    st.tuples(st.sampled_from(["Vega", "Vega Holding", "Kok"]), st.sampled_from([EDE, EPE]),
              st.sampled_from([None, "12345678", "87654321"]), st.lists(CENTS, max_size=3)),
    max_size=6,
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(FIRMS)
def test_sums_over_groups_are_sums_over_organisations(
    firms: list[tuple[str, Row, str | None, list[str]]],
) -> None:
    made = [firm(n, name, place, coc_number=coc) for n, (name, place, coc, _) in enumerate(firms, 1)]
    table = table_of(*made, orders={n: totals for n, (*_, totals) in enumerate(firms, 1)})
    of_group = {row["group_id"]: row["group_value"] for row in table.to_pylist()}
    spent = sum((Decimal(total) for *_, totals in firms for total in totals), Decimal(0))
    assert sum(of_group.values(), Decimal(0)) == (pc.sum(table["own_value"]).as_py() or Decimal(0)) == spent
    assert table.num_rows == len(firms)


def test_figures_count_groups() -> None:
    table = table_of(firm(1, "Vega"), firm(2, "Vega Holding"), firm(3, "Kok"))
    with work_on() as work:
        figures = picture(table, work)
        assert picture(table.slice(0, 0), work)["groups"] == 0
    sizes: Any = figures["sizes"]
    assert (figures["groups"], sizes.counts) == (2, {"  1": 1, "  2": 1})


@pytest.mark.slow
def test_companies_of_the_demo_are_grouped_as_the_truth_says() -> None:
    known = demo_company()
    outcomes = []
    for threads in (1, 2):
        with opened(
            known.base,
            as_of=AS_OF,
            horizon=AS_OF,
            currency="EUR",
            timezone="Europe/Amsterdam",
            threads=threads,
        ) as work:
            outcomes.append(ENRICHER.shaped(ENRICHER.compute(work.of(OrganisationParameters()))))
    one, other = (rows.sort_by("golden_id") for rows in outcomes)
    assert one.equals(other)
    members = defaultdict(list)
    for row in outcomes[0].to_pylist():
        members[row["group_id"]].append(row["golden_id"])
    made = {frozenset(pair) for found in members.values() for pair in combinations(found, 2)}
    true = {frozenset((who, golden_of(row["parent"]))) for who, row in known.truth.items() if row["parent"]}
    assert true
    assert made == true
