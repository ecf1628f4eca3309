"""Rights of persons and what follows from them: erasure for good, tombstones, certificates, what the law has kept."""
