"""Links between pages: to files that are there, and to headings that are there.

Belongs here: reading links and headings out of Markdown. Does not belong here: links to other hosts.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
_FENCE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2[ ]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6}[ ]+(.+?)[ #]*$", re.MULTILINE)


def every_page() -> list[Path]:
    """All Markdown that people read."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")])


def broken() -> Iterator[str]:
    """A line for each link that leads nowhere."""
    for page in every_page():
        for problem in broken_in(page):
            yield f"{page.relative_to(ROOT)}: {problem}"


def broken_in(page: Path) -> list[str]:
    """The links of a page that lead nowhere, in words."""
    problems = []
    for target in _LINK.findall(_prose(page)):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            problems.append(f"{target} leads to no file")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            problems.append(f"{target} leads to no heading")
    return problems


@cache
def anchors(page: Path) -> frozenset[str]:
    """What a link to the page may say after ``#``."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(_prose(page)):
        name = slug(heading)
        found[name] = found.get(name, 0) + 1
    return frozenset(found) | {f"{name}_{n}" for name, times in found.items() for n in range(1, times)}


def slug(heading: str) -> str:
    """A heading's anchor, as MkDocs makes it."""
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def _prose(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))
