"""How ``cdm privacy retention`` tells of a plan.

Belongs here: tables and sentences. Does not belong here: the command (``privacy``), what expires (steps.rights).
"""

from cdm_pipelines.commands.terminal import console, show
from cdm_pipelines.steps.rights.retention import Planned
from cdm_pipelines.steps.rights.retention_figures import by_month, by_reason, by_rule


def tell_retention(found: Planned, *, rows: bool, gone: bool = False) -> None:
    """Print what goes by which rule, what stays and why, and what expires later; with ``rows`` every row that goes."""
    show(
        f"{'Let go' if gone else 'Expired'} on {found.today}",
        by_rule(found.expired),
        numeric=["entries", "rows"],
    )
    if staying := by_reason(found.staying):
        show("Due, and staying", staying, numeric=["entries"])
    if rows:
        listed = ("what", "place", "subject", "number", "due", "rule")
        show("Rows", [{name: row[name] for name in listed} for row in found.expired.to_pylist()])
    if months := by_month(found):
        show("Expires later", months, numeric=["entries"])
    if not gone and found.expired.num_rows:
        console.print(
            "Nothing was changed. `cdm privacy retention --apply --by NAME` lets it go, and `apply: true` in "
            "policies/retention.yaml has the schedule do it.",
            markup=False,
        )
