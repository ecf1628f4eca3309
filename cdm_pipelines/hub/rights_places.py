"""The places of requests of persons, and of what follows from them.

Belongs here: declarations, beside the tables (``schema_rights``). Does not belong here: the other tables of the hub
(``places``), the log of erasures (privacy.places).
"""

from collections.abc import Iterator

from cdm_pipelines.hub import schema_rights as r
from cdm_pipelines.hub.table_places import of_persons, place_of, records_of
from cdm_pipelines.store.register import Keeps, Kept, Place, Retention


def places() -> Iterator[Place]:
    """Requests, restrictions, what the law has kept, certificates."""
    answered = Retention(Keeps.FOR_EVER, "so that it can be shown that requests were answered")
    yield place_of(
        r.request,
        answered,
        Kept(
            "whose data an erasure is about is forgotten when it is done, and reasons with a value of theirs are "
            "cleared; the rest names no record and no value"
        ),
    )
    yield of_persons(
        r.restriction,
        "key of the source record",
        records_of(r.restriction),
        Retention(Keeps.BY_OWNER, "until the restriction is lifted"),
    )
    yield place_of(
        r.legal_hold,
        Retention(
            Keeps.BY_OWNER,
            "until the day that each row names, by policies/legal_holds.yaml; then retention lets it go",
        ),
        Kept("the law has it kept; the row says which, and until when"),
    )
    yield place_of(r.request_step, answered, Kept(_OF_NOBODY))
    yield place_of(r.certificate, answered, Kept(_OF_NOBODY))


_OF_NOBODY = "names no record and holds no value"
