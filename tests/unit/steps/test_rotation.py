"""Encrypted days: rejected and corrected rows are so too, and a change of keys that is cut short is ended."""

import datetime as dt
import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import Engine

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.model import (
    Column,
    Delivery,
    Format,
    KindRule,
    PartyKind,
    SourceContract,
)
from cdm_pipelines.privacy.protection import POLICY, Vault
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.rights.rotation import rotate
from cdm_pipelines.store.gate import GateError, pass_through
from cdm_pipelines.store.lake import Lake

DAYS = ("2026-06-01", "2026-06-02", "2026-06-03")
TODAY = dt.date(2026, 6, 4)
PASSPORT = "user.government_id.passport_number"
MEMBER = SourceContract(
    source="far",
    entity="member",
    version="1",
    owner="",
    description="",
    location="far/member/{date}*.csv",
    format=Format.CSV,
    delivery=Delivery.SNAPSHOT,
    columns=(
        Column("Id", required=True, key_position=1),
        Column("Name", required=True, maps_to=("party.full_name",)),
        Column("Iban", maps_to=("party.iban",), privacy="user.financial.bank_account"),
        Column("Passport", privacy=PASSPORT, pattern="[A-Z]{2}[0-9]{7}"),
    ),
    party_kind=KindRule(PartyKind.PERSON),
)
ROWS = "Id,Name,Iban,Passport\n1,Jo Bos,NL91ABNA0417164300,NW1234567\n2,,NL20INGB0001234567,NX7654321\n3,An Vos,,\n"
SECRET = ("NL91ABNA0417164300", "NL20INGB0001234567", "NW1234567", "NX7654321")


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """A company that encrypts passports and bank accounts, with three days of members."""
    policies = tmp_path / "policies"
    shutil.copytree(Settings.model_fields["policies"].default, policies)
    (policies / POLICY).write_text(json.dumps({"categories": [PASSPORT, "user.financial.bank_account"]}))
    found = settings.model_copy(update={"policies": policies})
    for date in DAYS:
        path = Path(found.landing_url) / "far" / "member" / f"{date}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ROWS, encoding="utf-8")
        process_day(found, Lake(found.lake_url), MEMBER, date, accept=("share_quarantined",))
    return found


def keys(own: Settings) -> Counter[str]:
    """Beginnings of all encrypted values of the lake."""
    lake = Lake(own.lake_url)
    return Counter(
        text[:6]
        for path in lake.paths("")
        for column in lake.read(path).columns
        if pa.types.is_string(column.type)
        for text in column.drop_null().to_pylist()
        if text.startswith("enc:")
    )


def in_clear(own: Settings) -> list[str]:
    lake = Lake(own.lake_url)
    return [path for path in lake.paths("") if any(one in str(lake.read(path).to_pylist()) for one in SECRET)]


def test_accepted_and_rejected_rows_of_a_day_are_encrypted(own: Settings) -> None:
    assert in_clear(own) == []
    lake = Lake(own.lake_url)
    for layer, name in (("valid", "Jo Bos"), ("quarantine", None)):
        (row, *_) = lake.read(f"{layer}/far/member/{DAYS[0]}.parquet").to_pylist()
        assert (row["Name"], row["Passport"][:6], row["Iban"][:6]) == (name, "enc:1:", "enc:1:")
    opened = Vault.of(own, lake).open(lake.read(f"raw/far/member/{DAYS[0]}.parquet"))
    assert opened["Passport"].to_pylist() == ["NW1234567", "NX7654321", None]


def test_a_change_of_keys_that_is_cut_short_is_ended_and_makes_no_other(
    own: Settings, hub_engine: Engine
) -> None:
    before = keys(own)
    assert set(before) == {"enc:1:"}
    seen: list[str] = []

    def killed(path: str) -> None:
        seen.append(path)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate(own, hub_engine, [MEMBER], TODAY, patience=0, progress=killed)
    assert set(keys(own)) == {"enc:1:", "enc:2:"}
    with pytest.raises(GateError, match="cut short"):
        pass_through(own.home)
    ended = rotate(own, hub_engine, [MEMBER], TODAY, patience=0)
    assert (ended.key, ended.was_cut_short) == (2, True)
    assert keys(own) == Counter({"enc:2:": before["enc:1:"]})
    assert in_clear(own) == []
    again = rotate(own, hub_engine, [MEMBER], TODAY, patience=0)
    assert (again.key, again.was_cut_short) == (3, False)
    opened = Vault.of(own, Lake(own.lake_url)).open(
        Lake(own.lake_url).read(f"raw/far/member/{DAYS[2]}.parquet")
    )
    assert opened["Iban"].to_pylist() == ["NL91ABNA0417164300", "NL20INGB0001234567", None]


def test_where_nothing_is_encrypted_no_key_is_made(settings: Settings, hub_engine: Engine) -> None:
    assert rotate(settings, hub_engine, all_contracts(), TODAY, patience=0).key == 0
    assert not (settings.home / "privacy").exists()
