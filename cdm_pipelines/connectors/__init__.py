"""Contracts of systems that many have, shipped: a folder per system with one contract per entity.

Belongs here: those contracts, which there are, and putting them in place for a source. Does not belong here: sources of
this deployment (defs), or what a contract says (contracts).
"""

from cdm_pipelines.connectors.catalogue import Connector, UnknownConnectorError, connector_named, connectors
from cdm_pipelines.connectors.placing import Placed, PlacingError, place

__all__ = [
    "Connector",
    "Placed",
    "PlacingError",
    "UnknownConnectorError",
    "connector_named",
    "connectors",
    "place",
]
