"""The derived page of the record of processing: what `cdm privacy processing` writes, of the shipped policies.

Belongs here: the record as Markdown. Does not belong here: what it says (privacy.processing), or which other pages are
derived (``pages``).
"""

from collections.abc import Iterator

from cdm_pipelines.privacy.processing import processing
from cdm_pipelines.privacy.processing_forms import TITLE, Sheet, sheets
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.operate.processing import told_of

_INTRODUCTION = """*Written by `make docs` from contracts, policies and declarations; do not edit.*

What GDPR article 30, first paragraph, has every company record (a to g), with the legal basis, for the sources and
policies that come with the project. `cdm privacy processing --to FOLDER` writes that of a deployment, with its own
sources, purposes, roles and [places](register.md), as a page, a spreadsheet, and JSON-LD in terms of the [Data Privacy
Vocabulary](https://w3id.org/dpv). Who the controller is stands in `policies/governance.yaml`
([its keys](../governance.md))."""


def processing_page() -> str:
    """The record of the shipped policies."""
    shipped = load_settings(policies=Settings.model_fields["policies"].default)
    parts = [
        f"# {TITLE}",
        _INTRODUCTION,
        *(part for sheet in sheets(processing(told_of(shipped))) for part in _part(sheet)),
    ]
    return "\n\n".join(parts) + "\n"


def _part(sheet: Sheet) -> Iterator[str]:
    yield f"## {sheet.title}"
    yield _text(sheet.about)
    lines = [sheet.heading, ("---",) * len(sheet.heading), *sheet.rows]
    yield "\n".join("| " + " | ".join(map(_text, line)) + " |" for line in lines)


def _text(text: str) -> str:
    return (
        text.replace("|", "/").replace("*", "\\*").replace("_", "\\_").replace("{", "\\{").replace("\n", " ")
    )
