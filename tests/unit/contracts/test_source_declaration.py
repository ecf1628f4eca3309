"""What a person who writes ``defs.yaml`` is told: file, key and fix, before Dagster reads it."""

from pathlib import Path

import pytest

from cdm_pipelines.contracts.catalogue import DEFS
from cdm_pipelines.contracts.source_declaration import declaration_problems

SOUND = """\
type: cdm_pipelines.components.CustomerSource

attributes:
  owner: team:sales
  start_date: "2026-06-01"
  schedule: "15 6-8/2 * JAN,mar MON-FRI"
  timezone: Europe/Amsterdam
  required: [customer]
  marker: done-{date}.txt
"""


def told(folder: Path, text: str | bytes) -> list[str]:
    (folder / "customer.odcs.yaml").touch()
    (folder / "defs.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return [str(error).replace(str(folder), "here") for error in declaration_problems(folder)]


def test_sound_ones_are_not_spoken_of(tmp_path: Path) -> None:
    assert told(tmp_path, SOUND) == []
    assert told(tmp_path, "type: somebody.elses.Component\nattributes: {what: ever}\n") == []
    assert list(declaration_problems(DEFS)) == []


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("owner: team", "ownr: team", "attributes.ownr: is not known. Did you mean 'owner'?"),
        ("owner: team:sales", "", "attributes.owner: is missing"),
        (
            "owner: team:sales",
            "owner: the sales team",
            "attributes.owner: is neither an e-mail address nor team:",
        ),
        ("owner: team:sales", "owner: 7", "attributes.owner: has a value of another kind"),
        ('"2026-06-01"', '"01-06-2026"', "attributes.start_date: is not a day. Write YYYY-MM-DD"),
        ('"2026-06-01"', '"20260601"', "attributes.start_date: is not a day"),
        ('"2026-06-01"', '"2026-02-30"', "attributes.start_date: is not a day"),
        ('"2026-06-01"', "2026-06-01", "attributes.start_date: has a value of another kind"),
        (
            "Europe/Amsterdam",
            "Evrope/Amsterdam",
            "attributes.timezone: is not a time zone. Did you mean 'Europe/Ams",
        ),
        ("15 6-8/2 * JAN,mar MON-FRI", "61 6 * * *", "attributes.schedule: is not a cron expression"),
        ("15 6-8/2 * JAN,mar MON-FRI", "every morning", "attributes.schedule: is not a cron expression"),
        ("15 6-8/2 * JAN,mar MON-FRI", "0 6 * * FUN", "attributes.schedule: is not a cron expression"),
        ("15 6-8/2 * JAN,mar MON-FRI", "0 */0 * * *", "attributes.schedule: is not a cron expression"),
        (
            "[customer]",
            "[custmer]",
            "attributes.required: there is no contract of 'custmer' here. Did you mean 'cust",
        ),
        ("done-{date}.txt", "done.txt", "attributes.marker: has no {date} in it"),
        ("CustomerSource", "CustomrSource", "type: there is no cdm_pipelines.components.CustomrSource"),
        ("type: cdm", "kind: cdm", "type: is missing"),
        ("attributes:", "attributes: [", "is no YAML"),
        ("attributes:\n", "attributes: nothing\nmore:\n", "attributes: has a value of another kind"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_wrong_names_file_key_and_fix(tmp_path: Path, was: str, becomes: str, says: str) -> None:
    assert was in SOUND
    (found,) = told(tmp_path, SOUND.replace(was, becomes))
    assert "here/defs.yaml" in found
    assert says in found


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"- a\n- b\n", b"type: 5\n"])
def test_what_is_no_declaration_at_all_is_told(tmp_path: Path, content: bytes) -> None:
    (found,) = told(tmp_path, content)
    assert "here/defs.yaml" in found
