"""Invoices: what was billed, when it was due, and whether it is paid.

Belongs here: their attributes, and whose they are. Does not belong here: how a row finds its party (records).
"""

from functools import partial

from cdm_pipelines.contracts.entity import (
    Attribute,
    Entity,
    EntityDeclaration,
    OfParty,
    SemanticType,
    ValueType,
    declare,
)

_T = ValueType
_invoice = partial(Attribute, Entity.INVOICE, group="invoice", privacy="user.financial")

INVOICE = declare(
    EntityDeclaration(
        entity=Entity.INVOICE,
        plural="invoices",
        description="Invoices of all sources with the golden customer who was billed.",
        whose=OfParty(by=(("party_id", "record_id"), ("party_email", "email"))),
        indexed=("invoice_id",),
        attributes=(
            _invoice("invoice_id", _T.TEXT, "Number of the invoice.", key=True),
            _invoice("order_id", _T.TEXT, "Order that was billed."),
            _invoice("party_id", _T.REFERENCE, "Record of the customer who was billed."),
            _invoice(
                "party_email",
                _T.TEXT,
                "E-mail address that the invoice was sent to.",
                privacy="user.contact.email",
                semantic=SemanticType.EMAIL,
            ),
            _invoice("issued_on", _T.DATE, "Date of the invoice."),
            _invoice("due_on", _T.DATE, "When it was to be paid at the latest."),
            _invoice("settled_on", _T.DATE, "When it was paid in full; empty while it is open."),
            _invoice("currency", _T.TEXT, "Currency, ISO 4217.", semantic=SemanticType.CURRENCY),
            _invoice("amount", _T.DECIMAL, "Amount to pay, taxes included."),
            _invoice("disputed", _T.BOOLEAN, "Whether the customer disputes it."),
            _invoice("dunning_level", _T.INTEGER, "How many reminders were sent."),
        ),
    )
)
