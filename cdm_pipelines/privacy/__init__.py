"""What may be done with customers' data, and what they said about it.

Belongs here: pure functions over what is known of persons and purposes. Does not belong here: reading and writing
(steps.privacy), tables of the hub (hub).
"""
