"""What a changed policy would do: the file that somebody writes, planned by ``cdm plan`` beside the console.

Belongs here: which files there are, that the role may, starting the command, reading what it printed. Does not belong
here: making a plan (steps.plan), pages.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cdm_pipelines.console.errors import RefusedError
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.console.works import DONE, FILES, Work, Works
from cdm_pipelines.settings import Settings

_FORM = "cdm.plan/1"


def policies(settings: Settings) -> dict[str, Path]:
    """The policies in force, by their path below the folder."""
    known = {
        str(path.relative_to(settings.policies)): path
        for path in sorted(settings.policies.rglob("*.yaml"))
        if path.is_file()
    }
    return {
        name: path for name, path in known.items() if not any(part[0] in "._" for part in Path(name).parts)
    }


def plan(eyes: Eyes, settings: Settings, works: Works, changed: Mapping[str, str]) -> Work:
    """Have it worked out what changed policies would do; nothing is published.

    Args:
        eyes: Of who asks.
        settings: Of the deployment.
        works: Commands that run beside.
        changed: Text of each policy that changes, by its path below the folder.

    Raises:
        ForbiddenError: The role may not change policies.
        RefusedError: There is no such policy, or none was given.
    """
    eyes.sight.see_that_may("policies")
    known = policies(settings)
    if not changed or not set(changed) <= set(known):
        raise RefusedError(f"Give the policy that changes; there are {', '.join(known)}.")
    if any("\x00" in text for text in changed.values()):
        raise RefusedError("A policy is text.")
    files = {name: text.replace("\r\n", "\n") for name, text in changed.items()}
    arguments = ("plan", f"--policies={FILES}", "--json")
    return works.start(_key(eyes.caller.who), eyes.caller.who, arguments, files=files)


def planned(works: Works, who: str) -> tuple[Work | None, Mapping[str, Any] | None]:
    """The last plan that somebody asked for, and what came of it; None where there is none, or not yet."""
    work = works.of(_key(who))
    if work is None or not work.is_over:
        return work, None
    try:
        found = json.loads(work.printed)
    except ValueError:
        return work, None
    if not isinstance(found, dict) or found.get("schema") != _FORM:
        return work, None
    return replace(work, state=DONE), found  # a plan that refuses ends with a code of its own


def _key(who: str) -> str:
    return f"plan {who}"
