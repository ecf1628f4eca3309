"""The ledger of deliveries of audiences."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0024"
down_revision = "0023"

_SCHEMA = "activation"
_IDENTIFIER, _BEHAVIOUR = "user.unique_id", "user.behavior"


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "delivery",
        sa.Column(
            "delivery_id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the delivery. Privacy category: system.operations.",
        ),
        column("audience", sa.Text(), "Audience, as policies/audiences.yaml calls it.", nullable=False),
        column("number", sa.Integer(), "1, 2, 3 … of the audience.", nullable=False),
        column("purpose", sa.Text(), "Purpose, by its key.", nullable=False),
        column("channel", sa.Text(), "Channel through which customers are approached.", nullable=False),
        column("platform", sa.Text(), "System, by the name of its form.", nullable=False),
        column("form", sa.Integer(), "Version of the form.", nullable=False),
        column("place", sa.Text(), "Folder, URL or address that it went to.", nullable=False),
        column(
            "token",
            sa.Uuid(),
            "Stands in the delivery's own file, which says that it is whole.",
            nullable=False,
        ),
        column("counts", postgresql.JSONB(), "Customers by what became of them.", nullable=False),
        _moment("decided_at", "When it was decided who is in it."),
        column("released_at", sa.DateTime(timezone=True), "When it counted; empty while it is not whole."),
        column(
            "taken_at",
            sa.DateTime(timezone=True),
            "When a webhook had taken all of it; of files when released.",
        ),
        column("problem", sa.Text(), "Why a webhook has not taken it."),
        sa.PrimaryKeyConstraint("delivery_id", name="delivery_pkey"),
        schema=_SCHEMA,
        comment="Deliveries of audiences.",
    )
    op.create_index(
        "delivery_audience_number_idx", "delivery", ["audience", "number"], unique=True, schema=_SCHEMA
    )
    op.create_table(
        "delivery_member",
        column("delivery_id", sa.BigInteger(), "The delivery.", nullable=False),
        column("golden_id", sa.Uuid(), "The customer, by the id of that time.", _IDENTIFIER, nullable=False),
        column("audience", sa.Text(), "The audience.", nullable=False),
        column("action", sa.Text(), "added, updated, removed or control.", _BEHAVIOUR, nullable=False),
        column("reason", sa.Text(), "Why somebody was removed.", _BEHAVIOUR),
        column(
            "row_digest",
            sa.Text(),
            "Keyed digest of the row in the file, by which it is found there.",
            _IDENTIFIER,
        ),
        sa.PrimaryKeyConstraint("delivery_id", "golden_id", name="delivery_member_pkey"),
        schema=_SCHEMA,
        comment="The ledger: whom a delivery added to an audience or removed from it, and who is in its control group.",
    )
    op.create_index("delivery_member_golden_id_idx", "delivery_member", ["golden_id"], schema=_SCHEMA)
    op.create_index(
        "delivery_member_audience_golden_id_idx", "delivery_member", ["audience", "golden_id"], schema=_SCHEMA
    )
    op.create_table(
        "gone_member",
        column("audience", sa.Text(), "The audience.", nullable=False),
        column(
            "member_key",
            sa.Text(),
            "By what the system knows them; tells nobody anything else.",
            nullable=False,
        ),
        _moment("since", "When they were erased."),
        column("delivery_id", sa.BigInteger(), "The delivery that tells of it; empty before that."),
        sa.PrimaryKeyConstraint("audience", "member_key", name="gone_member_pkey"),
        schema=_SCHEMA,
        comment="Who was erased while in an audience: a key of nobody, until the system has been told to let go of it.",
    )
    op.create_table(
        "result",
        column("audience", sa.Text(), "The audience.", nullable=False),
        column("variant", sa.Text(), "sent, or control.", nullable=False),
        _moment("measured_at", "When it was counted."),
        _count("customers", "Customers who were ever added, or are in the control group."),
        _count("sent", "Of them: were sent a message of the campaign since."),
        _count("opened", "Of them: opened one."),
        _count("clicked", "Of them: followed a link in one."),
        _count("unsubscribed", "Of them: unsubscribed by one."),
        _count("bought", "Of them: ordered within the days of the audience."),
        sa.PrimaryKeyConstraint("audience", "variant", name="result_pkey"),
        schema=_SCHEMA,
        comment="What came of audiences, among those who were sent to and those who were left out to compare.",
    )


def _count(name: str, description: str) -> sa.Column[Any]:
    return column(name, sa.BigInteger(), description, nullable=False)


def _moment(name: str, description: str) -> sa.Column[Any]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        nullable=False,
        server_default=sa.func.now(),
        comment=f"{description} Privacy category: system.operations.",
    )


def downgrade() -> None:
    """Go back from this version."""
    for name in ("result", "gone_member", "delivery_member", "delivery"):
        op.drop_table(name, schema=_SCHEMA)
