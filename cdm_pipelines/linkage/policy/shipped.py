"""Where the policies that come with the package lie.

Belongs here: the folder. Does not belong here: reading a policy (file) or a table of names (equivalents).
"""

from pathlib import Path

SHIPPED = Path(__file__).parents[2] / "policies" / "linkage"
