"""The archive that a person is given: what is in it opens in a spreadsheet without running anything."""

import csv
import datetime as dt
import io
import json
import zipfile

from cdm_pipelines.privacy.words import Language
from cdm_pipelines.steps.rights.archive import archived

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
CELLS = {
    "note": "=HYPERLINK(1)",
    "at": "@SUM(1)",
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3",
    "wide": "\uff1d1",
    "tab": "\t=1",
    "phone": "+31612345678",
    "spaced": "+31 (0)6 12-34",
    "amount": "-12.50",
    "name": "Van 't Hof",
    "nothing": None,
    "count": 3,
}


def test_no_cell_of_it_is_a_formula_and_numbers_stay_as_they_are() -> None:
    content = archived({"records": {"party": [CELLS, {"note": "plain"}]}}, Language.ENGLISH, NOW)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        first, second = csv.DictReader(io.StringIO(archive.read("csv/records/party.csv").decode("utf-8-sig")))
        as_data = json.loads(archive.read("json/records/party.json"))
    harmless = ("note", "at", "plus", "minus", "wide", "tab")
    assert {name: first[name] for name in harmless} == {name: f"'{CELLS[name]}" for name in harmless}
    unchanged = ("phone", "spaced", "amount", "name")
    assert [first[name] for name in unchanged] == [CELLS[name] for name in unchanged]
    assert (first["nothing"], first["count"]) == ("", "3")
    assert (second["note"], second["at"]) == ("plain", "")
    assert as_data[0] == CELLS
