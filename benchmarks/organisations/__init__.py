"""How well organisations are linked, beside Splink on the same records.

Belongs here: data sets, the linking of each, the document. Does not belong here: anything that the product does; the
peers' environment, which all benchmarks share.
"""
