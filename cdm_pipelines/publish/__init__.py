"""What leaves the hub: the change feed to other systems, and corrections to the owners of sources.

Belongs here: events in the form consumers know, how each kind of sink is served, what a source should correct. Does
not belong here: SQL (hub), or the order of the steps (steps). Nothing here depends on an orchestrator.
"""
