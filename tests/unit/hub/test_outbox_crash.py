"""A publication that is killed at any moment: every change is told, and nothing that was not published."""

import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import hub_examples as examples
import pytest
from hub_examples import promote
from sqlalchemy import Engine, text

from cdm_pipelines.hub import feed
from cdm_pipelines.hub.staging import lock, stage

DICE = random.Random(4)
MOMENTS = (
    0.0,
    *(DICE.random() / 2 for _ in range(6)),
    60.0,
)  # seconds; at the first nothing is done, at the last all
PROGRAM = """
import sys
from sqlalchemy import create_engine
from cdm_pipelines.hub.publish import promote
engine = create_engine(sys.argv[1])
engine.connect().close()
print("ready", flush=True)
sys.stdin.readline()
with engine.begin() as connection:
    promote(connection)
"""


def cities(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT golden_id::text, city FROM golden.customer"))
        return dict(rows.tuples().all())


@pytest.mark.slow
def test_every_change_is_told_once_and_none_that_was_not_published(
    hub_engine: Engine, tmp_path: Path
) -> None:
    examples.published(hub_engine)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    url = hub_engine.url.render_as_string(hide_password=False)
    changed = []
    with hub_engine.connect() as connection:
        position = feed.last_position(connection)
    before = cities(hub_engine)
    for number, moment in enumerate(MOMENTS):
        rows = [{**row, "city": f"Town {number}"} for row in examples.PEOPLE]
        stage(hub_engine, examples.version(hub_engine, rows))
        with subprocess.Popen(
            [sys.executable, program, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            process.stdin.write(b"\n")
            process.stdin.flush()
            with suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            process.kill()
        with hub_engine.begin() as connection:  # what was killed may still be ending
            lock(connection)
            told = feed.entries(connection, position, 100)
        after = cities(hub_engine)
        assert {str(entry.golden_id) for entry in told} == {one for one in after if after[one] != before[one]}
        assert all(entry.changes is not None and set(entry.changes) == {"city"} for entry in told)
        changed.append(len(told))
        if told:
            position = told[-1].position
        before = after
    promote(hub_engine)
    assert set(changed) == {0, 3}
    with hub_engine.connect() as connection:
        everything = feed.entries(connection, 0, 1000)
    assert len({entry.event_id for entry in everything}) == len(everything)
