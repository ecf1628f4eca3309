"""Records as integer codes: values cleaned, columns dictionary-encoded once, blocking keys hashed."""
