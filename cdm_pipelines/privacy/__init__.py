"""Rights and governance: who may see what of whom, for which purpose.

Belongs here: policies of privacy and what follows from them, as pure functions. Does not belong here: reading and
writing (steps.privacy), SQL of the hub (hub).
"""
