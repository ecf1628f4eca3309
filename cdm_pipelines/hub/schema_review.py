"""The tables that stewards read: the review queue, and the links of customers.

Belongs here: columns, comments and indexes. Does not belong here: filling and reading them (``review``).

Both are read models: they hold nothing that could not be made anew from the lake, the published tables and the log of
decisions. A publication writes them in its own transaction, a decision brings the queue in line in its own.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, MetaData, Table, Text, Uuid

from cdm_pipelines.hub.schema import column, metadata

_IDENTIFIER = "user.unique_id"

customer_link = Table(
    "customer_link",
    metadata,
    column("golden_id", Uuid, "Golden customer of the record.", _IDENTIFIER, key=True),
    column("source", Text, "Source system of a record of the customer.", key=True),
    column("entity", Text, "Its entity.", key=True),
    column("record_id", Text, "Its id there.", _IDENTIFIER, key=True),
    column("other_source", Text, "Source system of the other record of the pair.", key=True),
    column("other_entity", Text, "Its entity.", key=True),
    column("other_record_id", Text, "Its id there.", _IDENTIFIER, key=True),
    column("weight", Double, "Match weight of the pair, in bits.", nullable=False),
    column("probability", Double, "That the two are one party, by the model.", nullable=False),
    column("is_match", Boolean, "Whether the pair is a match by itself.", nullable=False),
    column("inside", Boolean, "Whether the other record is of the same customer.", nullable=False),
    schema="golden",
    comment="Scored pairs of records by customer: within it once, between two customers once for each.",
)
Index("customer_link_between_idx", customer_link.c.golden_id, postgresql_where=~customer_link.c.inside)

review_item = Table(
    "review_item",
    metadata,
    column("item_id", Text, "What is in doubt, and about whom.", _IDENTIFIER, key=True),
    column("doubt", Text(collation="C"), "Kind of doubt.", nullable=False),
    column("left_id", Uuid, "Golden customer; empty where a conflict names nobody published.", _IDENTIFIER),
    column("right_id", Uuid, "The other one, where there are two.", _IDENTIFIER),
    column("probability", Double, "Of the pair or the weakest bridge, by the model."),
    column("priority", Double, "Uncertainty x value of the customers; the largest first.", nullable=False),
    column("finding", Text, "What is wrong, without values.", _IDENTIFIER, nullable=False),
    column("decision_id", BigInteger, "Of a conflict, the decision that has no effect."),
    column("waits", Boolean, "Whether it waits for a decision; else it is decided.", nullable=False),
    schema="ops",
    comment="What stewards are to look at, as published, with what has been decided since.",
)
Index("review_item_first_idx", review_item.c.priority.desc(), postgresql_where=review_item.c.waits)

# Staged beside the published tables; see ``publish``.

_STAGING = MetaData()
_UNLOGGED = ["UNLOGGED"]
staged_link = Table(
    customer_link.name,
    _STAGING,
    *(Column(column.name, column.type) for column in customer_link.columns),
    schema="staging",
    prefixes=_UNLOGGED,
    info={"keys": ("golden_id",)},
)
relinked = Table("relinked", _STAGING, Column("golden_id", Uuid), schema="staging", prefixes=_UNLOGGED)
"""The customers whose links are staged, those that will be no more among them; without it they are those of all."""
staged_doubt = Table(
    "customer_doubt",
    _STAGING,
    Column("golden_id", Uuid),
    Column("doubt", Text),
    Column("uncertainty", Double),
    Column("probability", Double),
    Column("finding", Text),
    schema="staging",
    prefixes=_UNLOGGED,
    info={"keys": ("golden_id",)},
)
"""Customers that may be several."""
STAGED = {table.name: table for table in (staged_link, relinked, staged_doubt)}
