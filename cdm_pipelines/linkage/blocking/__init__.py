"""Candidate pairs: blocking rules bound to records, and the pairs that they make."""
