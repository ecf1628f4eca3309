"""The derived page of policies: every file that a company edits, with every key of it.

Belongs here: which model reads which file, and the page. Does not belong here: reading models (fields), or which other
pages are derived (``pages``).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from cdm_pipelines.golden.policy import SurvivorshipRule, golden_groups
from cdm_pipelines.settings import Settings
from handbook.fields import Key, Model, keys_of

SHIPPED = Settings.model_fields["policies"].default
_HEAD = """# Policies

*Written by `make docs` from the code; do not edit.*

What a company decides about its data is YAML under `cdm_pipelines/policies`, or in the folder that `CDM_POLICIES`
names: copy the shipped folder and edit the copy. `cdm check` names each fault by file, key and fix; `cdm plan` shows
what a change would do before it is made ([plan a change](../plan.md)). An unknown key is refused everywhere.

Keys are written from the top of the file: in `roles.<name>.purposes` the name is one of your own, and `[]` stands for
each entry of a list. A key that is left out has the value of the column *Left out*."""
_COLUMN = 8
"""A comment that begins here or further right goes on with the one behind the line above it."""
_USUAL = {
    "version": "Of the form of this file.",
    "warn": "Above it the figure is remarked upon.",
    "error": "Above it the figure stops what comes next.",
    "en": "In English.",
    "nl": "In Dutch.",
    "kind": "Of which kind it is; it decides which other keys there are.",
}
"""Of keys that mean the same wherever they stand."""
_LINKAGE = "linkage/person.yaml and linkage/organisation.yaml"
_MANUALS = {
    "audiences.yaml": "[approach customers](../activation.md)",
    "business_case.yaml": "[say what data are worth](../business-case.md)",
    "change_feed.yaml": "[change feed](change-feed.md)",
    "checks.yaml": "[operate it](../how-to/operate.md)",
    "enrichment.yaml": "[the profile](profile.md), which has the parameters of each enricher",
    "governance.yaml": "[who may see what](../governance.md)",
    "interactions.yaml": "[the profile](profile.md)",
    "kpis.yaml": "[report to the board](../report.md)",
    "legal_holds.yaml": "[rights of the person](../privacy.md)",
    _LINKAGE: "[linkage](../explanation/linkage.md)",
    "maturity.yaml": "[report to the board](../report.md)",
    "next_best_action.yaml": "[next best action](../next-best-action.md)",
    "protection.yaml": "[rights of the person](../privacy.md)",
    "pruning.yaml": "[keep it small](../how-to/keep-it-small.md)",
    "purposes.yaml": "[purposes](purposes.md)",
    "retention.yaml": "[rights of the person](../privacy.md)",
    "roles.yaml": "[who may see what](../governance.md)",
    "touch_points.yaml": "[report to the board](../report.md)",
}


def models() -> Mapping[str, Model]:
    """The model that reads each file, by its name in the folder of policies."""
    from cdm_pipelines.enrichment import policy as enrichment  # noqa: PLC0415 - heavy
    from cdm_pipelines.enrichment.tokens import InteractionPolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.insight.action_policy import ActionPolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.insight.business_case_policy import BusinessCasePolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.insight.kpi_policy import KpiPolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.insight.maturity import MaturityPolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.insight.touch_points import TouchPointPolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.linkage import LinkagePolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.privacy import purposes  # noqa: PLC0415 - the same
    from cdm_pipelines.privacy.governance import GovernancePolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.privacy.policy import RightsPolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.privacy.protection import Protection  # noqa: PLC0415 - the same
    from cdm_pipelines.privacy.retention_policy import RetentionPolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.privacy.roles import RolesPolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.publish.audience_policy import AudiencePolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.publish.policy import FeedPolicy  # noqa: PLC0415 - the same
    from cdm_pipelines.quality.thresholds import Thresholds  # noqa: PLC0415 - the same
    from cdm_pipelines.standardise.consent_words import ConsentWords  # noqa: PLC0415 - the same
    from cdm_pipelines.standardise.interaction_words import InteractionWords  # noqa: PLC0415 - the same
    from cdm_pipelines.standardise.placeholders import Placeholders  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.operate.pruning_policy import PruningPolicy  # noqa: PLC0415 - the same

    return {
        "audiences.yaml": AudiencePolicy,
        "business_case.yaml": BusinessCasePolicy,
        "change_feed.yaml": FeedPolicy,
        "checks.yaml": Thresholds,
        "consent_words.yaml": ConsentWords,
        "enrichment.yaml": enrichment._File,  # noqa: SLF001 - what the file says, before it is worked out
        "governance.yaml": GovernancePolicy,
        "interaction_words.yaml": InteractionWords,
        "interactions.yaml": InteractionPolicy,
        "kpis.yaml": KpiPolicy,
        "legal_holds.yaml": RightsPolicy,
        _LINKAGE: LinkagePolicy,
        "maturity.yaml": MaturityPolicy,
        "next_best_action.yaml": ActionPolicy,
        "placeholders.yaml": Placeholders,
        "protection.yaml": Protection,
        "pruning.yaml": PruningPolicy,
        "purposes.yaml": purposes._File,  # noqa: SLF001 - the same
        "retention.yaml": RetentionPolicy,
        "roles.yaml": RolesPolicy,
        "touch_points.yaml": TouchPointPolicy,
    }


def policies_page() -> str:
    """Every file with every key."""
    found = {name: list(_keys(name, model)) for name, model in models().items()}
    found[_LINKAGE].insert(
        0, Key("extends", "text", "", "Shipped policy, or file beside this one, that this changes.")
    )
    found["survivorship.yaml"] = list(_survivorship())
    parts = [_HEAD, *(part for name in sorted(found) for part in _file(name, found[name]))]
    return "\n\n".join(parts) + "\n"


def comments(name: str) -> Mapping[str, str]:
    """What the shipped file says of its keys in comments behind or above them, by path from the top."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    above: list[str] = []
    last = ""
    for line in (SHIPPED / name).read_text(encoding="utf-8").splitlines():
        if further := re.match(r"^( *)# (.+)$", line):
            if last and len(further[1]) >= _COLUMN:
                found[last] += f" {further[2]}"
            else:
                above.append(further[2])
            continue
        key = re.match(r"^( *)(?:- )?(\w+):(?:[^#]*?)(?:\s# (.+))?$", line)
        last = ""
        if key:
            depth = len(key[1])
            path = [*((at, word) for at, word in path if at < depth), (depth, key[2])]
            whole = ".".join(word for _, word in path)
            last = whole if key[3] else ""
            if said := key[3] or " ".join(above):
                found[whole] = said
        above = []
    return {key: f"{text[:1].upper()}{text[1:].rstrip(';.')}." for key, text in found.items()}


def _keys(name: str, model: type[BaseModel]) -> Iterator[Key]:
    said = comments(name.partition(" ")[0])
    found: dict[str, Key] = {}
    for key in keys_of(model):
        plain = key.path.replace(".<name>", "").replace("[]", "")
        meaning = (
            key.meaning or _USUAL.get(plain) or said.get(plain) or _USUAL.get(plain.rpartition(".")[2], "")
        )
        one = replace(key, meaning=meaning)
        if (
            other := found.get(key.path)
        ) and one.value not in other.value:  # of another kind of sink or comparison
            one = replace(other, value=f"{other.value}, {one.value}", meaning=other.meaning or meaning)
        found[key.path] = one
    yield from found.values()


def _survivorship() -> Iterator[Key]:
    rules = ", ".join(f"`{rule}`" for rule in SurvivorshipRule)
    groups = ", ".join(f"`{name}`" for name in golden_groups())
    order = "list of sources, or by name: weights"
    trust = "Sources or `source/entity`, the most trusted first; equals in a list of their own"
    yield Key("version", "`1`", "must be there", "Of the form of this file.")
    yield Key("trust", order, "none", f"{trust}.")
    yield Key("rules", f"list of {rules}", "must be there", "Asked in this order until one record is left.")
    yield Key("groups", "by name: the keys below", "none", f"Exceptions, by group: {groups}.")
    yield Key("groups.<name>.rules", f"list of {rules}", "`rules`", "Of this group.")
    yield Key("groups.<name>.trust", order, "`trust`", "Of this group.")
    core = "The group counts as a value only where one of these is filled."
    yield Key("groups.<name>.core", "list of attributes", "all of the group", core)


def _file(name: str, keys: list[Key]) -> Iterator[str]:
    yield f"## {name}"
    about = _about(name.partition(" ")[0])
    manual = _MANUALS.get(name)
    yield " ".join(filter(None, (about, manual and f"More in {manual}.")))
    lines = [
        "| Key | Value | Left out | Meaning |",
        "|---|---|---|---|",
        *(
            f"| `{key.path}` | {_cell(key.value)} | {_cell(key.otherwise)} | {_cell(key.meaning)} |"
            for key in keys
        ),
    ]
    yield "\n".join(lines)


def _about(name: str) -> str:
    """The comment at the top of the shipped file, up to its first blank line."""
    found = []
    for line in (SHIPPED / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") or line.strip() == "#":
            break
        found.append(line.removeprefix("#").strip())
    return _cell(" ".join(found))


def _cell(text: Any) -> str:
    words = re.sub(r"``(.+?)``", r"`\1`", str(text))
    words = re.sub(r":class:`(\w+)`", r"`\1`", words)
    return " ".join(words.split()).replace("|", "\\|").replace("<", "&lt;")
