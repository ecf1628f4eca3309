"""Customer Data Management as one Dagster project."""
