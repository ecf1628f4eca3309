"""The customer profile: what is worked out of golden customers and of what is known around them.

Belongs here: one module per enricher, and what it takes to declare and compute one. Does not belong here: where inputs
come from and where results go (steps.customers), or who a customer is (identity, golden).
"""
