"""The places of the ledger of deliveries.

Belongs here: declarations, and how a person leaves the ledger. Does not belong here: the files (publish).

Who is erased while in an audience has to be let go of by the system that was given them, and nothing may be kept to do
it with. What is kept is by what that system knows them, and not whose it was: a digest under the secret of the
deployment, or for a webhook the golden id, which stays as one that is retired anyhow. It goes with the delivery that
tells of it, once that was taken.
"""

from collections.abc import Callable, Iterator
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from cdm_pipelines.hub.schema_activation import delivery, delivery_member, gone_member, result
from cdm_pipelines.hub.table_places import place_of, search_by, with_ids
from cdm_pipelines.store.register import Keeps, Kept, Persons, Place, Retention, Rows, Stores

KnownAs = Callable[[str, str, UUID], str]
"""By what a platform, of an audience, knows a customer."""


def places(known_as: KnownAs) -> Iterator[Place]:
    """The places of the ledger."""
    condition = with_ids(delivery_member, "golden_id")
    m, d = delivery_member.c, delivery.c

    def remove(stores: Stores, persons: Persons) -> int:
        connection = stores.connection
        home = (m.audience, m.golden_id, d.platform, d.place)
        last = (
            select(*home, m.action, d.taken_at)
            .join(delivery, d.delivery_id == m.delivery_id)
            .where(condition(persons), m.action != "control")
            .distinct(*home)
            .order_by(*home, m.delivery_id.desc())
            .subquery()
            .c
        )
        has_them = or_(last.action != "removed", last.taken_at.is_(None))
        sent = connection.execute(
            select(last.audience, last.platform, last.place, last.golden_id).where(has_them)
        )
        keys = [
            {
                "audience": audience,
                "platform": platform,
                "place": place,
                "member_key": known_as(platform, audience, id_),
            }
            for audience, platform, place, id_ in sent
        ]
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
        Rows(remove, "rows deleted; by what the system knows them is kept until it has been told"),
        search_by(delivery_member, "golden id", condition),
    )
    yield place_of(
        gone_member,
        Retention(Keeps.REPLACED, "gone once the system has taken the delivery that tells of it"),
        Kept(
            "what says to the system alone whom to let go of: a key, or for a webhook the golden id of who was erased, "
            "and no more"
        ),
    )
    kept = Retention(Keeps.FOR_EVER, "says nothing of a person")
    yield place_of(delivery, kept, Kept("names no customer and holds no value"))
    yield place_of(result, Retention(Keeps.REPLACED, "by each count"), Kept("holds counts"))
