"""Categories of data that the project names itself, of the Fides taxonomy; those that begin with ``user`` are personal.

Belongs here: those names. Does not belong here: which column has which (contracts, the hub's schema), places that hold
data (register).
"""

OPERATIONS = "system.operations"
"""Category of what says nothing of a person."""
UNCLASSIFIED = "user"
"""Category of what nobody has classified: it counts as personal until somebody does."""
IDENTIFIER = "user.unique_id"
"""Category of keys: of a source record, or of a golden customer."""


def is_personal(category: str | None) -> bool:
    """Whether a category is of personal data."""
    return category is not None and category.partition(".")[0] == "user"
