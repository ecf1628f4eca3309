"""Certificates of erasures, chained: one that is edited, removed or moved shows.

Belongs here: how a certificate is hashed, and what is wrong with a chain of them. Does not belong here: storing (hub),
what is certified (steps.rights).

The hash is made as that of a decision (``identity.chain``): SHA-256 of the UTF-8 bytes of one JSON object in the one
form that is hashed, with the members ``content, issued_at, number, previous_hash, request_id``.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from cdm_pipelines.identity.chain import GENESIS
from cdm_pipelines.identity.entries import written


@dataclass(frozen=True)
class Certificate:
    """That a person was erased.

    Attributes:
        number: 1, 2, 3 … in the order of issue.
        request_id: The request.
        issued_at: With time zone.
        content: Where, how many, by whom, what is kept and what was looked through; no values.
        previous_hash: Hash of the certificate before; 64 zeros for the first.
        hash: Of this one.
    """

    number: int
    request_id: int
    issued_at: dt.datetime
    content: Mapping[str, Any]
    previous_hash: str
    hash: str


def issued(
    request_id: int, content: Mapping[str, Any], before: Certificate | None, at: dt.datetime
) -> Certificate:
    """The next certificate of a chain."""
    number, previous = (before.number + 1, before.hash) if before else (1, GENESIS)
    drafted = Certificate(number, request_id, at, content, previous, "")
    return replace(drafted, hash=digest(drafted))


def digest(certificate: Certificate) -> str:
    """The hash that a certificate should have."""
    content = {
        "number": certificate.number,
        "request_id": certificate.request_id,
        "issued_at": f"{certificate.issued_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "content": certificate.content,
        "previous_hash": certificate.previous_hash,
    }
    return sha256(written(content).encode()).hexdigest()


def faults(chain: Sequence[Certificate]) -> Iterator[str]:
    """What is wrong with a chain of certificates, in order, in sentences."""
    previous = GENESIS
    for at, one in enumerate(chain, start=1):
        if one.number != at:
            yield f"certificate {at} was removed"
            return
        if digest(one) != one.hash:
            yield f"certificate {at} was edited"
        if one.previous_hash != previous:
            yield f"certificate {at} follows another than the one before it"
        previous = one.hash
