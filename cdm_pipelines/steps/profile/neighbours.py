"""What customers have in common, kept beside the published profile, so that a night works on whom a change reaches.

Belongs here: keeping the links of each version, and whom its changes reach. Does not belong here: what the links are
and how far a change goes along them (enrichment).

What is kept is a function of what a table was made from, and its name says of what. So a file can be late or missing,
and everybody is worked on then, but never wrong: whoever asks names what the published table was made from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.enrichment.neighbours import (
    LINKS,
    Neighbourhood,
    TooManyError,
    brought_up,
    bytes_of,
    opened,
)
from cdm_pipelines.enrichment.work import Work
from cdm_pipelines.store import layout
from cdm_pipelines.store.damage import DamagedError, made_anew
from cdm_pipelines.store.lake import Lake

_MADE_FROM = ("customers", "policy", "parameters", "code")
"""What links follow from, of all that a table is made from."""


@dataclass(frozen=True)
class Near:
    """Whom a change reaches.

    Attributes:
        concerned: Golden ids of the customers whose rows may be others.
        needed: Of those of whom inputs are needed for that.
        links: ``LINKS`` of everybody in the next version.
    """

    concerned: pa.Array
    needed: pa.Array
    links: pa.Table


def near(
    neighbourhood: Neighbourhood,
    work: Work,
    former: pa.Table,
    touched: pa.Array,
    anew: pa.Array,
    *,
    most: int,
    threads: int,
) -> Near | None:
    """Whom the next version reaches; None where these are so many that everybody may be worked on.

    Args:
        neighbourhood: How customers reach each other.
        work: On the customers that the version touches, among others, with the enricher's parameters.
        former: ``LINKS`` of everybody in the published version.
        touched: Golden ids of the customers that the version touches.
        anew: Golden ids of those among them whose rows are staged whatever is the same.
        most: More customers than these are too many.
        threads: Results do not depend on it.
    """
    latter = neighbourhood.links(work).cast(LINKS)
    latter = latter.filter(pc.is_in(latter["golden_id"], value_set=bytes_of(touched)))
    try:
        with opened(former, latter, touched, anew, most=most, threads=threads) as graph:
            reached = neighbourhood.spread(graph, work.parameters)
            concerned, needed = graph.ids(reached.concerned), graph.ids(reached.needed)
    except TooManyError:
        return None
    return Near(concerned, needed, brought_up(former, latter, touched))


def keep(
    lake: Lake,
    enricher: str,
    made_from: Mapping[str, str],
    links: pa.Table,
    published: Mapping[str, str] | None,
) -> None:
    """Keep the links of a version beside those of the published one; others go."""
    path = _path(enricher, made_from)
    lake.write_arrow(path, [links.cast(LINKS)], LINKS)
    stay = {path, _path(enricher, published or {})}
    for other in lake.paths(f"{layout.NEIGHBOURS}/{enricher}", ".arrow"):
        if other not in stay:
            lake.delete(other)


def kept(lake: Lake, enricher: str, made_from: Mapping[str, str]) -> pa.Table | None:
    """``LINKS`` of everybody in a version; None where they are not kept."""
    path = _path(enricher, made_from)
    if not lake.exists(path):
        return None
    try:
        return lake.read_arrow(path)
    except DamagedError as damaged:
        made_anew("What customers have in common is", damaged)
        return None


def _path(enricher: str, made_from: Mapping[str, str]) -> str:
    import duckdb  # noqa: PLC0415 - loads where something is worked out

    said = [*(made_from.get(one, "") for one in _MADE_FROM), duckdb.__version__]  # whose hashes they are
    return layout.neighbours_path(enricher, sha256(repr(said).encode()).hexdigest()[:16])
