"""Comparisons: from pairs of positions to levels, packed into agreement patterns."""
