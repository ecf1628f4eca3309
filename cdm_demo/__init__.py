"""The generator of demo extracts and their truth.

Belongs here: inventing a company's customers and how its systems write them down. Does not belong here: reading
extracts (ingest) or judging them (quality).
"""

from cdm_demo.generator import GeneratedSummary, generate

__all__ = ["GeneratedSummary", "generate"]
