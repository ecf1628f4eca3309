"""Names that come with a delivery are shown where they are known, and by their shape where they are not."""

from dataclasses import replace

import pytest

from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.contracts.told import told_name, told_names, told_path

CONTACT = contract_named("crm/contact")
ANY = "crm/contact/{date}*.csv"


def test_a_declared_name_is_shown_and_a_value_in_its_place_is_not() -> None:
    assert told_name("LastName", CONTACT.column_names) == "'LastName'"
    assert (
        told_name("jan.jansen@example.nl", CONTACT.column_names) == "one of the form 'aaa.aaaaaa@aaaaaaa.aa'"
    )
    assert told_names(["06-12345678", "unnamed_3"], ()) == "one of the form '99-99999999', 'unnamed_3'"


@pytest.mark.parametrize(
    ("location", "path", "told"),
    [
        (ANY, "crm/contact/2026-06-01.csv", "crm/contact/2026-06-01.csv"),
        (ANY, "crm/contact/2026-06-01_corrected.csv.gz", "crm/contact/2026-06-01_corrected.csv.gz"),
        (ANY, "crm/contact/2026-06-01-part12.csv", "crm/contact/2026-06-01-part12.csv"),
        (ANY, "crm/contact/2026-06-01 Jan Jansen.csv", "crm/contact/2026-06-01 Aaa Aaaaaa.csv"),
        (ANY, "crm/contact/2026-06-01-0612345678.csv", "crm/contact/2026-06-01-9999999999.csv"),
        ("*/{date:%Y%m%d}/*.csv", "crm/20260601/Zoë.csv", "crm/20260601/Aaa.csv"),
        ("Klantenlijst {date}.csv", "Klantenlijst 2026-06-01.csv", "Klantenlijst 2026-06-01.csv"),
    ],
)
def test_of_a_path_what_the_contract_leaves_open_is_told_by_its_shape(
    location: str, path: str, told: str
) -> None:
    assert told_path(path, replace(CONTACT, location=location)) == told
