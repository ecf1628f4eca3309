"""A value that a person gives for one attribute: read as a source's, or refused with a reason."""

import pytest

from cdm_pipelines.standardise.single import ValueRefusedError, read_value

READ = [
    ("phone", "010 123 4567", "+31101234567"),
    ("mobile", "06-12345678", "+31612345678"),
    ("email", "Anna@Example.NL", "anna@example.nl"),
    ("postcode", "1234ab", "1234 AB"),
    ("honorific", "Mevr.", "mrs"),
    ("birth_date", "1980-02-29", "1980-02-29"),
    ("country", "Nederland", "NL"),
    ("email_opt_out", "yes", "true"),
    ("deceased", "ja", "true"),
    ("deceased", "2024-05-01", "true"),
]
REFUSED = [
    ("phone", "12", "not a valid phone"),
    ("phone", "06-12345678", "reads as mobile"),
    ("email", "nobody", "not a valid email"),
    ("iban", "NL91ABNA0417164301", "not a valid iban"),
    ("birth_date", "1880-02-29", "not a valid birth_date"),
    ("birth_date", "29-02-1980", "not a valid birth_date"),
    ("surname", "van der Berg", "reads as surname and surname_prefix"),
    ("street", "Dorpsstraat 12", "reads as street and house_number"),
    ("city", "  ", "not a valid city"),
    ("deceased", "2026-06-02", "not a valid deceased"),
    ("shoe_size", "43", "no attribute shoe_size"),
    ("email_kind", "role", "no attribute email_kind"),
]


@pytest.mark.parametrize(("attribute", "given", "expected"), READ)
def test_a_value_is_read_as_a_sources_would_be(attribute: str, given: str, expected: str) -> None:
    assert read_value(attribute, given, kind="person", country="NL", today="2026-06-01") == expected


@pytest.mark.parametrize(("attribute", "given", "reason"), REFUSED)
def test_a_value_of_another_kind_is_refused_without_being_repeated(
    attribute: str, given: str, reason: str
) -> None:
    with pytest.raises(ValueRefusedError, match=reason) as refused:
        read_value(attribute, given, kind="person", country="NL", today="2026-06-01")
    assert not given.strip() or given not in str(refused.value)


def test_the_kind_of_party_tells_how_a_name_is_read() -> None:
    assert (
        read_value("organisation_name", "Acme", kind="organisation", country="NL", today="2026-06-01")
        == "Acme"
    )
    with pytest.raises(ValueRefusedError, match="legal_form"):
        read_value("organisation_name", "Acme BV", kind="organisation", country="NL", today="2026-06-01")
