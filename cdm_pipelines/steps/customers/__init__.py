"""Golden customers: staged, audited, published, exported, told to others."""
