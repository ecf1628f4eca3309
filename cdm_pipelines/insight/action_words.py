"""Why somebody is not approached, in words of both languages.

Belongs here: the reasons that the house itself gives. Does not belong here: those of a company (``action_policy``).
"""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from cdm_pipelines.privacy.policy_files import Strict

Sentence = Annotated[str, Field(min_length=1, max_length=200)]


class Says(Strict):
    """Words in English and in Dutch."""

    en: Sentence
    nl: Sentence


RESTRICTED, DECEASED, NOT_A_CUSTOMER, NO_CONSENT, NO_ADDRESS = (
    "restricted",
    "deceased",
    "not_a_customer",
    "no_consent",
    "no_address",
)
CONTACTED, NOT_MEANT, OUT_OF_STOCK = "contacted_lately", "not_meant", "out_of_stock"
WORTH_UNKNOWN, NOT_WORTH_IT, CONTROL = "worth_unknown", "not_worth_it", "control_group"
HOUSE: Final = (RESTRICTED, DECEASED, NOT_A_CUSTOMER, NO_CONSENT, NO_ADDRESS, CONTACTED)
"""Reasons that no rule of a company can lift."""
REASONS: Final[Mapping[str, Says]] = {
    RESTRICTED: Says(en="data are restricted at the person's request", nl="gegevens zijn op verzoek beperkt"),
    DECEASED: Says(en="has died", nl="is overleden"),
    NOT_A_CUSTOMER: Says(en="no source keeps them any more", nl="geen bron heeft deze klant nog"),
    NO_CONSENT: Says(
        en="no consent for this purpose and channel", nl="geen toestemming voor dit doel en kanaal"
    ),
    NO_ADDRESS: Says(en="cannot be reached through the channel", nl="niet bereikbaar via dit kanaal"),
    CONTACTED: Says(en="contacted too lately", nl="te kort geleden benaderd"),
    NOT_MEANT: Says(en="not meant for this customer", nl="niet bedoeld voor deze klant"),
    OUT_OF_STOCK: Says(en="no room left today", nl="vandaag geen plaats meer"),
    WORTH_UNKNOWN: Says(en="its worth is not known for this customer", nl="waarde voor deze klant onbekend"),
    NOT_WORTH_IT: Says(
        en="costs more than it is expected to bring", nl="kost meer dan het naar verwachting oplevert"
    ),
    CONTROL: Says(
        en="left alone, so that what actions bring can be measured",
        nl="met rust gelaten, zodat te meten is wat acties opleveren",
    ),
}
