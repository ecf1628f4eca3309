"""What may be told of a fault: its place, and its text only where that was written for people.

Belongs here: exceptions as text without a personal value (R6). Does not belong here: who is told, or what is tried
again (components.transient, commands.terminal).
"""

import traceback

PACKAGE = "cdm_pipelines"


def describe(error: BaseException) -> str:
    """The text of an error of the project, or kind and place of any other: its text may quote a value."""
    if type(error).__module__.startswith(f"{PACKAGE}."):
        return str(error)
    return f"Unexpected {place(error)}"


def place(error: BaseException) -> str:
    """The kind of an error, and the project's own lines that led to it."""
    frames = [
        f"{frame.filename.rpartition(f'{PACKAGE}/')[2]}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if f"/{PACKAGE}/" in frame.filename
    ]
    return f"{type(error).__name__} at " + ", called from ".join(reversed(frames[-3:]))
