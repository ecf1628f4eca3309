"""E-mail addresses as people make them of their names.

Belongs here: patterns of mailboxes, the frequency of mail domains, and that no two persons own the same mailbox.
Does not belong here: typing errors in them (spelling).
"""

from dataclasses import dataclass
from functools import cache
from unicodedata import combining, normalize
from zlib import crc32

import numpy as np
import numpy.typing as npt

from cdm_demo.draws import Draws, Ints, Text, Weighted, constant, styled, text
from cdm_demo.words import words

_PATTERNS = (26, 16, 14, 10, 8, 5, 9, 8, 4)
_SPECIAL = str.maketrans({"\u0131": "i", "ł": "l", "Ł": "l", "ß": "ss", "ø": "o", "đ": "d", "İ": "i"})


@cache
def ascii_name(value: str) -> str:
    """A name as it stands in a mailbox: lower case, no diacritics, letters, digits and hyphens only."""
    plain = normalize("NFKD", value.translate(_SPECIAL))
    kept = "".join(letter for letter in plain.lower() if not combining(letter))
    return "".join(letter for letter in kept if letter.isalnum() or letter == "-")


class Registry:
    """The mailboxes given out so far, as sorted 32-bit fingerprints (four bytes per mailbox)."""

    def __init__(self) -> None:
        self._seen: npt.NDArray[np.uint32] = np.zeros(0, dtype=np.uint32)

    def claim(self, mailboxes: Text, number: Ints) -> Text:
        """Return the mailboxes, those already taken extended with the number of their owner."""
        prints = np.array([crc32(mailbox.encode()) for mailbox in mailboxes], dtype=np.uint32)
        order = np.argsort(prints, kind="stable")
        repeated = np.concatenate([[False], prints[order][1:] == prints[order][:-1]])
        taken = np.zeros(len(prints), dtype=bool)
        taken[order[repeated[: len(order)]]] = True
        at = np.searchsorted(self._seen, prints)
        inside = at < len(self._seen)
        taken[inside] |= self._seen[at[inside]] == prints[inside]
        out = mailboxes.copy()
        for position in np.flatnonzero(taken):
            local, _, domain = out[position].partition("@")
            out[position] = f"{local}{number[position]}@{domain}"
        self._seen = np.sort(np.concatenate([self._seen, prints]))
        return out


def _domains(draws: Draws, step: str, countries: Text) -> Text:
    uniform = draws.uniform(step, len(countries))
    out = constant("", len(countries))
    for country in ("NL", "BE", "DE"):
        at = np.flatnonzero(countries == country)
        domains = Weighted(words("organisations.txt", f"freemail-{country}"), shift=0.9)
        out[at] = domains.take(uniform[at])
    return out


@dataclass(frozen=True, slots=True)
class Owners:
    """Who gets a mailbox.

    Attributes:
        call: Names by which they are called.
        family: Surnames with prefix.
        year: Of birth.
        countries: Decide the mail domains.
        number: Party numbers.
    """

    call: Text
    family: Text
    year: Ints
    countries: Text
    number: Ints


def personal_mailboxes(draws: Draws, registry: Registry, owners: Owners) -> Text:
    """One mailbox per person, different from all that the registry knows."""
    size = len(owners.number)
    first = text([ascii_name(name) for name in owners.call])
    last = text([ascii_name(name) for name in owners.family])
    initial = text([name[:1] for name in first])
    short_year = text([f"{y % 100:02d}" for y in owners.year.tolist()])
    long_year = text([str(y) for y in owners.year.tolist()])
    tail = text([str(n) for n in draws.integers("digits", size, 1, 99).tolist()])
    local = styled(
        draws.pick("pattern", size, _PATTERNS),
        [
            lambda i: first[i] + "." + last[i],
            lambda i: first[i] + last[i],
            lambda i: initial[i] + "." + last[i],
            lambda i: first[i] + "." + last[i] + short_year[i],
            lambda i: first[i] + long_year[i],
            lambda i: last[i] + "." + first[i],
            lambda i: initial[i] + last[i] + tail[i],
            lambda i: first[i] + last[i] + tail[i],
            lambda i: first[i] + "_" + last[i],
        ],
    )
    return registry.claim(local + "@" + _domains(draws, "domain", owners.countries), owners.number)


def family_mailboxes(draws: Draws, registry: Registry, owners: Owners) -> Text:
    """One mailbox per person for the whole household, of which the head's is used."""
    size = len(owners.number)
    last = text([ascii_name(name) for name in owners.family])
    before = text(["familie.", "fam.", "familie", "fam"])[draws.integers("before", size, 0, 4)]
    return registry.claim(before + last + "@" + _domains(draws, "domain", owners.countries), owners.number)


def work_mailboxes(draws: Draws, *, call: Text, initial: Text, family: Text, domain: Text) -> Text:
    """Mailboxes at an employer: j.jansen@ or jan.jansen@ or jan@ the company's domain."""
    first = text([ascii_name(name) for name in call])
    last = text([ascii_name(name) for name in family])
    start = text([name[:1].lower() for name in initial])
    local = styled(
        draws.pick("pattern", len(call), (50, 35, 15)),
        [lambda i: start[i] + "." + last[i], lambda i: first[i] + "." + last[i], lambda i: first[i]],
    )
    address: Text = local + "@" + domain
    return address
