"""Forms of the systems that audiences are delivered to: columns, normalisation and hashes, as each publishes them.

Belongs here: one module per system, what they have in common (``form``, ``normalise``), and the list of them
(``catalogue``). Does not belong here: who is in an audience (``audience_policy``), or writing files (steps.activation).
"""
