"""Who is kept out, and who is not: a mailbox alone keeps out nobody of a household."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from cdm_pipelines.privacy import log
from cdm_pipelines.privacy.log import Erasure
from cdm_pipelines.privacy.tombstones import (
    PERSONAL,
    Kind,
    PartyKeys,
    Tombstones,
    engraved,
    near,
    of_record,
    person_keys,
    records,
    together,
)
from cdm_pipelines.store.keyring import FILE, Keyring, KeyringError
from cdm_pipelines.store.lake import Lake

TODAY = dt.date(2026, 6, 1)
JAN = {
    "given_name": "Jan",
    "initials": "J.",
    "surname": "Müller",
    "birth_date": "1980-02-03",
    "postcode": "1234 AB",
    "email": "jan@home.nl",
    "phone": "+31201234567",
}


@pytest.fixture
def stones(tmp_path: Path) -> Tombstones:
    ring, number = Keyring().current(tmp_path, TODAY)
    keys = [
        *person_keys(JAN, own_box=True, own_lines=["+31201234567"]),
        (Kind.RECORD, of_record("crm", "contact", "1")),
    ]
    return Tombstones(engraved(keys, ring, number, 7), ring)


def hit(stones: Tombstones, **values: str) -> bool:
    keys = PartyKeys(pa.table({name: [value] for name, value in values.items()}))
    return any(
        stones.request_of(kind, key) is not None for kind in PERSONAL for own in keys.of(kind) for key in own
    )


@pytest.mark.parametrize(
    ("delivered", "kept_out"),
    [
        ({"given_name": "Jan", "surname": "Müller", "email": "jan@home.nl"}, True),
        ({"given_name": "JAN", "surname": "Muller", "phone": "+31201234567"}, True),
        ({"given_name": "Jan", "surname": "Müller", "mobile": "+31201234567"}, True),
        ({"initials": "J.P.", "surname": "Müller", "email": "jan@home.nl"}, True),
        ({"given_name": "Jan", "surname": "Müller", "birth_date": "1980-02-03", "postcode": "1234 AB"}, True),
        ({"email": "jan@home.nl"}, True),
        ({"phone": "+31201234567"}, True),
        ({"given_name": "Joke", "initials": "J.", "surname": "Müller", "email": "jan@home.nl"}, False),
        ({"given_name": "Jan", "surname": "Bakker", "email": "jan@home.nl"}, False),
        ({"given_name": "Jan", "surname": "Müller"}, False),
        ({"given_name": "Jan", "surname": "Müller", "birth_date": "1980-02-03"}, False),
        ({"given_name": "Jan", "surname": "Müller", "email": "other@home.nl", "postcode": "1234 AB"}, False),
        ({"organisation_name": "Müller BV", "email": "jan@home.nl"}, False),
    ],
)
def test_who_is_kept_out(stones: Tombstones, delivered: dict[str, str], kept_out: bool) -> None:
    assert hit(stones, **delivered) is kept_out


def test_a_mailbox_that_was_shared_keeps_nobody_out_who_names_nobody(tmp_path: Path) -> None:
    ring, number = Keyring().current(tmp_path, TODAY)
    shared = Tombstones(engraved(person_keys(JAN, own_box=False, own_lines=[]), ring, number, 1), ring)
    assert not hit(shared, email="jan@home.nl")
    assert hit(shared, given_name="Jan", surname="Müller", email="jan@home.nl")


def test_a_birth_date_in_one_record_and_a_postcode_in_another_keep_out_together(tmp_path: Path) -> None:
    rows = [
        {"given_name": "Jan", "surname": "Müller", "birth_date": "1980-02-03"},
        {"initials": "J.", "surname": "Müller", "postcode": "1234 AB"},
        {"given_name": "Joke", "surname": "Bakker", "postcode": "9876 ZY"},
    ]
    ring, number = Keyring().current(tmp_path, TODAY)
    keys = [key for row in together(rows) for key in person_keys(row, own_box=False, own_lines=[])]
    stones = Tombstones(engraved(keys, ring, number, 1), ring)
    assert hit(stones, given_name="Jan", surname="Müller", birth_date="1980-02-03", postcode="1234 AB")
    assert hit(stones, initials="J.", surname="Müller", birth_date="1980-02-03", postcode="1234 AB")
    assert not hit(stones, given_name="Jan", surname="Müller", birth_date="1980-02-03", postcode="9876 ZY")


def test_records_are_told_by_their_keys(stones: Tombstones) -> None:
    ids = pa.array(["1", "2", None, "1"])
    assert stones.hits(Kind.RECORD, records("crm", "contact", ids)).to_pylist() == [True, False, False, True]
    assert stones.request_of(Kind.RECORD, of_record("crm", "contact", "1")) == 7


@pytest.mark.parametrize(
    ("kind", "delivered", "loose"),
    [
        (Kind.NEAR_MAIL, "Jan <JAN@Home.nl>", "jan@home.nl"),
        (Kind.NEAR_PHONE, "0031 (0)20-123 45 67", "01234567"),
        (Kind.NEAR_PHONE, "020-1234567", "01234567"),
        (Kind.NEAR_POSTCODE, "1234ab  Amsterdam", "1234ab"),
        (Kind.NEAR_MAIL, "none", None),
    ],
)
def test_loose_forms_find_what_is_spelled_otherwise(kind: Kind, delivered: str, loose: str | None) -> None:
    assert near(kind, pa.array([delivered])).to_pylist() == [loose]


def test_digests_tell_nothing_and_differ_by_kind_and_key(tmp_path: Path) -> None:
    ring, number = Keyring().current(tmp_path / "one", TODAY)
    other, _ = Keyring().current(tmp_path / "other", TODAY)
    keys = [(Kind.BOX, "jan@home.nl"), (Kind.LINE, "jan@home.nl")]
    found = engraved(keys, ring, number, 1)
    assert len({stone.digest for stone in found}) == 2
    assert "jan" not in str(found)
    assert {one.digest for one in found}.isdisjoint(one.digest for one in engraved(keys, other, 1, 1))


def test_keys_rotate_once_a_year_and_former_ones_are_kept(tmp_path: Path) -> None:
    ring, first = Keyring().current(tmp_path, TODAY)
    same, again = ring.current(tmp_path, TODAY + dt.timedelta(days=364))
    later, second = same.current(tmp_path, TODAY + dt.timedelta(days=366))
    assert (first, again, second) == (1, 1, 2)
    old = engraved([(Kind.BOX, "jan@home.nl")], ring, first, 1)
    assert Tombstones(old, later).request_of(Kind.BOX, "jan@home.nl") == 1
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert Keyring.of(tmp_path).keys == later.keys


def test_a_lost_key_or_log_stops_everything(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    assert not log.tombstones(tmp_path, lake)
    ring, number = Keyring().current(tmp_path, TODAY)
    stones = tuple(engraved([(Kind.BOX, "jan@home.nl")], ring, number, 1))
    log.add(tmp_path, lake, Erasure(1, "2026-06-01T00:00:00+00:00", stones))
    assert log.tombstones(tmp_path, lake).request_of(Kind.BOX, "jan@home.nl") == 1
    log.add(tmp_path, lake, Erasure(1, "2026-06-01T00:00:00+00:00", stones))
    assert len(log.erasures(tmp_path)) == 1, "written once, however often a request is taken up again"
    keys = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).unlink()
    with pytest.raises(KeyringError, match="Key 1 of"):
        log.tombstones(tmp_path, lake)
    (tmp_path / FILE).write_bytes(keys[:20])
    with pytest.raises(KeyringError, match="does not hold the keys"):
        log.tombstones(tmp_path, lake)
    (tmp_path / FILE).write_bytes(keys)
    (tmp_path / log.FILE).unlink()
    with pytest.raises(KeyringError, match="the log was lost"):
        log.tombstones(tmp_path, lake)


def test_a_log_that_was_cut_off_tells_what_was_whole(tmp_path: Path) -> None:
    ring, number = Keyring().current(tmp_path, TODAY)
    one = Erasure(1, "now", tuple(engraved([(Kind.BOX, "a@b.nl")], ring, number, 1)))
    assert log.read_log(one.line + one.line[:30], "log") == [one]
    with pytest.raises(KeyringError, match="is not the log"):
        log.read_log("{}\n", "log")
