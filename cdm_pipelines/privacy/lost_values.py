"""Values that lost against golden ones, as a role sees them: of what it reads in clear of golden customers.

Belongs here: the SQL that leaves out the others. Does not belong here: the rest of a view (``views``).

They lie in columns of JSON beside each other, whatever they are values of: no category of a column says how each one is
read.
"""

from collections.abc import Collection

from cdm_pipelines.golden.policy import golden_groups
from cdm_pipelines.hub.role_schemas import quoted

LOSERS, FORMER = ("golden.provenance", "losers"), ("golden.customer_history", "provenance")
SAID = " Values that lost are there of what is read in clear of golden customers."


def left_in(column: tuple[str, str], name: str, clear: Collection[str]) -> str:
    """SQL of a column without values that lost of what a role does not read in clear.

    Args:
        column: Table and column, one of those above.
        name: Of the column, as SQL names it in the view.
        clear: Columns of golden customers that the role reads in clear.
    """
    groups = [group for group, columns in golden_groups().items() if set(columns) <= set(clear)]
    if len(groups) == len(golden_groups()):
        return name
    known = ", ".join(map(quoted, ["", *groups]))
    if column == LOSERS:
        return f'CASE WHEN t."attribute" IN ({known}) THEN {name} END'
    return (
        f"(SELECT jsonb_agg(CASE WHEN one ->> 'attribute' IN ({known}) THEN one ELSE one - 'losers' END) "  # noqa: S608 - ours
        f"FROM jsonb_array_elements({name}) AS one)"
    )
