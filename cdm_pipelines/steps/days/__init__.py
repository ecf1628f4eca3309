"""A day of a source: what has arrived, from landing to standard, quarantine and corrections, current records."""
