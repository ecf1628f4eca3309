"""Values that lost against golden ones, as a role sees them: of what it reads in clear of golden customers.

Belongs here: the SQL that leaves out the others. Does not belong here: the rest of a view (``views``).

They lie in columns of JSON beside each other, whatever they are values of: no category of a column says how each one is
read.
"""

from collections.abc import Collection

from cdm_pipelines.golden.policy import golden_groups
from cdm_pipelines.hub.role_schemas import quoted

LOSERS, FORMER = ("golden.provenance", "losers"), ("golden.customer_history", "provenance")
SAID = " Values that lost are there of what is read in clear of golden customers; of others, who holds them."


def left_in(column: tuple[str, str], name: str, clear: Collection[str]) -> str:
    """SQL of a column without values that lost of what a role does not read in clear; who holds them stays.

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
        return f'CASE WHEN t."attribute" IN ({known}) THEN {name} ELSE {_without(name)} END'
    lost = _without("CASE jsonb_typeof(one -> 'losers') WHEN 'array' THEN one -> 'losers' END")
    return (
        f"(SELECT jsonb_agg(CASE WHEN one ->> 'attribute' IN ({known}) THEN one "  # noqa: S608 - ours
        f"ELSE one || jsonb_build_object('losers', {lost}) END) FROM jsonb_array_elements({name}) AS one)"
    )


def _without(losers: str) -> str:
    """Who holds each value, without it."""
    return f"(SELECT jsonb_agg(lost - 'value') FROM jsonb_array_elements({losers}) AS lost)"  # noqa: S608 - ours
