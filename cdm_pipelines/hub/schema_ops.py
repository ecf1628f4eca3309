"""Tables of operation: figures of every asset in every run, copies of linkage models, checksums, days.

Belongs here: columns and comments. Does not belong here: filling and asking them (``measurements``, ``models``,
``seals``, ``source_days``).
"""

from sqlalchemy import BigInteger, Double, Numeric, Table, Text

from cdm_pipelines.hub.schema import column, metadata, moment

measurement = Table(
    "measurement",
    metadata,
    column("asset", Text, "Key of the asset: layer/source/entity or layer/name.", key=True),
    column("partition", Text, "The day, YYYY-MM-DD; empty for a state.", key=True),
    column("run", Text, "Run that measured it.", key=True),
    column("name", Text, "What is measured; of a check: check and its name.", key=True),
    column("part", Text, "Part of a distribution or table; empty for a single figure.", key=True),
    column(
        "value", Double, "The figure, where it is a number; 1 is yes, 0 no, moments are seconds since 1970."
    ),
    column("text", Text, "The figure, where it is none: a fingerprint, or a few words. No personal values."),
    moment("measured_at", "When it was written."),
    schema="ops",
    comment="Figures of assets and their checks by run: counts, rates, distributions, fingerprints.",
)

linkage_model = Table(
    "linkage_model",
    metadata,
    column("made_with", Text, "Fingerprint of all models of a version, as in version.made_from.", key=True),
    column("kind", Text, "Kind of party: person or organisation.", key=True),
    column("fingerprint", Text, "Of the model.", nullable=False),
    column(
        "model", Text, "The model as JSON; it has values that several records share.", "user", nullable=False
    ),
    moment("first_used", "When a version was first made with it."),
    schema="ops",
    comment="Copies of the linkage models of published versions: a lost model is restored, never fitted unasked.",
)

seal = Table(
    "seal",
    metadata,
    column("table_name", Text, "The table.", key=True),
    column("publication_id", BigInteger, "Publication that added.", key=True),
    column("rows", BigInteger, "Rows that it added.", nullable=False),
    column("digest", Numeric, "Sum over digests of the rows.", nullable=False),
    schema="ops",
    comment="Checksums of tables to which publications only add, by publication.",
)

source_day = Table(
    "source_day",
    metadata,
    column("source", Text, "Source system.", key=True),
    column("entity", Text, "Entity of the source.", key=True),
    column("holds", Text, "Canonical entity that rows of the day were standardised into.", key=True),
    column("date", Text, "Extract date, YYYY-MM-DD.", key=True),
    schema="ops",
    comment="Days of sources that customers were made from: a lake that has lost one is not published from.",
)
