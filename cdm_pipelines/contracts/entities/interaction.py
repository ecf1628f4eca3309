"""Interactions: what passed between a customer, or somebody unknown, and the company.

Belongs here: their attributes, and whose they are. Does not belong here: how a token finds its customer, or what is
made of interactions.

They are append-only, and ten to a hundred times as many as orders: they stay in their standardised days.
"""

from functools import partial

from cdm_pipelines.contracts.entity import (
    Attribute,
    Entity,
    EntityDeclaration,
    KeptAs,
    OfParty,
    SemanticType,
    ValueType,
    declare,
)

_T, _S = ValueType, SemanticType
_interaction = partial(Attribute, Entity.INTERACTION, group="interaction", privacy="user.behavior")

INTERACTION = declare(
    EntityDeclaration(
        entity=Entity.INTERACTION,
        plural="interactions",
        description="Visits, e-mails, calls, tickets: what passed between the company and somebody, known or not.",
        whose=OfParty(by=(("party_id", "record_id"), ("party_email", "email"), ("party_phone", "phone"))),
        kept=KeptAs.DAYS,
        attributes=(
            _interaction(
                "interaction_id",
                _T.TEXT,
                "Number of the interaction; the key of the source's row where it has none.",
                key=True,
            ),
            _interaction("occurred_at", _T.TIMESTAMP, "When it was; empty where that cannot be."),
            _interaction(
                "channel",
                _T.TEXT,
                "web, email, phone, chat, shop, service desk or other.",
                semantic=_S.CHANNEL,
            ),
            _interaction(
                "kind",
                _T.TEXT,
                "visit, product_view, cart, search, sent, open, click, bounce, unsubscribe, call, ticket_opened, "
                "ticket_solved, ticket_rated, complaint or other.",
                semantic=_S.INTERACTION_KIND,
            ),
            _interaction(
                "direction",
                _T.TEXT,
                "in where the customer came to the company, out where the company went to the customer.",
                semantic=_S.DIRECTION,
            ),
            _interaction(
                "token",
                _T.TEXT,
                "Names the browser or device; by itself it names nobody.",
                privacy="user.device.cookie_id",
                semantic=_S.TOKEN,
            ),
            _interaction("party_id", _T.REFERENCE, "Record of the customer, where the source knows it."),
            _interaction(
                "party_email",
                _T.TEXT,
                "E-mail address of the customer.",
                privacy="user.contact.email",
                semantic=_S.EMAIL,
            ),
            _interaction(
                "party_phone",
                _T.TEXT,
                "Phone number of the customer, E.164.",
                privacy="user.contact.phone_number",
                semantic=_S.PHONE,
            ),
            _interaction(
                "order_id",
                _T.TEXT,
                "Order that it led to or is about.",
                privacy="user.behavior.purchase_history",
            ),
            _interaction("product_code", _T.TEXT, "Article that it is about."),
            _interaction("campaign", _T.TEXT, "Campaign that it belongs to."),
            _interaction(
                "subject", _T.TEXT, "What it is about, in the source's words.", privacy="user.content"
            ),
            _interaction("thread_id", _T.TEXT, "Ticket, conversation or visit that it is part of."),
            _interaction("outcome", _T.TEXT, "What came of it, in the source's words."),
            _interaction("score", _T.DECIMAL, "Score that the customer gave, on the source's scale."),
        ),
    )
)
