"""Which places are erased one after the other, and which beside each other.

Belongs here: layers and lanes of places. Does not belong here: the order within a lane, which is that of the register;
erasing (``erasure``).
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

from cdm_pipelines.store.register import Place, Root

_DAYS = (("landing",), ("raw",), ("valid", "quarantine", "repairs", "corrections"), ("standard",))
"""Layers of the days of sources: rows of one are found by those of later ones, and by none that lies beside it."""
_COUNTED = ("profile",)
"""What is counted of days, whose rows are found by the state of records; in the lake."""
_BY_KEY = ("records", "link")
"""In the lake; their rows are found by the keys of records alone, and none of the hub is found by them."""


def in_layers(places: Iterable[Place]) -> Iterator[list[list[Place]]]:
    """Places by layer, which go one after the other, and by lane, which go beside each other."""
    for _, layer in groupby(sorted(places, key=_layer), key=_layer):
        yield [list(lane) for _, lane in groupby(sorted(layer, key=_lane), key=_lane)]


def _layer(place: Place) -> int:
    """Number of the layer of a place; within the last one is all that is no day of a source, nor counted of them."""
    name = place.name.partition("/")[0]
    layers = (*_DAYS, _COUNTED) if place.root is Root.LAKE else _DAYS
    return next((number for number, names in enumerate(layers) if name in names), len(_DAYS) + 1)


def _lane(place: Place) -> str:
    """What is erased in the order of the register, beside other lanes of its layer.

    The days of a source entity, of which a month lies in one pack; what lies in the lake by key; all else.
    """
    name, _, more = place.name.partition("/")
    if _layer(place) < len(_DAYS):
        return "/".join(more.split("/")[:2])
    return "by key" if place.root is Root.LAKE and name in _BY_KEY else ""
