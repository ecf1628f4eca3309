"""Tables of the ledger of deliveries: who was sent to whom, for which purpose, when, and who was left out to compare.

Belongs here: columns, comments and indexes. Does not belong here: filling and asking them (``deliveries``).

Only what changes is written: somebody is in an audience from the delivery that added them to the one that removes them.
A delivery counts when it is released, and not before: one that was cut short is made anew.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from cdm_pipelines.hub.schema import column, comment_of, metadata, moment
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS

SCHEMA = "activation"
_BEHAVIOUR = "user.behavior"

delivery = Table(
    "delivery",
    metadata,
    Column(
        "delivery_id",
        BigInteger,
        Identity(always=True),
        primary_key=True,
        comment=comment_of("Number of the delivery.", OPERATIONS),
    ),
    column("audience", Text, "Audience, as policies/audiences.yaml calls it.", nullable=False),
    column("number", Integer, "1, 2, 3 … of the audience.", nullable=False),
    column("purpose", Text, "Purpose, by its key.", nullable=False),
    column("channel", Text, "Channel through which customers are approached.", nullable=False),
    column("platform", Text, "System, by the name of its form.", nullable=False),
    column("form", Integer, "Version of the form.", nullable=False),
    column("place", Text, "Folder, URL or address that it went to.", nullable=False),
    column("token", Uuid, "Stands in the delivery's own file, which says that it is whole.", nullable=False),
    column("counts", JSONB, "Customers by what became of them.", nullable=False),
    moment("decided_at", "When it was decided who is in it."),
    column("released_at", DateTime(timezone=True), "When it counted; empty while it is not whole."),
    column(
        "taken_at", DateTime(timezone=True), "When a webhook had taken all of it; of files when released."
    ),
    column("problem", Text, "Why a webhook has not taken it."),
    schema=SCHEMA,
    comment="Deliveries of audiences.",
)
Index(None, delivery.c.audience, delivery.c.number, unique=True)

delivery_member = Table(
    "delivery_member",
    metadata,
    column("delivery_id", BigInteger, "The delivery.", key=True),
    column("golden_id", Uuid, "The customer, by the id of that time.", IDENTIFIER, key=True),
    column("audience", Text, "The audience.", nullable=False),
    column("action", Text, "added, updated, removed or control.", _BEHAVIOUR, nullable=False),
    column("reason", Text, "Why somebody was removed.", _BEHAVIOUR),
    column(
        "row_digest", Text, "Keyed digest of the row in the file, by which it is found there.", IDENTIFIER
    ),
    PrimaryKeyConstraint("golden_id", "delivery_id"),
    schema=SCHEMA,
    comment="The ledger: whom a delivery added to an audience or removed from it, and who is in its control group.",
)
Index(None, delivery_member.c.delivery_id)

gone_member = Table(
    "gone_member",
    metadata,
    column("audience", Text, "The audience.", key=True),
    column("platform", Text, "System that was given them, by the name of its form.", key=True),
    column("place", Text, "Folder, URL or address at which it was.", key=True),
    column(
        "member_key",
        Text,
        "By what the system knows them: a key that says nothing to anybody else; for a webhook their golden id.",
        IDENTIFIER,
        key=True,
    ),
    moment("since", "When they were erased."),
    column("delivery_id", BigInteger, "The delivery that tells of it; empty before that."),
    schema=SCHEMA,
    comment="Who was erased while in an audience: by what the system knows them and no more, until it has been told.",
)


def _count(name: str, description: str) -> "Column[int]":
    return column(name, BigInteger, description, nullable=False)


result = Table(
    "result",
    metadata,
    column("audience", Text, "The audience.", key=True),
    column("variant", Text, "sent, or control.", key=True),
    moment("measured_at", "When it was counted."),
    _count("customers", "Customers who were ever added, or are in the control group."),
    _count("sent", "Of them: were sent a message of the campaign since."),
    _count("opened", "Of them: opened one."),
    _count("clicked", "Of them: followed a link in one."),
    _count("unsubscribed", "Of them: unsubscribed by one."),
    _count("bought", "Of them: ordered within the days of the audience."),
    schema=SCHEMA,
    comment="What came of audiences, among those who were sent to and those who were left out to compare.",
)
TABLES = (delivery, delivery_member, gone_member, result)
"""In the order of erasing: the ledger tells which files hold a person, and goes after them."""
