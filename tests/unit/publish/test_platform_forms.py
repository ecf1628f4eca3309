"""Files in the form of the systems that take them: their published examples, and a form that has changed."""

import pyarrow as pa
import pytest

from cdm_pipelines.publish.platforms.catalogue import FORMS
from cdm_pipelines.publish.platforms.form import KEY, RECORD
from cdm_pipelines.publish.platforms.google import GOOGLE
from cdm_pipelines.publish.platforms.mail_and_crm import MAILCHIMP, SALESFORCE
from cdm_pipelines.publish.platforms.meta import META

GOOGLE_EXAMPLES = [
    # developers.google.com/data-manager/api/devguides/audiences/send-audience-members: members 1 to 4
    (
        "Email",
        {"email": "DANA@example.com"},
        "07e2f1394b0ea80e2adca010ea8318df697001a005ba7452720edda4b0ce57b3",
    ),
    (
        "Email",
        {"email": "DanaM@example.com "},
        "1df6b43bc68dd38eca94e6a65b4f466ae537b796c81a526918b40ac4a7b906c7",
    ),
    (
        "Email",
        {"email": "ALEXF@example.com"},
        "19de0a9906ebee29fe82087be5ec44f3c01e40730bc808b663c71f19dd6b12f2",
    ),
    (
        "Email",
        {"email": "AlexF@cymbalgroup.com"},
        "7d2d80e240594dcee2e57f57885ee286c4b232dd142234d7a0af6d31cc86679b",
    ),
    (
        "Email",
        {"email": "alexf@altostrat.com"},
        "063c45291827d4994f98357b72862b25885834fd53cf8f0e4af359916fc03c62",
    ),
    (
        "Email",
        {"email": "quinn@CYMBALGROUP.com"},
        "05bb62526f091b45d20e243d194766cca8869137421047dc53fa4876d111a6f0",
    ),
    (
        "Email",
        {"email": "baklavainthebalkans@gmail.com"},
        "f1fcde379f31f4d446b76ee8f34860eca2288adc6b6d6c0fdc56d9eee75a2fa5",
    ),
    (
        "Email",
        {"email": "rosario@example.org"},
        "83a834cc5327bc4dee7c5408988040dc5813c7662611cd93b707aff72bf7d33f",
    ),
    (
        "Email",
        {"email": "cloudy.sanfrancisco+shopping@GMAIL.com"},
        "223ebda6f6889b1494551ba902d9d381daf2f642bae055888e96343d53e9f9c4",
    ),
    (
        "Phone",
        {"phone": "+1-800-555-0100"},
        "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30",
    ),
    (
        "Phone",
        {"phone": "+1 800-555-0101"},
        "61d6c2976b5d92b1ad63073a12fddd26040cd980067d03a93dd1cc50f1a3ac68",
    ),
    (
        "Phone",
        {"mobile": "+1 800-555-0102"},
        "c5383c2eeada28210d27f011bc127d4f9562cf38ff0c9bba33dd45ae79b9fe7c",
    ),
    (
        "Phone",
        {"phone": "+1-800-555-0110"},
        "525c2390a4e2a9766fa8ddc341dd10414603baebefa401f5a5e29f55e176525d",
    ),
]
META_EXAMPLES = [
    # developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences, "Hashing"
    (
        "email",
        {"email": " Mary@Example.com"},
        "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79",
    ),
    (
        "phone",
        {"phone": "+1 555 987 6543"},
        "1ef970831d7963307784fa8688e8fce101a15685d62aa765fed23f3a2c576a4e",
    ),
    # …/conversions-api/parameters/customer-information-parameters
    (
        "email",
        {"email": "John_Smith@gmail.com"},
        "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
    ),
    (
        "phone",
        {"mobile": "+1 (650)555-1212"},
        "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
    ),
    ("fn", {"given_name": "Mary"}, "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
    ("fn", {"given_name": "정"}, "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
    ("fn", {"given_name": "Valéry"}, "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
    ("country", {"country": "US"}, "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
]


def one(**values: str) -> pa.Table:
    return pa.table({name: pa.array([value]) for name, value in values.items()})


@pytest.mark.parametrize(("header", "values", "expected"), GOOGLE_EXAMPLES)
def test_hashes_are_those_that_google_publishes(header: str, values: dict[str, str], expected: str) -> None:
    assert GOOGLE.rows(one(**values))[header].to_pylist() == [expected]


@pytest.mark.parametrize(("header", "values", "expected"), META_EXAMPLES)
def test_hashes_are_those_that_meta_publishes(header: str, values: dict[str, str], expected: str) -> None:
    assert META.rows(one(**values))[header].to_pylist() == [expected]


def test_dots_and_plus_stay_in_mailboxes_of_others() -> None:
    """Google: user.name+NYC@Example.com is user.name+nyc@example.com."""
    rows = GOOGLE.rows(pa.table({"email": ["user.name+NYC@Example.com", "user.name+nyc@example.com"]}))
    assert len(set(rows["Email"].to_pylist())) == 1
    other = GOOGLE.rows(one(email="username@example.com"))
    assert other["Email"][0] != rows["Email"][0]


def test_meta_keeps_the_dots_of_google_and_cuts_american_postcodes() -> None:
    rows = META.rows(one(email="j.smith@gmail.com", postcode="94035-1234", country="US", city="New York"))
    plain = META.rows(one(email="jsmith@gmail.com", postcode="94035", country="us", city="newyork"))
    assert rows["email"] != plain["email"]
    assert rows["zip"] == plain["zip"]
    assert rows["ct"] == plain["ct"]


def test_what_is_missing_or_no_number_is_empty_and_no_hash_of_nothing() -> None:
    values = pa.table({"email": [None, " ", "a@b.nl"], "phone": ["0612345678", "", "+31612345678"]})
    rows = GOOGLE.rows(values)
    assert [one is None for one in rows["Email"].to_pylist()] == [True, True, False]
    assert [one is None for one in rows["Phone"].to_pylist()] == [True, True, False]
    assert GOOGLE.reachable(values).to_pylist() == [False, False, True]


def test_names_with_a_prefix_are_one_name() -> None:
    rows = MAILCHIMP.rows(
        pa.table(
            {
                "email": ["A@B.nl", "c@d.nl"],
                "surname_prefix": ["van der", None],
                "surname": ["Berg", "Jansen"],
            }
        )
    )
    assert rows["Last Name"].to_pylist() == ["van der Berg", "Jansen"]
    assert rows["Email Address"].to_pylist() == ["a@b.nl", "c@d.nl"]


def test_a_campaign_member_is_a_record_of_the_source() -> None:
    rows = SALESFORCE.rows(one(campaign_id="701A", **{RECORD: "003A", KEY: "k"}))
    assert rows.to_pylist() == [{"CampaignId": "701A", "ContactId": "003A", "CDM_ID__c": "k"}]


def test_a_header_that_changed_is_told() -> None:
    assert MAILCHIMP.drift(["\ufeffCDM ID", "Last Name", "First Name", "Email Address"]) == []
    told = MAILCHIMP.drift(["Email", "First Name", "Last Name", "CDM ID", "CDM ID"])
    assert told == [
        "the template has 'Email', which the form does not know",
        "the template lacks 'Email Address'",
        "the template has 'CDM ID' more than once",
    ]


def test_every_form_names_its_source_and_a_header_once() -> None:
    for form in FORMS.values():
        assert form.published
        assert form.reached_by <= set(form.headers)
        assert len(set(form.headers)) == len(form.headers)
        assert not form.key or form.key in form.headers
