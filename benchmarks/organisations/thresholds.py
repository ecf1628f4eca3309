"""The thresholds at which Splink's pairs are clustered: known to its program and to what measures it.

Belongs here: plain values, importable in any environment. Does not belong here: how Splink is set up.
"""

THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)
MATCH = 0.5
"""That of our own policy for F1."""
