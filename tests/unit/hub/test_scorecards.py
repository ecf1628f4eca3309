"""Figures of quality and volumes as a history: the same day again changes nothing, and the history is bounded."""

import datetime as dt
from typing import Any

from sqlalchemy import Engine

from cdm_pipelines.hub import scorecards
from cdm_pipelines.hub.schema_insight import quality, volume

FIRST = dt.date(2026, 1, 1)


def row(day: int, good: float = 9, attribute: str = "party.email") -> dict[str, Any]:
    return {
        "as_of": FIRST + dt.timedelta(days=day),
        "source": "crm",
        "entity": "contact",
        "attribute": attribute,
        "dimension": "validity",
        "measure": "fit",
        "numerator": good,
        "denominator": 10.0,
        "owner": "sales",
        "target": None,
        "made_from": "day 1",
    }


def test_only_what_says_something_else_is_written_again(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        assert scorecards.write(connection, quality, [row(0), row(1)], "one") == 2
        assert scorecards.write(connection, quality, [row(0), row(1)], "two") == 0
        assert scorecards.write(connection, quality, [row(0), row(1, good=8)], "three") == 1
        assert [(one["numerator"], one["run"]) for one in scorecards.history(connection)] == [
            (9, "one"),
            (8, "three"),
        ]


def test_a_figure_that_is_no_longer_measured_goes_and_others_stay(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        scorecards.write(connection, quality, [row(0), row(0, attribute="party.phone"), row(1)], "one")
        subject = {"as_of": FIRST, "source": "crm", "entity": "contact"}
        of_days = quality.c.made_from.startswith("day")
        assert scorecards.replace_day(connection, quality, [row(0)], "two", subject, of_days) == 1
        found = [(one["as_of"], one["attribute"]) for one in scorecards.history(connection)]
        assert found == [(FIRST, "party.email"), (FIRST + dt.timedelta(days=1), "party.email")]
        assert scorecards.measured_from(connection, "crm", "contact") == dict.fromkeys(
            [FIRST, FIRST + dt.timedelta(days=1)], "day 1"
        )


def test_history_is_of_a_source_and_up_to_a_day(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        scorecards.write(connection, quality, [row(day) for day in range(5)], "one")
        assert len(scorecards.history(connection, as_of=FIRST + dt.timedelta(days=2))) == 3
        assert len(scorecards.history(connection, days=2)) == 2
        assert scorecards.history(connection, "shop") == []


def test_what_is_older_goes_but_for_the_first_volumes_and_the_last_figures(hub_engine: Engine) -> None:
    def counted(day: int) -> dict[str, Any]:
        return {
            "as_of": FIRST + dt.timedelta(days=day),
            "name": "records",
            "source": "",
            "value": 1.0,
            "unit": "records",
        }

    with hub_engine.begin() as connection:
        scorecards.write(connection, quality, [row(day) for day in range(4)], "one")
        scorecards.write(connection, volume, [counted(day) for day in range(4)], "one")
        assert scorecards.forget(connection, FIRST + dt.timedelta(days=2)) == 3
        assert [one["as_of"].day for one in scorecards.history(connection)] == [3, 4]
        assert [one["as_of"].day for one in scorecards.volumes(connection)] == [1, 4]
        scorecards.forget(connection, FIRST + dt.timedelta(days=99))
        assert [one["as_of"].day for one in scorecards.history(connection)] == [4]
