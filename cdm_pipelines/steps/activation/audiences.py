"""Who is in an audience at a moment, and why others are not.

Belongs here: reading candidates, consent and contacts, and choosing from them. Does not belong here: delivering
(``deliveries``), what a filter says (publish.audience_filter), the rules of consent (privacy.off).

Reasons are in an order, and who is left out counts under the first that applies: so the counts of a preview add up to
who the filter found. Consent is that of the moment at which it is read: what was said a second ago counts, and what has
expired since the last publication does not.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    MetaData,
    Select,
    Table,
    Uuid,
    and_,
    cast,
    false,
    func,
    literal,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.types import Text

from cdm_pipelines.hub import deliveries, rights
from cdm_pipelines.hub.load import copy_table, read_grouped, read_packed
from cdm_pipelines.hub.schema import crosswalk
from cdm_pipelines.hub.schema_privacy import consent
from cdm_pipelines.insight.action_rules import Flags, flags
from cdm_pipelines.privacy.off import EVERY_CHANNEL, off_for, refuses
from cdm_pipelines.publish import audience_filter
from cdm_pipelines.publish.audience_columns import CUSTOMER, Allowed
from cdm_pipelines.publish.audience_policy import SERVICE, Audience
from cdm_pipelines.publish.platforms.form import CAMPAIGN, KEY, RECORD
from cdm_pipelines.steps.activation.audience_book import AudienceError, Book
from cdm_pipelines.steps.activation.contacts import contacts, first_day, messages
from cdm_pipelines.steps.consent.off import off_in_use
from cdm_pipelines.store.arrow import whole

BEING_ERASED, RESTRICTED, OBJECTED = "being erased", "restricted", "objected"
DECEASED, NOT_PROFILED = "deceased", "objected to what it is chosen by"
NO_CONSENT, NO_ADDRESS, COMPLAINT = "no consent", "no address for the channel", "open complaint"
PRESSED, HELD_BACK, OVER_CAP = "contacted too often", "control group", "over the cap"
REASONS = (
    BEING_ERASED, DECEASED, RESTRICTED, OBJECTED, NO_CONSENT, NOT_PROFILED, NO_ADDRESS, COMPLAINT, PRESSED, HELD_BACK,
    OVER_CAP,
)  # fmt: skip
"""Why somebody whom the filter found is not in an audience, in the order in which they are asked."""
_ADDRESSES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "email": (("email",),),
    "phone": (("phone",), ("mobile",)),
    "sms": (("mobile",),),
    "post": (("street", "postcode", "city"),),
}
"""By channel the attributes of which one set has to be filled; other channels need none."""
_NOTHING = -1
_T = pa.string()
Draws = npt.NDArray[np.float64]
_FOUND = pa.schema(
    [("golden_id", _T), *((name, pa.bool_()) for name in ("reachable", "complaint", "deceased"))]
)
_SAID = pa.schema([("golden_id", _T), ("channel", _T), ("allowed", pa.bool_()), ("objected", pa.bool_())])


@dataclass(frozen=True)
class Selection:
    """Who is in an audience at a moment.

    Attributes:
        name: Of the audience.
        found: Customers whom the filter found.
        excluded: How many of them are left out, by reason, in the order of ``REASONS``.
        rows: Of its members the row of the file, in order of golden id; ``golden_id`` is the first column.
        control: Golden ids of those in the control group.
        reasons: Why others are not in it: ``golden_id, reason``.
        standing: Who was in it before, as ``deliveries.STANDING``.
    """

    name: str
    found: int
    excluded: Mapping[str, int]
    rows: pa.Table
    control: pa.Array
    reasons: pa.Table = field(repr=False)
    standing: pa.Table = field(repr=False)

    @property
    def members(self) -> int:
        """How many are in it."""
        return int(self.rows.num_rows)

    @property
    def counts(self) -> dict[str, int]:
        """Found, left out by reason, members."""
        return {"found by the filter": self.found, **self.excluded, "members": self.members}


def choose(connection: Connection, book: Book, name: str) -> Selection:
    """Choose who is in an audience now.

    Args:
        connection: Of a migrated hub, in a transaction; whoever delivers has locked what customers say.
        book: All that is declared.
        name: Of the audience.

    Raises:
        AudienceError: There is none of that name, or a table that it reads is not there yet.
    """
    audience = book.named(name)
    choosing = _Choosing(connection, book, name, audience)
    return choosing.chosen()


@dataclass
class _Choosing:
    """Choosing step by step: who is left, and why the others are not."""

    connection: Connection
    book: Book
    name: str
    audience: Audience
    excluded: dict[str, int] = field(default_factory=dict)
    reasons: list[pa.Table] = field(default_factory=list)

    @cached_property
    def allowed(self) -> Allowed:
        return Allowed(self.audience.purpose, self.book.columns, self.book.given)

    def chosen(self) -> Selection:
        found = self._found()
        standing = deliveries.standing(self.connection, self.name)
        sent = pc.unique(standing["golden_id"].filter(standing["sent"]))
        held = pc.unique(standing["golden_id"].filter(standing["control"]))
        left = self._without(found, self._not_allowed(found)).sort_by("golden_id")
        ids = whole(left["golden_id"])
        values = self._values(ids)
        left = left.append_column("row", pa.array(np.arange(left.num_rows)))
        left = self._without(left, self._not_now(left, values, known=(sent, held)))
        ids = whole(left["golden_id"])
        draws = self.book.keys.draws(self.name, ids.to_pylist())
        was_sent, was_held = (_among(ids, some) for some in (sent, held))
        control = was_held | ((draws < self.audience.control_group) & ~was_sent)
        over = self._over_cap(draws, was_sent, control)
        members = self._without(left, [(HELD_BACK, control), (OVER_CAP, over)])
        excluded = {reason: self.excluded.get(reason, 0) for reason in REASONS}
        return Selection(
            self.name,
            found.num_rows,
            excluded,
            self._rows(values.take(whole(members["row"]))),
            ids.filter(pa.array(control)),
            pa.concat_tables(self.reasons),
            standing,
        )

    def _over_cap(self, draws: Draws, was_sent: Flags, control: Flags) -> Flags:
        """Whom the cap leaves out: who is in it stays first, then the draw decides."""
        cap = self.audience.cap
        over = np.zeros(len(draws), dtype=bool)
        may = np.flatnonzero(~control)
        if cap is not None and len(may) > cap:
            order = may[np.lexsort((draws[may], ~was_sent[may]))]
            over[order[cap:]] = True
        return over

    def _without(self, rows: pa.Table, against: Iterable[tuple[str, Flags]]) -> pa.Table:
        """Those against whom nothing speaks; of the others the first reason is noted."""
        why = np.full(rows.num_rows, _NOTHING, np.int8)
        for reason, theirs in against:
            why[theirs & (why == _NOTHING)] = REASONS.index(reason)
        at = np.flatnonzero(why != _NOTHING)
        reasons = pa.array(REASONS).take(pa.array(why[at]))
        self.reasons.append(pa.table({"golden_id": rows["golden_id"].take(pa.array(at)), "reason": reasons}))
        for reason, number in zip(REASONS, np.bincount(why[at], minlength=len(REASONS)), strict=True):
            self.excluded[reason] = self.excluded.get(reason, 0) + int(number)
        return rows.filter(pa.array(why == _NOTHING))

    # What is read

    def _found(self) -> pa.Table:
        """Whom the filter finds, in no order, and whether the channel reaches them."""
        term = self.audience.chosen
        condition = audience_filter.sql(term, self.allowed, self.book.given.purposes)
        names = set(audience_filter.columns_of(term))
        complaint: ColumnElement[bool] = false()
        if self.audience.without_open_complaint:
            names.add(f"{SERVICE}_open_tickets")
            service = f'"{SERVICE}"'
            complaint = func.coalesce(
                literal_column(f"{service}.open_tickets > 0 OR {service}.complained_lately"),
                literal(value=False),
            )
        query = select(CUSTOMER.c.golden_id, self._reached(), complaint, CUSTOMER.c.deceased)
        names |= {name for way in self._addresses() for name in way}
        query = self._joined(query, names).where(condition)
        return self._read(read_grouped, query, _FOUND)

    def _joined(self, query: Select[Any], names: set[str]) -> Select[Any]:
        """The query over customers and the tables of enrichers that columns are of."""
        tables = self._with_origin(CUSTOMER, names)
        for own in self.allowed.sources(names):
            if self.connection.scalar(select(func.to_regclass(f"profile.{own.table}"))) is None:
                raise AudienceError(
                    f"audiences.{self.name}: {own.name} is not worked out yet: run the pipeline first (cdm run)."
                )
            table = Table(own.table, MetaData(), Column("golden_id", Uuid), schema="profile").alias(
                own.enricher
            )
            tables = tables.outerjoin(table, table.c.golden_id == CUSTOMER.c.golden_id)
        return query.select_from(tables)

    def _with_origin(self, tables: FromClause, names: Iterable[str]) -> FromClause:
        """The tables, with where golden values come from as far as that decides."""
        origin = self.allowed.origin(names)
        return (
            tables if origin is None else tables.outerjoin(origin, origin.c.golden_id == CUSTOMER.c.golden_id)
        )

    def _addresses(self) -> list[tuple[str, ...]]:
        """Sets of attributes by which the channel reaches a customer, as far as the purpose may use them."""
        ways = _ADDRESSES.get(self.audience.channel, ())
        return [way for way in ways if all(self.allowed.problem(name) is None for name in way)]

    def _reached(self) -> ColumnElement[bool]:
        """Whether a customer has what the channel needs, given for the purpose."""
        if self.audience.channel not in _ADDRESSES:
            return true()
        found: ColumnElement[bool] = false()
        for way in self._addresses():
            found = found | and_(*(self.allowed.sql(name).is_not(None) for name in way))
        return found

    def _not_allowed(self, found: pa.Table) -> Iterator[tuple[str, Flags]]:
        """Who must not be approached for the purpose by the channel, by reason."""
        ids, purpose = whole(found["golden_id"]), self.audience.purpose
        yield BEING_ERASED, _among(ids, deliveries.being_erased(self.connection))
        yield DECEASED, flags(found["deceased"])
        restricted = rights.restricted(self.connection, "golden.crosswalk")
        for reason, key in ((RESTRICTED, ""), (OBJECTED, purpose)):
            theirs = restricted["golden_id"].filter(pc.equal(restricted["purpose"], key))
            yield reason, _among(ids, theirs)
        refused, objected = self._refused(ids)
        yield OBJECTED, refused & objected
        yield NO_CONSENT, refused
        for keys in self.allowed.of_others(audience_filter.columns_of(self.audience.chosen)):
            # What was worked out last night is still there, and may be used no more.
            asked = [(key, EVERY_CHANNEL) for key in keys]
            off = off_in_use(self.connection, self.book.given.purposes, asked)
            yield NOT_PROFILED, np.logical_and.reduce([_among(ids, off_for(off, key)) for key in keys])

    def _refused(self, ids: pa.Array) -> tuple[Flags, Flags]:
        """Who does not allow the purpose by the channel, and who objected to it."""
        purpose, channel = self.audience.purpose, self.audience.channel
        query = select(
            consent.c.golden_id,
            consent.c.channel,
            and_(
                consent.c.allowed,
                func.coalesce(consent.c.expires > func.clock_timestamp(), literal(value=True)),
            ),
            func.coalesce(consent.c.state == "objected", literal(value=False)),
        ).where(
            consent.c.purpose == purpose,
            consent.c.channel.in_([EVERY_CHANNEL, channel]),
            consent.c.state.is_not(None),  # unsaid is no answer: consent.off
        )
        said = self._read(read_grouped, query, _SAID)
        yes, no, objected = (np.zeros(len(ids), np.bool_) for _ in range(3))
        for one in {EVERY_CHANNEL, channel}:  # of which a customer has one answer each
            of_it = said.filter(pc.equal(said["channel"], one))
            at = pc.index_in(ids, value_set=whole(of_it["golden_id"]))
            allowed = of_it["allowed"].take(at)
            yes, no = yes | flags(allowed), no | flags(pc.invert(allowed))
            objected = objected | flags(of_it["objected"].take(at))
        refused = refuses(self.book.given.purposes[purpose], pa.array(yes), pa.array(no))
        return flags(refused), objected

    def _not_now(
        self, left: pa.Table, values: pa.Table, known: Iterable[pa.Array]
    ) -> Iterator[tuple[str, Flags]]:
        """Who cannot be approached, or not at this moment, by reason; who is known to the audience stays in it."""
        form = self.book.target(self.audience).made_by
        reachable = flags(left["reachable"])
        yield NO_ADDRESS, ~(reachable if form is None else reachable & flags(form.reachable(values)))
        yield COMPLAINT, flags(left["complaint"])
        ids = whole(left["golden_id"])
        yield PRESSED, self._pressed(ids) & ~np.logical_or.reduce([_among(ids, some) for some in known])

    def _pressed(self, ids: pa.Array) -> Flags:
        """Who was contacted too often."""
        pressure = self.book.policy.pressure
        if pressure is None:
            return np.zeros(len(ids), np.bool_)
        first = first_day(self.book.settings, pressure.days)
        if first not in self.book.sent:
            today = first + dt.timedelta(days=pressure.days - 1)
            self.book.sent[first] = messages(self.connection, self.book.settings, first, today)
        sent, declared = self.book.sent[first], self.book.policy.audiences
        often = contacts(self.connection, self.book.settings, sent, first, declared, at_least=pressure.most)
        return _among(ids, often["golden_id"])

    def _rows(self, values: pa.Table) -> pa.Table:
        """The rows of the file, of members with their values; golden id is the first column."""
        target, ids = self.book.target(self.audience), values["golden_id"]
        form = target.made_by
        if form is None:
            return values
        if form.has_member_key:
            values = values.append_column(KEY, self.book.keys.members(self.name, ids.to_pylist()))
        values = values.append_column(CAMPAIGN, pa.repeat(pa.scalar(target.campaign_id, _T), len(ids)))
        rows = form.rows(values)
        return pa.table({"golden_id": ids, **{name: rows[name] for name in rows.column_names}})

    def _values(self, ids: pa.Array) -> pa.Table:
        """What the form reads of customers, in order of golden id: values as text where the purpose may use them."""
        target = self.book.target(self.audience)
        if target.made_by is None:
            return pa.table({"golden_id": ids})
        names = [one for one in sorted(target.made_by.attributes) if self.allowed.problem(one) is None]
        source = target.source
        asked = Table("asked_member", MetaData(), Column("golden_id", Uuid))
        self.connection.execute(
            text("CREATE TEMPORARY TABLE IF NOT EXISTS asked_member (golden_id uuid) ON COMMIT DROP")
        )
        self.connection.execute(text("TRUNCATE asked_member"))
        copy_table(self.connection, "asked_member", pa.table({"golden_id": ids}), schema="pg_temp")
        self.connection.execute(text("ANALYZE asked_member"))
        columns: list[ColumnElement[Any]] = [CUSTOMER.c.golden_id]
        columns += [cast(self.allowed.sql(name), Text).label(name) for name in names]
        # Not joined: the database would keep all customers in memory, and not those that are asked for.
        among = select(asked.c.golden_id).where(asked.c.golden_id == CUSTOMER.c.golden_id).exists()
        if source:
            columns.append(_record_in(source).label(RECORD))
        query = select(*columns).select_from(self._with_origin(CUSTOMER, names)).where(among)
        fields = ["golden_id", *names, *([RECORD] if source else [])]
        return self._read(read_packed, query, pa.schema([(name, _T) for name in fields]))

    def _read(self, how: Callable[..., pa.Table], query: Select[Any], schema: pa.Schema) -> pa.Table:
        """The rows of a query; its values are parameters."""
        made = query.compile(dialect=self.connection.dialect, compile_kwargs={"render_postcompile": True})
        return how(self.connection, str(made), schema, dict(made.params))


def _among(ids: pa.Array, some: pa.Array | pa.ChunkedArray) -> Flags:
    """Which ids are among some."""
    return flags(pc.is_in(ids, value_set=whole(some)))


def _record_in(source: str) -> ColumnElement[str]:
    """The key of a customer's record in a source entity, the first where it has several."""
    of, entity = source.split("/")
    x = crosswalk.alias("own").c
    return (
        select(func.min(x.record_id))
        .where(x.golden_id == CUSTOMER.c.golden_id, x.source == of, x.entity == entity, x.active)
        .scalar_subquery()
    )
