"""Which action each customer gets: hand-worked choices, what bars one, stock, draws, and their propensities."""

import datetime as dt
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cdm_demo.responses import planted
from cdm_pipelines.hub.actions import CHOICE
from cdm_pipelines.insight.action_choice import CONTACTS, Drawn, House, assess, draw, told
from cdm_pipelines.insight.action_draws import drawn
from cdm_pipelines.insight.action_policy import ActionPolicy
from cdm_pipelines.insight.action_rows import Days, Held, Made
from cdm_pipelines.privacy.off import NOBODY, OFF_SCHEMA

DAY = dt.date(2026, 6, 10)
SAYS = {"en": "Words", "nl": "Woorden"}
COLUMNS = {"email": "e", "mobile": "m", "phone": None, "street": "s", "postcode": "p", "status": "active"}
IDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(8)]


def action(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "says": SAYS, "purpose": "marketing", "channel": "email", "goal": "buys"} | more


def worth(amount: float, rate: float, cost: float = 0.0) -> dict[str, Any]:
    return {"value": {"amount": amount}, "probability": {"rate": rate}, "cost": cost}


def rules(*actions: dict[str, Any], **more: Any) -> ActionPolicy:
    base = {"version": 1, "control_share": 0.0, "exploration": 0.0}
    return ActionPolicy.model_validate({**base, **more, "actions": list(actions)})


def people(count: int = 3, **columns: Any) -> pa.Table:
    everybody = {name: [value] * count for name, value in COLUMNS.items()} | columns
    return pa.table({"golden_id": IDS[:count], **everybody})


def house(**more: Any) -> House:
    return House(
        pa.array(more.get("restricted", []), pa.string()),
        pa.array(more.get("deceased", []), pa.string()),
        more.get("off", NOBODY),
        more.get("contacts", CONTACTS.empty_table()),
        more.get("chosen_by", {}),
    )


def chosen(policy: ActionPolicy, customers: pa.Table, some: House | None = None) -> list[str | None]:
    """What each customer gets, with nobody left alone and nothing drawn."""
    found = assess(policy, customers, DAY, some or house())
    nothing = np.full(customers.num_rows, 0.999)
    best = draw(policy, found, nothing, nothing).action
    return [policy.actions[at].key if at >= 0 else None for at in best]


def why(policy: ActionPolicy, customers: pa.Table, some: House | None = None) -> list[str]:
    found = assess(policy, customers, DAY, some or house())
    nothing = np.full(customers.num_rows, 0.999)
    words: list[str] = told(policy, found, draw(policy, found, nothing, nothing)).excluded.to_pylist()
    return words


def test_the_action_with_the_highest_expected_value_is_chosen() -> None:
    # 0.04 x 100 - 1 = 3 against 0.10 x 20 - 0.5 = 1.5; of who is worth 30: 0.04 x 30 - 1 = 0.2 against 1.5
    policy = rules(
        action("big", value={"column": "spend"}, probability={"rate": 0.04}, cost=1.0),
        action("small", **worth(20, 0.10, 0.5)),
    )
    assert chosen(policy, people(2, spend=[100.0, 30.0])) == ["big", "small"]


def test_who_is_off_for_what_an_action_chooses_by_is_not_chosen() -> None:
    policy = rules(action("a", **worth(9, 0.5)), action("b", **worth(1, 0.5)))
    off = pa.table(
        {
            "golden_id": IDS[:2] + IDS[:1],
            "purpose": ["analytics", "analytics", "identity"],
            "channel": ["", "", ""],
        },
        schema=NOBODY.schema,
    )
    by = {"a": [("analytics", "identity")], "b": []}
    assert chosen(policy, people(3), house(off=off, chosen_by=by)) == ["b", "a", "a"]
    assert chosen(policy, people(3), house(off=off, chosen_by={"a": [("analytics",)]})) == ["b", "b", "a"]


def test_the_probability_may_follow_from_a_segment() -> None:
    rate = {"column": "segment", "rates": {"loyal": 0.2, "new": 0.01}, "otherwise": 0.05}
    policy = rules(action("a", value={"amount": 10}, cost=0.4, probability=rate))
    found = assess(policy, people(4, segment=["loyal", "new", "other", None]), DAY)
    assert found.expected[:, 0].tolist() == pytest.approx([1.6, -0.3, 0.1, 0.1])
    assert found.possible[:, 0].tolist() == [True, False, True, True]


def test_without_values_the_order_decides_and_says_so() -> None:
    policy = rules(action("first"), action("second", **worth(1000, 0.9)))
    assert chosen(policy, people(1)) == ["first"]
    assert "first" in policy.decided_by
    assert "none are invented" in policy.decided_by
    found = assess(policy, people(1), DAY)
    assert np.isnan(found.expected[0, 0])


def test_every_reason_that_speaks_against_an_action_is_told() -> None:
    complaint = {"reason": "open_complaint", "when": [{"column": "tickets", "over": 0}], "says": SAYS}
    policy = rules(
        action("mail", excludes=[complaint], requires=[{"column": "segment", "one_of": ["new"]}]),
        contact_pressure={"days": 7, "most": 2},
    )
    customers = people(
        8,
        tickets=[1, 0, 0, 0, 0, 0, 0, 0],
        segment=["new"] * 7 + ["loyal"],
        email=["e", "e", None, *["e"] * 5],
        status=["active"] * 6 + ["inactive", "active"],
    )
    off = pa.table({"purpose": ["marketing"], "channel": [""], "golden_id": [IDS[1]]}, schema=OFF_SCHEMA)
    often = pa.table(
        {"golden_id": [IDS[3], IDS[5]], "contacts": [2, 1], "last_on": [DAY, DAY]}, schema=CONTACTS
    )
    some = house(restricted=[IDS[4]], deceased=[IDS[5]], off=off, contacts=often)
    assert why(policy, customers, some) == [
        "mail: open_complaint",
        "mail: no_consent",
        "mail: no_address",
        "mail: contacted_lately",
        "mail: restricted",
        "mail: deceased",
        "mail: not_a_customer",
        "mail: not_meant",
    ]


def test_a_no_to_one_channel_leaves_the_others() -> None:
    policy = rules(action("mail"), action("call", channel="phone"))
    off = pa.table({"purpose": ["marketing"], "channel": ["email"], "golden_id": [IDS[0]]}, schema=OFF_SCHEMA)
    assert chosen(policy, people(2), house(off=off)) == ["call", "mail"]


@pytest.mark.parametrize(
    ("test", "values", "expected"),
    [
        ({"one_of": ["a", "b"]}, ["a", "c", None], [True, False, False]),
        ({"is": False}, [True, False, None], [False, True, False]),
        ({"at_least": 2}, [1, 2, None], [False, True, False]),
        ({"over": 2, "at_most": 3}, [2, 3, 4], [False, True, False]),
        ({"under": 0.5}, [0.4, 0.5, None], [True, False, False]),
        ({"empty": True}, ["a", None, None], [False, True, True]),
        ({"empty": False}, ["a", None, None], [True, False, False]),
        ({"days_ago_at_least": 3}, [DAY - dt.timedelta(days=n) for n in (2, 3, 4)], [False, True, True]),
        ({"days_ago_under": 3}, [DAY - dt.timedelta(days=n) for n in (2, 3, 4)], [True, False, False]),
    ],
)
def test_conditions(test: dict[str, Any], values: list[Any], expected: list[bool]) -> None:
    policy = rules(action("a", requires=[{"column": "x", **test}]))
    assert assess(policy, people(3, x=values), DAY).possible[:, 0].tolist() == expected


def test_stock_goes_to_those_who_bring_most_and_the_others_get_the_next_best() -> None:
    policy = rules(
        action("call", value={"column": "spend"}, probability={"rate": 0.5}, cost=0.0, most_per_day=2),
        action("mail", **worth(10, 0.1)),
    )
    customers = people(4, spend=[10.0, 40.0, 30.0, 20.0])
    assert chosen(policy, customers) == ["mail", "call", "call", "mail"]
    assert why(rules(policy.actions[0].model_dump(by_alias=True)), customers) == [
        "call: out_of_stock",
        "",
        "",
        "call: out_of_stock",
    ]


def _many(
    policy: ActionPolicy, size: int = 40_000, seed: int = 1
) -> tuple[pa.Table, Drawn, list[dict[str, float]]]:
    made = planted(size, seed)
    everybody = {name: [value] * size for name, value in COLUMNS.items()}
    customers = pa.table({"golden_id": made.golden_ids, **everybody, "spend": made.spend})
    found = assess(policy, customers, DAY, house())
    draws = [drawn(customers["golden_id"], f"{name}{seed}") for name in ("control", "period")]
    result = draw(policy, found, draws[0], draws[1])
    shares = [json.loads(one) for one in told(policy, found, result).propensities.to_pylist()]
    return customers, result, shares


_THREE = (
    action("a", value={"column": "spend"}, probability={"rate": 0.1}, cost=1.0),
    action("b", **worth(50, 0.1, 1.0)),
    action("c", **worth(60, 0.1, 1.5), channel="phone"),
)


@pytest.mark.parametrize("stock", [None, 3_000, 100])
def test_what_happens_is_as_often_as_its_propensity_says(stock: int | None) -> None:
    """Over many customers the sum of 1 / propensity of each action is the number of those who could have had it."""
    first = {**_THREE[0], "most_per_day": stock}
    _, made, shares = _many(rules(first, *_THREE[1:], control_share=0.2, exploration=0.3))
    has = made.action >= 0
    for at, key in enumerate("abc"):
        could = sum(key in one for one, there in zip(shares, has, strict=True) if there)
        got = has & (made.action == at) & ~made.control
        stands_for = (1 / made.propensity[got]).sum()
        spread = np.sqrt((1 / made.propensity[got] ** 2).sum())
        assert abs(stands_for - could) < 4 * spread
        if stock is not None and key == "a":
            assert got.sum() <= stock
    for at in np.flatnonzero(has)[:500]:
        said = shares[at]["none" if made.control[at] else "abc"[made.action[at]]]
        assert said == pytest.approx(made.propensity[at])
        assert sum(shares[at].values()) == pytest.approx(1)


def test_the_control_group_is_a_share_that_no_rule_and_no_other_customer_changes() -> None:
    policy = rules(*_THREE, control_share=0.1, exploration=0.2)
    customers, made, _ = _many(policy)
    assert made.control.mean() == pytest.approx(0.1, abs=0.01)
    fewer = customers.filter(pa.array(np.arange(customers.num_rows) % 3 == 0))
    draws = [drawn(fewer["golden_id"], f"{name}1") for name in ("control", "period")]
    other = rules(_THREE[1], control_share=0.1)
    again = draw(other, assess(other, fewer, DAY), draws[0], draws[1])
    assert (again.control == made.control[::3]).all()


def test_a_merge_keeps_the_draw_of_the_id_that_stays() -> None:
    before = drawn(pa.array(IDS), "key")
    after = drawn(pa.array([IDS[0], *IDS[2:]]), "key")  # the second customer became the first
    assert after.tolist() == [before[0], *before[2:]]
    assert drawn(pa.array(IDS), "another key").tolist() != before.tolist()


def test_threads_and_order_do_not_matter() -> None:
    ids = planted(5_000, 3).golden_ids
    one, two = drawn(pa.array(ids), "k"), drawn(pa.array(ids[::-1]), "k", threads=2)
    assert (one == two[::-1]).all()


def test_exploring_is_even_over_the_possible_actions() -> None:
    _, made, _ = _many(rules(*_THREE, exploration=0.5))
    counts = np.bincount(made.action[made.explored], minlength=3)
    assert counts / counts.sum() == pytest.approx([1 / 3] * 3, abs=0.015)
    assert made.explored.mean() == pytest.approx(0.5, abs=0.01)


def _made(policy: ActionPolicy, customers: pa.Table, log: pa.Table | None = None, day: dt.date = DAY) -> Made:
    found = assess(policy, customers, day, house())
    days = Days.of(day, policy)
    held = Held.of(CHOICE.empty_table() if log is None else log, policy, customers)
    nothing = np.full(customers.num_rows, 0.999)
    result = draw(policy, found, nothing, nothing, used=held.used(policy, day), among=~held.there)
    words = told(policy, found, result, holding=held.there, alone=held.alone(found.possible))
    return Made(policy, days, customers, found, result, words, held, CONTACTS.empty_table())


def test_a_second_run_of_a_day_says_what_the_first_one_did() -> None:
    """With a control group, even draws and little stock: nothing is chosen anew, and the reasons are the same."""
    size = 4_000
    made = planted(size, 9)
    everybody = {name: [value] * size for name, value in COLUMNS.items()}
    customers = pa.table({"golden_id": made.golden_ids, **everybody, "spend": made.spend})
    limited = [{**one, "most_per_day": 300} for one in _THREE[:2]]
    policy = rules(*limited, {**_THREE[2], "most_per_day": 900}, control_share=0.2, exploration=0.3)
    found, days = assess(policy, customers, DAY, house()), Days.of(DAY, policy)
    draws = [drawn(customers["golden_id"], name) for name in ("control", "period")]
    log, outcomes = CHOICE.empty_table(), []
    for _ in range(2):
        held = Held.of(log, policy, customers)
        result = draw(policy, found, *draws, used=held.used(policy, DAY), among=~held.there)
        words = told(policy, found, result, holding=held.there, alone=held.alone(found.possible))
        run = Made(policy, days, customers, found, result, words, held, CONTACTS.empty_table())
        outcomes.append(run.next())
        log = pa.concat_tables([log, run.log()])
    assert log.num_rows == len(set(log["golden_id"].to_pylist())) > 1_000
    assert run.log().num_rows == 0
    assert outcomes[0].equals(outcomes[1])


def test_a_choice_holds_for_its_period_and_is_withdrawn_when_no_longer_allowed() -> None:
    policy = rules(action("a", requires=[{"column": "x", "over": 0}]), action("b"), period_days=28)
    first = _made(policy, people(3, x=[1, 1, 0]))
    log = first.log()
    assert log["action"].to_pylist() == ["a", "a", "b"]
    later = _made(policy, people(3, x=[1, 0, 1]), log, DAY + dt.timedelta(days=1))
    assert later.log().num_rows == 0
    assert later.next()["action"].to_pylist() == ["a", None, "b"]
    assert later.withdrawn.to_pylist() == [IDS[1]]
    assert later.next()["chosen_on"].to_pylist() == [DAY, None, DAY]
    assert _made(policy, people(3, x=[1, 1, 0]), log).next().equals(first.next()), "a rerun changes nothing"


def test_the_stock_of_a_day_is_not_given_out_twice() -> None:
    policy = rules(action("a", most_per_day=2))
    log = _made(policy, people(2)).log()
    assert _made(policy, people(4), log).log().num_rows == 0
    assert _made(policy, people(4), log, DAY + dt.timedelta(days=1)).log().num_rows == 2


def test_what_the_policy_read_is_written_down_with_the_choice() -> None:
    policy = rules(action("a", requires=[{"column": "x", "over": 0}]), log=["since"])
    [said] = _made(policy, people(1, x=[2], since=[DAY])).log()["context"].to_pylist()
    assert json.loads(said) == {"since": DAY.isoformat(), "x": 2}
