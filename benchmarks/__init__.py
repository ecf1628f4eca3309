"""How long a first load takes and how much memory it needs, stage by stage, beside Splink.

Belongs here: making extracts of a size, running the project's own steps on them with a meter beside each process, and
the document that tells the figures. Does not belong here: anything that the product does.
"""
