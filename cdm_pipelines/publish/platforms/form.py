"""What a form is: columns by their headers, each made from golden values, with a version.

Belongs here: the declaration, making rows by it, and telling when a header is another one. Does not belong here: the
forms themselves, or how a value is normalised (``normalise``).

A system changes its form without asking. So a form has a version, which a target names, and a target may name the
template that was downloaded from the system: a header of it that the form does not know, or lacks, is told before
anything is written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.publish.platforms.normalise import hashed, some

Make = Callable[..., pa.Array]
"""From one array of text per input, null where there is nothing, to one of text."""

KEY = "member_key"
"""Input: what the system knows the member by. Made with the secret of the deployment, it tells nobody anything else."""
RECORD = "record_id"
"""Input: key of the customer's record in the source that the target names."""
CAMPAIGN = "campaign_id"
"""Input: the campaign of the target, the same for all."""
COMPUTED = frozenset({KEY, RECORD, CAMPAIGN})
"""Inputs that are no golden values."""


@dataclass(frozen=True)
class FormColumn:
    """A column of a form.

    Attributes:
        header: As the system spells it.
        of: Golden attributes, or inputs that are computed.
        make: Makes the value of what ``of`` names.
        hashed: Whether the value leaves as its SHA-256 only.
    """

    header: str
    of: tuple[str, ...]
    make: Make
    hashed: bool = False

    def plain(self, values: pa.Table) -> pa.Array:
        """The value of each member before it is hashed, null where there is nothing."""
        return some(self.make(*(_input(values, name) for name in self.of)))

    def made(self, values: pa.Table) -> pa.Array:
        """The same as it leaves."""
        plain = self.plain(values)
        return hashed(plain) if self.hashed else plain


@dataclass(frozen=True)
class Form:
    """The form of a system.

    Attributes:
        platform: Name in ``audiences.yaml``.
        title: Name for people.
        version: Raised when the system changes its form; a target names the one that it was set up for.
        published: Where the system says so.
        columns: In the order of the file.
        reached_by: Headers of which a member has at least one filled.
        channels: Channels for which the form makes sense; empty for all.
        key: Header of the column by which a member is removed; empty where the system takes none, so that whoever
            leaves it is missing from the whole list.
        asks: Settings of a target that the form needs: ``source``, ``campaign_id``.
    """

    platform: str
    title: str
    version: int
    published: tuple[str, ...]
    columns: tuple[FormColumn, ...]
    reached_by: frozenset[str]
    channels: frozenset[str] = frozenset()
    key: str = ""
    asks: frozenset[str] = frozenset()

    @cached_property
    def headers(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(one.header for one in self.columns)

    @cached_property
    def attributes(self) -> frozenset[str]:
        """Golden attributes that it reads."""
        return frozenset(name for one in self.columns for name in one.of) - COMPUTED

    @cached_property
    def has_member_key(self) -> bool:
        """Whether a column tells the system who a member is for us."""
        return any(KEY in one.of for one in self.columns)

    def rows(self, values: pa.Table, headers: Sequence[str] = ()) -> pa.Table:
        """The rows of a file, all of text, null where there is nothing.

        Args:
            values: A row per member: what ``of`` of the columns names, all text; what it lacks counts as empty.
            headers: Their order; that of the form when left out.
        """
        made = {one.header: one.made(values) for one in self.columns}
        return pa.table({name: made[name] for name in headers or self.headers})

    def reachable(self, values: pa.Table) -> pa.Array:
        """Whether each member has something by which the system finds them; values as for ``rows``."""
        found = pa.repeat(pa.scalar(False), values.num_rows)
        for one in self.columns:
            if one.header in self.reached_by:
                found = pc.or_(found, pc.is_valid(one.plain(values)))
        return found

    def drift(self, header: Sequence[str]) -> list[str]:
        """How the header of a template differs from the form, in words; empty where it has the same columns."""
        given = [one.strip().lstrip("\ufeff") for one in header]
        twice = sorted({one for one in given if given.count(one) > 1})
        new = [one for one in given if one not in self.headers]
        gone = [one for one in self.headers if one not in given]
        found = []
        if new:
            found.append(f"the template has {', '.join(map(repr, new))}, which the form does not know")
        if gone:
            found.append(f"the template lacks {', '.join(map(repr, gone))}")
        if twice:
            found.append(f"the template has {', '.join(map(repr, twice))} more than once")
        return found


def _input(values: pa.Table, name: str) -> pa.Array:
    if name not in values.column_names:
        return pa.nulls(values.num_rows, pa.string())
    return values[name].combine_chunks().cast(pa.string())


def one_of(forms: Sequence[Form]) -> Mapping[str, Form]:
    """Forms by platform."""
    return {one.platform: one for one in forms}
