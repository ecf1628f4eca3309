"""The commands of ``cdm``, one module per subject.

Belongs here: reading arguments, calling one flow or query, printing what a person wants to know. Exit codes: 0 done,
1 done with something refused or not found, 2 wrong usage or settings, 3 the platform failed.
"""
