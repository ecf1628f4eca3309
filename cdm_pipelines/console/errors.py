"""What is wrong with a request, as people and programs are told it.

Belongs here: kinds of refusal with their HTTP status. Does not belong here: how they are written (``problems``, pages).
"""


class ConsoleError(Exception):
    """A request cannot be answered; the text says why and what to do, without a value.

    Attributes:
        status: Of HTTP.
        kind: The last part of the problem's type (RFC 9457).
        title: In a few words.
        more: Members of the problem beside these, for programs.
    """

    status = 400
    kind = "bad-request"
    title = "The request cannot be used"

    def __init__(self, text: str = "", **more: object) -> None:
        super().__init__(text)
        self.more = more


class SignInError(ConsoleError):
    """Nobody is signed in, or their session or key has ended."""

    status, kind, title = 401, "not-signed-in", "Not signed in"


class ForbiddenError(ConsoleError):
    """The role may not do that."""

    status, kind, title = 403, "not-for-this-role", "Not for this role"


class UnknownError(ConsoleError):
    """There is nothing there, or nothing that the role sees; the two are told alike."""

    status, kind, title = 404, "not-found", "Not found"


class ClashError(ConsoleError):
    """It contradicts what there is."""

    status, kind, title = 409, "conflict", "It contradicts what there is"


class ForgottenError(ConsoleError):
    """It was there, and is kept no longer."""

    status, kind, title = 410, "no-longer-kept", "No longer kept"


class TooLargeError(ConsoleError):
    """More was sent than is read."""

    status, kind, title = 413, "too-large", "Too large"


class SlowError(ConsoleError):
    """A client that took too long to send what it began."""

    status, kind, title = 408, "too-slow", "Too slow"


class RefusedError(ConsoleError):
    """Understood, and refused: a value is none of its kind, a decision is about nobody."""

    status, kind, title = 422, "refused", "Refused"


class TooManyError(ConsoleError):
    """Too many requests, or too many wrong keys."""

    status, kind, title = 429, "too-many-requests", "Too many requests"


class UnexpectedError(ConsoleError):
    """A bug."""

    status, kind, title = 500, "unexpected", "Unexpected"


class AwayError(ConsoleError):
    """Something that is needed is not there for the moment."""

    status, kind, title = 503, "not-available", "Not available for the moment"


class BusyError(ConsoleError):
    """More is asked than can be answered for the moment."""

    status, kind, title = 503, "busy", "Too much is asked at the moment"
