"""Google Customer Match: the file for a customer list, with identifiers as their SHA-256.

Belongs here: Google's columns and its rules for them. Does not belong here: other systems.

Headers, encoding and which columns are hashed: support.google.com/google-ads/answer/7659867 ("Format your customer data
file"). Normalisation, with examples of which the hashes are published (members Dana, Alex, Quinn, Rosario):
developers.google.com/data-manager/api/devguides/concepts/formatting and …/audiences/send-audience-members. Small
letters and no spaces; of gmail.com and googlemail.com no dots before the @ and nothing from a plus on, of other domains
both stay; phones in E.164 with the plus; names in small letters without spaces around. Country and Zip are not hashed.

A file of contact data takes no id of ours beside it, so a member who has to go is missing from the whole list, which
takes the place of the former one ("Replace" when it is uploaded).
"""

import pyarrow as pa

from cdm_pipelines.publish.platforms.form import Form, FormColumn
from cdm_pipelines.publish.platforms.normalise import as_is, e164, google_email, lower, words


def _last(prefix: pa.Array, surname: pa.Array) -> pa.Array:
    return lower(words(prefix, surname))


GOOGLE = Form(
    "google_customer_match",
    "Google Customer Match",
    1,
    (
        "https://support.google.com/google-ads/answer/7659867",
        "https://developers.google.com/data-manager/api/devguides/concepts/formatting",
    ),
    (
        FormColumn("Email", ("email",), google_email, hashed=True),
        FormColumn("Phone", ("mobile", "phone"), e164, hashed=True),
        FormColumn("First Name", ("given_name",), lower, hashed=True),
        FormColumn("Last Name", ("surname_prefix", "surname"), _last, hashed=True),
        FormColumn("Country", ("country",), as_is),
        FormColumn("Zip", ("postcode",), as_is),
    ),
    reached_by=frozenset({"Email", "Phone"}),
)
