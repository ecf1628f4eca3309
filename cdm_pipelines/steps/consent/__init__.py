"""The steps of consent: what customers allow, worked out and staged with them, and of whom data may not be used."""
