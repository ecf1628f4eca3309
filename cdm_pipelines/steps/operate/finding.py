"""What was tried or compared, and what came of it: the rows of ``cdm doctor`` and ``cdm verify``.

Belongs here: their form. Does not belong here: finding anything.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was tried or compared.

    Attributes:
        what: The thing: a part of the platform, files of a layer, a table.
        well: Whether it is as it should be.
        finding: In words, without values.
        fix: What to do where it is not.
    """

    what: str
    well: bool
    finding: str
    fix: str = ""
