"""Refusals of the API as ``application/problem+json`` (RFC 9457), without a value of the request.

Belongs here: from an error to an answer. Does not belong here: kinds of refusal (``errors``), pages.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from cdm_pipelines.console.answers import as_json
from cdm_pipelines.console.errors import (
    AwayError,
    ConsoleError,
    RefusedError,
    UnexpectedError,
    UnknownError,
)
from cdm_pipelines.faults import database_fault, place
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.proposals import ProposalError
from cdm_pipelines.identity.decisions import DecisionError
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.purposes import PurposesError
from cdm_pipelines.standardise.single import ValueRefusedError
from cdm_pipelines.steps.consent.said import StatementError
from cdm_pipelines.steps.rights.subject import RightsError
from cdm_pipelines.steps.rights.subject import UnknownError as NobodyError
from cdm_pipelines.store.damage import LakeError

MEDIA_TYPE = "application/problem+json"
HEADERS = {401: {"www-authenticate": "Bearer"}, 503: {"retry-after": "1"}}
"""That a refusal comes with, by its status."""

_logger = logging.getLogger(__name__)


def told(error: Exception) -> ConsoleError | None:
    """What a caller is told of an error of the house; None for a bug."""
    match error:
        case ConsoleError():
            return error
        case NobodyError():
            return UnknownError(str(error))
        case DecisionError() | ProposalError() | RightsError() | StatementError() | ValueRefusedError():
            return RefusedError(str(error))
        case PrivacyPolicyError() | PurposesError() | HubError() | LakeError():
            return AwayError(str(error))
    fault = database_fault(error)
    return None if fault is None else AwayError(str(fault))


def understood(error: Exception) -> ConsoleError:
    """What a caller is told of any error; a bug is written to the log, without its own text."""
    known = told(error)
    if known is None:
        _logger.error("A request failed: %s", place(error))
        return UnexpectedError(
            "Something is wrong here, and it is in the log: tell whoever runs this console."
        )
    return known


def problem(error: ConsoleError, more: Mapping[str, Any] | None = None) -> Response:
    """The answer to a request that is refused."""
    content = {
        "type": f"urn:cdm:problem:{error.kind}",
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        **error.more,
        **(more or {}),
    }
    headers = HEADERS.get(error.status, {})
    return Response(as_json(content), error.status, headers, MEDIA_TYPE)


def invalid(errors: Sequence[Mapping[str, Any]]) -> Response:
    """The answer to a request whose parts are not as they should be: which, and why, and not what was sent."""
    fields = [
        {"field": ".".join(str(part) for part in one["loc"]), "rule": str(one["msg"])} for one in errors
    ]
    error = RefusedError("The request is not as it should be; see `fields`.")
    return problem(error, {"fields": fields})
