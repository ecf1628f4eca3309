"""Rows of persons who were erased go no further than the door: they are counted, and nothing of them is kept.

Belongs here: which delivered rows are theirs, and the note to the owner of the source. Does not belong here: what a
tombstone is (privacy.tombstones), reading files (ingest).

A row is theirs when its own key is, or the party or order that it names; when it names nobody and has an address or a
phone that only they had; or when, standardised, it is a party with their name and one thing more of theirs, unless it
was known as somebody else's when they were erased. Only rows with an address, phone or postcode that looks like theirs
are standardised for it, so that a day costs little more.
"""

import json
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.privacy import log
from cdm_pipelines.privacy.tombstones import PERSONAL, Kind, PartyKeys, Tombstones, near, numbers, records
from cdm_pipelines.settings import Settings
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.places import record_ids

_NEAR = {
    "email": Kind.NEAR_MAIL,
    "phone": Kind.NEAR_PHONE,
    "mobile": Kind.NEAR_PHONE,
    "postcode": Kind.NEAR_POSTCODE,
}
_NAMED = {"party_id": Kind.PARTY, "order_id": Kind.ORDER}
_ALONE = {"party_email": Kind.BOX, "party_phone": Kind.LINE}


@dataclass
class Door:
    """What comes in of a day of a source entity, and how many rows did not.

    Attributes:
        settings: Of the deployment.
        contract: Of the source entity.
        date: Extract date.
        stones: Of erased persons.
        kept_out: Rows that went nowhere, so far.
    """

    settings: Settings
    contract: SourceContract
    date: str
    stones: Tombstones
    kept_out: int = field(default=0, init=False)

    @classmethod
    def of(cls, settings: Settings, lake: Lake, contract: SourceContract, date: str) -> "Door":
        """With all tombstones of the deployment.

        Raises:
            KeyringError: The log of erasures or a key is missing.
        """
        return cls(settings, contract, date, log.tombstones(settings.home, lake))

    def let_in(self, rows: pa.Table) -> pa.Table:
        """The rows that are of nobody who was erased."""
        if not self.stones:
            return rows
        out = self._theirs(rows)
        self.kept_out += int(pc.sum(out).as_py() or 0)
        return rows.filter(pc.invert(out))

    def _theirs(self, rows: pa.Table) -> pa.Array:
        found = spared = pa.repeat(pa.scalar(False), rows.num_rows)
        own = self.contract
        for ids in record_ids(rows, own):
            keys = records(own.source, own.entity, ids)
            found = pc.or_(found, self.stones.hits(Kind.RECORD, keys))
            found = pc.or_(found, self._unchanged(rows, keys))
            spared = pc.or_(spared, self.stones.hits(Kind.SPARED, keys))
        near_them = pa.repeat(pa.scalar(False), rows.num_rows)
        for column, path in own.mapped():
            name = path.rpartition(".")[2]
            if column.name not in rows.column_names:
                continue
            cells = rows[column.name]
            if name in _NAMED and not path.startswith("party."):
                text = pc.utf8_trim_whitespace(cells)
                for source in {own.source, own.refers_to or own.source}:
                    found = pc.or_(found, self.stones.hits(_NAMED[name], numbers(source, text)))
            elif name in _ALONE:
                found = pc.or_(found, self._alone(_ALONE[name], cells))
            elif path.startswith("party."):
                near_them = pc.or_(near_them, self._near(name, cells))
        if Entity.PARTY in own.entities:
            closely = pc.and_(near_them, pc.invert(pc.or_(found, spared)))
            if pc.any(closely).as_py():
                found = pc.or_(found, self._closely(rows, closely))
        return found

    def _unchanged(self, rows: pa.Table, keys: pa.Array) -> pa.Array:
        """Rows whose retention is over and that their source did not change since; one that it changed comes in."""
        hits = self.stones.hits(Kind.EXPIRED, keys)
        column = self.contract.modified_at
        if column is None or column not in rows.column_names or not pc.any(hits).as_py():
            return hits
        from cdm_pipelines.standardise import dates  # noqa: PLC0415 - rules load in a run

        at = pc.indices_nonzero(hits)
        formats = self.contract.column(column).date_formats
        cells = pc.utf8_trim_whitespace(rows[column].take(at)).combine_chunks()
        changed = dates.timestamp(cells, formats, self.settings.timezone).to_pylist()
        since = [self.stones.day_of(Kind.EXPIRED, key) for key in keys.take(at).to_pylist()]
        stale = [not when or when[:10] <= day for when, day in zip(changed, since, strict=True)]
        theirs = at.filter(pa.array(stale, pa.bool_()))
        return pc.is_in(pa.array(range(rows.num_rows), at.type), value_set=theirs)

    def _near(self, name: str, cells: pa.ChunkedArray) -> pa.Array:
        """Cells that look like an erased person's; of values of several parts, any part may."""
        kinds = [_NEAR[name]] if name in _NEAR else sorted(set(_NEAR.values()))
        found = pa.repeat(pa.scalar(False), len(cells))
        for kind in kinds:
            found = pc.or_(found, self.stones.hits(kind, near(kind, cells)))
        return found

    def _alone(self, kind: Kind, cells: pa.ChunkedArray) -> pa.Array:
        """Rows that name nobody but by an address or a phone that only an erased person had."""
        from cdm_pipelines.standardise import email, phone  # noqa: PLC0415 - libraries take a third of a second to load

        text = pc.utf8_trim_whitespace(cells).combine_chunks()
        if kind is Kind.BOX:
            return self.stones.hits(kind, email.read(text)[0])
        close = self.stones.hits(Kind.NEAR_PHONE, near(Kind.NEAR_PHONE, text))
        some = pc.if_else(close, text, pa.scalar(None, pa.string()))
        home = pa.repeat(pa.scalar(self.contract.default_country, pa.string()), len(text))
        return self.stones.hits(kind, phone.read(some, home)[0])

    def _closely(self, rows: pa.Table, some: pa.Array) -> pa.Array:
        """Standardise some rows, and compare who they are with who was erased."""
        from cdm_pipelines.standardise import standardise  # noqa: PLC0415 - rules load in a run
        from cdm_pipelines.standardise.placeholders import Placeholders  # noqa: PLC0415

        at = pc.indices_nonzero(some)
        few = rows.take(at)
        nobody = Placeholders.load(self.settings.policies)
        parties = standardise(
            few, self.contract, self.date, timezone=self.settings.timezone, nobody=nobody
        ).tables[Entity.PARTY]
        keys = PartyKeys(parties)
        hit = [False] * parties.num_rows
        for kind in PERSONAL:
            for place, own in enumerate(keys.of(kind)):
                hit[place] |= any(self.stones.request_of(kind, key) is not None for key in own)
        theirs = at.filter(pa.array(hit, pa.bool_()))
        return pc.is_in(pa.array(range(rows.num_rows), at.type), value_set=theirs)


def note_to_owner(lake: Lake, contract: SourceContract, date: str, rows: int) -> None:
    """Tell the owner of a source how many rows of erased persons it still delivers; which ones is not kept.

    Days without any leave the note, and the note goes with the last of them.
    """
    path = layout.kept_out_path(contract)
    noted: dict[str, int] = json.loads(lake.read_json(path)) if lake.lies_alone(path) else {}
    before = dict(noted)
    if rows:
        noted[date] = rows
    else:
        noted.pop(date, None)
    if noted == before:
        return
    if noted:
        lake.write_json(path, json.dumps(dict(sorted(noted.items())), indent=1))
    else:
        lake.delete(path)
