"""The places of the ledger of deliveries.

Belongs here: declarations, and how a person leaves the ledger. Does not belong here: the files (publish).

Who is erased while in an audience has to be let go of by the system that was given them, and nothing may be kept to do
it with. What is kept is the key by which that system knows them, and not whose it was: a digest under the secret of the
deployment. It goes with the delivery that tells of it.
"""

from collections.abc import Callable, Iterator
from uuid import UUID

from sqlalchemy import delete, distinct, select
from sqlalchemy.dialects.postgresql import insert

from cdm_pipelines.hub.schema_activation import delivery, delivery_member, gone_member, result
from cdm_pipelines.hub.table_places import place_of, search_by, with_ids
from cdm_pipelines.store.register import Keeps, Kept, Persons, Place, Retention, Rows, Stores

MemberKey = Callable[[str, UUID], str]
"""By what the system of an audience knows a customer."""


def places(member_key: MemberKey) -> Iterator[Place]:
    """The places of the ledger."""
    condition = with_ids(delivery_member, "golden_id")
    m = delivery_member.c

    def remove(stores: Stores, persons: Persons) -> int:
        connection = stores.connection
        sent = connection.execute(
            select(distinct(m.audience), m.golden_id).where(
                condition(persons), m.action.in_(["added", "updated"])
            )
        )
        keys = [{"audience": audience, "member_key": member_key(audience, id_)} for audience, id_ in sent]
        if keys:
            connection.execute(insert(gone_member).on_conflict_do_nothing(), keys)
        return int(connection.execute(delete(delivery_member).where(condition(persons))).rowcount)

    yield place_of(
        delivery_member,
        Retention(
            Keeps.BY_OWNER,
            "keep_ledger of policies/audiences.yaml, in days; as long as the audience, who is in it or in its "
            "control group",
        ),
        Rows(remove, "rows deleted; the key by which the system knows them is kept until it has been told"),
        search_by(delivery_member, "golden id", condition),
    )
    yield place_of(
        gone_member,
        Retention(Keeps.REPLACED, "gone with the delivery that tells of it"),
        Kept("a key that names nobody, so that the system can be told to let go of who was erased"),
    )
    kept = Retention(Keeps.FOR_EVER, "says nothing of a person")
    yield place_of(delivery, kept, Kept("names no customer and holds no value"))
    yield place_of(result, Retention(Keeps.REPLACED, "by each count"), Kept("holds counts"))
