"""One value of one attribute that a person gives, read as a source's would be.

Belongs here: which value it is, and why it is refused. Does not belong here: how a value of a kind is read (the
modules of the semantic types).
"""

import pyarrow as pa

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.contracts.model import Column, Delivery, Format, KindRule, PartyKind, SourceContract
from cdm_pipelines.standardise.columns import Columns
from cdm_pipelines.standardise.party import kinds, party

_FOLLOW = {"email_kind", "gender"}
"""What other attributes tell by themselves, so that nobody needs to give it."""


class ValueRefusedError(ValueError):
    """A value that cannot be taken; the message says why, without the value."""


def settable() -> list[str]:
    """The attributes that a person can give a value of."""
    return [one.name for one in attributes(Entity.PARTY, golden_only=True) if one.name != "email_kind"]


def read_value(attribute: str, value: str, *, kind: str, country: str | None, today: str) -> str:
    """The standardised value of a party's attribute.

    Args:
        attribute: Canonical name; dates are given as YYYY-MM-DD.
        value: As a person writes it.
        kind: ``person`` or ``organisation``.
        country: ISO 3166-1 alpha-2, for what is written without a country: phone numbers, postcodes.
        today: YYYY-MM-DD; nobody is born after it.

    Raises:
        ValueRefusedError: There is no such attribute, or the value is none of its kind.
    """
    known = settable()
    if attribute not in known:
        raise ValueRefusedError(f"There is no attribute {attribute} to set; choose from {', '.join(known)}.")
    contract = SourceContract(
        source="steward",
        entity="decision",
        version="1",
        owner="",
        description="",
        location="",
        format=Format.CSV,
        delivery=Delivery.DELTA,
        columns=(Column(attribute, maps_to=(f"party.{attribute}",)),),
        default_country=country,
        party_kind=KindRule(PartyKind(kind)),
    )
    columns = Columns(pa.table({attribute: pa.array([value], pa.string())}), contract, Entity.PARTY)
    read = party(columns, kinds(columns, contract.party_kind), today)
    found = {name: values[0].as_py() for name, values in read.values.items() if values[0].is_valid}
    others = sorted(found.keys() - {attribute} - _FOLLOW)
    if others:
        parts = [attribute, *others] if attribute in found else others
        raise ValueRefusedError(
            f"That is no {attribute} alone: it reads as {' and '.join(parts)}. Set each by itself."
        )
    wrong = read.wrong.get(attribute)
    if attribute not in found or (wrong is not None and wrong[0].as_py()):
        raise ValueRefusedError(f"That is not a valid {attribute}. Give it as a source would write it.")
    return str(found[attribute])
