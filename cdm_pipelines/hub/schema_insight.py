"""Tables of insight: figures of quality by day, volumes that the business case counts, and what they are worth.

Belongs here: columns and comments. Does not belong here: measuring (``insight``), filling and asking them
(``scorecards``, ``worth``). No table here has a value of a person: counts, shares, sums and euros only.
"""

from sqlalchemy import Date, Double, Index, Numeric, Table, Text

from cdm_pipelines.hub.schema import column, metadata, moment

quality = Table(
    "quality",
    metadata,
    column("as_of", Date, "Extract day that the figure is about; of a state, the last day in it.", key=True),
    column("source", Text, "Source system; golden for the golden customers.", key=True),
    column("entity", Text, "Entity of the source; customer for the golden customers.", key=True),
    column(
        "attribute", Text, "Canonical attribute, such as party.email; empty for a whole record.", key=True
    ),
    column(
        "dimension",
        Text,
        "completeness, validity, uniqueness, consistency, timeliness, accuracy; friday: no fault at all.",
        key=True,
    ),
    column("measure", Text, "How it was measured: a name that docs/business-case.md explains.", key=True),
    column("numerator", Double, "What is in order.", nullable=False),
    column(
        "denominator",
        Double,
        "What was judged; above 0. The score is numerator / denominator.",
        nullable=False,
    ),
    column("owner", Text, "Who decides about the data, by policies/governance.yaml.", nullable=False),
    column(
        "target", Double, "What the score should at least be, by policies/governance.yaml; empty for none."
    ),
    column("made_from", Text, "Fingerprint of what it was measured on.", nullable=False),
    column("run", Text, "Run that measured it.", nullable=False),
    moment("measured_at", "When it was last written."),
    schema="insight",
    comment="Quality by day, source, entity, attribute and dimension: what is in order of what was judged.",
)
Index(None, quality.c.source, quality.c.entity, quality.c.as_of)

volume = Table(
    "volume",
    metadata,
    column("as_of", Date, "Day that it holds for.", key=True),
    column("name", Text, "What is counted: a name of insight/business_case_measures.", key=True),
    column("source", Text, "Source system; empty for all.", key=True),
    column("value", Double, "How many, or how much.", nullable=False),
    column("unit", Text, "Of the value.", nullable=False),
    column("run", Text, "Run that measured it.", nullable=False),
    moment("measured_at", "When it was last written."),
    schema="insight",
    comment="Volumes that the business case multiplies, by day: what the pipeline counted, before any euro.",
)

worth = Table(
    "worth",
    metadata,
    column("as_of", Date, "Day that its volumes hold for.", key=True),
    column("kind", Text, "fault, gain, driver, goal, claim or total.", key=True),
    column("name", Text, "Of the fault, driver, goal or claim in policies/business_case.yaml.", key=True),
    column(
        "low", Numeric(18, 2), "Amount a year that it stays above in 95 of 100 draws; empty where not told."
    ),
    column(
        "likely", Numeric(18, 2), "Amount a year with every input at its likely value; empty where not told."
    ),
    column(
        "high", Numeric(18, 2), "Amount a year that it stays below in 95 of 100 draws; empty where not told."
    ),
    column("currency", Text, "Of the amounts.", nullable=False),
    column("volume", Double, "What was counted, in the unit of the measured input."),
    column("formula", Text, "How the amount follows, in words.", nullable=False),
    column(
        "missing",
        Text,
        "Inputs that the company has not given, without which there is no amount; empty for none.",
    ),
    column("inputs", Text, "Fingerprint of the policy that it was worked out with.", nullable=False),
    column("run", Text, "Run that worked it out.", nullable=False),
    moment("measured_at", "When it was last written."),
    schema="insight",
    comment="What faults cost and what drivers and goals are worth a year, by day: measured volumes x inputs.",
)
