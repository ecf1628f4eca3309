"""What an enricher is computed by, so that it is computed anew when that changes.

Belongs here: fingerprints of declarations and of the room. Does not belong here: what else makes a table out of date
(``enrich``, ``models``).
"""

from functools import cache
from hashlib import sha256
from pathlib import Path

from cdm_pipelines import enrichment
from cdm_pipelines.enrichment.declaration import Enricher
from cdm_pipelines.enrichment.declared import profile_table


def code_of(enricher: Enricher) -> str:
    """Changes when the declaration of an enricher does, or anything of the room that computes it."""
    return sha256(f"{profile_table(enricher)!r} {enricher.version} {_room()}".encode()).hexdigest()[:16]


@cache
def _room() -> str:
    """Changes with any module of the room; what an enricher imports of it is not followed one by one."""
    digest = sha256()
    for path in sorted(Path(enrichment.__file__).parent.rglob("*")):
        if path.suffix in (".py", ".csv", ".yaml"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
