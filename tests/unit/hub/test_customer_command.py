"""``cdm customer``: finding customers, and what was known about them when."""

import os

import hub_examples as examples
import pyarrow as pa
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from cdm_pipelines.cli import app
from cdm_pipelines.commands.terminal import console
from cdm_pipelines.hub.schema import customer_order
from cdm_pipelines.hub.staging import stage
from cdm_pipelines.identity import golden_id
from cdm_pipelines.settings import Settings

ANNA, ACME, PIET = (
    golden_id("crm", "contact", "003A"),
    golden_id("crm", "account", "001X"),
    golden_id("erp", "customer", "77"),
)


@pytest.fixture(autouse=True)
def _hub(hub_engine: Engine, settings: Settings) -> None:
    examples.published(hub_engine)
    examples.published(hub_engine, examples.changed("003A", city="Gouda"))
    os.environ.update(settings.environment())
    os.environ["COLUMNS"] = "200"


def cdm(*arguments: str) -> tuple[int, str]:
    return ran("customer", *arguments)


def ran(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, " ".join(done.output.split())


def test_one_match_is_shown_with_its_records() -> None:
    code, told = cdm("anna", "breg")
    assert code == 0
    assert "Anna van der Berg" in told
    assert "Source records" in told
    assert "Where each value came from" in told


def test_the_card_tells_values_with_what_others_say_in_words(hub_engine: Engine) -> None:
    order = {"source": "shop", "entity": "order", "record_id": "o1", "order_id": "WEB-7", "golden_id": ANNA}
    names = [column.name for column in customer_order.columns]
    row = {name: pa.array([order.get(name, "true" if name == "active" else None)]) for name in names}
    examples.promote(hub_engine, stage(hub_engine, {"customer_order": pa.table(row)}).token)
    code, told = cdm(ANNA[:8])
    assert code == 0
    assert ANNA in told, "an id stays on one line, to be copied"
    assert "Gouda" in told
    assert "WEB-7" in told[told.index("Newest orders") :]
    assert "{" not in told


def test_who_is_known_by_a_part_of_it_is_a_suggestion_and_no_answer() -> None:
    code, told = cdm("marieke", "berg", "1980")
    assert code == 1
    assert "marieke" in told[told.index("Anna") :]
    assert "Nobody is known by all of this" in told
    assert "Source records" not in told
    code, told = cdm("marieke", "berg", "--history")
    assert (code, "changes" in told) == (1, False)


NEAR = {
    "1234 AB 98": "98",  # the number of nobody there
    "berg 28-2-1980": "1980-02-28",
    "anma@example.nl": "anma@example.nl",
    "06-12345679": "+31612345679",
    "1234 AC 12": "1234 AC",
    "berg 1950": "1950",
    "marieke berg": "marieke",
}
"""What is nearly Anna, and what of it is of nobody who is shown."""


def test_a_near_miss_is_a_suggestion_that_says_what_is_of_nobody() -> None:
    for typed, of_none in NEAR.items():
        code, told = cdm(typed)
        said = f"those above are by a part of it. Of none of them: {of_none}."
        shown = (ANNA in told, "Source records" in told)
        assert (code, told.endswith(said), shown) == (1, True, (True, False)), typed


def test_where_each_lacks_something_else_it_stands_beside_each() -> None:
    code, told = cdm("berg", "1234", "AB", "99")  # the name of one, the number of the other
    assert code == 1
    assert "not found" in told
    assert told.endswith("those above are by a part of it.")


def test_ids_are_copied_from_a_narrow_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "width", 80)
    code, told = cdm("1234", "AB")
    assert code == 0
    assert {ANNA, ACME} <= set(told.split())


@pytest.mark.parametrize("asked", [(), ("--history",)], ids=["card", "history"])
def test_the_only_one_of_a_year_a_town_or_a_like_word_is_a_suggestion(asked: tuple[str, ...]) -> None:
    for typed in ("1980", "A. 1980", "Gouda", "breg"):
        code, told = cdm(typed, *asked)
        assert (code, "A suggestion: " in told) == (1, True), typed
        assert "Source records" not in told
        assert "changes" not in told


def test_what_is_a_persons_own_is_the_answer() -> None:
    for typed in ("1234 AB 12", "berg 29-2-1980", "anna@example.nl", "0612345678", "anna 1980"):
        code, told = cdm(typed)
        assert (code, "Source records" in told) == (0, True), typed


def test_a_retired_id_tells_its_history_whole_or_short(hub_engine: Engine) -> None:
    examples.published(hub_engine, [row for row in examples.PEOPLE if row["cluster"] != "piet"])
    whole, short = (cdm(one, "--history") for one in (PIET, PIET[:8]))
    assert whole == short
    assert whole[0] == 0
    assert f"History of {PIET}" in whole[1]
    assert cdm("ffffffff", "--history") == (1, "No customer found.")


@pytest.mark.parametrize("typed", [(ANNA,), ("Anna", "Berg")])
def test_history_tells_what_changed_and_who_said_so(typed: tuple[str, ...]) -> None:
    code, told = cdm(*typed, "--history")
    assert code == 0
    change = told[told.index("changes") :]
    assert (
        change.index("city")
        < change.index("Delft")
        < change.index("Gouda")
        < change.index("crm/contact/003A")
    )


def test_as_of_shows_what_was_known() -> None:
    code, told = cdm(ANNA, "--as-of", "2999-12-31")
    assert code == 0
    assert "until now" in told
    assert "Gouda" in told
    assert cdm(ANNA, "--as-of", "2001-01-01T12:00")[0] == 1
    assert "Nothing was known" in cdm(ANNA, "--as-of", "2001-01-01")[1]


def test_what_cannot_be_answered() -> None:
    assert cdm("Anna", "--as-of", "yesterday") == (
        2,
        "--as-of yesterday: write a day such as 2026-03-01, or a time such as 2026-03-01T12:00.",
    )
    code, told = cdm("1234", "AB", "--history")
    assert (code, told.endswith("Name one of them by its golden id.")) == (1, True)
    assert cdm("00000000-0000-5000-8000-000000000000", "--history") == (1, "No customer ever had this id.")


def test_one_of_many_is_no_answer_however_few_are_shown() -> None:
    code, told = cdm("1234", "AB", "--limit", "1")
    assert code == 0
    assert "There are more" in told
    assert "Where each value came from" not in told


def test_the_beginning_of_an_id_is_enough_for_a_decision() -> None:
    whole, short = (ran("steward", "show", one) for one in (ANNA, ANNA[:8]))
    assert whole == short
    assert whole[0] == 0
    assert ANNA in whole[1]
    code, told = ran("steward", "show", "ffffffff")
    assert (code, told) == (1, "No golden id begins with ffffffff.")
