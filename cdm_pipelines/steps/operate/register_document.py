"""The register of places for people: rows of ``cdm register``, and the page of the documentation.

Belongs here: how a declaration is put in words. Does not belong here: the declarations.
"""

from collections.abc import Iterable
from itertools import groupby

from cdm_pipelines.store.register import Place

_ABOUT = (
    "Written by `cdm check --write` from the declarations of every place that holds data: change those, not this "
    "file. Categories are keys of the Fides taxonomy (fideslang, CC-BY-4.0); `user` alone is what nobody has "
    "classified. `cdm register` shows the places of a deployment with its own sources, policies and sinks."
)
COLUMNS = ("place", "kind", "where", "holds", "categories", "of whom", "kept", "searched by", "erased")


def rows(places: Iterable[Place]) -> list[dict[str, str]]:
    """A row per place, in words."""
    return [_row(place) for place in places]


def render_register(places: Iterable[Place]) -> str:
    """The register as Markdown, a table per layer; the same places give the same text."""
    parts = [
        "# Register of places",
        _ABOUT,
    ]
    shown = ("Place", "Where", "Holds", "Categories", "Of whom", "Kept", "Searched by", "Erased")
    for layer, some in groupby(places, key=lambda place: place.name.partition("/")[0]):
        lines = [shown, ("---",) * len(shown)]
        for place in some:
            row = _row(place)
            lines.append(
                (
                    f"`{row['place']}`",
                    f"{row['kind']}, {place.root} `{place.pattern}`",
                    row["holds"],
                    ", ".join(f"`{category}`" for category in place.categories),
                    *(row[name] for name in COLUMNS[5:]),
                )
            )
        parts += [f"## {layer}", "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)]
    return "\n\n".join(parts) + "\n"


def _row(place: Place) -> dict[str, str]:
    values = (
        place.name,
        str(place.kind),
        place.where,
        place.description,
        ", ".join(place.categories),
        ", ".join(place.whom) or "nobody",
        str(place.kept),
        place.search.by if place.search else "",
        place.erasure.how,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
