"""What changed policies and contracts would do: files that somebody gives, planned by ``cdm plan`` beside the console.

Belongs here: which files there are, that the role may, starting the command, reading what it printed. Does not belong
here: making a plan (steps.plan), pages.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cdm_pipelines.console.errors import RefusedError
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.console.works import DONE, FILES, Work, Works
from cdm_pipelines.contracts.odcs import SUFFIX
from cdm_pipelines.settings import Settings

_FORM = "cdm.plan/1"
_CONTRACT = re.compile(rf"[A-Za-z0-9_-][A-Za-z0-9_.-]{{0,100}}{re.escape(SUFFIX)}")


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


def plan(
    eyes: Eyes,
    settings: Settings,
    works: Works,
    changed: Mapping[str, str],
    contracts: Mapping[str, str] = MappingProxyType({}),
) -> Work:
    """Have it worked out what changed policies and contracts would do; nothing is published.

    Args:
        eyes: Of who asks.
        settings: Of the deployment.
        works: Commands that run beside.
        changed: Text of each policy that changes, by its path below the folder.
        contracts: Text of each contract that changes, by the name of its file; it says itself of what it is.

    Raises:
        ForbiddenError: The role may not change policies.
        RefusedError: There is no such policy, or none was given.
    """
    eyes.sight.see_that_may("policies")
    known = policies(settings)
    if not (changed or contracts) or not set(changed) <= set(known):
        raise RefusedError(f"Give the policy that changes; there are {', '.join(known)}.")
    if any("\x00" in text for text in (*changed.values(), *contracts.values())):
        raise RefusedError("A policy is text.")
    if not all(_CONTRACT.fullmatch(name) for name in contracts):
        raise RefusedError(f"Name a contract as <entity>{SUFFIX}.")
    given = {f"policies/{name}": text for name, text in changed.items()}
    given |= {f"contracts/{name}": text for name, text in contracts.items()}
    files = {name: text.replace("\r\n", "\n") for name, text in given.items()}
    policies_at = f"{FILES}/policies" if changed else str(settings.policies)
    contracts_at = (f"--contracts={FILES}/contracts",) if contracts else ()
    arguments = ("plan", f"--policies={policies_at}", *contracts_at, "--json")
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
