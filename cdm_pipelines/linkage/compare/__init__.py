"""Comparisons: from candidate pairs to comparison levels, packed into agreement patterns."""
