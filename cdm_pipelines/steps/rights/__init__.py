"""Rights of persons: who is meant, access, erasure with its certificate, and what follows from both."""
