"""An address from whatever columns a source keeps it in.

Belongs here: which column is believed for which part of the address. Does not belong here: the grammar of streets
(street) and places (place).
"""

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.standardise import place
from cdm_pipelines.standardise.distinct import (
    FLAG,
    TEXT,
    Arrays,
    each,
    joined,
    no_flags,
    no_text,
    over_distinct,
)
from cdm_pipelines.standardise.street import NUMBER_FIRST, Street, read_line, read_parts

_LONGEST_STREET = 100
# Words with a capital and small letters, a number of at most three digits, perhaps a plain addition: nearly all lines.
# What may mean more than that (a box, an abbreviation, "t.o.", "nr.") is left to the grammar; tests hold one against
# the other.
_PLAIN = (
    r"^(?P<street>(?:'[st][ -])?[A-Z]\p{Ll}[\p{L}.'-]*(?: [\p{L}.'-]*\p{L})*\p{Ll}) (?P<number>[1-9][0-9]{0,2})"
    r"(?:[ -]?(?P<letter>[A-Za-z])|[ -](?P<word>bis|hs|[1-9] hoog|[1-9][0-9]{0,2}))?$"
)
_NOT_PLAIN = (
    r"(?i)str [0-9]|(?-i:Ij)|ĳ|\b(?:p\.?b|p\.?o|post[a-z]*|box|bus|bp|bo[iî]te|antw[a-z]*|t\.?o|nr|no|naast|nabij|bij|"
    r"tegenover|ong|ongenummerd|flat|apt|apartment|unit|suite|room|floor|kamer|gebouw|blok|toren|huisnr)\b"
)


def address(
    columns: dict[str, pa.Array], country: pa.Array, stated: pa.Array | None = None
) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    """Take address lines apart and put the parts together.

    Street, number and addition of their own columns are believed before an address line.

    Args:
        columns: Clean text by target: any of the attributes of an address (without country) and ``address_line``.
        country: ISO 3166-1 alpha-2 of the record, or of its source's default; null when unknown.
        stated: Where it is given, the same, but null too where the record names a country that nobody could read:
            its postcode is then read as no country's.

    Returns:
        The attributes of the address, and flags of those that it cannot be.
    """
    empty = no_text(len(country))
    own = [columns.get(name, empty) for name in ("street", "house_number", "house_addition")]
    line = columns.get("address_line", empty)
    street, number, addition, aside, odd = over_distinct(_street, line, *own, country)
    postcode, wrong_postcode = place.postcode(
        columns.get("postcode", empty), country if stated is None else stated
    )
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


def _street(
    line: pa.Array, street: pa.Array, number: pa.Array, addition: pa.Array, country: pa.Array
) -> Arrays:
    """Plain lines for the whole column, the others one by one."""
    own = pc.or_(pc.or_(pc.is_valid(street), pc.is_valid(number)), pc.is_valid(addition))
    ordinary = pc.invert(pc.is_in(country, value_set=pa.array(sorted(NUMBER_FIRST), TEXT)))
    if line.null_count == len(line):  # most sources have columns of their own
        return each(_read, (TEXT, TEXT, TEXT, TEXT, FLAG), line, street, number, addition, country)
    plain = pc.and_not(pc.match_substring_regex(line, _PLAIN), pc.match_substring_regex(line, _NOT_PLAIN))
    usual = pc.fill_null(pc.and_not(pc.and_(ordinary, plain), own), False)
    parts = pc.extract_regex(pc.if_else(usual, line, pa.scalar(None, TEXT)), _PLAIN)
    nothing = no_text(len(line))
    behind = pc.binary_join_element_wise(pc.utf8_upper(parts.field("letter")), parts.field("word"), "")
    fast = (
        pc.if_else(usual, parts.field("street"), nothing),
        pc.if_else(usual, parts.field("number"), nothing),
        pc.if_else(pc.and_(usual, pc.not_equal(behind, "")), behind, nothing),
        nothing,
        no_flags(len(line)),
    )
    rest = pc.invert(usual)
    if not pc.any(rest).as_py():
        return fast
    columns = (column.filter(rest) for column in (line, street, number, addition, country))
    slow = each(_read, (TEXT, TEXT, TEXT, TEXT, FLAG), *columns)
    return tuple(pc.replace_with_mask(quick, rest, part) for quick, part in zip(fast, slow, strict=True))


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
        return each(lambda v: (" ".join(v.split()) if v else None,), (TEXT,), values)

    return over_distinct(standard, column)[0]
