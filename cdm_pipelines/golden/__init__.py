"""Survivorship: one golden value per attribute, and the provenance of each choice."""
