"""Linkage held against what is known: the truth, a labelled sample."""
