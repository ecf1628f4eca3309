"""``cdm privacy requests`` and ``certificate``: what was asked, what is late, and that an erasure was done.

Belongs here: those commands and how they speak. Does not belong here: handling a request (``privacy``), which are late
(steps.rights.requests).
"""

import datetime as dt
import json
from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import FAILED, USAGE, errors, fail, hub, settings, show

_PROPOSED = {"open": "waits for approval", "approved": "approved"}


def requests() -> None:
    """List the requests of persons, those that wait for somebody who approves them too, and which of them are late."""
    from cdm_pipelines.hub.proposals import CHECKED_BY  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.rights import requests as steps  # noqa: PLC0415 - commands load what they need

    today = dt.datetime.now(dt.UTC).date()
    with hub(settings()) as engine, engine.connect() as connection:
        found, waiting = steps.tracked(connection, today), steps.proposed(connection, today)
        late = steps.late(connection, today)
    rows = [
        {
            "request": one.request.request_id,
            "kind": one.request.kind,
            "received": f"{one.request.received_at:%Y-%m-%d}",
            "due": str(one.request.due_on),
            "identity checked by": one.request.checked_by,
            "state": "late" if one.late else one.request.state,
            "done": f"{one.request.closed_at:%Y-%m-%d}" if one.request.closed_at else "",
        }
        for one in found
    ]
    rows += [
        {
            "request": f"proposal {one.proposal.proposal_id}",
            "kind": one.proposal.kind,
            "received": f"{one.proposal.proposed_at:%Y-%m-%d}",
            "due": str(one.due_on),
            "identity checked by": one.proposal.subject.get(CHECKED_BY, ""),
            "state": "late" if one.late else _PROPOSED[one.proposal.state],
            "done": "",
        }
        for one in waiting
    ]
    show("Requests", rows, numeric=["request"])
    if late:
        errors.print(f"{len(late):,} requests are late.", style="red")
        raise typer.Exit(FAILED)


def certificate(
    request: Annotated[int, typer.Argument(help="Number of the request.")],
) -> None:
    """Show the certificate of an erasure as JSON, and that the chain of certificates is unbroken."""
    from cdm_pipelines.privacy.certificate import faults  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.rights.certifying import chain_of  # noqa: PLC0415

    with hub(settings()) as engine, engine.connect() as connection:
        chain = chain_of(connection)
    wrong = list(faults(chain))
    if wrong:
        fail("\n".join(f"✗ {one}" for one in wrong), FAILED)
    of = [one for one in chain if one.request_id == request]
    if not of:
        fail(f"There is no certificate of request {request}: `cdm privacy requests` lists them.", USAGE)
    told = {**vars(of[0]), "issued_at": of[0].issued_at.isoformat()}
    typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
