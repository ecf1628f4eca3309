"""The customer profile: models fitted, enrichers computed, their tables staged with the customers."""
