"""Names of the tables that linking leaves for its next run.

Belongs here: those names. Does not belong here: what is in them (``state``), where they lie (store.layout).
"""

BASE_TABLES = ("records", "keys", "plan")
DECISIONS = ("same", "different", "confirmed")
TABLES = ("added", "added_keys", "links", "groups", *DECISIONS)
