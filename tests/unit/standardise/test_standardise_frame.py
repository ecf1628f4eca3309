"""From valid rows to standard frames, by a contract."""

import pickle
import random
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cdm_pipelines import standardise as room
from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.contracts.model import (
    Column,
    Deletion,
    Delivery,
    Format,
    KindRule,
    LogicalType,
    PartyKind,
    SourceContract,
)
from cdm_pipelines.store.frames import TEXT, to_frame, to_table
from cdm_pipelines.store.keys import record_id
from cdm_pipelines.store.places import record_ids

DATE = "2026-06-01"


def standardise(
    frame: pd.DataFrame, made: SourceContract, date: str, timezone: str = "Europe/Amsterdam"
) -> dict[Entity, pd.DataFrame]:
    """Standard frames of valid frames."""
    found = room.standardise(to_table(frame), made, date, timezone=timezone)
    return {entity: to_frame(table) for entity, table in found.tables.items()}


def contract(*columns: Column, **properties: object) -> SourceContract:
    defaults: dict[str, object] = {
        "source": "erp",
        "entity": "customer",
        "version": "1.0.0",
        "owner": "team:sales",
        "description": "Customers.",
        "location": "erp/customer/{date}.csv",
        "format": Format.CSV,
        "delivery": Delivery.SNAPSHOT,
        "default_country": "NL",
        "party_kind": KindRule(PartyKind.PERSON),
    }
    return SourceContract(**(defaults | properties), columns=columns)  # type: ignore[arg-type]


def valid(*rows: Mapping[str, str | None]) -> pd.DataFrame:
    """A valid frame as the quality room hands it on."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    frame = pd.DataFrame({name: pd.array([row.get(name) for row in rows], dtype=TEXT) for name in names})
    frame["_file"] = pd.array(["erp/customer/2026-06-01.csv"] * len(rows), dtype=TEXT)
    frame["_row"] = pd.array(range(2, len(rows) + 2), dtype="Int64")
    frame["_sha256"] = pd.array(["0" * 64] * len(rows), dtype=TEXT)
    return frame


def column(name: str, target: str, **properties: object) -> Column:
    return Column(name=name, maps_to=(target,), **properties)  # type: ignore[arg-type]


KNA1 = contract(
    Column("KUNNR", key_position=1),
    column("NAME1", "party.name"),
    column("ANRED", "party.salutation"),
    column("STRAS", "party.address_line"),
    column("PSTLZ", "party.postcode"),
    column("ORT01", "party.city"),
    column("LAND1", "party.country"),
    column("TELF1", "party.phone"),
    column("TELF2", "party.mobile"),
    column("ZZSMTP", "party.email"),
    column("STCEG", "party.vat_number"),
    column("STCD1", "party.coc_number"),
    column("ZZIBAN", "party.iban"),
    column("SPRAS", "party.language"),
    column(
        "ZZGBDAT",
        "party.birth_date",
        logical_type=LogicalType.DATE,
        date_formats=("%Y%m%d",),
        null_values=("00000000",),
    ),
    column("SEX", "party.gender", values={"9": "other", "8": "female"}),
    Column("LOEVM"),
    Column("STKZN"),
    Column("AEDAT", logical_type=LogicalType.DATE, date_formats=("%Y%m%d",)),
    Column("MERGED"),
    party_kind=KindRule(PartyKind.ORGANISATION, "STKZN", {"X": PartyKind.PERSON}),
    deleted=Deletion("LOEVM", ("X",)),
    modified_at="AEDAT",
    merged_into="MERGED",
)
PERSON: dict[str, str | None] = {
    "KUNNR": "0000000001",
    "NAME1": "J.P. VAN DER BERG",
    "ANRED": "De heer",
    "STRAS": "LAAN VAN MEERDERVOORT 501-A",
    "PSTLZ": "2563aa",
    "ORT01": "'S-GRAVENHAGE",
    "LAND1": "NL",
    "TELF1": "06-12345678",
    "ZZSMTP": "J.vd.Berg@Gmail.com",
    "ZZIBAN": "NL91 ABNA 0417 1643 00",
    "SPRAS": "N",
    "ZZGBDAT": "19800203",
    "STKZN": "X",
    "AEDAT": "20260531",
}
COMPANY: dict[str, str | None] = {
    "KUNNR": "0000000002",
    "NAME1": "Jansen Beheer B.V. h.o.d.n. Bakkerij Jansen",
    "ANRED": "Firma",
    "STRAS": "Postbus 12",
    "PSTLZ": "1234 SS",
    "LAND1": None,
    "TELF1": "020-6241111",
    "ZZSMTP": "info@jansen.nl",
    "STCEG": "123456789B90",
    "STCD1": "1234567",
    "ZZGBDAT": "00000000",
    "LOEVM": "X",
    "MERGED": "0000000001",
}


@pytest.mark.parametrize(
    ("logical_type", "marks", "deleted"),
    [
        (LogicalType.BOOLEAN, ("true",), ["true", "True", " TRUE", "1", "ja"]),
        (LogicalType.BOOLEAN, ("0",), ["False", "0", "nee"]),
        (LogicalType.STRING, ("true",), ["true"]),
    ],
)
def test_a_boolean_mark_of_deletion_or_kind_is_any_word_for_it(
    logical_type: LogicalType, marks: tuple[str, ...], deleted: list[str]
) -> None:
    made = contract(
        Column("id", key_position=1),
        column("name", "party.full_name"),
        Column("gone", logical_type=logical_type),
        party_kind=KindRule(PartyKind.PERSON, "gone", {marks[0]: PartyKind.ORGANISATION}),
        deleted=Deletion("gone", marks),
    )
    words = ["true", "True", " TRUE", "1", "ja", "False", "0", "nee", None]
    rows = [{"id": str(place), "name": "Jan Bos", "gone": word} for place, word in enumerate(words)]
    frame = standardise(valid(*rows), made, DATE)[Entity.PARTY]
    assert [word for word, gone in zip(words, frame["is_deleted"], strict=True) if gone] == deleted
    kinds = zip(words, frame["party_kind"], strict=True)
    assert [word for word, kind in kinds if kind == "organisation"] == deleted


def standard_party(*rows: dict[str, str | None]) -> list[dict[str, object]]:
    frame = standardise(valid(*rows), KNA1, DATE)[Entity.PARTY]
    records = frame.to_dict("records")
    return [{str(name): value for name, value in row.items() if not pd.isna(value)} for row in records]


@pytest.mark.parametrize(
    ("form", "said", "dead"),
    [
        ("%d-%m-%y", "01-05-26", True),
        ("%d-%m-%y", "01-07-26", False),  # after the extract: not a hundred years ago
        ("%d-%m-%y", "31-12-99", False),
        ("%Y-%m-%d", "1999-12-31", True),
        ("%Y-%m-%d", "9999-12-31", False),
        ("%Y-%m-%d", "1850-01-01", False),
    ],
)
def test_a_date_of_death_is_one_up_to_the_extract(form: str, said: str, dead: bool) -> None:
    told = column("DIED", "party.deceased", logical_type=LogicalType.DATE, date_formats=(form,))
    of = replace(KNA1, columns=(*KNA1.columns, told))
    frame = standardise(valid(PERSON | {"DIED": said}), of, DATE)[Entity.PARTY]
    assert frame["deceased"].notna().iloc[0] == dead


def test_a_person_and_a_company() -> None:
    person, company = standard_party(PERSON, COMPANY)
    assert {name: value for name, value in person.items() if not name.endswith("_original")} == {
        "source": "erp",
        "entity": "customer",
        "record_id": "0000000001",
        "extract_date": DATE,
        "_file": "erp/customer/2026-06-01.csv",
        "_row": 2,
        "modified_at": "2026-05-30T22:00:00Z",
        "is_deleted": False,
        "party_kind": "person",
        "honorific": "mr",
        "initials": "J.P.",
        "surname_prefix": "van der",
        "surname": "Berg",
        "gender": "male",
        "birth_date": "1980-02-03",
        "street": "Laan van Meerdervoort",
        "house_number": "501",
        "house_addition": "A",
        "postcode": "2563 AA",
        "city": "'s-Gravenhage",
        "country": "NL",
        "email": "j.vd.berg@gmail.com",
        "email_kind": "freemail",
        "mobile": "+31612345678",
        "iban": "NL91ABNA0417164300",
        "language": "nl",
    }
    assert {
        name: company.get(name) for name in ("organisation_name", "legal_form", "trade_name", "surname")
    } == {
        "organisation_name": "Jansen Beheer",
        "legal_form": "BV",
        "trade_name": "Bakkerij Jansen",
        "surname": None,
    }
    assert company["invalid_attributes"] == "coc_number,postcode,vat_number"
    assert (company["vat_number"], company["coc_number"]) == ("NL123456789B90", "01234567")
    assert (company["address_extra"], company["phone"]) == ("Postbus 12", "+31206241111")
    assert company["email_kind"] == "role"
    assert company["is_deleted"] is True
    assert company["merged_into"] == "0000000001"
    assert "country" not in company, "the default country reads values; it is not invented as one"


def test_the_original_stands_beside_the_standard_value() -> None:
    person, company = standard_party(PERSON, COMPANY)
    assert person["name_original"] == "J.P. VAN DER BERG"
    assert person["phone_original"] == "06-12345678"
    assert "mobile_original" not in person
    assert company["birth_date_original"] == "00000000"
    assert "birth_date" not in company


def test_the_frame_has_every_canonical_attribute_in_the_agreed_order() -> None:
    frame = standardise(valid(PERSON), KNA1, DATE)[Entity.PARTY]
    head = "source entity record_id extract_date _file _row modified_at is_deleted merged_into party_kind"
    canonical = [attribute.name for attribute in attributes(Entity.PARTY)]
    fed = [path.removeprefix("party.") + "_original" for _, path in KNA1.mapped()]
    assert list(frame.columns) == [*head.split(), *canonical, *fed, "invalid_attributes"]
    text = [name for name in frame.columns if name not in ("_row", "is_deleted")]
    assert {str(frame[name].dtype) for name in text} == {"string"}


def test_values_that_mean_nothing_and_codes() -> None:
    person, other = standard_party(
        PERSON | {"SEX": "8", "ANRED": None}, PERSON | {"SEX": "V", "NAME1": "onbekend"}
    )
    assert person["gender"] == "female"
    assert other["gender"] == "female"
    assert "surname" not in other


def test_a_value_that_cannot_be_read_is_null_and_not_lost() -> None:
    (person,) = standard_party(
        PERSON | {"ZZGBDAT": "20260230", "ZZSMTP": "geen", "TELF1": "n.b.", "LAND1": "Atlantis"}
    )
    assert not {"birth_date", "email", "phone", "mobile", "country"} & person.keys()
    assert [person[f"{name}_original"] for name in ("birth_date", "email", "phone", "country")] == [
        *("20260230", "geen", "n.b.", "Atlantis")
    ]


def test_the_country_of_the_record_reads_its_numbers() -> None:
    (person,) = standard_party(PERSON | {"LAND1": "BE", "TELF1": "0475 12 34 56", "PSTLZ": "B-1000"})
    assert (person["mobile"], person["postcode"], person["country"]) == ("+32475123456", "1000", "BE")


@pytest.mark.parametrize(
    ("country", "delivered", "read", "marked"),
    [
        ("Atlantis", ("030 2345679", "136695976"), (None, "136695976", "1012AB"), True),
        ("Atlantis", ("0048 12 3456789", "PL8567346215"), ("+48123456789", "PL8567346215", "1012AB"), False),
        ("Kosovo", ("038 212345", "136695976"), ("+38338212345", "136695976", "1012AB"), False),
        (None, ("030 2345679", "136695976"), ("+31302345679", "136695976", "1012 AB"), True),
        ("onbekend", ("030 2345679", "136695976"), ("+31302345679", "136695976", "1012 AB"), True),
    ],
)
def test_numbers_are_not_those_of_the_source_where_another_country_is_named(
    country: str | None, delivered: tuple[str, str], read: tuple[str | None, str, str], marked: bool
) -> None:
    given = dict(zip(("LAND1", "TELF1", "STCEG", "PSTLZ"), (country, *delivered, "1012ab"), strict=True))
    found = room.standardise(to_table(valid(PERSON | given)), KNA1, DATE)
    (person,) = found.tables[Entity.PARTY].to_pylist()
    assert (person["phone"], person["vat_number"], person["postcode"]) == read
    assert person["phone_original"] == delivered[0]
    assert ("vat_number" in (person["invalid_attributes"] or "")) is marked
    noted = {(note["column"], note["rule"]) for note in found.repairs.to_pylist()}
    assert (("TELF1", "not_phone") in noted) is (read[0] is None)
    assert (("LAND1", "unknown_code") in noted) is (country == "Atlantis")


def test_rows_do_not_influence_each_other() -> None:
    chance = random.Random(1)
    rows = [
        (PERSON if chance.random() < 0.7 else COMPANY)
        | {
            "KUNNR": f"{number:010}",
            "NAME1": chance.choice(
                ["Jan de Vries", "VAN DIJK, P.", "Jansen B.V.", "Café Zoë", "J. & M. Bos"]
            ),
            "STRAS": chance.choice(["Kerkstraat 1", "KADE 3-hs", "Postbus 9", None]),
            "TELF1": chance.choice(["0612345678", "020-6241111", "+32 475 12 34 56", "1", None]),
            "ZZGBDAT": chance.choice(["19000101", "19991231", "00000000", "x"]),
            "LAND1": chance.choice(["NL", "België", None]),
        }
        for number in range(200)
    ]
    frame = valid(*rows)
    whole = standardise(frame, KNA1, DATE)[Entity.PARTY]
    pieces = [
        standardise(frame.iloc[start : start + 37], KNA1, DATE)[Entity.PARTY] for start in range(0, 200, 37)
    ]
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)
    order = chance.sample(range(200), 200)
    shuffled = standardise(frame.iloc[order], KNA1, DATE)[Entity.PARTY]
    pd.testing.assert_frame_equal(shuffled.sort_values("_row", ignore_index=True), whole)
    assert len(whole) == len(frame)


@pytest.mark.slow
def test_it_runs_in_another_process_with_the_same_answer() -> None:
    frame = valid(PERSON, COMPANY)
    here = standardise(frame, KNA1, DATE)[Entity.PARTY]
    assert pickle.loads(pickle.dumps(standardise)) is standardise
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = pool.submit(standardise, frame, KNA1, DATE).result()[Entity.PARTY]
    pd.testing.assert_frame_equal(here, there)


def test_nothing_delivered_gives_an_empty_frame_of_the_same_form() -> None:
    full = standardise(valid(PERSON), KNA1, DATE)[Entity.PARTY]
    empty = standardise(valid(PERSON).iloc[:0], KNA1, DATE)[Entity.PARTY]
    assert len(empty) == 0
    assert to_table(empty).schema == to_table(full).schema


def test_a_column_that_did_not_arrive_is_null() -> None:
    person, *_ = standard_party({"KUNNR": "1", "NAME1": "Jan Jansen", "STKZN": "X"})
    assert (person["given_name"], person["surname"]) == ("Jan", "Jansen")
    assert "city" not in person


def test_of_several_columns_for_one_target_the_first_with_a_value_counts() -> None:
    made = contract(
        Column("id", key_position=1),
        column("p1", "party.phone", null_values=("-",)),
        column("p2", "party.phone"),
    )
    frame = valid(
        {"id": "1", "p1": "-", "p2": "020-6241111"}, {"id": "2", "p1": "010-4111111", "p2": "x"}, {"id": "3"}
    )
    party = standardise(frame, made, DATE)[Entity.PARTY]
    assert party["phone"].to_list() == ["+31206241111", "+31104111111", pd.NA]
    assert party["phone_original"].to_list() == ["020-6241111", "010-4111111", pd.NA]


def test_a_standard_record_read_again_is_the_same() -> None:
    fields = [a.name for a in attributes(Entity.PARTY) if a.name not in ("email_kind", "employer_id")]
    again = contract(Column("record_id", key_position=1), *(column(name, f"party.{name}") for name in fields))
    first = standardise(
        valid(PERSON, COMPANY | {"STKZN": "X", "NAME1": "Mevr. drs. A. de Wit MSc"}), KNA1, DATE
    )[Entity.PARTY]
    second = standardise(first, again, DATE)[Entity.PARTY]
    pd.testing.assert_frame_equal(second[fields], first[fields])


ORDERS = contract(
    column("Name", "order.order_id", key_position=1),
    Column("Line", key_position=2, maps_to=("order_line.line_id",)),
    Column("Order", maps_to=("order_line.order_id", "payment.order_id")),
    column("Email", "order.party_email"),
    column(
        "Created",
        "order.ordered_at",
        logical_type=LogicalType.TIMESTAMP,
        date_formats=("%Y-%m-%d %H:%M:%S %z",),
    ),
    column("Total", "order.total_amount", logical_type=LogicalType.NUMBER, decimal=","),
    column("Currency", "order.currency"),
    column("Status", "order.status"),
    column("Sku", "order_line.product_code"),
    column("Qty", "order_line.quantity", logical_type=LogicalType.NUMBER),
    column("Payment", "payment.payment_id"),
    entity="order",
    source="shop",
    party_kind=None,
)


def order_rows() -> pd.DataFrame:
    first = {
        "Created": "2026-06-01 10:00:00 +0200",
        "Total": "1.234,50",
        "Currency": "€",
        "Email": "Jan@X.nl",
    }
    return valid(
        {
            "Name": "#1",
            "Order": "#1",
            "Line": "1",
            "Sku": "A",
            "Qty": "2",
            "Status": "unknown",
            "Payment": "p1",
        }
        | first,
        {"Name": "#1", "Order": "#1", "Line": "2", "Sku": "B", "Qty": "1.0"},
        {"Name": "#2", "Order": "#2", "Line": None, "Total": "5,00"},
    )


def test_an_order_on_several_lines_is_one_order() -> None:
    frames = standardise(order_rows(), ORDERS, DATE)
    orders, lines, payments = (frames[e] for e in (Entity.ORDER, Entity.ORDER_LINE, Entity.PAYMENT))
    assert orders["record_id"].to_list() == ["#1", "#2"]
    assert orders["_row"].to_list() == [2, 4]
    assert orders["total_amount"].to_list() == ["1234.5", "5"]
    named = orders[["currency", "party_email", "ordered_at", "status"]].to_dict("records")[0]
    assert list(named.values()) == ["EUR", "jan@x.nl", "2026-06-01T08:00:00Z", "unknown"]
    assert lines["record_id"].to_list() == ["#1|1", "#1|2"]
    assert lines["quantity"].to_list() == ["2", "1"]
    assert payments[["record_id", "order_id"]].to_numpy().tolist() == [["p1", "#1"]]


def test_a_row_tells_of_what_is_only_with_a_column_where_that_has_a_value() -> None:
    """Orders with what was paid back of them; nothing was where the amount is empty or nought."""
    refunds = contract(
        Column("Name", key_position=1, maps_to=("order.order_id", "refund.refund_id", "refund.order_id")),
        column("Back", "refund.amount", logical_type=LogicalType.NUMBER, null_values=("0", "0.00")),
        entity="order",
        source="shop",
        party_kind=None,
        only_with={Entity.REFUND: "Back"},
    )
    amounts = {"#1": "40.00", "#2": "0.00", "#3": None, "#4": " 0 ", "#5": "0.50"}
    frames = standardise(
        valid(*({"Name": name, "Back": back} for name, back in amounts.items())), refunds, DATE
    )
    assert frames[Entity.ORDER]["record_id"].to_list() == list(amounts)
    found = frames[Entity.REFUND][["record_id", "order_id", "amount"]].to_numpy().tolist()
    assert found == [["#1", "#1", "40"], ["#5", "#5", "0.5"]]


def test_orders_do_not_depend_on_the_order_of_rows() -> None:
    frame = order_rows()
    expected = standardise(frame, ORDERS, DATE)
    for entity, made in standardise(frame.iloc[::-1], ORDERS, DATE).items():
        pd.testing.assert_frame_equal(made, expected[entity])


def test_timestamps_without_a_zone_are_read_in_the_zone_that_is_asked() -> None:
    changed = Column("changed", logical_type=LogicalType.TIMESTAMP)
    made = contract(
        Column("id", key_position=1), changed, column("n", "party.surname"), modified_at="changed"
    )
    frame = valid({"id": "1", "n": "Bos", "changed": "2026-06-01 12:00:00"})
    local = standardise(frame, made, DATE)[Entity.PARTY]
    utc = standardise(frame, made, DATE, timezone="UTC")[Entity.PARTY]
    assert local["modified_at"].to_list() == ["2026-06-01T10:00:00Z"]
    assert utc["modified_at"].to_list() == ["2026-06-01T12:00:00Z"]


PARTS = st.text(alphabet="A|\\", max_size=4).filter(bool)


@given(st.lists(st.tuples(PARTS, PARTS), min_size=2, max_size=30, unique=True))
@example([("A|B", "C"), ("A", "B|C"), ("A|B\\", "C"), ("A\\", "B|C")])
def test_no_two_keys_of_several_columns_have_one_id(keys: list[tuple[str, str]]) -> None:
    made = record_id([pa.array(column) for column in zip(*keys, strict=True)])
    assert len(set(made.to_pylist())) == len(keys)


def test_ids_of_several_columns_are_their_parts_with_a_stroke_between() -> None:
    made = contract(
        Column("shop", key_position=1), Column("id", key_position=2), column("n", "party.surname")
    )
    keys = [("NL\\1", "7"), (" A ", "B"), ("A|B", "C"), ("A", "B|C")]
    frame = valid(*({"shop": shop, "id": own, "n": "Bos"} for shop, own in keys))
    ids = standardise(frame, made, DATE)[Entity.PARTY]["record_id"].to_list()
    assert ids == ["NL\\1|7", "A|B", "A\\|B|C", "A|B\\|C"]
    assert [one.to_pylist() for one in record_ids(to_table(frame), made)] == [ids]


def test_delivered_rows_are_found_by_the_id_that_their_record_has() -> None:
    """By it they are shown to the person, erased, and kept out afterwards."""
    key = Column("id", key_position=1, values={"seven": "7"}, null_values=(" 0 ",))
    frame = valid(*({"id": own} for own in ("1042.0", "\u00a01042\t", "seven", "0", None)))
    made = contract(key, column("n", "party.surname"))
    assert [one.to_pylist() for one in record_ids(to_table(frame), made)] == [
        ["1042", "1042", "7", None, None]
    ]


@pytest.mark.parametrize("entity", [Entity.ORDER, Entity.PAYMENT])
def test_standard_frames_go_through_the_lake_unchanged(entity: Entity) -> None:
    frame = standardise(order_rows(), ORDERS, DATE)[entity]
    pd.testing.assert_frame_equal(to_frame(to_table(frame)), frame)


@pytest.mark.parametrize("day", ["1970-01-01", "9999-12-31", "1900-01-01"])
def test_midnight_of_a_day_that_stands_for_none_is_no_moment_of_an_order(day: str) -> None:
    """Though it is the evening before in UTC."""
    made = contract(
        column("id", "order.order_id", key_position=1),
        column("at", "order.ordered_at", logical_type=LogicalType.TIMESTAMP),
        entity="order",
        party_kind=None,
    )
    rows = valid({"id": "1", "at": f"{day} 00:00:00"}, {"id": "2", "at": "2026-05-01 00:00:00"})
    for timezone in ("Europe/Amsterdam", "UTC", "America/New_York"):
        orders = standardise(rows, made, DATE, timezone=timezone)[Entity.ORDER]
        assert orders["invalid_attributes"].fillna("").to_list() == ["ordered_at", ""], timezone


@pytest.mark.parametrize("day", ["1970-01-01", "1900-01-01"])
def test_nor_is_it_one_of_an_interaction(day: str) -> None:
    made = contract(
        column("id", "interaction.interaction_id", key_position=1),
        column("at", "interaction.occurred_at", logical_type=LogicalType.TIMESTAMP),
        column("what", "interaction.kind"),
        entity="event",
        party_kind=None,
    )
    rows = valid({"id": "1", "at": f"{day} 00:00:00", "what": "visit"})
    for timezone in ("Europe/Amsterdam", "UTC", "America/New_York"):
        (occurred,) = standardise(rows, made, DATE, timezone=timezone)[Entity.INTERACTION]["occurred_at"]
        assert pd.isna(occurred), timezone
