"""What a steward decides, looks at first and sees of a customer."""
