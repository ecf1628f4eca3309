"""The steps of a run, free of any orchestrator: read, call the rooms' pure functions, write, and report counts.

Belongs here: what one step reads and writes, in which order. Does not belong here: rules about content (the rooms)
or how a step is scheduled and shown (Dagster's rooms and the command line, which both stand on these steps).
"""
