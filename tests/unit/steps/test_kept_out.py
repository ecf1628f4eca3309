"""Who comes in of a day after somebody was erased: nobody of theirs, whatever it is called now, and everybody else."""

import datetime as dt

import pyarrow as pa
import pytest

from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.privacy.tombstones import Key, Kind, Tombstones, engraved, of_record, person_keys
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.kept_out import Door
from cdm_pipelines.store.keyring import Keyring

JAN = {
    "given_name": "Jan",
    "surname": "Müller",
    "birth_date": "1980-02-03",
    "postcode": "1017 CE",
    "email": "jan@home.nl",
    "phone": "+31206241893",
}
KEYS: list[Key] = [
    *person_keys(JAN, own_box=False, own_lines=[]),
    (Kind.RECORD, of_record("crm", "contact", "003-1")),
    (Kind.SPARED, of_record("crm", "contact", "003-2")),
    (Kind.SPARED, of_record("crm", "contact", "003-1")),
]


@pytest.mark.parametrize(
    ("delivered", "comes_in"),
    [
        pytest.param({"Id": "003-1", "LastName": "Visser"}, False, id="the record itself, whatever is in it"),
        pytest.param({"FirstName": "Jan", "LastName": "Müller", "Email": "JAN@home.nl"}, False, id="mail"),
        pytest.param({"FirstName": "Jan", "LastName": "Muller", "Phone": "020-6241893"}, False, id="phone"),
        pytest.param(
            {
                "FirstName": "Jan",
                "LastName": "Müller",
                "Birthdate": "1980-02-03",
                "MailingPostalCode": "1017ce",
            },
            False,
            id="birth date and postcode",
        ),
        pytest.param({"FirstName": "J.", "LastName": "Müller", "Email": "jan@home.nl"}, False, id="initials"),
        pytest.param(
            {"FirstName": "Joke", "LastName": "Müller", "Email": "jan@home.nl"}, True, id="housemate"
        ),
        pytest.param(
            {"Id": "003-2", "FirstName": "J.", "LastName": "Müller", "Email": "jan@home.nl"},
            True,
            id="another customer's record that was there before",
        ),
    ],
)
def test_who_comes_in(settings: Settings, delivered: dict[str, str], comes_in: bool) -> None:
    ring, number = Keyring().current(settings.home, dt.date(2026, 6, 1))
    contract, stones = contract_named("crm/contact"), Tombstones(engraved(KEYS, ring, number, 1), ring)
    door = Door(settings, contract, "2026-06-02", stones)
    row = {one.name: delivered.get(one.name) for one in contract.columns} | {
        "Id": delivered.get("Id", "003-9")
    }
    rows = pa.table({name: pa.array([value], pa.string()) for name, value in row.items()})
    for name, value in (("_file", "contact.csv"), ("_row", 1), ("_sha256", "0")):
        rows = rows.append_column(name, pa.array([value]))
    assert door.let_in(rows).num_rows == comes_in
    assert door.kept_out == 1 - comes_in
