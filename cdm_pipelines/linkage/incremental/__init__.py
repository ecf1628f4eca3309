"""Linking again after some records have changed, to the outcome of linking everything."""
