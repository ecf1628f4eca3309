"""When a day is ready: whole, marked, stable, and not asked for before."""

import pytest

from cdm_pipelines.steps.days.arrivals import Delivery, decide

BOTH = frozenset({"contact", "account"})


def delivery(size: int = 10, entities: frozenset[str] = BOTH, *, marked: bool = True) -> Delivery:
    return Delivery({"crm/contact/2026-06-01.csv": (size, "t")}, entities, marked)


SEEN = {"2026-06-01": delivery().digest}

CASES: list[tuple[str, Delivery, dict[str, str], dict[str, str], tuple[str, ...], str]] = [
    ("whole and stable", delivery(), SEEN, {}, ("2026-06-01",), ""),
    ("first seen now", delivery(), {}, {}, (), "just arrived or still growing"),
    ("still growing", delivery(20), SEEN, {}, (), "just arrived or still growing"),
    (
        "an entity is missing",
        delivery(entities=frozenset({"contact"})),
        SEEN,
        {},
        (),
        "no file yet for account",
    ),
    ("no marker yet", delivery(marked=False), SEEN, {}, (), "marker"),
    ("asked for before", delivery(), SEEN, SEEN, (), ""),
    ("delivered anew", delivery(20), {"2026-06-01": delivery(20).digest}, SEEN, ("2026-06-01",), ""),
]


@pytest.mark.parametrize(
    ("now", "before", "asked", "ready", "why"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_day_runs_once_it_is_whole(
    now: Delivery, before: dict[str, str], asked: dict[str, str], ready: tuple[str, ...], why: str
) -> None:
    decision = decide({"2026-06-01": now}, before, asked, BOTH)
    assert decision.ready == ready
    assert why in decision.waiting.get("2026-06-01", "")
    assert ("2026-06-01" in decision.waiting) == bool(why)


def test_days_come_in_order_and_one_that_waits_holds_up_no_other() -> None:
    days = {day: delivery() for day in ("2026-06-03", "2026-06-01")}
    days["2026-06-02"] = delivery(entities=frozenset())
    seen = {day: found.digest for day, found in days.items()}
    assert decide(days, seen, {}, BOTH).ready == ("2026-06-01", "2026-06-03")
