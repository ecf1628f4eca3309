"""Extracts of another company: held against our customers, taken in as sources, and taken out again."""
