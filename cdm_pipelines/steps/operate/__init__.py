"""Is everything in order, what came of a run, and who is told when one failed."""
