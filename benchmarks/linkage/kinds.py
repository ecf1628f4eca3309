"""What all systems are told alike about a kind of data: its id, its source, and the blocking rules.

Belongs here: plain values, importable in any environment. Does not belong here: how a system is set up with them.

A rule is the columns that two records must agree on; ``surname:3`` is the first three characters of the surname. They
are those that Splink's documentation gives for the published sets, and of one size with it otherwise.
"""

from dataclasses import dataclass

Rules = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    Attributes:
        id: Column that identifies a record.
        rules: Blocking rules by variant; the first variant has the plain policy's name.
        source: Column of the source, where two sources without duplicates are linked.
    """

    id: str
    rules: dict[str, Rules]
    source: str | None = None


_FEBRL: Rules = (
    ("given_name", "surname"),
    ("surname", "date_of_birth"),
    ("given_name", "date_of_birth"),
    ("surname", "postcode"),
    ("given_name", "postcode"),
    ("date_of_birth", "postcode"),
    ("address_1", "street_number"),
    ("address_1", "suburb"),
    ("date_of_birth",),
)

KINDS = {
    "people": Kind(
        "record_id",
        {
            "light": (
                ("email",),
                ("phone",),
                ("surname", "birth_date"),
                ("given_name", "birth_date"),
                ("given_name", "surname", "city"),
                ("given_name:1", "postcode", "house_number"),
            ),
            "wide": (
                ("email",),
                ("phone",),
                ("surname", "birth_date"),
                ("given_name:1", "birth_date"),
                ("given_name", "surname"),
                ("surname:3", "postcode"),
                ("postcode", "house_number"),
                ("given_name", "surname:3", "birth_date:4"),
            ),
        },
    ),
    "historical_50k": Kind(
        "unique_id",
        {
            "": (
                ("first_name:3", "surname:4"),
                ("surname", "dob"),
                ("first_name", "dob"),
                ("postcode_fake", "first_name"),
                ("postcode_fake", "surname"),
                ("dob", "birth_place"),
                ("postcode_fake:3", "dob"),
                ("postcode_fake:3", "first_name"),
                ("postcode_fake:3", "surname"),
                ("first_name:2", "surname:2", "dob:4"),
            )
        },
    ),
    "febrl3": Kind("rec_id", {"": _FEBRL}),
    "febrl4": Kind("rec_id", {"": _FEBRL}, source="file"),
    "fake_1000": Kind(
        "unique_id",
        {
            "": (
                ("first_name", "surname"),
                ("surname", "dob"),
                ("first_name", "dob"),
                ("email",),
                ("first_name", "city"),
                ("surname", "city"),
                ("dob", "city"),
            )
        },
    ),
}


def column(part: str) -> tuple[str, int]:
    """Column of a part of a rule, and how many characters of it; 0 for all."""
    name, _, length = part.partition(":")
    return name, int(length or 0)
