"""The generator of demo extracts and their truth."""
