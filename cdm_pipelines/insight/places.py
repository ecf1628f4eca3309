"""The places of this room: reports that are kept, and those that are written for people.

Belongs here: declarations. Does not belong here: the tables of schema ``insight`` (hub.places).
"""

from collections.abc import Iterator

from cdm_pipelines.store import layout
from cdm_pipelines.store.register import ByOwner, Keeps, Kept, Kind, Place, Retention, Root

_OF_ALL = "Figures of all customers together, with formula and query; none is of one person."


def places() -> Iterator[Place]:
    """Of the lake, and of what is written for people."""
    kept = Retention(Keeps.FOR_EVER, "one a month, so many days as policies/pruning.yaml says: insight")
    yield Place(
        name="insight/report",
        kind=Kind.DOCUMENT,
        root=Root.LAKE,
        pattern=layout.report_path("{month}"),
        description=f"What the board is told of a month. {_OF_ALL}",
        kept=kept,
        erasure=Kept("names no record and holds no value of anybody"),
    )
    yield Place(
        name="insight/report_page",
        kind=Kind.DOCUMENT,
        root=Root.LAKE,
        pattern=layout.report_page_path("{month}", "{language}"),
        description=f"The same as a page. {_OF_ALL}",
        kept=kept,
        erasure=Kept("names no record and holds no value of anybody"),
    )
    yield Place(
        name="outside/report",
        kind=Kind.DOCUMENT,
        root=Root.OUTSIDE,
        pattern="cdm report/{file}",
        description=f"The page, for whoever asked for it. {_OF_ALL}",
        kept=Retention(Keeps.BY_OWNER, "whoever ran the command"),
        erasure=ByOwner("holds nothing of one person"),
    )
