"""The table of figures: what was counted and measured of every asset in every run.

Belongs here: columns and comments. Does not belong here: filling and asking it (``measurements``).
"""

from sqlalchemy import Double, Table, Text

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
