"""The API and the pages: every department finds the customer, and sees what its role may see.

Belongs here: requests and answers over HTTP, sign-in, pages. Does not belong here: what is asked of the house (steps),
what a role may see (privacy.roles), SQL beyond reading a role's own views. Nothing here is imported by the command line
before ``cdm serve`` or ``cdm token`` runs.
"""
