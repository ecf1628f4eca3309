"""The ledger of deliveries is kept by customer, and looked up by delivery: two indexes in the place of three.

Whose audience a row is of follows from its delivery, so that no index has to hold the name of it beside every customer.
"""

from alembic import op

revision = "0033"
down_revision = "0032"
_SCHEMA, _TABLE = "activation", "delivery_member"


def upgrade() -> None:
    """Go to this version."""
    op.drop_index("delivery_member_audience_golden_id_idx", _TABLE, schema=_SCHEMA)
    op.drop_index("delivery_member_golden_id_idx", _TABLE, schema=_SCHEMA)
    _keyed_by("golden_id", "delivery_id")
    op.create_index("delivery_member_delivery_id_idx", _TABLE, ["delivery_id"], schema=_SCHEMA)


def downgrade() -> None:
    """Go back to the version before it."""
    op.drop_index("delivery_member_delivery_id_idx", _TABLE, schema=_SCHEMA)
    _keyed_by("delivery_id", "golden_id")
    op.create_index("delivery_member_golden_id_idx", _TABLE, ["golden_id"], schema=_SCHEMA)
    op.create_index(
        "delivery_member_audience_golden_id_idx", _TABLE, ["audience", "golden_id"], schema=_SCHEMA
    )


def _keyed_by(*columns: str) -> None:
    op.drop_constraint("delivery_member_pkey", _TABLE, schema=_SCHEMA)
    op.create_primary_key("delivery_member_pkey", _TABLE, list(columns), schema=_SCHEMA)
