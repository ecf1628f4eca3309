"""Figures of quality by day, volumes that the business case counts, and what they are worth."""

import sqlalchemy as sa
from alembic import op

from cdm_pipelines.hub.migrations.columns import column

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "quality",
        column(
            "as_of",
            sa.Date(),
            "Extract day that the figure is about; of a state, the last day in it.",
            nullable=False,
        ),
        column("source", sa.Text(), "Source system; golden for the golden customers.", nullable=False),
        column(
            "entity", sa.Text(), "Entity of the source; customer for the golden customers.", nullable=False
        ),
        column(
            "attribute",
            sa.Text(),
            "Canonical attribute, such as party.email; empty for a whole record.",
            nullable=False,
        ),
        column(
            "dimension",
            sa.Text(),
            "completeness, validity, uniqueness, consistency, timeliness, accuracy; friday: no fault at all.",
            nullable=False,
        ),
        column(
            "measure",
            sa.Text(),
            "How it was measured: a name that docs/business-case.md explains.",
            nullable=False,
        ),
        column("numerator", sa.Double(), "What is in order.", nullable=False),
        column(
            "denominator",
            sa.Double(),
            "What was judged; above 0. The score is numerator / denominator.",
            nullable=False,
        ),
        column(
            "owner", sa.Text(), "Who decides about the data, by policies/governance.yaml.", nullable=False
        ),
        column(
            "target",
            sa.Double(),
            "What the score should at least be, by policies/governance.yaml; empty for none.",
        ),
        column("made_from", sa.Text(), "Fingerprint of what it was measured on.", nullable=False),
        column("run", sa.Text(), "Run that measured it.", nullable=False),
        sa.Column(
            "measured_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was last written. Privacy category: system.operations.",
        ),
        sa.PrimaryKeyConstraint(
            "as_of", "source", "entity", "attribute", "dimension", "measure", name=op.f("quality_pkey")
        ),
        schema="insight",
        comment="Quality by day, source, entity, attribute and dimension: what is in order of what was judged.",
    )
    op.create_table(
        "volume",
        column("as_of", sa.Date(), "Day that it holds for.", nullable=False),
        column(
            "name", sa.Text(), "What is counted: a name of insight/business_case_measures.", nullable=False
        ),
        column("source", sa.Text(), "Source system; empty for all.", nullable=False),
        column("value", sa.Double(), "How many, or how much.", nullable=False),
        column("unit", sa.Text(), "Of the value.", nullable=False),
        column("run", sa.Text(), "Run that measured it.", nullable=False),
        sa.Column(
            "measured_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was last written. Privacy category: system.operations.",
        ),
        sa.PrimaryKeyConstraint("as_of", "name", "source", name=op.f("volume_pkey")),
        schema="insight",
        comment="Volumes that the business case multiplies, by day: what the pipeline counted, before any euro.",
    )
    op.create_table(
        "worth",
        column("as_of", sa.Date(), "Day that its volumes hold for.", nullable=False),
        column("kind", sa.Text(), "fault, gain, driver, goal, claim or total.", nullable=False),
        column(
            "name",
            sa.Text(),
            "Of the fault, driver, goal or claim in policies/business_case.yaml.",
            nullable=False,
        ),
        column(
            "low",
            sa.Numeric(precision=18, scale=2),
            "Amount a year that it stays above in 95 of 100 draws; empty where not told.",
        ),
        column(
            "likely",
            sa.Numeric(precision=18, scale=2),
            "Amount a year with every input at its likely value; empty where not told.",
        ),
        column(
            "high",
            sa.Numeric(precision=18, scale=2),
            "Amount a year that it stays below in 95 of 100 draws; empty where not told.",
        ),
        column("currency", sa.Text(), "Of the amounts.", nullable=False),
        column("volume", sa.Double(), "What was counted, in the unit of the measured input."),
        column("formula", sa.Text(), "How the amount follows, in words.", nullable=False),
        column(
            "missing",
            sa.Text(),
            "Inputs that the company has not given, without which there is no amount; empty for none.",
        ),
        column("inputs", sa.Text(), "Fingerprint of the policy that it was worked out with.", nullable=False),
        column("run", sa.Text(), "Run that worked it out.", nullable=False),
        sa.Column(
            "measured_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was last written. Privacy category: system.operations.",
        ),
        sa.PrimaryKeyConstraint("as_of", "kind", "name", name=op.f("worth_pkey")),
        schema="insight",
        comment="What faults cost and what drivers and goals are worth a year, by day: measured volumes x inputs.",
    )
    op.create_index(
        op.f("quality_source_entity_as_of_idx"), "quality", ["source", "entity", "as_of"], schema="insight"
    )


def downgrade() -> None:
    """Go back to the version before it."""
    for name in ("worth", "volume", "quality"):
        op.drop_table(name, schema="insight")
