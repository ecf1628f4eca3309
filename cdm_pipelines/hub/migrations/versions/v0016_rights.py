"""Requests of persons, what is restricted or kept by law, and certificates of erasures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0016"
down_revision = "0015"

_COMMENT = "Privacy category: system.operations."


def upgrade() -> None:
    """Go to this version."""
    op.execute("CREATE SCHEMA IF NOT EXISTS privacy")
    op.create_table(
        "request",
        sa.Column(
            "request_id",
            sa.BigInteger(),
            sa.Identity(always=True),
            primary_key=True,
            comment=f"Number of the request. {_COMMENT}",
        ),
        column("kind", sa.Text(), "access, erase, restrict, object or rectify.", nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment=f"When it was received. {_COMMENT}",
        ),
        column("due_on", sa.Date(), "The day by which it is to be answered.", nullable=False),
        column("checked_by", sa.Text(), "Who made sure that the person is who asks.", nullable=False),
        column("state", sa.Text(), "open or done.", nullable=False),
        column("reason", sa.Text(), "Number or words of the request, without values."),
        _json("policy", "The policy that was in force when it was asked.", nullable=False),
        _json("subject", "Whose data it is about, while it is open; then empty.", "user"),
        column("closed_at", sa.DateTime(timezone=True), "When it was done."),
        schema="privacy",
        comment="Requests of persons about their data, and what became of them.",
    )
    op.create_table(
        "request_step",
        column("request_id", sa.BigInteger(), "The request.", nullable=False),
        column("place", sa.Text(), "The place of the register, or the step.", nullable=False),
        column("rows", sa.BigInteger(), "Rows that left it.", nullable=False),
        column("how", sa.Text(), "How, in words.", nullable=False),
        column("done_at", sa.DateTime(timezone=True), "When; empty where it is to be done once more."),
        sa.PrimaryKeyConstraint("request_id", "place", name=op.f("request_step_pkey")),
        schema="privacy",
        comment="Steps of requests: one that was cut short goes on behind the last of them.",
    )
    op.create_table(
        "restriction",
        column("source", sa.Text(), "Source system.", nullable=False),
        column("entity", sa.Text(), "Entity of the source system.", nullable=False),
        column("record_id", sa.Text(), "Record within it.", "user.unique_id", nullable=False),
        column(
            "purpose", sa.Text(), "Purpose that is off, by its key; empty for every purpose.", nullable=False
        ),
        column("request_id", sa.BigInteger(), "The request by which it is restricted.", nullable=False),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment=f"Since when. {_COMMENT}",
        ),
        sa.PrimaryKeyConstraint("source", "entity", "record_id", "purpose", name=op.f("restriction_pkey")),
        schema="privacy",
        comment="Source records that are kept and used for nothing, or not for a purpose that the person objected to.",
    )
    op.create_table(
        "legal_hold",
        column("request_id", sa.BigInteger(), "The erasure that it was kept at.", nullable=False),
        column("number", sa.BigInteger(), "1, 2, 3 … within it.", nullable=False),
        column("what", sa.Text(), "Kind of document.", nullable=False),
        _json("content", "What has to be kept.", "user", nullable=False),
        column("reason", sa.Text(), "Law or rule that has it kept.", nullable=False),
        column("until", sa.Date(), "The first day on which it may go.", nullable=False),
        sa.PrimaryKeyConstraint("request_id", "number", name=op.f("legal_hold_pkey")),
        schema="privacy",
        comment="What the law has kept of persons who were erased; for nobody but who answers for it.",
    )
    op.create_table(
        "certificate",
        column("number", sa.BigInteger(), "1, 2, 3 … in the order of issue.", nullable=False),
        column("request_id", sa.BigInteger(), "The request.", nullable=False),
        column("issued_at", sa.DateTime(timezone=True), "When it was issued.", nullable=False),
        _json("content", "What was erased where, and what was looked through after.", nullable=False),
        column(
            "previous_hash",
            sa.Text(),
            "Hash of the certificate before; 64 zeros for the first.",
            nullable=False,
        ),
        column("hash", sa.Text(), "SHA-256 over the certificate and the hash before it.", nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("certificate_pkey")),
        schema="privacy",
        comment="Certificates of erasures, as a chain of hashes without values.",
    )


def _json(
    name: str, description: str, privacy: str = "system.operations", *, nullable: bool = True
) -> sa.Column[object]:
    return sa.Column(
        name,
        postgresql.JSONB(),
        nullable=nullable,
        comment=f"{description} Privacy category: {privacy}.",
    )


def downgrade() -> None:
    """Go back to the version before."""
    for table in ("certificate", "legal_hold", "restriction", "request_step", "request"):
        op.drop_table(table, schema="privacy")
