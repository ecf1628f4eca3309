"""Definitions that Dagster loads: one folder per source, ``customers`` and ``operations``."""
