"""Finding the customer whom a person means."""
