"""Linking: of the current party records, of any files; models through time, explanation, evaluation."""
