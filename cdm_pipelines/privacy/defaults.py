"""What is allowed while nobody said anything: the default of each purpose.

Belongs here: that one mapping. Does not belong here: why it is so (legal bases), or what somebody said (consent).

A purpose that rests on consent is not allowed until it is given; one that rests on a contract, a legal duty or a
legitimate interest is allowed until there is an objection.
"""

from collections.abc import Mapping
from typing import Final

DEFAULTS: Final[Mapping[str, bool]] = {
    "analytics": True,
    "billing": True,
    "identity": True,
    "marketing": False,
    "order_handling": True,
    "personalisation": False,
    "service": True,
}
