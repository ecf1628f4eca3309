"""The pages and pictures that are derived: settings, commands, asset keys, the list of decisions, the rooms.

Belongs here: which file is made by which function, and whether it is up to date. Does not belong here: the data
dictionary, which `cdm check` keeps, and the benchmarks, which are written from their results (benchmarks).
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from handbook import rooms
from handbook.commands import commands_page
from handbook.policies import policies_page
from handbook.processing import processing_page
from handbook.profile import profile_page
from handbook.purposes import purposes_page
from handbook.roles import roles_page
from handbook.settings import settings_table

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
_WRITTEN = "*Written by `make docs` from the code; do not edit.*"


def settings_page() -> str:
    """Every setting, its default and its meaning."""
    return (
        f"# Settings\n\n{_WRITTEN}\n\n"
        "Settings are environment variables, read once when a command starts. `cdm doctor` shows whether they work. "
        "What a company decides about its data is no setting but YAML: see `CDM_POLICIES`.\n\n"
        f"{settings_table()}"
    )


def assets_page() -> str:
    """Every asset: key, partitions, group, owner, description."""
    from cdm_pipelines.components.location import load_definitions  # noqa: PLC0415 - Dagster takes seconds

    specs = sorted(load_definitions().resolve_all_asset_specs(), key=lambda spec: spec.key.to_user_string())
    rows = [
        f"| `{spec.key.to_user_string()}` | {'daily' if spec.partitions_def else 'state'} | {spec.group_name} "
        f"| {', '.join(spec.owners)} | {' '.join((spec.description or '').split()).replace('|', '/')} |"
        for spec in specs
    ]
    table = "\n".join(
        ["| Key | Partitions | Group | Owner | What it holds |", "|---|---|---|---|---|", *rows]
    )
    return (
        f"# Asset keys\n\n{_WRITTEN}\n\n"
        "A key is `layer/source/entity` up to the layer `standard`, and `layer/name` after it. The layers of the "
        "sources have a partition for each day, by the date of the extract; later ones are states. What follows are "
        "the assets of the sources that come with the project; a source of your own adds its own.\n\n"
        f"{table}\n"
    )


def decisions_page() -> str:
    """The decision records with their titles."""
    titles = [
        (path.name, path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# "))
        for path in sorted((DOCS / "decisions").glob("[0-9]*.md"))
    ]
    listed = "\n".join(f"- [{title.replace('. ', ': ', 1)}]({name})" for name, title in titles)
    return (
        f"# Decisions\n\n{_WRITTEN}\n\n"
        "What was decided about the design, one short page each: the context, the decision, what else was measured or "
        f"considered.\n\n{listed}\n"
    )


DERIVED: Mapping[str, Callable[[], str]] = {
    "reference/settings.md": settings_page,
    "reference/commands.md": commands_page,
    "reference/asset-keys.md": assets_page,
    "reference/profile.md": profile_page,
    "reference/policies.md": policies_page,
    "reference/purposes.md": purposes_page,
    "reference/processing.md": processing_page,
    "reference/roles.md": roles_page,
    "decisions/index.md": decisions_page,
    "rooms.svg": rooms.house,
    "wings-linkage.svg": lambda: rooms.wings("linkage"),
    "wings-steps.svg": lambda: rooms.wings("steps"),
}
"""What makes each derived file, by its path in ``docs/``."""


def outdated() -> Iterator[str]:
    """A line for each derived file that is not what the code says."""
    for name, made in DERIVED.items():
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != made():
            yield f"docs/{name} is not what the code says. Run `.venv/bin/python -m handbook --write` and commit it."


def write() -> list[str]:
    """Write the derived files anew; returns those that changed."""
    changed = []
    for name, made in DERIVED.items():
        path, text = DOCS / name, made()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(f"docs/{name}")
    return changed
