"""Commands run one after the other beside the console, and one that cannot run keeps no other from it."""

import tempfile
import time
from pathlib import Path

import pytest

from cdm_pipelines.console.works import DONE, FAILED, Work, Works
from cdm_pipelines.settings import load_settings


@pytest.fixture
def works(tmp_path: Path) -> Works:
    return Works(load_settings(home=tmp_path))


def ended(work: Work) -> Work:
    deadline = time.monotonic() + 120
    while not work.is_over and time.monotonic() < deadline:
        time.sleep(0.05)
    return work


def test_a_command_that_cannot_run_keeps_no_other_from_it(works: Works) -> None:
    broken = works.start("broken", "ann", ["\x00"])
    wrong = works.start("wrong", "ann", ["no-such-command"])
    right = works.start("right", "bob", ["--help"])
    assert [ended(one).state for one in (broken, wrong, right)] == [FAILED, FAILED, DONE]
    assert "no-such-command" in wrong.told
    assert "quarantine" in right.printed
    assert works.of("right") is right
    assert works.of("other") is None


def test_what_waits_is_not_asked_for_twice_and_its_folder_goes(works: Works) -> None:
    folder = tempfile.TemporaryDirectory()
    first = works.start("one", "ann", ["--help"], folder)
    waiting = works.start("two", "ann", ["--help"])
    again = works.start("two", "bob", ["--help"])
    assert again is waiting
    ended(first)
    assert not Path(folder.name).exists()
    assert ended(waiting).state == DONE
