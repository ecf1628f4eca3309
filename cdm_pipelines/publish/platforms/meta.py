"""Meta Custom Audiences: the file for a customer list, with identifiers as their SHA-256.

Belongs here: Meta's columns and its rules for them. Does not belong here: other systems.

Headers: facebook.com/business/help/2082575038703844 ("How to format a customer list"). Normalisation and hashes, with
published examples (mary@example.com, 15559876543): developers.facebook.com/docs/marketing-api/audiences/guides/
custom-audiences, "Hashing"; more of them (John_Smith@gmail.com, Mary, Valéry, 정, us) in …/conversions-api/parameters/
customer-information-parameters. E-mail in small letters without spaces around, dots and plus signs stay; phones as
digits with the country, without sign and leading zeros; names in small letters without punctuation, other alphabets in
UTF-8; city in a to z; postcode in small letters without spaces, of the United States five digits; country as two
small letters.

``extern_id`` is an id of ours, which is not hashed: by it a member is removed without any other identifier (the same
guide, "External identifiers").
"""

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.publish.platforms.form import KEY, Form, FormColumn
from cdm_pipelines.publish.platforms.normalise import (
    as_is,
    digits,
    letters,
    lower,
    plain_letters,
    without_spaces,
    words,
)


def _name(*parts: pa.Array) -> pa.Array:
    return letters(words(*parts))


def _zip(postcode: pa.Array, country: pa.Array) -> pa.Array:
    plain = lower(without_spaces(postcode))
    american = pc.fill_null(pc.equal(lower(country), "us"), False)
    return pc.if_else(american, pc.utf8_slice_codeunits(plain, 0, 5), plain)


META = Form(
    "meta_custom_audience",
    "Meta Custom Audience",
    1,
    (
        "https://www.facebook.com/business/help/2082575038703844",
        "https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences",
    ),
    (
        FormColumn("email", ("email",), lower, hashed=True),
        FormColumn("phone", ("mobile", "phone"), digits, hashed=True),
        FormColumn("fn", ("given_name",), _name, hashed=True),
        FormColumn("ln", ("surname_prefix", "surname"), _name, hashed=True),
        FormColumn("ct", ("city",), plain_letters, hashed=True),
        FormColumn("zip", ("postcode", "country"), _zip, hashed=True),
        FormColumn("country", ("country",), lower, hashed=True),
        FormColumn("extern_id", (KEY,), as_is),
    ),
    reached_by=frozenset({"email", "phone"}),
    key="extern_id",
)
