"""What runs a linkage from end to end: an interface, and the engine of one process."""
