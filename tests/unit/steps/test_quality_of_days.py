"""What got worse on the last day is told, and what chance makes of few rows is not."""

import pytest
from sqlalchemy import Engine

from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.figures import ROWS, Bars, Check, Outcome
from cdm_pipelines.hub import measurements
from cdm_pipelines.steps.operate.quality import Day, days_of, worse


def days(*shares: tuple[int, int]) -> list[Day]:
    return [
        Day(f"2026-06-{number:02}", read, read - bad, bad, reasons={"ragged": bad})
        for number, (bad, read) in enumerate(shares, start=1)
    ]


@pytest.mark.parametrize(
    ("shares", "risen"),
    [
        ([(10, 1000), (10, 1000), (60, 1000)], True),
        ([(10, 1000), (10, 1000), (12, 1000)], False),
        ([(10, 1000), (10, 1000), (0, 1000)], False),
        ([(0, 5), (0, 5), (1, 5)], False),
        ([(0, 5000), (0, 5000), (40, 5000)], True),
        ([(60, 1000)], False),
        ([(0, 0), (3, 3)], False),
        ([(3, 3), (0, 0)], False),
    ],
)
def test_a_share_is_worse_beyond_what_chance_makes_of_it(shares: list[tuple[int, int]], risen: bool) -> None:
    found = worse(days(*shares))
    assert {(one.what, one.rule) for one in found} == (
        {("quarantined", ""), ("reason", "ragged")} if risen else set()
    )
    assert all(one.last > one.before for one in found)


def test_days_are_read_from_the_newest_run_of_each(hub_engine: Engine) -> None:
    contract = contract_named("crm/contact")

    def outcome(layer: str, rows: int, **more: object) -> Outcome:
        return Outcome(f"{layer}/crm/contact", {ROWS: rows, **more}, partition="2026-06-01")  # type: ignore[dict-item]

    for run, rejected in (("first", 9), ("second", 2)):
        with hub_engine.begin() as connection:
            measurements.record(connection, run, outcome("raw", 10))
            measurements.record(connection, run, outcome("valid", 10 - rejected))
            reasons = Bars({"ragged": rejected}, ("rule", "rows"))
            checked = {"volume": Check(False, "shrunk", "WARN")}
            measurements.record(
                connection,
                run,
                Outcome(
                    "quarantine/crm/contact",
                    {ROWS: rejected, "reasons": reasons},
                    checked,
                    partition="2026-06-01",
                ),
            )
    with hub_engine.connect() as connection:
        (day,) = days_of(connection, [contract])["crm/contact"]
    assert day.read == 10
    assert (day.accepted, day.quarantined) == (8, 2)
    assert day.reasons == {"ragged": 2}
    assert day.failed == ("volume",)
