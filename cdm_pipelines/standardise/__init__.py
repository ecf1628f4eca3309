"""One canonical spelling per value: one module per semantic type. Pure functions over columns."""
