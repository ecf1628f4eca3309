"""Commands that run one by one beside the console: what waits outlives it, and no list of processes names anybody."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest
from governed_hub import GovernedHub
from sqlalchemy import text

from cdm_pipelines.console.works import DONE, FAILED, RUNS, STOPPED, WAITS, Work, Works
from cdm_pipelines.hub import works as hub


@pytest.fixture
def works(governed: GovernedHub) -> Iterator[Works]:
    with governed.engine.begin() as connection:
        connection.execute(text("DELETE FROM ops.work"))
    yield Works(governed.settings, governed.engine)
    for thread in threading.enumerate():
        if thread.name == "works":
            thread.join(60)
    with governed.engine.begin() as connection:
        connection.execute(text("DELETE FROM ops.work"))


def ended(works: Works, work: Work) -> Work:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = works.of(work.key)
        assert found is not None
        if found.work_id == work.work_id and found.is_over:
            return found
        time.sleep(0.05)
    raise AssertionError("the command did not end")


def test_a_command_that_cannot_run_keeps_no_other_from_it(works: Works) -> None:
    wrong = works.start("wrong", "ann", ["no-such-command"])
    right = works.start("right", "bob", ["--help"])
    assert [ended(works, one).state for one in (wrong, right)] == [FAILED, DONE]
    assert "no-such-command" in ended(works, wrong).told
    assert "quarantine" in ended(works, right).printed
    assert works.of("other") is None


def test_what_waits_is_not_asked_for_twice(works: Works) -> None:
    elsewhere = Works(works.settings, works.engine, here=False)
    waiting = elsewhere.start("two", "ann", ["--help"])
    assert elsewhere.start("two", "bob", ["--help"]).work_id == waiting.work_id
    assert works.of("two") == waiting
    assert waiting.state == WAITS


def test_what_waits_when_a_console_stops_is_run_by_the_next_one_and_what_was_under_way_is_told(
    works: Works,
) -> None:
    gone = Works(works.settings, works.engine, here=False)
    cut_short, waiting = gone.start("cut short", "ann", ["--help"]), gone.start("waiting", "ann", ["--help"])
    with works.engine.begin() as connection:
        assert hub.begin_next(connection) is not None  # and then the console is killed
    found = works.of("cut short")
    assert found is not None
    assert found.state == RUNS
    last = works.start("last", "bob", ["--help"])
    assert [ended(works, one).state for one in (cut_short, waiting, last)] == [STOPPED, DONE, DONE]
    assert "ask again" in ended(works, cut_short).told


def test_golden_ids_come_by_standard_input_and_are_in_no_row_once_it_has_begun(works: Works) -> None:
    named = "0d9be5a4-2f0e-5b1c-9c1a-6f1d5a6b7c8d"
    arguments = ["privacy", "erase", "--by=ann", "--checked-by=ann", "--reason=x", "--yes", "-"]
    Works(works.settings, works.engine, here=False).start("erase", "ann", arguments, given=named)
    works.start("after", "ann", ["--help"])
    seen = set()
    work = works.of("erase")
    while work is not None and not work.is_over:
        seen |= {line for line in _processes() if "privacy" in line and "erase" in line}
        time.sleep(0.2)
        work = works.of("erase")
    assert work is not None
    assert any("--reason=x" in line for line in seen)
    assert not any(named in line for line in seen)
    assert work.given is None
    assert work.state == FAILED  # nobody has this id
    assert named in work.told or "no customer" in work.told.lower()


def _processes() -> list[str]:
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            found.append(" ".join(one.cmdline()))
    return found
