"""Which linkage a question is about: files that were linked, or what the pipeline linked.

Belongs here: the arguments that say so, and reading what they name. Does not belong here: the questions (explain,
models, evaluate).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.reading import login, note
from cdm_pipelines.commands.terminal import USAGE, fail, hub, settings

if TYPE_CHECKING:
    from cdm_pipelines.identity.constraints import Constraints
    from cdm_pipelines.settings import Settings
    from cdm_pipelines.steps.linking.explain import Linkage

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        help="The files that were linked; without them, what the pipeline linked.",
        exists=True,
        dir_okay=False,
    ),
]
Policy = Annotated[
    Path | None, typer.Option(help="The linkage policy of the files.", exists=True, dir_okay=False)
]
Out = Annotated[
    Path | None, typer.Option(help="The folder that `cdm link` wrote to.", exists=True, file_okay=False)
]
Model = Annotated[
    Path | None,
    typer.Option(help="A fitted model, if not the one in that folder.", exists=True, dir_okay=False),
]


def linkages_of(
    files: list[Path] | None, policy: Path | None, out: Path | None, model: Path | None
) -> "list[Linkage]":
    """What a question is about: files, or what the pipeline linked."""
    from cdm_pipelines.steps.linking import explain as explain_links  # noqa: PLC0415
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    if files and policy is None and out is not None and (out / "policy.yaml").exists():
        policy = out / "policy.yaml"  # the one that was suggested
    if files and policy:
        return [explain_links.of_files(files, policy, out, model)]
    if files:
        fail("Say with --policy how the files were linked.", USAGE)
    if policy or out or model:
        fail("Name the files that were linked too.", USAGE)
    own = settings()
    return explain_links.of_lake(Lake(own.lake_url), own, lambda: _decided(own))


def note_values(files: list[Path] | None, tool: str, linkage: "Linkage", names: Iterable[str]) -> None:
    """Write the line of records whose values are shown; none of those in files that somebody gave.

    Args:
        files: That the question is about.
        tool: The command.
        linkage: Of the pipeline where there are no files.
        names: Of the records: ``source/entity|record_id``.
    """
    from cdm_pipelines.hub.persons import customers_behind  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.privacy.reading import reading, record_categories  # noqa: PLC0415

    keys = [] if files else sorted({_key(name) for name in names})
    if not keys:
        return
    own = settings()
    with hub(own) as engine:
        with engine.connect() as connection:
            whom = customers_behind(connection, keys)
        shown = record_categories(linkage.table.column_names)
        noted = reading(own, login(), tool, usual="steward")
        note(engine, noted, categories=shown, golden_ids=whom, rows=None if whom else len(keys))


def _key(name: str) -> tuple[str, str, str]:
    of, _, record = name.partition("|")
    source, _, entity = of.partition("/")
    return source, entity, record


def _decided(own: "Settings") -> "Constraints":
    from cdm_pipelines.steps.stewardship.decisions import constraints  # noqa: PLC0415

    with hub(own) as engine, engine.connect() as connection:
        return constraints(connection)
