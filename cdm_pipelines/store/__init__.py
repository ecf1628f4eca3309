"""Where data lies: the lake, its tables of base and changes, paths, keys of records, Arrow helpers.

Belongs here: what every room reads and writes through. Does not belong here: what the columns mean.
"""
