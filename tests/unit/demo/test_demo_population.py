"""The population is as uneven as a real one, and its numbers are numbers that exist."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import phonenumbers
import pytest
from demo_deliveries import Delivery
from stdnum import iban as iban_check
from stdnum.be import vat as be_vat
from stdnum.de import vat as de_vat
from stdnum.nl import btw

from cdm_demo import generate, identifiers, spelling, words
from cdm_demo.draws import Draws, constant
from cdm_demo.generator import DEMO_START, GeneratedSummary
from cdm_demo.headers import CRM_CONTACT, ERP_CUSTOMER, EXTRACTS, SHOP_CUSTOMER

DAY = "2026-06-01"
Made = tuple[Delivery, GeneratedSummary]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Six thousand parties on one day."""
    folder = tmp_path_factory.mktemp("population")
    return Delivery(folder), generate(6000, 1, 11, folder, DEMO_START)


def test_summary_tells_what_the_files_hold(made: Made) -> None:
    delivery, summary = made
    assert (summary.persons, summary.organisations) == (4800, 1200)
    assert summary.total_records == len(delivery.truth("party"))
    assert 2.0 < summary.total_records / 6000 < 2.5
    for extract in EXTRACTS:
        rows = len(delivery.cells(extract, DAY)) - 1
        assert summary.rows[extract.source, extract.entity, DAY] == rows
    listed = Counter((f["source"], f["entity"], f["date"], f["kind"]) for f in delivery.truth("planted"))
    assert summary.planted == dict(listed)


@pytest.mark.parametrize(
    ("column", "top", "least", "distinct"),
    [("LastName", 10, 0.06, 1000), ("MailingCity", 10, 0.2, 120), ("MailingStreet", 10, 0.001, 2000)],
)
def test_frequencies_are_uneven_with_a_long_tail(
    made: Made, column: str, top: int, least: float, distinct: int
) -> None:
    values = Counter(row[column] for row in made[0].rows(CRM_CONTACT, DAY) if row[column])
    share = sum(count for _, count in values.most_common(top)) / values.total()
    assert share > least
    assert share > 3 * top / len(values)
    assert len(values) > distinct


def test_mail_domains_are_those_of_the_country(made: Made) -> None:
    private = [row for row in made[0].rows(CRM_CONTACT, DAY) if row["Email"] and not row["AccountId"]]
    domains = Counter(row["Email"].partition("@")[2] for row in private)
    assert [name for name, _ in domains.most_common(2)] == ["gmail.com", "hotmail.com"]
    assert 0.2 < domains["gmail.com"] / domains.total() < 0.45


def test_dutch_phone_numbers_are_possible_whatever_their_spelling(made: Made) -> None:
    written = [
        row[c] for row in made[0].rows(ERP_CUSTOMER, DAY) if row["LAND1"] == "NL" for c in ("TELF1", "TELF2")
    ]
    numbers = [number for number in written if number and number != "0000000000"]
    parsed = [phonenumbers.parse(number, "NL") for number in numbers]
    assert sum(phonenumbers.is_valid_number(number) for number in parsed) > 0.97 * len(parsed)
    assert len({"".join("9" if c.isdigit() else c for c in number) for number in numbers}) > 15


def test_a_postcode_has_one_street(made: Made) -> None:
    streets: dict[str, set[str]] = {}
    for row in made[0].rows(ERP_CUSTOMER, DAY):
        if row["LAND1"] == "NL" and row["STKZN"] == "" and row["STRAS"]:
            street = row["STRAS"].rstrip("0123456789").upper()
            name = "".join(c for c in street if c.isalpha() or c == " ").split()[0]
            streets.setdefault(row["PSTLZ"].replace(" ", ""), set()).add(name)
    several = sum(len(found) > 1 for found in streets.values())
    assert several < 0.02 * len(streets)


def test_mailboxes_have_one_owner_unless_they_are_shared(made: Made) -> None:
    delivery, _ = made
    party_of = delivery.party_of()
    structure = {row["truth_id"]: row for row in delivery.truth("structure")}
    owners: dict[str, set[str]] = {}
    for extract, column in ((CRM_CONTACT, "Email"), (SHOP_CUSTOMER, "Email")):
        for key, row in delivery.by_key(extract, DAY).items():
            if "@" in row[column]:
                party = party_of[extract.source, extract.entity, key]
                owners.setdefault(row[column].lower(), set()).add(party)
    shared = [people for people in owners.values() if len(people) > 1]
    assert shared
    explained = [all(structure[p]["shared_mailbox"] for p in people) for people in shared]
    # Typing errors may turn one mailbox into another; nothing else may.
    assert explained.count(False) <= 2


@pytest.mark.parametrize(
    ("country", "valid_vat"), [("NL", btw.is_valid), ("BE", be_vat.is_valid), ("DE", de_vat.is_valid)]
)
def test_numbers_have_valid_check_digits(country: str, valid_vat: Callable[[str], bool]) -> None:
    size = 3000
    serial = np.arange(size, dtype=np.int64) * 17
    countries = constant(country, size)
    accounts = identifiers.iban(serial, Draws(1, "test").uniform("bank", size), countries)
    assert all(iban_check.is_valid(number) for number in accounts)
    assert len(set(accounts)) == size
    for sole in (0, 1):
        numbers = identifiers.vat(serial, countries, sole=np.full(size, sole))
        assert all(valid_vat(number) for number in numbers)
        assert len(set(numbers)) > 0.999 * size


def test_salesforce_ids_carry_their_checksum() -> None:
    for whole in identifiers.salesforce("003", np.arange(2000, dtype=np.int64)):
        bits = [sum(1 << i for i, c in enumerate(whole[at : at + 5]) if c.isupper()) for at in (0, 5, 10)]
        assert "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[b] for b in bits) == whole[15:]


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        ("van der Berg", ("van der", "Berg")),
        ("in 't Veld", ("in 't", "Veld")),
        ("'t Hart", ("'t", "Hart")),
        ("d'Hondt", ("d'", "Hondt")),
        ("El Amrani", ("", "El Amrani")),
        ("Oude Luttikhuis", ("", "Oude Luttikhuis")),
    ],
)
def test_surnames_split_at_their_prefix(whole: str, parts: tuple[str, str]) -> None:
    assert words.split_surname(whole) == parts


@pytest.mark.parametrize("uniform", np.linspace(0, 0.999, 97).tolist())
def test_slips_damage_but_never_break(uniform: float) -> None:
    assert spelling.mistype("Verhoeven", uniform)
    assert spelling.mistype("Bos", uniform) == "Bos"
    assert "@" in spelling.slip_mailbox("jan.jansen@gmail.com", uniform)
    assert len(spelling.slip_digit("0612345678", uniform)) == 10
    slipped = spelling.slip_birth_date("19640229", uniform)
    assert slipped != "19640229"
    assert np.datetime64(f"{slipped[:4]}-{slipped[4:6]}-{slipped[6:]}")


def test_mojibake_is_what_a_wrong_code_page_makes() -> None:
    assert spelling.mojibake("René", 0.0) == "RenÃ©"
