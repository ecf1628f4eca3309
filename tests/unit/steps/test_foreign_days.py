"""Days as foreign systems deliver them: twice, corrected, customers on every order line, through a spreadsheet."""

from pathlib import Path

import pytest
from yaml import safe_dump

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.odcs import parse_contract
from cdm_pipelines.contracts.sections import Report
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.figures import day_checks
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.days.tally import DayResult
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.tables import records

DAY = "2026-06-03"
NAMES = [
    "Bakker",
    "Vermeer",
    "Wiersma",
    "Kuipers",
    "Veenstra",
    "Boer",
    "Hoekstra",
    "Brouwer",
    "Smits",
    "Postma",
]


def contract(columns: dict[str, str], key: str, **properties: object) -> SourceContract:
    """A contract of persons: columns with what they feed ("" for nothing)."""
    given = {"delivery": "snapshot", "partyKind": "person", **properties}
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "x",
        "name": "x",
        "version": "1",
        "status": "draft",
        "dataProduct": "far",
        "team": {"name": "t"},
        "schema": [
            {
                "name": "member",
                "customProperties": [{"property": name, "value": value} for name, value in given.items()],
                "properties": [
                    {
                        "name": name,
                        "logicalType": "string",
                        **({"primaryKey": True, "required": True} if name == key else {}),
                        "customProperties": [{"property": "mapsTo", "value": path}] if path else [],
                    }
                    for name, path in columns.items()
                ],
            }
        ],
    }
    return parse_contract(safe_dump(document), Report("x"))


MEMBER = {"Id": "", "Name": "party.full_name", "Email": "party.email"}


def run(settings: Settings, what: SourceContract, *files: tuple[str, str], date: str = DAY) -> DayResult:
    """A day of these files, each the rest of its name and its text."""
    for name, text in files:
        path = Path(settings.landing_url) / "far" / "member" / f"{date}{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return process_day(settings, Lake(settings.lake_url), what, date)


def standard(settings: Settings, what: SourceContract, *columns: str) -> list[tuple[object, ...]]:
    """What reached the standard layer, by record id."""
    table = Lake(settings.lake_url).read(
        layout.standard_path(what, DAY, Entity.PARTY), ["record_id", *columns]
    )
    return sorted(tuple(row.values()) for row in table.to_pylist())


PEOPLE = "Id,Name,Email\n1,Jo Bos,\n2,An Vos,\n3,Ed Mol,\n"


@pytest.mark.parametrize("name", ["_2", "-copy", " (1)"])
def test_a_file_delivered_twice_counts_once(settings: Settings, name: str) -> None:
    result = run(settings, contract(MEMBER, "Id"), ("", PEOPLE), (name, PEOPLE))
    assert (result.read, result.accepted, result.stopped) == (3, 3, False)
    assert len(result.copies) == 1
    assert "count once" in result.sentence


@pytest.mark.parametrize("name", ["_corrected", "-corrected", " (1)"])
def test_of_a_corrected_file_the_later_rows_win(settings: Settings, name: str) -> None:
    member = contract(MEMBER, "Id")
    result = run(settings, member, ("", PEOPLE), (name, PEOPLE.replace("Ed Mol", "Ed Haas")))
    assert (result.read, result.accepted, result.quarantined, result.repeats) == (6, 3, 3, 3)
    assert not result.stopped
    assert all(verdict.passed for verdict in result.verdicts.values())
    assert standard(settings, member, "surname") == [("1", "Bos"), ("2", "Vos"), ("3", "Haas")]
    following = PEOPLE.replace("3,Ed Mol", "3,Ed Haas")
    assert run(settings, member, ("", following), date="2026-06-04").verdicts["volume"].passed


LINES = "Id,Name,Email\n" + "".join(
    f"{row % 10},{NAMES[row % 10]},{NAMES[row % 10].lower()}{row // 50}@voorbeeld.nl\n" for row in range(100)
)
OTHERS = "Id,Name,Email\n" + "".join(f"{row % 10},{NAMES[row // 10]},\n" for row in range(100))


def test_customers_on_every_order_line_are_customers_once(settings: Settings) -> None:
    told = run(settings, contract(MEMBER, "Id"), ("", LINES))
    assert (told.accepted, told.repeats, told.stopped) == (10, 90, False)
    check = day_checks([told])["valid"]["repeated_keys"]
    assert (check.passed, check.severity) == (False, "WARN")
    assert "repeatedKey: last in the contract of far/member" in check.text
    agreed = run(settings, contract(MEMBER, "Id", repeatedKey="last"), ("", LINES))
    assert (agreed.accepted, agreed.verdicts["repeated_keys"].passed) == (10, True)


def test_a_key_that_names_others_is_none_unless_the_contract_says_so(settings: Settings) -> None:
    result = run(settings, contract(MEMBER, "Id"), ("", OTHERS))
    assert result.stopped
    assert result.reasons == {"conflicting_key": 90}
    text = result.verdicts["share_quarantined"].text
    assert "conflicting_key: a later row of the file has the same key" in text
    assert "`cdm quarantine show far/member --date 2026-06-03`" in text
    assert "--accept share_quarantined" in text
    assert not run(settings, contract(MEMBER, "Id", repeatedKey="last"), ("", OTHERS)).stopped


def test_identical_repeats_have_to_be_identical(settings: Settings) -> None:
    result = run(settings, contract(MEMBER, "Id", repeatedKey="identical"), ("", LINES))
    assert result.reasons == {"conflicting_key": 50, "superseded": 40}
    assert result.stopped


def spoilt(settings: Settings, ids: list[str], date: str = DAY) -> DayResult:
    rows = [*ids, *(f"71234567{row:05}" for row in range(60))]
    text = "".join(f'"{one}",{NAMES[place % 10]}{place},\n' for place, one in enumerate(rows))
    return run(settings, contract(MEMBER, "Id"), ("", "Id,Name,Email\n" + text), date=date)


@pytest.mark.parametrize(
    "one",
    [
        *("5.12E+12", "5,12E+12", "1E+05", "6.1478058243E13", "1.5e+7", "-1.2E+3"),
        *("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAAM?", "#NV", "#####", "#VERW!", "#¡VALOR!"),
        *("mrt-12", "12-mrt", "3-Dec", "Jan-05", "1-mei"),
    ],
)
def test_an_id_that_a_spreadsheet_changed_is_nobodys(settings: Settings, one: str) -> None:
    result = spoilt(settings, [one, one])
    assert (result.accepted, result.quarantined, result.stopped) == (60, 2, False)
    assert (result.reasons.get("spreadsheet", 0) + result.repairs.get("spreadsheet", 0)) == 2
    assert "digits lost" in result.verdicts["spreadsheet"].text


@pytest.mark.parametrize(
    "one", ["12E4", "5E10", "MRT-12", "A-12", "#12", "10-2026", "E+1", "1.5", "0012", "ABC#N/A"]
)
def test_an_id_of_its_own_form_is_one(settings: Settings, one: str) -> None:
    assert spoilt(settings, [one]).accepted == 61


def test_an_id_read_as_a_fraction_is_the_id(settings: Settings) -> None:
    member = contract(MEMBER, "Id")
    text = "Id,Name,Email\n1042.0,Jo Bos,\n1042,Jo Bos,\n7.00,An Vos,\n1.05,Ed Mol,\n"
    result = run(settings, member, ("", text))
    assert standard(settings, member) == [("1.05",), ("1042",), ("7",)]
    assert (result.repeats, result.repaired, result.repairs["trailing_zero"]) == (1, 1, 1)


def test_values_that_a_spreadsheet_lost_are_blanked_and_recorded(settings: Settings) -> None:
    columns = MEMBER | {"Phone": "party.phone", "City": "party.city"}
    rows = "1,Jo Bos,,3.16123E+10,Ede\n2,An Vos,,0612345678,#N/A\n3,#REF!,an@vos.nl,,Ede\n"
    member = contract(columns, "Id")
    result = run(settings, member, ("", "Id,Name,Email,Phone,City\n" + rows))
    assert (result.accepted, result.repairs["spreadsheet"]) == (3, 3)
    assert standard(settings, member, "phone", "city", "surname") == [
        ("1", None, "Ede", "Bos"),
        ("2", None, None, "Vos"),
        ("3", None, "Ede", None),
    ]


@pytest.mark.parametrize(
    "line",
    [
        *(
            "Totaal,,",
            "Totaal,20,",
            "Aantal: 25,,",
            "25,Totaal,",
            "Total:,1.234.567,",
            "Grand total,,",
            "Summe,3,",
        ),
        *("Eindtotaal,,", "Sub-total,,", "Totaal aantal klanten: 20,,", "Aantal rijen,3,", "TOTAL,€ 12.50,"),
        *("99,,", "Afgedrukt op 01-06-2026,,", "99,,geen"),
    ],
)
def test_totals_and_lines_that_name_nobody_are_no_customers(settings: Settings, line: str) -> None:
    text = "Id,Name,Email\n" + "".join(f"{row},{NAMES[row]},\n" for row in range(10)) + line + "\n"
    result = run(settings, contract(MEMBER, "Id"), ("", text))
    assert (result.accepted, result.quarantined, result.stopped) == (10, 1, False)
    assert {"totals_line", "nobody"} & set(result.reasons)


@pytest.mark.parametrize(
    "line", ["99,Totaal,info@totaal.nl", "99,Total Care,", "Total-7,Jo Bos,", "99,Summer,"]
)
def test_a_customer_of_such_a_name_is_one(settings: Settings, line: str) -> None:
    text = f"Id,Name,Email\n{line}\n"
    assert run(settings, contract(MEMBER, "Id"), ("", text)).accepted == 1


def test_a_deleted_record_may_have_lost_its_name(settings: Settings) -> None:
    gone = contract(MEMBER | {"State": ""}, "Id", deleted={"column": "State", "values": ["D"]})
    result = run(settings, gone, ("", "Id,Name,Email,State\n1,,,D\n2,,,\n3,Jo Bos,,\n"))
    assert (result.accepted, result.reasons) == (2, {"nobody": 1})


@pytest.mark.parametrize(
    ("path", "values", "says"),
    [
        ("party.postcode", ["1067", "4109", *["80331", "10115", "50667"] * 10], "4 digits where 5 are usual"),
        ("party.postcode", ["01067", "4109", *["80331"] * 10], ""),
        ("party.postcode", ["1017", "2511", "3011"], ""),
        ("party.phone", ["612345678", *["0687654321"] * 5], "neither the 0 in front nor a country code"),
        ("party.phone", ["31612345678", *["0687654321"] * 5], ""),
        ("party.coc_number", ["1234567", "12345678"], "fewer digits than eight"),
        (
            "",
            ["000123", "000456", "789", *[f"00{n}" for n in range(1000, 1010)]],
            "length of those that begin with 0",
        ),
        ("", [str(n) for n in range(90, 120)], ""),
    ],
)
def test_lost_leading_zeros_are_said_by_column(
    settings: Settings, path: str, values: list[str], says: str
) -> None:
    columns = {"Id": "", "Name": "party.full_name"} | ({"Value": path} if path else {})
    rows = [
        f"{place if path else value},Jo Bos{f',{value}' if path else ''}"
        for place, value in enumerate(values)
    ]
    member = contract(columns, "Id", defaultCountry="NL")
    result = run(settings, member, ("", "\n".join([",".join(columns), *rows]) + "\n"))
    verdict = result.verdicts["spreadsheet"]
    assert not result.stopped
    assert verdict.passed == (not says)
    assert says in verdict.text
    assert f"column {'Value' if path else 'Id'}:" in verdict.text or not says


def test_a_rejected_row_is_held_back_under_its_id_without_the_fraction(settings: Settings) -> None:
    strict = contract(MEMBER, "Id")
    assert run(settings, strict, ("", PEOPLE)).accepted == 3
    text = PEOPLE.replace("1,", "1.0,").replace("3,Ed Mol,", "3.0,,")
    assert run(settings, strict, ("", text), date="2026-06-04").quarantined == 1
    build_records(Lake(settings.lake_url), [strict], [Entity.PARTY])
    state = records(Lake(settings.lake_url), Entity.PARTY).read(["record_id", "active"]).to_pylist()
    assert sorted((row["record_id"], row["active"]) for row in state) == [
        ("1", True),
        ("2", True),
        ("3", True),
    ]
