"""E-mail addresses as people make them of their names.

Belongs here: patterns of mailboxes, the frequency of mail domains, and that no two persons own the same mailbox.
Does not belong here: typing errors in them (spelling).
"""

from functools import cache
from unicodedata import combining, normalize
from zlib import crc32

import numpy as np
import numpy.typing as npt

from cdm_pipelines.demo.draws import Draws, Ints, Text, Weighted, constant, styled, text
from cdm_pipelines.demo.words import words

_PATTERNS = (26, 16, 14, 10, 8, 5, 9, 8, 4)
_SPECIAL = str.maketrans({"ı": "i", "ł": "l", "Ł": "l", "ß": "ss", "ø": "o", "đ": "d", "İ": "i"})


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
        _, first = np.unique(prints, return_index=True)
        taken = np.ones(len(prints), dtype=bool)
        taken[first] = False
        taken |= np.isin(prints, self._seen)
        out = mailboxes.copy()
        for position in np.flatnonzero(taken):
            local, _, domain = out[position].partition("@")
            out[position] = f"{local}{number[position]}@{domain}"
        self._seen = np.union1d(self._seen, prints)
        return out


def _domains(draws: Draws, step: str, countries: Text) -> Text:
    uniform = draws.uniform(step, len(countries))
    out = constant("", len(countries))
    for country in ("NL", "BE", "DE"):
        at = np.flatnonzero(countries == country)
        domains = Weighted(words("organisations.txt", f"freemail-{country}"), shift=1.6)
        out[at] = domains.take(uniform[at])
    return out


def personal_mailboxes(
    draws: Draws, registry: Registry, *, call: Text, family: Text, year: Ints, countries: Text, number: Ints
) -> Text:
    """One mailbox per person.

    Args:
        draws: Streams of this use.
        registry: Keeps mailboxes apart.
        call: Names by which they are called.
        family: Surnames with prefix.
        year: Of birth.
        countries: Decide the mail domains.
        number: Party numbers.
    """
    size = len(number)
    first = text([ascii_name(name) for name in call])
    last = text([ascii_name(name) for name in family])
    initial = text([name[:1] for name in first])
    short_year = text([f"{y % 100:02d}" for y in year.tolist()])
    long_year = text([str(y) for y in year.tolist()])
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
    return registry.claim(local + "@" + _domains(draws, "domain", countries), number)


def family_mailboxes(
    draws: Draws, registry: Registry, *, family: Text, countries: Text, number: Ints
) -> Text:
    """One mailbox per household."""
    size = len(number)
    last = text([ascii_name(name) for name in family])
    before = text(["familie.", "fam.", "familie", "fam"])[draws.integers("before", size, 0, 4)]
    return registry.claim(before + last + "@" + _domains(draws, "domain", countries), number)


def work_mailboxes(draws: Draws, *, call: Text, initial: Text, family: Text, domain: Text) -> Text:
    """Mailboxes at an employer: j.jansen@ or jan.jansen@ or jan@ the company's domain."""
    first = text([ascii_name(name) for name in call])
    last = text([ascii_name(name) for name in family])
    start = text([name[:1].lower() for name in initial])
    local = styled(
        draws.pick("pattern", len(call), (50, 35, 15)),
        [lambda i: start[i] + "." + last[i], lambda i: first[i] + "." + last[i], lambda i: first[i]],
    )
    return local + "@" + domain
