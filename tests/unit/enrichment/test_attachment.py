"""Whose interactions are: by what they name, by a token before and after it was identified, and else nobody's."""

from typing import Any

import pyarrow as pa
import pytest
from interaction_tables import attached, by, count, gid, known, rules

from cdm_pipelines.enrichment.attachment import Attached, Reason, Way, preview
from cdm_pipelines.enrichment.interactions import SUBJECT_COLUMNS, Tally
from cdm_pipelines.enrichment.subjects import concerned
from cdm_pipelines.enrichment.tokens import Era, Eras

ANN = {
    "record_id": "a",
    "customer": "ann",
    "email": "ann@x.nl",
    "phone": "+31201111111",
    "mobile": "+31611111111",
}
BEN = {"record_id": "b", "customer": "ben", "email": "ben@x.nl", "phone": "+31202222222"}
PARTIES = [ANN, BEN]


def at(day: int, hour: int = 12, month: int = 6) -> str:
    return f"2026-{month:02}-{day:02}T{hour:02}:00:00Z"


def whose(
    rows: list[dict[str, Any]],
    eras: Eras | None = None,
    parties: list[dict[str, Any]] | None = None,
    **more: Any,
) -> tuple[dict[str, str], Attached]:
    """The customer of each interaction by its ``what`` (kept as the campaign), and what came of it."""
    rows = [{"campaign": row.pop("what", None), **row} for row in rows]
    _, day = count(rows, date="2026-12-31")
    with known([day], PARTIES if parties is None else parties, **more) as db:
        found, figures = attached(db, by() if eras is None else eras)
        names = {gid(name): name for name in ("ann", "ben", "cas")}
        customers = sorted({row["golden_id"] for row in found})
        part, _ = attached(db, by() if eras is None else eras, customers[:1])
    assert part == [row for row in found if row["golden_id"] in customers[:1]]
    assert figures is not None
    assert figures.attached + sum(figures.anonymous.values()) == figures.accepted == len(rows)
    assert figures.attached == sum(row["touches"] for row in found)
    return {row["campaign"]: names[row["golden_id"]] for row in found}, figures


def visit(what: str, when: str, token: str | None = "t", **more: Any) -> dict[str, Any]:
    return {"what": what, "occurred_at": when, "token": token, **more}


@pytest.mark.parametrize(
    ("named", "way"),
    [
        ({"party_id": "a"}, Way.PARTY),
        ({"order_id": "7"}, Way.PARTY),
        ({"party_email": "ann@x.nl"}, Way.EMAIL),
        ({"party_phone": "+31201111111"}, Way.PHONE),
        ({"party_phone": "+31611111111"}, Way.PHONE),
        ({"party_id": "nobody", "party_email": "ann@x.nl"}, Way.EMAIL),
        ({"party_id": "a", "party_email": "ben@x.nl"}, Way.PARTY),
    ],
)
def test_what_names_a_customer(named: dict[str, str], way: Way) -> None:
    found, figures = whose([visit("one", at(1), None, **named)], orders=[{"order_id": "7", "party": "a"}])
    assert found == {"one": "ann"}
    assert figures.by[way] == 1


def test_a_number_of_another_source_where_the_policy_says_so() -> None:
    parties = [{**ANN, "source": "shop"}, {**BEN, "source": "crm", "record_id": "a"}]
    rows = [visit("one", at(1), None, party_id="a")]
    assert whose([dict(row) for row in rows], parties=parties)[0] == {}
    assert whose(rows, by(numbers_of={"web": ["shop", "crm"]}), parties)[0] == {"one": "ann"}


def test_an_address_that_several_customers_have_is_nobodys() -> None:
    parties = [ANN, {**BEN, "email": "ann@x.nl"}, {**BEN, "record_id": "c", "email": "ben@x.nl"}]
    found, figures = whose(
        [
            visit("one", at(1), None, party_email="ann@x.nl"),
            visit("two", at(1), None, party_email="ben@x.nl"),
        ],
        parties=parties,
    )
    assert found == {"two": "ben"}
    assert figures.anonymous[Reason.AMBIGUOUS] == 1


def test_visits_before_and_after_a_login_come_with_it_within_the_look_back() -> None:
    found, figures = whose(
        [
            visit("91 days before", at(2, month=3)),
            visit("90 days before", at(3, month=3)),
            visit("same day before", at(1, 8)),
            visit("login", at(1, 12), party_id="a"),
            visit("same day after", at(1, 18)),
            visit("long after", at(30, month=12)),
            visit("another device", at(1), "u"),
        ]
    )
    assert set(found) == {"90 days before", "same day before", "login", "same day after", "long after"}
    assert set(found.values()) == {"ann"}
    assert figures.by == {Way.PARTY: 1, Way.EMAIL: 0, Way.PHONE: 0, Way.TOKEN: 4}
    assert (figures.anonymous[Reason.NOT_IDENTIFIED], figures.tokens) == (2, 1)


def test_a_quoted_token_is_the_same_device() -> None:
    assert len(whose([visit("one", at(1), '"t"'), visit("two", at(2), "t", party_id="a")])[0]) == 2


SHARED = [
    visit("before", at(1, 8)),
    visit("ann in", at(1, 10), party_id="a"),
    visit("between", at(1, 11)),
    visit("ben in", at(1, 12), party_email="ben@x.nl"),
    visit("after", at(1, 13)),
    visit("ann again", at(1, 14), party_id="a"),
    visit("last", at(1, 15)),
]


def test_a_device_of_two_customers_is_nobodys_where_it_is_not_said_who() -> None:
    found, figures = whose([dict(row) for row in SHARED])
    assert found == {"ann in": "ann", "ben in": "ben", "ann again": "ann"}
    assert (figures.anonymous[Reason.SHARED], figures.shared_devices) == (4, 1)


def test_where_two_are_allowed_visits_are_who_was_identified_last() -> None:
    found, _ = whose([dict(row) for row in SHARED], by(customers_per_token=2))
    assert found == {
        "before": "ann",
        "ann in": "ann",
        "between": "ann",
        "ben in": "ben",
        "after": "ben",
        "ann again": "ann",
        "last": "ann",
    }


def test_visits_that_are_alike_are_kept_apart_at_an_identification() -> None:
    rows = [{**row, "what": "same"} for row in SHARED] + [visit("same", at(2, month=1))]
    _, day = count([{"campaign": row.pop("what"), **row} for row in rows])
    with known([day], PARTIES) as db:
        found, figures = attached(db, by(customers_per_token=2))
    touches = {
        (row["golden_id"], row["attached_by"]): (row["touches"], row["first_at"].hour, row["last_at"].hour)
        for row in found
    }
    assert touches == {
        (gid("ann"), "party"): (2, 12, 16),
        (gid("ann"), "token"): (3, 10, 17),
        (gid("ben"), "email"): (1, 14, 14),
        (gid("ben"), "token"): (1, 15, 15),
    }
    assert figures is not None
    assert figures.anonymous[Reason.NOT_IDENTIFIED] == 1  # five months before


def test_turns_hold_over_days_that_were_counted_apart() -> None:
    days = [
        count([visit(row["what"], row["occurred_at"]) | {k: row[k] for k in row if k.startswith("party")}
               | {"campaign": row["what"]}], date=f"2026-07-{number + 1:02}")[1]
        for number, row in enumerate(SHARED)
    ]  # fmt: skip
    with known(days, PARTIES) as db:
        found, _ = attached(db, by(customers_per_token=2))
    assert {row["campaign"]: row["golden_id"] for row in found} == {
        name: gid(one)
        for name, one in whose([dict(row) for row in SHARED], by(customers_per_token=2))[0].items()
    }


def test_somebody_who_is_no_customer_ends_a_turn() -> None:
    found, figures = whose(
        [
            visit("ann in", at(1, 10), party_id="a"),
            visit("hers", at(1, 11)),
            visit("stranger in", at(1, 12), party_id="nobody"),
            visit("strangers", at(1, 13)),
            visit("ann again", at(2), party_id="a"),
            visit("hers again", at(3)),
        ]
    )
    assert set(found) == {"ann in", "hers", "ann again", "hers again"}
    assert (figures.anonymous[Reason.UNKNOWN], figures.anonymous[Reason.NOT_IDENTIFIED]) == (1, 1)


@pytest.mark.parametrize("token", ["null", "0", '"undefined"', "[object Object]", None, "x" * 10_000])
def test_what_is_no_token_tells_of_nobody(token: str | None) -> None:
    found, figures = whose([visit("one", at(1), token), visit("two", at(1), token, party_id="a")])
    assert found == {"two": "ann"}
    assert (figures.anonymous[Reason.NO_TOKEN], figures.tokens) == (1, 0)


def test_channels_that_are_left_out_identify_no_device_and_keep_who_they_name() -> None:
    found, figures = whose(
        [
            visit("call", at(1), party_id="a", channel="phone"),
            visit("web", at(1)),
            visit("kiosk", at(1), "u", channel="kiosk"),
            visit("login", at(1), "u", party_id="b"),
        ]
    )
    assert found == {"call": "ann", "login": "ben"}
    assert (figures.anonymous[Reason.LEFT_OUT], figures.anonymous[Reason.NOT_IDENTIFIED]) == (1, 1)


def test_a_visit_without_a_moment_is_nobodys_and_a_login_without_one_still_names_its_customer() -> None:
    found, figures = whose([visit("one", "?"), visit("two", "?", party_id="a"), visit("three", at(1))])
    assert found == {"two": "ann"}
    assert figures.anonymous[Reason.NOT_IDENTIFIED] == 2


def test_two_customers_who_are_one_now_share_no_device() -> None:
    both = [ANN, {**BEN, "customer": "ann"}]
    found, figures = whose([dict(row) for row in SHARED], parties=both)
    assert set(found.values()) == {"ann"}
    assert (len(found), figures.shared_devices) == (7, 0)


def test_nothing_of_nobody() -> None:
    with known([], []) as db:
        found, figures = attached(db, by())
    assert found == []
    assert figures == Attached(0, dict.fromkeys(Way, 0), dict.fromkeys(Reason, 0), 0, 0)


def test_other_rules_hold_for_the_days_after_they_came() -> None:
    early = count(
        [visit("", at(1), campaign="early"), visit("", at(1, 13), campaign="login", party_id="a")],
        "2026-06-01",
    )[1]
    late = count([visit("", at(1, 8), campaign="late")], "2026-06-02")[1]
    eras = (Era("", rules(look_back_days=0)), Era("2026-06-01", rules(channels_left_out=["web"])))
    with known([early, late], PARTIES) as db:
        found, _ = attached(db, eras)
        everywhere, _ = attached(db, (Era("", eras[0].rules),))
    assert [row["campaign"] for row in found] == ["early", "login"]
    assert [row["campaign"] for row in everywhere] == ["late", "early", "login"]


def test_a_preview_says_what_would_change_and_changes_nothing() -> None:
    rows = [{"campaign": row["what"], **row} for row in SHARED] + [
        visit("", at(1), "null", campaign="no device"),
        visit("", at(1), "u", campaign="ben", party_id="b"),
        visit("", at(2), "u", campaign="ben"),
    ]
    _, day = count(rows)
    with known([day], PARTIES) as db:
        before, _ = attached(db, by())
        found = preview(db, by(), by(customers_per_token=2))
        same = preview(db, by(), by())
        assert attached(db, by())[0] == before
    assert (found.moved, found.customers) == (4, 2)
    assert (found.before.attached, found.after.attached) == (5, 9)
    assert found.before.accepted == found.after.accepted == 10
    assert (same.moved, same.customers) == (0, 0)


def test_whom_a_change_concerns() -> None:
    rows = [
        visit("", at(1), "t", party_id="a"),
        visit("", at(1), "t", party_id="b"),
        visit("", at(1), "u", party_id="c"),
        visit("", at(1), None, party_email="old@x.nl"),
    ]
    cas = {"record_id": "c", "customer": "cas", "email": "cas@x.nl"}
    dik = {"record_id": "d", "customer": "dik", "email": "old@x.nl"}
    _, day = count(rows)
    nothing = SUBJECT_COLUMNS.empty_table()
    subject = pa.Table.from_pylist([{"source": "web", "token": "u"}], schema=SUBJECT_COLUMNS)
    former = pa.Table.from_pylist(
        [{"source": "web", "entity": "customer", "record_id": "c", "email": "old@x.nl"}]
    )
    with known([day], [*PARTIES, cas, dik]) as db:
        assert concerned(db, by(), [gid("ann")], nothing) == sorted([gid("ann"), gid("ben")])
        assert concerned(db, by(), [], subject) == [gid("cas")]
        assert concerned(db, by(), [gid("cas")], nothing, former=former) == sorted([gid("cas"), gid("dik")])
        assert concerned(db, by(), [], nothing) == []


# Counting a day


def test_a_day_counts_what_is_alike_and_says_what_it_left_out() -> None:
    tally, table = count(
        [
            {
                "record_id": "1",
                "occurred_at": at(3, 22),
                "token": "t",
                "score": "7",
            },  # the fourth in Amsterdam
            {"record_id": "2", "occurred_at": at(3, 23), "token": " 't' ", "score": "8.5"},
            {"record_id": "3", "occurred_at": at(3, 21), "token": "t", "kind": "Dance"},
            {"record_id": "4", "occurred_at": at(9), "token": "t"},
            {"record_id": "5", "occurred_at": None, "token": "t"},
            {"record_id": "6", "occurred_at": at(3), "is_deleted": True},
            {"record_id": "7", "occurred_at": at(3)},
            {"record_id": "7", "occurred_at": at(3)},
        ]
    )
    assert tally == Tally(
        delivered=8, counted=6, repeated=1, withdrawn=1, without_moment=1, in_future=1, unknown_kind=1
    )
    rows = {(row["kind"], str(row["day"])): row for row in table.to_pylist() if row["token"] == "t"}
    both = rows["visit", "2026-06-04"]
    assert (both["touches"], float(both["score"]), both["scores"]) == (2, 15.5, 2)
    assert (str(both["first_at"]), str(both["last_at"])) == ("2026-06-04 00:00:00", "2026-06-04 01:00:00")
    assert rows["visit", "None"]["touches"] == 2
    assert rows["other", "2026-06-03"]["touches"] == 1


def test_a_day_is_the_same_however_it_is_read() -> None:
    rows = [
        {
            "record_id": str(n),
            "occurred_at": at(3, n % 24),
            "token": f"t{n % 7}",
            "party_id": f"{n % 3}" if n % 5 else None,
        }
        for n in range(200)
    ]
    first, again = count(rows), count(rows[::-1], pieces=7)
    assert first[0] == again[0]
    assert first[1].equals(count([{**row} for row in rows], pieces=3)[1])
    assert first[1].equals(again[1])
