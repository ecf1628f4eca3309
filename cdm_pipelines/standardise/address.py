"""An address from whatever columns a source keeps it in.

Belongs here: which column is believed for which part of the address. Does not belong here: the grammar of streets
(street) and places (place).
"""

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.standardise import place
from cdm_pipelines.standardise.distinct import FLAG, TEXT, Arrays, each, joined, no_text, over_distinct
from cdm_pipelines.standardise.street import Street, read_line, read_parts
from cdm_pipelines.standardise.text import plain_punctuation

_LONGEST_STREET = 100


def address(
    columns: dict[str, pa.Array], country: pa.Array
) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    """Take address lines apart and put the parts together.

    Street, number and addition of their own columns are believed before an address line.

    Args:
        columns: Clean text by target: any of the attributes of an address (without country) and ``address_line``.
        country: ISO 3166-1 alpha-2 of the record, or of its source's default; null when unknown.

    Returns:
        The attributes of the address, and flags of those that it cannot be.
    """
    empty = no_text(len(country))
    own = [columns.get(name, empty) for name in ("street", "house_number", "house_addition")]
    line = columns.get("address_line", empty)
    street, number, addition, aside, odd = over_distinct(_street, line, *own, country)
    postcode, wrong_postcode = place.postcode(columns.get("postcode", empty), country)
    city, wrong_city = place.city(columns.get("city", empty), country)
    found = {
        "street": street,
        "house_number": number,
        "house_addition": addition,
        "address_extra": _extra(columns.get("address_extra", empty), aside),
        "postcode": postcode,
        "city": city,
        "region": place.region(columns.get("region", empty), country),
    }
    return found, {"postcode": wrong_postcode, "city": wrong_city, "street": odd}


def _street(*columns: pa.Array) -> Arrays:
    return each(_read, (TEXT, TEXT, TEXT, TEXT, FLAG), *columns)


def _read(
    line: str | None, street: str | None, number: str | None, addition: str | None, country: str | None
) -> tuple[str | None, str | None, str | None, str | None, bool]:
    if street or number or (addition and not line):
        parts = read_parts(street, number, addition, country)
        parts = parts if street or not line else _filled(parts, read_line(line, country))
    else:
        parts = read_line(line, country) if line else Street()
        parts = parts._replace(addition=parts.addition or addition)
    return (*parts, len(parts.street or "") > _LONGEST_STREET)


def _filled(parts: Street, line: Street) -> Street:
    """A street from the address line, its number from a column of its own."""
    extra = line.extra
    return Street(line.street, parts.number or line.number, parts.addition or line.addition, extra)


def _extra(own: pa.Array, aside: pa.Array) -> pa.Array:
    """What a source calls a further line, and what stood beside the street; once when they are the same."""
    same = pc.fill_null(pc.equal(own, aside), False)
    own = pc.if_else(same, pa.scalar(None, TEXT), own)
    return _plain(joined(aside, own, ", "))


def _plain(column: pa.Array) -> pa.Array:
    def standard(values: pa.Array) -> Arrays:
        return each(lambda v: (" ".join(plain_punctuation(v).split()) if v else None,), (TEXT,), values)

    return over_distinct(standard, column)[0]
