"""``cdm customer --consent``: what a customer allows, and why.

Belongs here: how it is printed. Does not belong here: the rules (privacy.consent), or where it is kept (hub.consent).
"""

from typing import TYPE_CHECKING
from uuid import UUID

from cdm_pipelines.commands.terminal import console, fail, show

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from cdm_pipelines.settings import Settings


def show_consent(own: "Settings", connection: "Connection", golden_id: UUID) -> None:
    """Print what a customer allows by purpose and channel, and all that it said; an alias leads to its customer."""
    from cdm_pipelines.hub import consent  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.hub.queries import customer  # noqa: PLC0415
    from cdm_pipelines.privacy.purposes import POLICY, Purposes  # noqa: PLC0415

    one = customer(connection, str(golden_id))
    if one is None:
        fail("No customer found.")
    current = UUID(str(one.golden["golden_id"]))
    rows = list(consent.of_customer(connection, current))
    said = {row["purpose"] for row in rows}
    nothing = [
        {
            "purpose": purpose,
            "channel": "all others",
            "allowed": allowed,
            "why": "nothing was said: as the purpose has it",
        }
        for purpose, allowed in sorted(Purposes.load(own.policies / POLICY).defaults.items())
        if purpose not in said
    ]
    told = [
        {
            "purpose": row["purpose"],
            "channel": row["channel"] or ("all others" if len(rows) > 1 else "all"),
            "allowed": "yes" if row["allowed"] else "no",
            "state": row["state"],
            "since": _day(row["since"]),
            "expires": _day(row["expires"]),
            "why": row["why"],
            "statement": "/".join(str(row[key]) for key in ("source", "entity", "record_id"))
            if row["source"]
            else "",
        }
        for row in [*rows, *({**dict.fromkeys(consent.COLUMNS), **each} for each in nothing)]
    ]
    show("Consent", told)
    statements = consent.statements_of(connection, current)
    show(
        "Statements about it alone",
        [
            {name: str(value) if value is not None else "" for name, value in row.items()}
            for row in statements
        ],
    )
    console.print("Statements about addresses that others have too decide as well; they are named above.")


def _day(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment is not None else ""
