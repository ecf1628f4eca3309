"""The log of steward decisions, and the decision behind a golden value."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

_LOGS = ("decision", "decision_head")


def _column(
    name: str, kind: sa.types.TypeEngine[Any], description: str, privacy: str = "", *, null: bool = False
) -> sa.Column[Any]:
    comment = f"{description} Privacy category: {privacy or 'system.operations'}."
    return sa.Column(name, kind, nullable=null, comment=comment)


def upgrade() -> None:
    """Go to this version."""
    op.add_column(
        "provenance",
        _column(
            "decision_id", sa.BigInteger(), "The steward's decision, where the rule is steward.", null=True
        ),
        schema="golden",
    )
    op.create_index(
        "provenance_decision_idx",
        "provenance",
        ["golden_id"],
        schema="golden",
        postgresql_where=sa.text("decision_id IS NOT NULL"),
    )
    op.create_table(
        "decision",
        _column("decision_id", sa.BigInteger(), "1, 2, 3 … in the order of recording."),
        _column("decided_at", sa.DateTime(timezone=True), "When it was recorded."),
        _column("decided_by", sa.Text(), "Who decided.", "user.unique_id"),
        _column("kind", sa.Text(), "same, different, confirm, set or undo."),
        _column("subject", postgresql.JSONB(), "The source records, and for set the value.", "user"),
        _column("reason", sa.Text(), "Why, in the steward's words."),
        _column("undoes", sa.BigInteger(), "The decision that an undo takes back.", null=True),
        _column("previous_hash", sa.Text(), "Hash of the decision before; 64 zeros for the first."),
        _column("hash", sa.Text(), "SHA-256 over the decision and the hash before it."),
        sa.PrimaryKeyConstraint("decision_id", name="decision_pkey"),
        schema="identity",
        comment="What stewards decided, as a chain of hashes; effective decisions bind linkage and survivorship.",
    )
    op.create_table(
        "decision_head",
        _column("decision_id", sa.BigInteger(), "The last decision at the time."),
        _column("hash", sa.Text(), "Its hash."),
        sa.PrimaryKeyConstraint("decision_id", name="decision_head_pkey"),
        schema="identity",
        comment="Where the log of decisions ended, noted with each of them: a log that is shorter was cut off.",
    )
    op.execute(
        """CREATE FUNCTION identity.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
             RAISE EXCEPTION '%.% can only be added to', TG_TABLE_SCHEMA, TG_TABLE_NAME
               USING ERRCODE = 'restrict_violation', HINT = 'Take a decision back with cdm steward undo.';
           END $$"""
    )
    for table in _LOGS:
        op.execute(
            f"""CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.{table}
                FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change()"""
        )


def downgrade() -> None:
    """Go back to the version before."""
    for table in _LOGS:
        op.drop_table(table, schema="identity")
    op.execute("DROP FUNCTION identity.refuse_change()")
    op.drop_column("provenance", "decision_id", schema="golden")
