"""Orders with their lines, payments and refunds.

Belongs here: their attributes, and whose they are. Does not belong here: how a row finds its party (records).
"""

from functools import partial

from cdm_pipelines.contracts.entity import (
    Attribute,
    Entity,
    EntityDeclaration,
    OfParent,
    OfParty,
    SemanticType,
    ValueType,
    declare,
)

_T = ValueType
_PURCHASE = "user.behavior.purchase_history"
_order = partial(Attribute, Entity.ORDER, group="order", privacy=_PURCHASE)
_line = partial(Attribute, Entity.ORDER_LINE, group="line", privacy=_PURCHASE)
_payment = partial(Attribute, Entity.PAYMENT, group="payment", privacy=_PURCHASE)
_refund = partial(Attribute, Entity.REFUND, group="refund", privacy=_PURCHASE)
_OF_ORDER = OfParent(Entity.ORDER, by=(("order_id", "order_id"),))

ORDER = declare(
    EntityDeclaration(
        entity=Entity.ORDER,
        plural="orders",
        description="Orders of all sources with the golden customer who placed them.",
        whose=OfParty(by=(("party_id", "record_id"), ("party_email", "email"))),
        table="customer_order",  # ORDER is a word of SQL
        indexed=("order_id",),
        attributes=(
            _order("order_id", _T.TEXT, "Number of the order.", key=True),
            _order("party_id", _T.REFERENCE, "Record of the customer who ordered."),
            _order(
                "party_email",
                _T.TEXT,
                "E-mail address given with the order.",
                privacy="user.contact.email",
                semantic=SemanticType.EMAIL,
            ),
            _order("ordered_at", _T.TIMESTAMP, "When the order was placed."),
            _order("status", _T.TEXT, "State of the order in the source's own words."),
            _order("currency", _T.TEXT, "Currency, ISO 4217.", semantic=SemanticType.CURRENCY),
            _order("total_amount", _T.DECIMAL, "Amount to pay, taxes included."),
        ),
    )
)
ORDER_LINE = declare(
    EntityDeclaration(
        entity=Entity.ORDER_LINE,
        plural="order lines",
        description="Lines of orders.",
        whose=_OF_ORDER,
        indexed=("order_id",),
        attributes=(
            _line("order_id", _T.TEXT, "Number of the order.", key=True),
            _line("line_id", _T.TEXT, "Number of the line within the order.", key=True),
            _line("product_code", _T.TEXT, "Article number."),
            _line("product_name", _T.TEXT, "Article name."),
            _line("quantity", _T.DECIMAL, "Quantity ordered."),
            _line("unit_price", _T.DECIMAL, "Price of one, in the order's currency."),
        ),
    )
)
PAYMENT = declare(
    EntityDeclaration(
        entity=Entity.PAYMENT,
        plural="payments",
        description="Payments of orders.",
        whose=_OF_ORDER,
        indexed=("order_id",),
        attributes=(
            _payment("payment_id", _T.TEXT, "Number of the payment.", key=True),
            _payment("order_id", _T.TEXT, "Order that was paid."),
            _payment("paid_at", _T.TIMESTAMP, "When it was paid."),
            _payment("amount", _T.DECIMAL, "Amount paid."),
            _payment("currency", _T.TEXT, "Currency, ISO 4217.", semantic=SemanticType.CURRENCY),
            _payment("method", _T.TEXT, "How it was paid, in the source's own words."),
        ),
    )
)
REFUND = declare(
    EntityDeclaration(
        entity=Entity.REFUND,
        plural="refunds",
        description="What was paid back: for goods returned, or for another reason.",
        whose=_OF_ORDER,
        indexed=("order_id",),
        attributes=(
            _refund("refund_id", _T.TEXT, "Number of the refund.", key=True),
            _refund("order_id", _T.TEXT, "Order of which it was paid back."),
            _refund("line_id", _T.TEXT, "Line of that order, where it was one."),
            _refund("refunded_at", _T.TIMESTAMP, "When it was paid back."),
            _refund("amount", _T.DECIMAL, "Amount paid back, taxes included."),
            _refund("currency", _T.TEXT, "Currency, ISO 4217.", semantic=SemanticType.CURRENCY),
            _refund("reason", _T.TEXT, "Why, in the source's own words."),
        ),
    )
)
