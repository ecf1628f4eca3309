"""Figures of quality, worth, key figures and maturity: read, worked out by the room insight, kept as a history."""
