"""The results files that the documents quote: what was measured, when, on which commit.

Belongs here: writing and reading them, and the documents that follow from them. Does not belong here: measuring, or
what a document says.
"""

import datetime as dt
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from cdm_pipelines.settings import root

FOLDER = root() / "benchmarks" / "results"
DOCS = root() / "docs" / "reference"


@dataclass(frozen=True)
class Results:
    """One file of results.

    Attributes:
        measured: Day on which they were measured, YYYY-MM-DD.
        commit: The code that was measured; with ``+`` when the checkout had changes besides.
        figures: What was measured.
        note: How figures came into the file where that was not by the command that measured them.
    """

    measured: str
    commit: str
    figures: Mapping[str, Any]
    note: str = ""

    def source(self, name: str) -> str:
        """The line of a document that says where its figures are."""
        return (
            f"Every figure on this page is in `benchmarks/results/{name}.json`, measured on {self.measured} "
            f"(commit {self.commit}).{' The note in it says how they came there.' if self.note else ''}"
        )


def keep(name: str, figures: Mapping[str, Any], folder: Path = FOLDER) -> Results:
    """Write figures that were measured just now as the results of ``name``; returns them as they are read back."""
    kept = {
        "measured": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "commit": _commit(),
        "figures": figures,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(f"{json.dumps(kept, indent=1)}\n", encoding="utf-8")
    return read(name, folder)


def read(name: str, folder: Path = FOLDER) -> Results:
    """The results of ``name``."""
    return Results(**json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


def documents(name: str, folder: Path = FOLDER) -> dict[str, str]:
    """The document of some results, with its pictures, by file name."""
    return WRITERS[name](read(name, folder))


def publish(name: str, figures: Mapping[str, Any], *, committed: bool, out: Path) -> list[Path]:
    """Write results with their document: into ``out``, and, where figures are of full size, those of the repository.

    Args:
        name: Of the benchmark, a key of ``WRITERS``.
        figures: What was measured.
        committed: Whether the results file and the document of the repository are written too.
        out: Folder of the run.

    Returns:
        The documents, that of ``out`` first.
    """
    places = [(out / "results", out), *([(FOLDER, DOCS)] if committed else [])]
    written = []
    for results, docs in places:
        keep(name, figures, results)
        for file, text in documents(name, results).items():
            (docs / file).write_text(text, encoding="utf-8")
            if file.endswith(".md"):
                written.append(docs / file)
    return written


def _commit() -> str:
    def git(*what: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own arguments
            ["git", *what],  # noqa: S607 - whichever git the user has
            cwd=root(),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")
    except FileNotFoundError:
        return "unknown"


def _first_load(results: Results) -> dict[str, str]:
    from benchmarks import document  # noqa: PLC0415 - a document loads what it needs

    report = document.Report.of(results.figures)
    return {
        "benchmarks.md": document.markdown(report, results.source("first-load")),
        "benchmarks.svg": document.svg(report),
    }


def _linkage(results: Results) -> dict[str, str]:
    from benchmarks.linkage import document  # noqa: PLC0415

    return document.documents(results.figures, results.source("linkage"))


def _by_size(module: str, name: str, file: str) -> Callable[[Results], dict[str, str]]:
    """The writer of a document of several sizes, whose module is loaded when it is written."""

    def written(results: Results) -> dict[str, str]:
        document = import_module(f"benchmarks.{module}")
        sizes = [document.Size.of(size) for size in results.figures["sizes"]]
        return {file: document.markdown(sizes, results.figures["facts"], results.source(name))}

    return written


def _headers(results: Results) -> dict[str, str]:
    from benchmarks import headers_measured  # noqa: PLC0415

    return {"benchmarks-headers.md": headers_measured.markdown(results.figures, results.source("headers"))}


def _suggested(results: Results) -> dict[str, str]:
    from benchmarks.suggested import document  # noqa: PLC0415

    return {"benchmarks-suggested.md": document.markdown(results.figures, results.source("suggested"))}


def _organisations(results: Results) -> dict[str, str]:
    from benchmarks.organisations import document  # noqa: PLC0415

    rows = [document.Linked(**row) for row in results.figures["rows"]]
    text = document.markdown(rows, results.figures["facts"], results.source("organisations"))
    return {"benchmarks-organisations.md": text}


def _spark(results: Results) -> dict[str, str]:
    from benchmarks import spark_document  # noqa: PLC0415

    return spark_document.documents(results.figures, results.source("spark"))


WRITERS: Mapping[str, Callable[[Results], dict[str, str]]] = {
    "first-load": _first_load,
    "linkage": _linkage,
    "incremental": _by_size("incremental_document", "incremental", "benchmarks-identity.md"),
    "search": _by_size("search_document", "search", "benchmarks-search.md"),
    "profile": _by_size("profile_document", "profile", "benchmarks-profile.md"),
    "rights": _by_size("rights_document", "rights", "benchmarks-rights.md"),
    "insight": _by_size("insight_document", "insight", "benchmarks-insight.md"),
    "match": _by_size("match_document", "match", "benchmarks-match.md"),
    "console": _by_size("console_document", "console", "benchmarks-console.md"),
    "headers": _headers,
    "suggested": _suggested,
    "organisations": _organisations,
    "spark": _spark,
}
