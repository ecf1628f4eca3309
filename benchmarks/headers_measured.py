"""``python -m benchmarks headers``: how many headers of real systems ``cdm suggest`` maps right.

Belongs here: the lists of headers, counting, and the document. Does not belong here: what a header means (quality).

Each system is a file with a header and no row, so that headers alone tell: values could only help. A usual header is
judged alone. Lists named ``held_out`` are those at which nobody looks when words are added.
"""

import argparse
import csv
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks import results
from cdm_pipelines.quality.semantics import meanings
from cdm_pipelines.quality.suggest import suggest_all
from cdm_pipelines.settings import root
from cdm_pipelines.yaml_files import read_yaml

_LISTS = root() / "benchmarks" / "headers"
_NOTHING = pa.array([], pa.string())
LANGUAGES = {"nl": "Dutch", "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian"}
_METHOD = """\
## How it is counted

- A column *must be mapped* when it is of the customer or the order itself and the canonical model has a place for it;
  it is right when any entity that is suggested for the file maps it so. *Wrong* is a column of any kind that is mapped
  to something else, also one that should not be mapped at all.
- Files have a header and no row: `cdm suggest` has to tell by the words. With rows it knows more: values vote as well.
- The lists are in `benchmarks/headers/`, written from what the systems document of their exports. Words are in
  `cdm_pipelines/quality/vocabulary.yaml`. Words are added without looking at the lists that are held out; but one hand
  wrote both, so take a system of your own for the last word.
- Read for the first time, the systems held out now stood at 161 of 169, and those held out before them, which were
  written before any word, at 259 of 271: 95.3 and 95.6 %, the figures to go by. What they have gained since comes
  partly from a rule (words between, such as "du" or "van") that was added by somebody who knew such headers were there.
"""


@dataclass(frozen=True)
class Count:
    """Of one system or language: columns that must be mapped, those that are, and columns that are mapped wrongly."""

    name: str
    columns: int
    must: int
    right: int
    wrong: int


def main(arguments: Sequence[str]) -> int:
    """Measure, and write results and document; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks headers", description=__doc__)
    parser.add_argument("--out", type=Path, default=root() / "benchmarks" / "out")
    parser.add_argument(
        "--show", action="store_true", help="the columns that are missed or wrong, not those held out"
    )
    parser.add_argument(
        "--keep", action="store_true", help="write the results and the page of the repository"
    )
    options = parser.parse_args(list(arguments))
    extracts = (
        Path(os.environ.get("BENCHMARK_DATA", root() / ".." / "shared" / "data")) / "extracts" / "headers"
    )
    if options.show:
        sys.stdout.writelines(f"{line}\n" for line in faults(extracts))
        return 0
    found = figures(extracts)
    options.out.mkdir(parents=True, exist_ok=True)
    written = results.publish("headers", found, committed=options.keep, out=options.out)
    sys.stdout.write(written[0].read_text(encoding="utf-8"))
    return 0


def figures(extracts: Path) -> dict[str, Any]:
    """Counts of every list; published headers are left out where they are not there."""
    systems = {
        name: [asdict(count(entry, extracts)) for entry in entries(name)]
        for name in ("published", "looked_at", "held_out_once", "held_out")
        if name != "published" or extracts.is_dir()
    }
    usual = {
        name: [asdict(alone(code, words)) for code, words in read(f"usual_{name}").items()]
        for name in ("looked_at", "held_out")
    }
    return {"systems": systems, "usual": usual}


def faults(extracts: Path) -> Iterator[str]:
    """Columns of the lists that may be looked at that are missed or wrong."""
    for name in ("published", "looked_at", "held_out_once"):
        if name == "published" and not extracts.is_dir():
            continue
        for entry in entries(name):
            found = mapped(entry, extracts)
            for header in dict.fromkeys([*entry["headers"], *found]):
                expected = accepted(entry["headers"].get(header))
                got = found.get(header, set())
                if not expected & (got or {"~"}):
                    yield f"{entry['name']}: {header!r} is {'|'.join(sorted(got)) or 'not mapped'}, not {expected}"
    for code, words in read("usual_looked_at").items():
        for header, target in words.items():
            if not _means(str(header), target):
                yield f"{code}: {header!r} is not {target}"


def entries(name: str) -> list[dict[str, Any]]:
    """The systems of a list."""
    found: list[dict[str, Any]] = read_yaml(_LISTS / f"{name}.yaml")
    return found


def read(name: str) -> dict[str, dict[str, str]]:
    """Usual headers by language."""
    found: dict[str, dict[str, str]] = read_yaml(_LISTS / f"{name}.yaml")
    return found


def accepted(target: str | None) -> set[str]:
    """What a column may be mapped to; ``~`` is nothing."""
    return set((target or "~").split("|"))


def mapped(entry: Mapping[str, Any], extracts: Path) -> dict[str, set[str]]:
    """What is suggested for each column of a system, by any of the entities."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerow(_header(entry, extracts))
        found: dict[str, set[str]] = {}
        for suggestion in suggest_all(path):
            for column in suggestion.columns:
                if column.meaning is not None:
                    found.setdefault(column.profile.name, set()).add(
                        column.meaning.target.removeprefix("party.")
                    )
    return found


def _header(entry: Mapping[str, Any], extracts: Path) -> list[str]:
    if "file" not in entry:
        return list(entry["headers"])
    with (extracts / entry["file"]).open(encoding="utf-8-sig", newline="") as lines:
        return next(csv.reader(lines))


def count(entry: Mapping[str, Any], extracts: Path) -> Count:
    """Count one system."""
    found = mapped(entry, extracts)
    names = dict.fromkeys([*entry["headers"], *_header(entry, extracts)])
    must = right = wrong = 0
    for name in names:
        expected, got = accepted(entry["headers"].get(name)), found.get(name, set())
        if "~" not in expected:
            must += 1
            right += bool(expected & got)
        wrong += bool(got) and not expected & got
    return Count(entry["name"], len(names), must, right, wrong)


def alone(code: str, words: Mapping[str, str]) -> Count:
    """Count the usual headers of one language, each alone."""
    right = sum(_means(str(header), target) for header, target in words.items())
    return Count(LANGUAGES[code], len(words), len(words), right, 0)


def _means(header: str, target: str) -> bool:
    found = meanings(header, _NOTHING)
    return bool(found) and found[0].target.removeprefix("party.") in target.split("|")


def markdown(found: Mapping[str, Any], source: str) -> str:
    """The document."""
    systems = {name: [Count(**one) for one in counts] for name, counts in found["systems"].items()}
    usual = {name: [Count(**one) for one in counts] for name, counts in found["usual"].items()}
    held, alone_held = _sum(systems["held_out"]), _sum(usual["held_out"])
    share, share_alone = f"{held.right / held.must:.1%}", f"{alone_held.right / alone_held.must:.1%}"
    lines = [
        "# Headers that are recognised",
        "",
        "*Written by `python -m benchmarks headers --keep`; do not edit.*",
        "",
        (
            f"Of {held.must} columns of {len(systems['held_out'])} exports held out (at their first reading 95.3%), "
            "`cdm suggest` maps now "
            f"**{share}** right by their headers alone, and maps {held.wrong} of {held.columns} wrongly; "
            f"of {alone_held.must} usual headers in six languages, each alone, **{share_alone}**."
        ),
        "",
        source,
        "",
    ]
    titles = {
        "published": "Ten systems, headers as published",
        "looked_at": "Other systems, looked at",
        "held_out_once": "Other systems, held out until their total had been read, then looked at",
        "held_out": "Other systems, held out",
    }
    for name, counts in systems.items():
        lines += _table(titles[name], "Export", counts)
    for name, counts in usual.items():
        lines += _table(f"Usual headers, {name.replace('_', ' ')}", "Language", counts)
    return "\n".join(lines) + "\n" + _METHOD


def _sum(counts: Sequence[Count]) -> Count:
    def total(name: str) -> int:
        return sum(getattr(one, name) for one in counts)

    return Count("in all", total("columns"), total("must"), total("right"), total("wrong"))


def _table(title: str, first: str, counts: Sequence[Count]) -> list[str]:
    rows = [*counts, _sum(counts)]
    return [
        f"## {title}",
        "",
        f"| {first} | Columns | Must be mapped | Right | Wrong |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(f"| {one.name} | {one.columns} | {one.must} | {one.right} | {one.wrong} |" for one in rows),
        "",
    ]
