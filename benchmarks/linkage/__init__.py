"""How fast, how large and how good linking is, beside Splink, GoldenMatch and recordlinkage on the same records.

Belongs here: data sets, the linking of each system in a process of its own, growth, calibration, and the document.
Does not belong here: anything that the product does; the meter and the peers' environment, which all benchmarks share.
"""
