"""The current state of every source record, a pure function of the standardised partitions."""
