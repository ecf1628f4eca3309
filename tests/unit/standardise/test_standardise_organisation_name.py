"""Organisation names: name, legal form and trade name."""

import pyarrow as pa
import pytest

from cdm_pipelines.standardise import organisation_name
from cdm_pipelines.standardise.distinct import TEXT


@pytest.mark.parametrize(
    ("delivered", "country", "expected"),
    [
        ("Jansen B.V.", "NL", ("Jansen", "BV", None)),
        ("Jansen BV", None, ("Jansen", "BV", None)),
        ("Jansen b.v. i.o.", "NL", ("Jansen", "BV", None)),
        ("Bouwbedrijf De Vries (B.V.)", "NL", ("Bouwbedrijf De Vries", "BV", None)),
        ("B.V. Drukkerij Hoek", "NL", ("Drukkerij Hoek", "BV", None)),
        ("Jansen Holding B.V. B.V.", "NL", ("Jansen Holding", "BV", None)),
        ("Bakker & Co. B.V.", "NL", ("Bakker & Co", "BV", None)),
        ("Koninklijke Ahold N.V.", "NL", ("Koninklijke Ahold", "NV", None)),
        ("De Bakkers V.O.F.", "NL", ("De Bakkers", "VOF", None)),
        ("VOF De Bakkers", "NL", ("De Bakkers", "VOF", None)),
        ("Van der Berg C.V.", "NL", ("Van der Berg", "CV", None)),
        ("Stichting Pensioenfonds ABP", "NL", ("Pensioenfonds ABP", "Stichting", None)),
        ("Stichting voor Kinderhulp", "NL", ("Stichting voor Kinderhulp", "Stichting", None)),
        (
            "Vereniging van Eigenaars De Toren",
            "NL",
            ("Vereniging van Eigenaars De Toren", "Vereniging", None),
        ),
        ("Coöperatie Univé U.A.", "NL", ("Univé", "Coöperatie UA", None)),
        ("Cooperatie Melk", "NL", ("Melk", "Coöperatie", None)),
        ("Maatschap Huisartsen", "NL", ("Huisartsen", "Maatschap", None)),
        ("De Boer Eenmanszaak", "NL", ("De Boer", "Eenmanszaak", None)),
        ("Jansen Beheer B.V. h.o.d.n. Bakkerij Jansen", "NL", ("Jansen Beheer", "BV", "Bakkerij Jansen")),
        ("P. Jansen t/a Jansen Klussen", "NL", ("P. Jansen", None, "Jansen Klussen")),
        ("Failliet B.V. in liquidatie", "NL", ("Failliet", "BV", None)),
        ("Siemens GmbH", "DE", ("Siemens", "GmbH", None)),
        ("Müller GmbH & Co. KG", "DE", ("Müller", "GmbH & Co. KG", None)),
        ("Acme Limited", "GB", ("Acme", "Ltd", None)),
        ("Acme, Inc.", "US", ("Acme", "Inc", None)),
        ("Foo SARL", "FR", ("Foo", "SARL", None)),
        ("Bar BVBA", "BE", ("Bar", "BVBA", None)),
        ("Nokia Oyj", "FI", ("Nokia", "Oyj", None)),
        ("Siemens Aktiengesellschaft", None, ("Siemens", "AG", None)),
        ("Hitachi Kabushiki Kaisha", None, ("Hitachi", "K.K.", None)),
        ("BHP Group Pty. Limited", None, ("BHP Group", "Pty Ltd", None)),
        ("Fiat Società per Azioni", None, ("Fiat", "SpA", None)),
        ("Kaufland d.o.o.", "HR", ("Kaufland", "d.o.o.", None)),
        ("Health Spa", "NL", ("Health Spa", None, None)),
        ("Ferrari S.p.A.", "IT", ("Ferrari", "SpA", None)),
        ("Wellness Spa", "NL", ("Wellness Spa", None, None)),
        ("Volvo ab", "SE", ("Volvo", "AB", None)),
        ("Volvo ab", "NL", ("Volvo ab", None, None)),
        ("KPN", "NL", ("KPN", None, None)),
        ("BV", "NL", ("BV", None, None)),
    ],
)
def test_organisation_names(
    delivered: str, country: str | None, expected: tuple[str | None, str | None, str | None]
) -> None:
    *parts, odd = organisation_name.name(pa.array([delivered]), pa.array([country], TEXT))
    assert tuple(part[0].as_py() for part in parts) == expected
    assert not odd[0].as_py()


def test_an_address_of_a_web_site_is_no_name() -> None:
    *_, odd = organisation_name.name(pa.array(["https://x.nl", "info@x.nl", "X.nl"]), pa.array(["NL"] * 3))
    assert odd.to_pylist() == [True, True, False]


def test_legal_forms_of_their_own_column() -> None:
    delivered = pa.array(
        ["B.V.", "bv", "besloten vennootschap", "Stichting", "V.O.F.", "gmbh", "Sociëteit", None]
    )
    assert organisation_name.legal_form(delivered).to_pylist() == [
        *("BV", "BV", "BV", "Stichting", "VOF", "GmbH", "Sociëteit", None)
    ]
