"""What MkDocs does besides (`hooks` in mkdocs.yml): the decisions in the navigation, links that leave ``docs/``.

Belongs here: the differences between a page read in the checkout and on the site. Does not belong here: anything that
needs more than the standard library, since MkDocs has an environment of its own.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^]]+)\]\((?!https?://|mailto:|#)([^)\s]+)\)")


def on_config(config: Any) -> Any:
    """Replace each entry of the navigation that names a folder by the folder's pages, ``index.md`` first."""
    config["nav"] = [_expanded(item, Path(config["docs_dir"])) for item in config["nav"]]
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Show a link to a file outside ``docs/`` as its text and the file's place in the checkout."""
    return outside_links(markdown, page.file.src_uri)


def outside_links(markdown: str, page: str) -> str:
    """The Markdown of the page at this path in ``docs/``, with links that leave ``docs/`` taken out."""

    def shown(link: re.Match[str]) -> str:
        place = normpath(PurePosixPath("docs", page).parent / link[2])
        return link[0] if place.startswith("docs/") else f"{link[1]} (`{place}`)"

    return _LINK.sub(shown, markdown)


def _expanded(item: Any, docs: Path) -> Any:
    if isinstance(item, list):
        return [_expanded(one, docs) for one in item]
    if isinstance(item, dict):
        return {title: _expanded(one, docs) for title, one in item.items()}
    if not item.endswith("/"):
        return item
    pages = sorted((docs / item).glob("*.md"), key=lambda path: (path.name != "index.md", path.name))
    return [path.relative_to(docs).as_posix() for path in pages]
