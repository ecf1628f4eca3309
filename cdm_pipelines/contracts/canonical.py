"""The canonical model: what a customer is, declared once.

Belongs here: entities, their attributes, types, attribute groups, privacy categories and descriptions.
Every other statement about a canonical column (Pandera schema, hub table, data dictionary, masking) is
derived from these objects. Does not belong here: how a source spells them (contracts) or how it is parsed
(standardise).

Privacy categories are keys of the Fides taxonomy (fideslang, CC-BY-4.0).
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache


class ValueType(StrEnum):
    """How the hub types a canonical value; in the lake each is text in its canonical spelling."""

    TEXT = "text"
    DATE = "date"  # YYYY-MM-DD
    TIMESTAMP = "timestamp"  # YYYY-MM-DDTHH:MM:SSZ, always UTC
    DECIMAL = "decimal"  # 1234.5, no thousands separator, no currency sign
    INTEGER = "integer"
    BOOLEAN = "boolean"  # true or false
    REFERENCE = "reference"  # record id of another record of the same source


class Entity(StrEnum):
    """The canonical entities that a source column can feed."""

    PARTY = "party"
    ORDER = "order"
    ORDER_LINE = "order_line"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One canonical attribute.

    Attributes:
        entity: The entity it describes.
        name: Column name in lake and hub.
        type: How the hub types it.
        description: One sentence for the data dictionary and the table comment.
        group: Attributes of one group are chosen together by survivorship (an address is one value).
        privacy: Fides data category.
        golden: Whether a golden customer carries it.
        key: Whether it is part of the entity's key within its source.
    """

    entity: Entity
    name: str
    type: ValueType
    description: str
    group: str
    privacy: str
    golden: bool = True
    key: bool = False

    @property
    def path(self) -> str:
        """``entity.name``, the form that contracts use in ``mapsTo``."""
        return f"{self.entity}.{self.name}"


@dataclass(frozen=True, slots=True)
class Input:
    """A composite source value that standardisation takes apart: a full name, a street line."""

    entity: Entity
    name: str
    description: str
    yields: tuple[str, ...]
    privacy: str

    @property
    def path(self) -> str:
        """``entity.name``, the form that contracts use in ``mapsTo``."""
        return f"{self.entity}.{self.name}"


_T = ValueType
_NAME = "user.name"
_ADDRESS = "user.contact.address"
_ORGANISATION = "user.contact.organization"
_SYSTEM = "system.operations"
_PURCHASE = "user.behavior.purchase_history"


def _party(
    name: str,
    description: str,
    privacy: str,
    group: str = "",
    value_type: ValueType = _T.TEXT,
    *,
    golden: bool = True,
) -> Attribute:
    return Attribute(Entity.PARTY, name, value_type, description, group or name, privacy, golden)


ATTRIBUTES: tuple[Attribute, ...] = (
    _party("honorific", "Form of address, in one spelling: mr, mrs, mx.", _NAME, "name"),
    _party("title", "Academic or other title, as written before or after the name.", _NAME, "name"),
    _party("given_name", "First given name.", _NAME, "name"),
    _party("middle_names", "Further given names.", _NAME, "name"),
    _party("initials", "Initials with full stops: J.P.", _NAME, "name"),
    _party("surname_prefix", "Prefix of the surname: van der, de, 't.", _NAME, "name"),
    _party("surname", "Surname without its prefix; double names with a hyphen.", _NAME, "name"),
    _party(
        "organisation_name",
        "Name of the organisation, without its legal form.",
        _ORGANISATION,
        "organisation",
    ),
    _party("legal_form", "Legal form in one spelling: BV, NV, VOF, GmbH.", _ORGANISATION, "organisation"),
    _party("trade_name", "Name under which the organisation also trades.", _ORGANISATION),
    _party("gender", "female, male or other, as given or as the honorific tells.", "user.demographic.gender"),
    _party("birth_date", "Date of birth.", "user.demographic.date_of_birth", value_type=_T.DATE),
    _party("street", "Street name.", "user.contact.address.street", "address"),
    _party("house_number", "House number, digits only.", "user.contact.address.street", "address"),
    _party(
        "house_addition",
        "Addition to the house number: A, 2 hoog, bis.",
        "user.contact.address.street",
        "address",
    ),
    _party("address_extra", "Further address line: building, attention, P.O. box.", _ADDRESS, "address"),
    _party(
        "postcode",
        "Postal code in its country's spelling: 1234 AB.",
        "user.contact.address.postal_code",
        "address",
    ),
    _party("city", "Town or city.", "user.contact.address.city", "address"),
    _party("region", "Province or state.", "user.contact.address.state", "address"),
    _party("country", "Country, ISO 3166-1 alpha-2.", "user.contact.address.country", "address"),
    _party("email", "E-mail address, normalised.", "user.contact.email"),
    _party(
        "email_kind",
        "personal, freemail, role or disposable, by the domain and mailbox.",
        "user.contact.email",
        "email",
    ),
    _party("phone", "Landline or only phone number, E.164.", "user.contact.phone_number"),
    _party("mobile", "Mobile number, E.164.", "user.contact.phone_number"),
    _party("vat_number", "VAT number with country prefix, check digits verified.", "user.government_id"),
    _party("coc_number", "Chamber-of-commerce number (KvK), eight digits.", "user.government_id"),
    _party("iban", "Bank account, IBAN, check digits verified.", "user.financial.bank_account"),
    _party("language", "Preferred language, ISO 639-1.", "user.demographic.language"),
    _party("job_title", "Function within the organisation.", "user.job_title"),
    _party(
        "email_opt_out",
        "Whether the party declined marketing by e-mail.",
        "user.privacy_preferences",
        value_type=_T.BOOLEAN,
    ),
    _party(
        "employer_id",
        "Record of the organisation that the person works for, in the same source.",
        _ORGANISATION,
        value_type=_T.REFERENCE,
        golden=False,
    ),
    Attribute(Entity.ORDER, "order_id", _T.TEXT, "Number of the order.", "order", _PURCHASE, key=True),
    Attribute(
        Entity.ORDER, "party_id", _T.REFERENCE, "Record of the customer who ordered.", "order", _PURCHASE
    ),
    Attribute(
        Entity.ORDER,
        "party_email",
        _T.TEXT,
        "E-mail address given with the order.",
        "order",
        "user.contact.email",
    ),
    Attribute(Entity.ORDER, "ordered_at", _T.TIMESTAMP, "When the order was placed.", "order", _PURCHASE),
    Attribute(
        Entity.ORDER, "status", _T.TEXT, "State of the order in the source's own words.", "order", _PURCHASE
    ),
    Attribute(Entity.ORDER, "currency", _T.TEXT, "Currency, ISO 4217.", "order", _PURCHASE),
    Attribute(Entity.ORDER, "total_amount", _T.DECIMAL, "Amount to pay, taxes included.", "order", _PURCHASE),
    Attribute(Entity.ORDER_LINE, "order_id", _T.TEXT, "Number of the order.", "line", _PURCHASE, key=True),
    Attribute(
        Entity.ORDER_LINE,
        "line_id",
        _T.TEXT,
        "Number of the line within the order.",
        "line",
        _PURCHASE,
        key=True,
    ),
    Attribute(Entity.ORDER_LINE, "product_code", _T.TEXT, "Article number.", "line", _PURCHASE),
    Attribute(Entity.ORDER_LINE, "product_name", _T.TEXT, "Article name.", "line", _PURCHASE),
    Attribute(Entity.ORDER_LINE, "quantity", _T.DECIMAL, "Quantity ordered.", "line", _PURCHASE),
    Attribute(
        Entity.ORDER_LINE,
        "unit_price",
        _T.DECIMAL,
        "Price of one, in the order's currency.",
        "line",
        _PURCHASE,
    ),
    Attribute(
        Entity.PAYMENT, "payment_id", _T.TEXT, "Number of the payment.", "payment", _PURCHASE, key=True
    ),
    Attribute(Entity.PAYMENT, "order_id", _T.TEXT, "Order that was paid.", "payment", _PURCHASE),
    Attribute(Entity.PAYMENT, "paid_at", _T.TIMESTAMP, "When it was paid.", "payment", _PURCHASE),
    Attribute(Entity.PAYMENT, "amount", _T.DECIMAL, "Amount paid.", "payment", _PURCHASE),
    Attribute(Entity.PAYMENT, "currency", _T.TEXT, "Currency, ISO 4217.", "payment", _PURCHASE),
    Attribute(
        Entity.PAYMENT, "method", _T.TEXT, "How it was paid, in the source's own words.", "payment", _PURCHASE
    ),
)

INPUTS: tuple[Input, ...] = (
    Input(
        Entity.PARTY,
        "full_name",
        "A person's whole name in one value.",
        ("honorific", "title", "given_name", "middle_names", "initials", "surname_prefix", "surname"),
        _NAME,
    ),
    Input(
        Entity.PARTY,
        "family_name",
        "Surname with its prefix in one value, as most systems keep it.",
        ("surname_prefix", "surname"),
        _NAME,
    ),
    Input(
        Entity.PARTY,
        "name",
        "Name of a person or an organisation, as the record's kind tells.",
        (
            "honorific",
            "title",
            "given_name",
            "middle_names",
            "initials",
            "surname_prefix",
            "surname",
            "organisation_name",
            "legal_form",
        ),
        _NAME,
    ),
    Input(
        Entity.PARTY,
        "address_line",
        "Street, house number and addition in one value.",
        ("street", "house_number", "house_addition", "address_extra"),
        "user.contact.address.street",
    ),
    Input(
        Entity.PARTY,
        "salutation",
        "Salutation, honorific and title mixed: Dhr., Mevr. drs.",
        ("honorific", "title", "gender"),
        _NAME,
    ),
)

SYSTEM_PRIVACY = _SYSTEM


@cache
def attributes(entity: Entity, *, golden_only: bool = False) -> tuple[Attribute, ...]:
    """The attributes of an entity, in their declared order."""
    return tuple(a for a in ATTRIBUTES if a.entity == entity and (a.golden or not golden_only))


@cache
def targets() -> dict[str, Attribute | Input]:
    """Everything that a contract's ``mapsTo`` may name, by path."""
    everything: tuple[Attribute | Input, ...] = (*ATTRIBUTES, *INPUTS)
    return {target.path: target for target in everything}
