"""What changed policies would do to the customers, before they do it."""
