"""What a source delivers and what a customer is. No I/O beyond reading contract files."""
