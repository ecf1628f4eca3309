"""Masks: the same in SQL and in Python, never more than promised, null for null, and no error with a value in it."""

import datetime as dt
import hmac
from collections.abc import Iterator
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine, make_url, text

from cdm_pipelines.hub.connection import DRIVER
from cdm_pipelines.hub.role_access import set_key
from cdm_pipelines.privacy.masks import MASKS, pads, pseudonym, usual_mask

TEXTS = [name for name, mask in MASKS.items() if mask.masks("text") and name != "keyed"]
LETTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


@pytest.fixture(scope="module")
def connection(server_url: str) -> Iterator[Connection]:
    engine = create_engine(make_url(server_url).set(drivername=DRIVER))
    with engine.connect() as made:
        yield made
    engine.dispose()


def shown(connection: "Connection", name: str, value: object, of_type: str = "text") -> object:
    return connection.execute(
        text(f"SELECT {MASKS[name].expression('v')} FROM (SELECT CAST(:value AS {of_type}) AS v) AS t"),
        {"value": value},
    ).scalar()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("initial", "Jan", "J."),
        ("initial", "J.P.", "J."),
        ("words", "van der Berg", "v** d** B***"),
        ("words", "de Vries-Jansen", "d* V****-J*****"),
        ("words", "O", "*"),
        ("words", "'t Hooft", "'* H****"),
        ("phone", "+31612345678", "06-****5678"),
        ("phone", "+31101234567", "****4567"),
        ("phone", "112", "****"),
        ("phone", "call me", "****"),
        ("postcode", "1234 AB", "1234"),
        ("postcode", "10115", "101"),
        ("postcode", "9000", "90"),
        ("postcode", "1", ""),
        ("area", "1234 AB", "12"),
        ("email", "jan@example.nl", "j***@e***.nl"),
        ("email", "j@x.nl", "***@***.nl"),
        ("email", "jan@sub.example.co.uk", "j***@s***.uk"),
        ("email", "no address", "***"),
        ("email", "a@b@c", "***"),
        ("iban", "NL91ABNA0417164300", "NL** **** 4300"),
        ("iban", "4300", "****"),
        ("ending", "NL123456782B12", "****12"),
        ("ending", "1234567", "****"),
        ("stars", "anything", "***"),
    ],
)
def test_masks_show(connection: "Connection", name: str, value: str, expected: str) -> None:
    assert shown(connection, name, value) == expected
    assert MASKS[name].python(value) == expected


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(LETTERS, max_size=30), st.from_regex(r"\A[+]?[0-9]{3,14}\Z"), st.emails()))
def test_sql_and_python_agree_on_any_text(connection: "Connection", name: str, value: str) -> None:
    assert shown(connection, name, value) == MASKS[name].python(value)


MOST = {"initial": 1, "phone": 4, "postcode": 4, "area": 2, "email": 2, "iban": 6, "ending": 2, "stars": 0}
"""Signs of the value that a mask shows at most, beside the ending of an e-mail address."""


@pytest.mark.parametrize("name", sorted(MOST))
@settings(max_examples=100, deadline=None)
@given(value=st.text(st.sampled_from("aZ09 +@."), max_size=40))
def test_no_mask_shows_more_than_it_says(name: str, value: str) -> None:
    masked = MASKS[name].python(value)
    fixed = "" if name in {"postcode", "area"} else "*-. "
    left = [
        sign for sign in masked.rpartition(".")[0 if name == "email" else 2] or masked if sign not in fixed
    ]
    if name == "email":
        left = [sign for sign in left if sign != "@"]
    if name == "phone" and masked.startswith("06-"):
        left = left[2:]
    if name == "initial":
        left = [sign for sign in masked[:-1] if sign not in fixed]
    assert len(left) <= MOST[name], masked


def test_years_and_null(connection: "Connection") -> None:
    assert shown(connection, "year", dt.date(1980, 2, 29), "date") == "1980"
    assert shown(connection, "year", "infinity", "date") in {None, "", "infinity"}
    for name, mask in MASKS.items():
        of_type = "text" if mask.masks("text") else "date"
        if name != "keyed":
            assert shown(connection, name, None, of_type) is None, name


def test_pseudonyms_are_hmac_under_the_key_and_null_for_null(hub_engine: Engine) -> None:
    key = b"a key of thirty-two bytes, or so"
    with hub_engine.begin() as connection:
        set_key(connection, *pads(key))
        made = shown(connection, "keyed", "één klant")
        assert (
            made
            == pseudonym(key, "één klant")
            == hmac.new(key, "één klant".encode(), sha256).hexdigest()[:32]
        )
        assert shown(connection, "keyed", None) is None


def test_each_kind_of_value_has_its_mask() -> None:
    kinds = {
        ("given_name", "user.name", "text"): "initial",
        ("surname", "user.name", "text"): "words",
        ("house_number", "user.contact.address.street", "text"): "stars",
        ("city", "user.contact.address.city", "text"): "words",
        ("iban", "user.financial.bank_account", "text"): "iban",
        ("due_on", "user.financial", "date"): "year",
        ("amount", "user.financial", "numeric"): "stars",
        ("whatever", "user", "text"): "stars",
        ("birth_date", "user.demographic.date_of_birth", "text"): "stars",
    }
    assert {kind: usual_mask(*kind).name for kind in kinds} == kinds
