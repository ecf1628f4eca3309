"""The error of the ground floor.

Belongs here: what a person is told when the database cannot be used. Does not belong here: errors about data.
"""


class HubError(Exception):
    """The database cannot be started, reached or used; the text says what failed and what to do."""


class HubAwayError(HubError):
    """The database cannot be reached, which may pass: to try again is of use."""
