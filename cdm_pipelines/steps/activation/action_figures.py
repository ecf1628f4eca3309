"""The figures of next best actions.

Belongs here: what is told, and under which name. Does not belong here: choosing and measuring.
"""

from cdm_pipelines.figures import ROWS, Bars, Check, Figures, Grid, Outcome
from cdm_pipelines.insight.action_picture import uplift_picture, uplift_rows
from cdm_pipelines.steps.activation.actions import Chosen

ASSET = "activation/next_best_action"


def actions_outcome(chosen: Chosen) -> Outcome:
    """What came of ``activation/next_best_action``."""
    now = {str(row["action"]): int(str(row["now"])) for row in chosen.by_action}
    having = sum(now.values())
    share = having / chosen.customers if chosen.customers else 0.0
    reasons: dict[str, int] = {}
    for key, against in chosen.counts.items():
        reasons |= {f"{key}: {reason}": number for reason, number in against.items()}
    figures: Figures = {
        ROWS: chosen.customers,
        "customers with an action": having,
        "share with an action": round(share, 4),
        "decided by": chosen.policy.decided_by,
        "model of responses": chosen.model,
        "actions": Grid(list(chosen.by_action), ("action",)),
        "next best action": Bars(now, ("action", "customers")),
        "not for a customer, and why": Bars(reasons, ("action: reason", "customers")),
        "chosen in this run": chosen.new,
        "withdrawn in this run": chosen.withdrawn,
    }
    if chosen.brought:
        figures = {
            **figures,
            "what actions brought": uplift_picture(chosen.brought),
            "before this period": Grid(uplift_rows(chosen.brought), ("action",)),
        }
    most = max(reasons, key=lambda one: reasons[one], default="")
    nobody = f"Nobody has an action; what most often speaks against one is {most} ({reasons.get(most, 0):,} customers)"
    checks = {
        "consent_is_kept": Check(
            not chosen.breaches,
            f"{chosen.breaches:,} customers have an action for a purpose or channel that they do not allow"
            if chosen.breaches
            else f"{having:,} actions, each allowed by its customer",
        ),
        "somebody_has_an_action": Check(
            having > 0 or not chosen.customers,
            f"{having:,} of {chosen.customers:,} customers ({share:.0%})" if having else nobody,
            "WARN",
        ),
    }
    return Outcome(ASSET, figures, checks)
